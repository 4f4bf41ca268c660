"""A suite as the commands use it: found, narrowed, its defaults spelled out, its trials keyed and checked."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from bench import library_cache
from bench.components import AXES, EXTENSIBLE_AXES, is_user_defined
from bench.components.datasets import FROM_PATH
from bench.components.user_defined import known_defaults, spelled_out
from bench.data import fingerprint, labels
from bench.errors import UserError
from bench.execution.adaptive_search import check_optuna, with_proposals
from bench.execution.pruning import rule
from bench.jsonutil import JsonObject, canonical
from bench.published import find
from bench.suite.find_suite import find_suite
from bench.suite.suite import Suite, load_suite
from bench.suite.trial import data_path, trials
from bench.user_code.component_code import floats_spelled_out
from bench.user_code.read_code import read, read_component

if TYPE_CHECKING:
    from bench.ledger.ledger import Ledger
    from bench.suite.trial import Trial
    from bench.user_code.component_code import ComponentCode


def load(
    text: str, only: list[str] | None, cli_overrides: list[str] | None, seeds: int | None, user_code: bool = True
) -> Suite:
    """The suite that `text` names, narrowed by the options, with the libraries' own defaults filled in.

    torch is imported only where the file names something that torch or timm has to explain.

    Raises
    ------
    UserError
        The file or an option is wrong, or a reference is unknown, or there is a model of the user's own without
        `user_code`.
    """

    def notify(message: str) -> None:
        print(message, file=sys.stderr)

    return completed(load_suite(find_suite(text), only or [], cli_overrides or [], seeds, notify), user_code)


def completed(suite: Suite, user_code: bool = True) -> Suite:
    """A suite with the libraries' own defaults filled in; parameters and errors as in `load`."""
    if not user_code:
        _refuse_user_code(suite)
    if not all(has_known_names({**config, "model": {"name": "mlp"}}) for config, _ in suite.configurations):
        suite = _with_library_defaults(suite)
    suite = _with_floats(suite)
    if problems := _unknown_references(suite):
        try:
            trials_of(suite)
        except UserError as error:
            problems.append(str(error))
        raise UserError("\n".join(problems))
    return suite


def _with_library_defaults(suite: Suite) -> Suite:
    """The suite with the defaults of torch's and timm's own optimizers spelled out in every configuration."""
    new: JsonObject = {}

    def resolve(component: JsonObject) -> JsonObject:
        if component["name"] in AXES["optimizer"] or is_user_defined(component["name"]):
            return component
        cache_key = canonical(["optimizer defaults", component["name"]])
        defaults = known_defaults(component["name"]) or new.get(cache_key) or library_cache.recall(cache_key)
        if defaults is None:
            from bench.training.optimizer_factory import defaults_of  # imports timm, which takes seconds

            try:
                defaults = new[cache_key] = defaults_of(component["name"])
            except UserError:
                return component  # `check` tells of it, together with whatever else is wrong
        return spelled_out(component, defaults)

    suite = suite.resolved("optimizer", resolve)
    if new:
        library_cache.remember(new)
    return suite


def _with_floats(suite: Suite) -> Suite:
    """The suite with `rate: 1` as `rate: 1.0` where a factory of the user's takes a float."""

    folder = suite.path.resolve().parent
    codes: dict[str, ComponentCode | None] = {}

    def resolve(component: JsonObject) -> JsonObject:
        name = component["name"]
        if is_user_defined(name) and name not in codes:
            codes[name] = None
            with contextlib.suppress(UserError):  # `trials_of` tells of it
                codes[name] = read({"name": name}, folder)
        code = codes.get(name)
        return floats_spelled_out(component, code) if code else component

    for axis in AXES:
        if any(is_user_defined(component["name"]) for component in suite.components(axis)):
            suite = suite.resolved(axis, resolve)
    return suite


def trials_of(suite: Suite) -> list[Trial]:
    """The trials of a suite, with the data's checksums and the source of the user's own models in their keys.

    UserError names all models and data that are not there or wrong, as far as that is told without torch and pixels.
    """
    folder = suite.path.resolve().parent
    try:
        return trials(suite, fingerprint, lambda component: read_component(component, folder))
    except UserError as error:
        raise UserError("\n".join([str(error), *_data_problems(suite)])) from error


def proposed_trials_of(suite: Suite, ledger: Ledger, to_train: bool = False) -> list[Trial]:
    """The trials of a suite with those that its adaptive searches have proposed so far, by the ledger's results.

    Without Optuna, those of them that were trained; where others are `to_train`, that is a UserError.
    """
    listed = trials_of(suite)
    if not any(search.rule.is_adaptive for search in suite.searches):
        return listed

    if to_train:
        check_optuna(listed)

    ended = ledger.ended(rule(suite.pruning), suite.max_minutes)
    return with_proposals(listed, ledger, ended, suite.metrics[0])


def _data_problems(suite: Suite) -> list[str]:
    """What is wrong with the user's own data that are there, told beside what is wrong elsewhere in the file."""
    problems = []
    for dataset in {canonical(config["dataset"]): config["dataset"] for config, _ in suite.configurations}.values():
        if dataset["name"] in FROM_PATH:
            path = data_path(dataset, suite.path)
            located = {**dataset, "path": str(path)} if path else dataset
            with contextlib.suppress(UserError):  # which is told already
                fingerprint(located)
                try:
                    labels(located, lambda _: None)
                except UserError as error:
                    problems.append(f"{suite.location('dataset', dataset)}: {error}")
    return problems


def has_known_names(config: JsonObject) -> bool:
    """Whether all names are bench's own, so that no library has to be asked about them."""
    return all(config[axis]["name"] in AXES[axis] for axis in EXTENSIBLE_AXES)


def _refuse_user_code(suite: Suite) -> None:
    """UserError for the user's own code in any axis, and for the user's own metrics."""
    user_components = {
        suite.location("metrics", name): f"{name!r} is a metric of the user's own"
        for name in suite.metrics
        if is_user_defined(name)
    }
    for config, _ in suite.configurations:
        for axis in AXES:
            value = config.get(axis, [])
            for component in value if isinstance(value, list) else [value]:
                if is_user_defined(component["name"]):
                    article = "an" if axis[0] in "aeiou" else "a"
                    user_components[suite.location(axis, value)] = (
                        f"{component['name']!r} is {article} {axis} of the user's own"
                    )
    if user_components:
        lines = [
            f"{location}: {description}, and --no-user-code runs none"
            for location, description in user_components.items()
        ]
        raise UserError(
            "\n".join([*lines, "  leave the option out where you trust that code, or take another component"])
        )


def _unknown_references(suite: Suite) -> list[str]:
    if not suite.references:
        return []

    unknown = []
    for name in suite.references:
        try:
            find([name])
        except UserError as error:
            unknown.append(f"{suite.location('references', name)}: {str(error).removeprefix('references: ')}")
    return unknown
