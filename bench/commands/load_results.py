"""What several commands do with a ledger: warn of damaged entries, build reports, settle whose weights stay."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import typer

from bench.errors import UserError, escaped_line, plural
from bench.execution.keep_weights import settle
from bench.jsonutil import canonical
from bench.ledger.ledger import Ledger, MissingEntryError
from bench.ledger.record import is_external
from bench.ledger.store import ENTRIES, with_results
from bench.published import find
from bench.suite.python_values import DICT_NAME
from bench.user_code.metric_code import register_metrics

if TYPE_CHECKING:
    from rich.console import Console

    from bench.execution.messages import RunOptions
    from bench.ledger.store import Location
    from bench.report.document import Report
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial


T = TypeVar("T")


def existing(results: str) -> Ledger:
    """The ledger at a folder or URL; UserError where there is none, as with a mistyped name."""
    ledger = Ledger(results)
    if not ledger.store.check():
        raise UserError(
            f"{results}: there is no ledger here (no folder `{ENTRIES}`); `bench run` makes one, or name another"
        )
    return ledger


def warn_damaged(ledger: Ledger, already_warned: Collection[Location] = ()) -> set[Location]:
    """Warn on stderr of entries that could not be read, except those `already_warned` of; return their locations."""
    damaged = dict(ledger.damaged)
    for path, reason in damaged.items():
        if path not in already_warned:
            typer.echo(f"skipped {escaped_line(str(path))}: {reason}", err=True)
    if not already_warned and (count := ledger.pending()):
        waiting = f"{count} finished trials are only on this machine, in {ledger.store.local}"
        typer.echo(f"{waiting}: the next `bench run` uploads them", err=True)
    return set(damaged)


def print_weights(text: str, trials: list[Trial], ledger: Ledger, console: Console, options: RunOptions) -> bool:
    """Drop the weights of what was not selected, and say whose weights the ledger has and lacks.

    `text` is the suite as a command line names it. Whether weights could not be written.
    """
    if options.keep == "none":
        return False

    summary = settle(trials, ledger, options)
    whose = "the best on validation" if options.keep == "best" else "all"
    console.print(f"weights ({whose}): {plural(summary.saved, 'trial')} in {ledger.root}/", soft_wrap=True)
    if not summary.missing:
        return False
    first_keys = ", ".join(trial.key[:10] for trial in summary.missing[:3])
    more = ", ..." if len(summary.missing) > 3 else ""
    command = with_results(f"bench run {text} --keep {options.keep} --force AXIS=VALUE", ledger.root)
    console.print(
        f"  without weights: {plural(len(summary.missing), 'trial')} ({first_keys}{more})\n"
        f"  train them again: {command}",
        soft_wrap=True,
    )
    return ledger.weights_error is not None


class Rereadable(Protocol):
    """A ledger, or several read as one."""

    def reread(self) -> None: ...


def undamaged(make: Callable[[], T], *ledgers: Rereadable) -> T:
    """The result of `make`, called again without the entries whose predictions turned out to be damaged."""
    last_missing = ""
    while True:
        try:
            return make()
        except MissingEntryError as error:
            if str(error) == last_missing:
                raise
            last_missing = str(error)
        for ledger in ledgers:
            ledger.reread()


def report_of_all(ledger: Ledger, detail: Sequence[str] = (), with_ensembles: bool = False) -> Report:
    """Everything in the ledger; `detail` names configurations to look at class by class.

    Ensembles take a second or two, so the report at the end of a run, which does not display them, is without.
    """
    from bench.report import build

    return undamaged(
        lambda: build(
            ledger.records(),
            ledger.predictions,
            title="All results",
            command=with_results("bench report", ledger.root),
            reproduce_command=with_results("bench reproduce", ledger.root),
            details=detail,
            validation=ledger.validation_probabilities if with_ensembles else None,
            classes=ledger.predicted_classes,
        ),
        ledger,
    )


def confirmation(ledger: Ledger, trials: list[Trial], n_seeds: int | None, metric: str) -> list[Trial]:
    """The trials with fresh seeds of what validation selects now, and of its rivals; none without `n_seeds`."""
    if n_seeds is None:
        return []
    from bench.report.confirmation import fresh_trials

    ledger.refresh()
    return undamaged(lambda: fresh_trials(trials, ledger.records(), ledger.predictions, n_seeds, metric), ledger)


def report_of(
    ledger: Ledger,
    text: str,
    suite: Suite,
    trials: list[Trial],
    detail: Sequence[str] = (),
    with_ensembles: bool = False,
) -> Report:
    """The records of one suite's trials and its references; `text` is the suite as a command line names it."""
    from bench.report import build

    register_metrics(suite.metrics, suite.path.resolve().parent)
    is_file = suite.path.name != DICT_NAME  # or given in Python
    fresh = confirmation(ledger, trials, suite.confirm, suite.metrics[0])
    keys = {trial.key for trial in [*trials, *fresh]}
    data = {canonical(trial.config.dataset.to_json()) for trial in trials}
    references = find(suite.references)
    dataset_of = {reference.id: reference.dataset for reference in references}
    elsewhere = {
        match.reference
        for match in suite.comparisons
        if match.configs
        and all(config["dataset"]["name"] != dataset_of.get(match.reference) for config in match.configs)
    }
    return undamaged(
        lambda: build(
            [
                record
                for record in ledger.records()
                if record.key in keys or (is_external(record.config) and canonical(record.config["dataset"]) in data)
            ],
            ledger.predictions,
            title=suite.title,
            suite=suite.name,
            references=references,
            command=with_results(f"bench run {text}", ledger.root) if is_file else "",
            reproduce_command=_repeat(ledger, suite, trials),
            planned=trials,
            metrics=suite.metrics,
            on_other_data=elsewhere,
            reproductions={match.reference: match.configs for match in suite.comparisons if match.configs},
            suite_file=_named(suite.path) if is_file else "",
            details=detail,
            validation=ledger.validation_probabilities if with_ensembles else None,
            fresh=fresh,
            classes=ledger.predicted_classes,
        ),
        ledger,
    )


def _repeat(ledger: Ledger, suite: Suite, trials: list[Trial]) -> str:
    """The command that runs trials of a suite again, without their keys."""
    has_user_code = any(trial.code or trial.is_from_path for trial in trials)
    folder = suite.path.parent
    start = f" --from {shlex.quote(str(folder))}" if has_user_code and folder.resolve() != Path.cwd() else ""
    return with_results(f"bench reproduce{start}", ledger.root)


def _named(path: Path) -> str:
    """A suite file as this folder names it, or by its name alone: the folder means nothing elsewhere."""
    try:
        return path.resolve().relative_to(path.cwd()).as_posix()
    except ValueError:
        return path.name
