"""A suite as the commands use it: found, narrowed, its defaults spelled out, its trials keyed and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.suite.errors import UserError

if TYPE_CHECKING:
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial


def load(text: str, only: list[str] | None, overrides: list[str] | None, seeds: int | None) -> Suite:
    """The suite that `text` names, narrowed by the options, with the libraries' own defaults filled in.

    torch is imported only where the file names something that torch or timm has to explain.

    Raises
    ------
    UserError
        The file or an option is wrong, or a reference is unknown.
    """
    from bench.suite.suite import find_suite, load_suite

    suite = load_suite(find_suite(text), only or [], overrides or [], seeds)
    if not all(is_known({**config, "model": {"name": "mlp"}}) for config, _ in suite.configurations):
        from bench.training.optimizers import resolved

        def spelled_out(entry: dict[str, Any]) -> dict[str, Any]:
            try:
                return resolved(entry)
            except UserError:
                return entry  # `check` tells of it, together with whatever else is wrong

        suite = suite.resolved(spelled_out)
    if suite.references:
        _check_references(suite)
    return suite


def trials_of(suite: Suite) -> list[Trial]:
    """The trials of a suite, with the data's checksums and the source of the user's own models in their keys."""
    from bench.data import fingerprint
    from bench.models.user import file_of, source
    from bench.suite.trial import trials

    folder = suite.path.resolve().parent
    return trials(suite, fingerprint, lambda name: (file_of(name, folder), source(name, folder)))


def is_known(config: dict[str, Any]) -> bool:
    """Whether all names are bench's own, so that no library has to be asked about them."""
    from bench.suite.components import AXES, OPEN

    return all(config[axis]["name"] in AXES[axis] for axis in OPEN)


def check(suite: Suite, trials: list[Trial]) -> None:
    """The checks that need torch; left out where the file itself has told everything.

    Raises
    ------
    UserError
        A model or an optimizer cannot be built; all of them are named.
    """
    first = {trial.group: trial for trial in trials}.values()
    if all(_is_plain(trial.config) for trial in first):
        return
    from bench.data import shape
    from bench.suite.components import OPEN
    from bench.suite.expand import canonical
    from bench.training.check import check

    shapes = {text: shape(entry) for text, entry in {t.data: t.run_config["dataset"] for t in first}.items()}
    places = {
        canonical([axis, trial.run_config[axis]]): suite.place(axis, trial.config[axis])
        for trial in first
        for axis in OPEN
    }
    check([trial.run_config for trial in first], shapes, places)


def _is_plain(config: dict[str, Any]) -> bool:
    """Whether the suite file alone tells that a configuration fits any picture."""
    reflects = any(entry.get("mode") == "reflect" for entry in config["augmentation"])
    return is_known(config) and config["model"]["name"] == "mlp" and not reflects


def _check_references(suite: Suite) -> None:
    from bench.published import find

    unknown = []
    for name in suite.references:
        try:
            find([name])
        except UserError as error:
            unknown.append(f"{suite.place('references', name)}: {str(error).removeprefix('references: ')}")
    if unknown:
        raise UserError("\n".join(unknown))
