"""`bench compare`: is NEW worse than BASE? Two configurations, or two ledgers; made for a job of CI."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.load_results import existing, undamaged, warn_damaged
from bench.commands.load_suites import load
from bench.commands.options import RESULTS, AsJson, Results
from bench.errors import UserError
from bench.streams import reserve_stdout

if TYPE_CHECKING:
    from bench.ledger.ledger import Ledger
    from bench.ledger.record import Record
    from bench.report.compare.compare_text import CompareResult
    from bench.report.compare.match_ledgers import LedgerSource


@dataclass(frozen=True)
class _Subset:
    """A suite's configurations as text, with its data sets, of which added rows are kept; `metric` ranks it."""

    suite: str
    configs: frozenset[str]
    metric: str


def compare(
    base: Annotated[
        str, typer.Argument(help="A ledger's folder or URL; or a configuration: label, key or AXIS=VALUE.")
    ],
    new: Annotated[str, typer.Argument(help="The same kind of thing, to be held against BASE.")],
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
        bool, typer.Option("--allow-missing", help="What BASE has and NEW lacks, or seeds of NEW, are no failure.")
    ] = False,
    allow_cannot_tell: Annotated[
        bool, typer.Option("--allow-cannot-tell", help="Exit with 0, not 3, where it cannot be told.")
    ] = False,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            "--suite",
            metavar="SUITE",
            help="Only configurations of this suite file or name; twice, BASE's and NEW's.",
        ),
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Say whether NEW is worse than BASE on the same test images, in words and as an exit code.

    Of two ledgers the best configuration of each is compared, as validation chose it.
    """
    out = reserve_stdout() if as_json else sys.stdout
    from bench.ledger.address import is_url
    from bench.report.compare.compare_text import to_json, to_text

    kept = [_only(one) for one in suite or []]
    if len(kept) > 2:
        raise UserError(f"--suite: given {len(kept)} times; once is for both sides, twice for BASE and for NEW")
    first, second = (kept[0], kept[-1]) if kept else (None, None)
    ledgers = [is_url(text) or bool(text and Path(text).is_dir()) for text in (base, new)]
    if all(ledgers):
        told = undamaged(lambda: _ledgers(base, new, (first, second), max_drop / 100, matched))
    elif any(ledgers):
        folder, other = (base, new) if ledgers[0] else (new, base)
        none = "a file" if other and Path(other).exists() else "neither a URL nor a folder that is there"
        raise UserError(
            f"{folder} is a folder or URL, and {other!r} is {none}: give two ledgers, or two configurations of one "
            "(--results names it)"
        )
    elif matched:
        raise UserError(f"--matched is for two ledgers, and BASE {base!r} is no ledger's folder or URL")
    else:
        told = undamaged(lambda: _configurations(base, new, (first, second), results, max_drop / 100))
    told = replace(told, allow_missing=allow_missing, allow_cannot_tell=allow_cannot_tell)
    typer.echo(to_json(told) if as_json else to_text(told), file=out)
    raise typer.Exit(told.exit_code)


def _ledgers(
    base: str, new: str, kept: tuple[_Subset | None, _Subset | None], max_drop: float, matched: bool
) -> CompareResult:
    from bench.report.compare.compare_text import CompareResult
    from bench.report.compare.match_ledgers import match_best
    from bench.report.compare.match_ledgers import match_configurations as all_shared
    from bench.report.compare.non_inferiority import compare as compared

    first, second = (_opened(text) for text in (base, new))
    if _place(first) == _place(second) and (kept[0] is None or kept[0] == kept[1]):
        raise UserError(
            f"BASE {base} and NEW {new} are one ledger; name another, or two configurations of it, or the suites of "
            "both (--suite BASE'S --suite NEW'S)"
        )
    sources = _source(base, first, kept[0]), _source(new, second, kept[1])
    found = all_shared(*sources) if matched else match_best(*sources, kept[1].metric if kept[1] else "accuracy")
    rows = compared(found.pairs, found.others, max_drop) if found.pairs else []
    return CompareResult(
        base,
        new,
        max_drop,
        tuple(rows),
        lost=found.lost,
        missing=found.missing,
        only_base=tuple(found.only_base),
        only_new=tuple(found.only_new),
        notes=(*found.notes, *_passed_over("BASE", first), *_passed_over("NEW", second)),
    )


def _source(name: str, ledger: Ledger, kept: _Subset | None) -> LedgerSource:
    from bench.report.compare.match_ledgers import LedgerSource

    return LedgerSource(name, _of_suite(ledger.records(), kept, name), ledger.predictions)


def _passed_over(role: str, ledger: Ledger) -> list[str]:
    """A note on entries that could not be read, which a program that reads the JSON would not know of."""
    count = len(ledger.damaged)
    return [f"{role}: {count} of the ledger's entries could not be read: left out"] if count else []


def _configurations(
    base: str, new: str, kept: tuple[_Subset | None, _Subset | None], results: str, max_drop: float
) -> CompareResult:
    from bench.ledger.ledger import Ledger
    from bench.report.compare.compare_text import CompareResult
    from bench.report.compare.find_configuration import find_configuration
    from bench.report.compare.match_ledgers import end_counts, missing_seeds
    from bench.report.compare.non_inferiority import ComparedConfiguration, ConfigurationPair
    from bench.report.compare.non_inferiority import compare as compared
    from bench.report.grouping import group_trials

    ledger = Ledger(results)
    if not ledger.store.check():
        raise UserError(
            f"BASE {base!r} and NEW {new!r}: neither is a ledger's folder or URL, and there is no ledger {results} to "
            "find configurations in; give two ledgers, or name one with --results"
        )
    warn_damaged(ledger)
    place, records = f"{results}/", ledger.records()
    ours, one = find_configuration(base, group_trials(_of_suite(records, kept[0], results)), "BASE", place)
    theirs, other = find_configuration(new, group_trials(_of_suite(records, kept[1], results)), "NEW", place)
    if one.identity == other.identity:
        raise UserError(f"BASE {base!r} and NEW {new!r} are one configuration, {one.label}; name another")
    label = f"{other.label} against {one.label}"
    if not one.with_status("complete"):
        raise UserError(
            f"BASE {base!r}: every trial of {one.label} ended early ({end_counts(one)}): nothing to compare with"
        )
    if not other.with_status("complete"):
        return CompareResult(base, new, max_drop, (), lost={label: end_counts(other)})
    notes = []
    if ours.protocol != theirs.protocol:
        notes.append(f"other protocols: BASE has {ours.protocol}; NEW has {theirs.protocol}")
    chosen = (one.identity, other.identity)
    others = {
        beside.identity: ComparedConfiguration(beside, ledger.predictions)
        for section in (ours, theirs)
        for beside in section.configurations
        if beside.identity not in chosen and len(beside.with_status("complete")) > 1
    }
    base_side, new_side = (ComparedConfiguration(side, ledger.predictions) for side in (one, other))
    rows = compared([ConfigurationPair(label, base_side, new_side)], list(others.values()), max_drop)
    if others and rows[0].method != "McNemar":
        notes.append(f"the noise of a seed is told by {len(others) + 2} configurations together")
    notes += _passed_over(results, ledger)
    missing = {label: missing_seeds(other)} if other.excluded else {}
    return CompareResult(base, new, max_drop, tuple(rows), missing=missing, notes=tuple(notes))


def _opened(text: str) -> Ledger:
    ledger = existing(text)
    warn_damaged(ledger)
    return ledger


def _place(ledger: Ledger) -> Path | str:
    root = ledger.root
    return root.resolve() if isinstance(root, Path) else root


def _only(suite: str) -> _Subset:
    from bench.jsonutil import canonical

    loaded = load(suite, None, None, None)
    configs = [config for config, _ in loaded.configurations]
    texts = frozenset(canonical(one) for config in configs for one in (config, config["dataset"]))
    return _Subset(suite, texts, loaded.metrics[0])


def _of_suite(records: list[Record], kept: _Subset | None, place: str) -> list[Record]:
    """The records of a suite; UserError where the ledger has complete trials, and none of them is of it."""
    from bench.jsonutil import canonical
    from bench.ledger.external import is_external

    if kept is None:
        return records
    found = [
        r for r in records if canonical(r.config["dataset"] if is_external(r.config) else r.config) in kept.configs
    ]
    if not found and records:
        suites = list(dict.fromkeys(record.suite for record in records if record.suite))
        of = f", of {'the suite' if len(suites) == 1 else 'the suites'} {', '.join(suites)}" if suites else ""
        raise UserError(
            f"--suite {kept.suite}: {place} holds none of its configurations; its {len(records):,} trials are others"
            f"{of}\n  `bench run {shlex.quote(kept.suite)} --results {shlex.quote(place)}` trains them; a suite "
            "that was edited since names other configurations: leave --suite out, or give it twice, BASE's and NEW's"
        )
    return found
