"""`bench compare`: is a configuration worse than another? `bench reproduce`: do trials repeat their records?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bench.commands.data import datasets_of
from bench.commands.load_results import existing, undamaged, warn_damaged
from bench.commands.load_suites import load
from bench.commands.options import RESULTS, AsJson, DataDir, KeysArgument, NoUserCode, Results, SuiteFolder
from bench.commands.run import git_commit
from bench.components import AXES, is_user_defined
from bench.errors import UserError
from bench.execution.rerun import rebuild_trial, train
from bench.jsonutil import JsonObject, canonical
from bench.ledger.ledger import Ledger
from bench.ledger.record import is_external
from bench.ledger.store import is_url
from bench.report.compare.find_configuration import find_configuration
from bench.report.grouping import group_trials
from bench.streams import reserve_stdout

if TYPE_CHECKING:
    from bench.ledger.record import Record
    from bench.metrics import Predictions
    from bench.report.compare.compare_text import CompareResult
    from bench.report.compare.match_ledgers import LedgerSource
    from bench.report.compare.reproduction import Reproduction
    from bench.suite.search_space import Search
    from bench.suite.trial import Trial


@dataclass(frozen=True)
class _SuiteFilter:
    """The configurations of a suite, and its data sets, of which imported predictions are kept, as canonical JSON."""

    suite: str
    configs: frozenset[str]
    metric: str
    searches: tuple[Search, ...] = ()

    def has(self, config: JsonObject) -> bool:
        if canonical(config["dataset"] if is_external(config) else config) in self.configs:
            return True
        return any(search.rule.is_adaptive and search.contains(config) for search in self.searches)


Filters = tuple[_SuiteFilter | None, _SuiteFilter | None]


def compare(
    base: Annotated[
        str, typer.Argument(help="A ledger's folder or URL; or a configuration: label, key or AXIS=VALUE.")
    ],
    new: Annotated[str, typer.Argument(help="What to compare with BASE, of the same kind.")],
    max_drop: Annotated[
        float,
        typer.Option("--max-drop", min=0, max=100, metavar="POINTS", help="How much worse NEW may be, e.g. 0.5."),
    ] = 0.0,
    matched: Annotated[
        bool,
        typer.Option(
            "--matched", help="Compare every configuration that both ledgers have, not the best of BASE and of NEW."
        ),
    ] = False,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Configurations and seeds that NEW lacks are not a failure."),
    ] = False,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Exit with 0, not 3, where the result is inconclusive.")
    ] = False,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            "--suite",
            metavar="SUITE",
            help="Only configurations of this suite file or name; given twice, BASE's and NEW's.",
        ),
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Test whether NEW is worse than BASE on the same test images; the exit code has the result.

    Of two ledgers, the best configuration of each is compared, as selected on validation.
    """
    out = reserve_stdout() if as_json else sys.stdout
    from bench.report.compare.compare_text import to_json, to_text

    filters = [_suite_filter(name) for name in suite or []]
    if len(filters) > 2:
        raise UserError(f"--suite: given {len(filters)} times; once is for both sides, twice for BASE and for NEW")
    by_side: Filters = (filters[0], filters[-1]) if filters else (None, None)
    ledgers = [is_url(text) or bool(text and Path(text).is_dir()) for text in (base, new)]
    if all(ledgers):
        result = undamaged(lambda: _compare_ledgers(base, new, by_side, max_drop / 100, matched))
    elif any(ledgers):
        ledger, other = (base, new) if ledgers[0] else (new, base)
        kind = "a file" if other and Path(other).exists() else "neither a URL nor an existing folder"
        raise UserError(
            f"{ledger} is a folder or URL, and {other!r} is {kind}: give two ledgers, or two configurations of one "
            "ledger (--results)"
        )
    elif matched:
        raise UserError(f"--matched is for two ledgers, and BASE {base!r} is not a ledger's folder or URL")
    else:
        result = undamaged(lambda: _compare_configurations(base, new, by_side, results, max_drop / 100))
    result = replace(result, allow_missing=allow_missing, allow_inconclusive=allow_inconclusive)
    typer.echo(to_json(result) if as_json else to_text(result), file=out)
    raise typer.Exit(result.exit_code)


def _compare_ledgers(base: str, new: str, filters: Filters, max_drop: float, matched: bool) -> CompareResult:
    from bench.report.compare.compare_text import CompareResult
    from bench.report.compare.match_ledgers import match_best, match_configurations
    from bench.report.compare.non_inferiority import compare as compare_pairs

    base_ledger, new_ledger = (_open_ledger(text) for text in (base, new))
    if _location(base_ledger) == _location(new_ledger) and (filters[0] is None or filters[0] == filters[1]):
        raise UserError(
            f"BASE {base} and NEW {new} are the same ledger; name another, or two configurations of it, or two suites "
            "(--suite of BASE --suite of NEW)"
        )
    base_source = _source(base, base_ledger, filters[0])
    new_source = _source(new, new_ledger, filters[1])
    if matched:
        matches = match_configurations(base_source, new_source)
    else:
        matches = match_best(base_source, new_source, filters[1].metric if filters[1] else "accuracy")
    comparisons = compare_pairs(matches.pairs, matches.others, max_drop) if matches.pairs else []
    return CompareResult(
        base,
        new,
        max_drop,
        tuple(comparisons),
        ended_early=matches.ended_early,
        missing=matches.missing,
        only_base=tuple(matches.only_base),
        only_new=tuple(matches.only_new),
        notes=(*matches.notes, *_damaged_note("BASE", base_ledger), *_damaged_note("NEW", new_ledger)),
    )


def _source(name: str, ledger: Ledger, suite: _SuiteFilter | None) -> LedgerSource:
    from bench.report.compare.match_ledgers import LedgerSource

    return LedgerSource(name, _of_suite(ledger.records(), suite, name), ledger.predictions)


def _damaged_note(role: str, ledger: Ledger) -> list[str]:
    """A note on entries that could not be read, for a program that reads the JSON and not stderr."""
    count = len(ledger.damaged)
    return [f"{role}: {count} of the ledger's entries could not be read and were skipped"] if count else []


def _compare_configurations(base: str, new: str, filters: Filters, results: str, max_drop: float) -> CompareResult:
    from bench.report.compare.compare_text import CompareResult
    from bench.report.compare.match_ledgers import end_counts, missing_seeds
    from bench.report.compare.non_inferiority import ComparedConfiguration, ConfigurationPair
    from bench.report.compare.non_inferiority import compare as compare_pairs

    ledger = Ledger(results)
    if not ledger.store.check():
        raise UserError(
            f"BASE {base!r} and NEW {new!r}: neither is a ledger's folder or URL, and there is no ledger {results} "
            "to find them in; give two ledgers, or name one with --results"
        )
    warn_damaged(ledger)
    name, records = f"{results}/", ledger.records()
    base_groups, new_groups = (group_trials(_of_suite(records, suite, results)) for suite in filters)
    base_group, base_configuration = find_configuration(base, base_groups, "BASE", name)
    new_group, new_configuration = find_configuration(new, new_groups, "NEW", name)
    if base_configuration.identity == new_configuration.identity:
        raise UserError(
            f"BASE {base!r} and NEW {new!r} are the same configuration, {base_configuration.label}; name another"
        )
    label = f"{new_configuration.label} against {base_configuration.label}"
    if not base_configuration.with_status("complete"):
        raise UserError(
            f"BASE {base!r}: every trial of {base_configuration.label} ended early ({end_counts(base_configuration)}); "
            "there is nothing to compare with"
        )
    if not new_configuration.with_status("complete"):
        return CompareResult(base, new, max_drop, (), ended_early={label: end_counts(new_configuration)})
    notes = []
    if base_group.protocol != new_group.protocol:
        notes.append(f"different protocols: BASE has {base_group.protocol}; NEW has {new_group.protocol}")
    compared = (base_configuration.identity, new_configuration.identity)
    others = {
        configuration.identity: ComparedConfiguration(configuration, ledger.predictions)
        for group in (base_group, new_group)
        for configuration in group.configurations
        if configuration.identity not in compared and len(configuration.with_status("complete")) > 1
    }
    base_side, new_side = (
        ComparedConfiguration(c, ledger.predictions) for c in (base_configuration, new_configuration)
    )
    (comparison,) = compare_pairs([ConfigurationPair(label, base_side, new_side)], list(others.values()), max_drop)
    if others and comparison.method != "McNemar":
        notes.append(f"the seed noise is estimated from {len(others) + 2} configurations")
    notes += _damaged_note(results, ledger)
    missing = {label: missing_seeds(new_configuration)} if new_configuration.excluded else {}
    return CompareResult(base, new, max_drop, (comparison,), missing=missing, notes=tuple(notes))


def _open_ledger(text: str) -> Ledger:
    ledger = existing(text)
    warn_damaged(ledger)
    return ledger


def _location(ledger: Ledger) -> Path | str:
    root = ledger.root
    return root.resolve() if isinstance(root, Path) else root


def _suite_filter(name: str) -> _SuiteFilter:
    suite = load(name, None, None, None)
    texts = frozenset(canonical(part) for config, _ in suite.configurations for part in (config, config["dataset"]))
    return _SuiteFilter(name, texts, suite.metrics[0], suite.searches)


def _of_suite(records: list[Record], suite: _SuiteFilter | None, ledger: str) -> list[Record]:
    """The records of a suite; UserError where there are records, and none of them is of it."""
    if suite is None:
        return records
    of_suite = [record for record in records if suite.has(record.config)]
    if not of_suite and records:
        suites = list(dict.fromkeys(record.suite for record in records if record.suite))
        names = f", of {'the suite' if len(suites) == 1 else 'the suites'} {', '.join(suites)}" if suites else ""
        raise UserError(
            f"--suite {suite.suite}: {ledger} holds none of its configurations; its {len(records):,} trials are others"
            f"{names}\n  `bench run {shlex.quote(suite.suite)} --results {shlex.quote(ledger)}` trains them; a suite "
            "that was edited since names other configurations: leave --suite out, or give it twice, for BASE and NEW"
        )
    return of_suite


def reproduce(
    keys: KeysArgument,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    folder: SuiteFolder = Path(),
    device: Annotated[
        Literal["cpu", "cuda"] | None,
        typer.Option("--device", help="Where to train; the record's device, if this machine has it."),
    ] = None,
    no_user_code: NoUserCode = False,
) -> None:
    """Run trials again from their records and report whether the results agree; nothing is written."""
    ledger = existing(results)
    records = {record.key: record for record in map(ledger.record, keys)}
    if no_user_code:
        _refuse_user_code(records.values())
    # All are rebuilt before the first is trained, so that a mistake is reported at once.

    trials = [rebuild_trial(record, folder) for record in records.values()]
    datasets = datasets_of(trials, data_dir)
    differs = False
    for trial in trials:
        reproduction = _reproduce(trial, records[trial.key], ledger, datasets[trial.data], device)
        differs |= not reproduction.agrees
    raise typer.Exit(1 if differs else 0)


def _refuse_user_code(records: Iterable[Record]) -> None:
    for record in records:
        values = [(axis, record.config.get(axis, [])) for axis in AXES]
        components = [
            (axis, component) for axis, value in values for component in (value if isinstance(value, list) else [value])
        ]
        for axis, name in (
            (axis, component["name"]) for axis, component in components if is_user_defined(component["name"])
        ):
            raise UserError(
                f"{record.key}: {name!r} is a user's {axis}, which --no-user-code does not run\n"
                "  leave the option out if you trust that code, or name another trial"
            )


def _reproduce(trial: Trial, record: Record, ledger: Ledger, data: Any, device: str | None) -> Reproduction:
    from bench.report.compare.reproduction import check_reproduction, reproduction_text, seed_noise

    def report(progress: Any) -> None:
        stage = "refit, " if progress.refit else ""
        typer.echo(f"{trial.key}: {stage}epoch {progress.epoch} of {progress.epochs}", err=True)

    threads = record.run_info.threads or 1
    stored: Predictions | None = ledger.predictions(record.key) if record.status == "complete" else None
    trained, on_cpu = train(trial, data, threads, record.run_info.device, device, report)
    reproduction = check_reproduction(
        record,
        stored,
        trained.result,
        trained.run_info,
        trained.predictions,
        trained.status,
        seed_noise(record, ledger.records()),
        on_cpu,
    )
    typer.echo(reproduction_text(record, reproduction, git_commit()))
    return reproduction
