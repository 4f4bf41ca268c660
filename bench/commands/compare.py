"""`bench compare`: is NEW worse than BASE? Two configurations, or two ledgers; made for a job of CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.options import RESULTS, AsJson, Results
from bench.commands.results import existing, tell_damaged
from bench.commands.suites import load
from bench.streams import reserve_stdout
from bench.suite.errors import UserError

if TYPE_CHECKING:
    from bench.ledger.ledger import Ledger
    from bench.ledger.record import Record
    from bench.report.comparing.text import Told


def compare(
    base: Annotated[
        str, typer.Argument(help="A ledger's folder or URL; or a configuration: label, key or AXIS=VALUE.")
    ],
    new: Annotated[str, typer.Argument(help="The same kind of thing, to be held against BASE.")],
    max_drop: Annotated[
        float,
        typer.Option("--max-drop", min=0, max=100, metavar="POINTS", help="How much worse NEW may be, e.g. 0.3."),
    ] = 0.0,
    suite: Annotated[
        str | None, typer.Option("--suite", metavar="SUITE", help="Only configurations of this suite file or name.")
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Say whether NEW is worse than BASE on the same test images: exit code 1 where it is, with confidence."""
    out = reserve_stdout() if as_json else sys.stdout
    from bench.ledger.address import is_url
    from bench.report.comparing.text import to_json, to_text

    kept = _configs(suite) if suite else None
    ledgers = [is_url(text) or bool(text and Path(text).is_dir()) for text in (base, new)]
    if all(ledgers):
        told = _ledgers(base, new, kept, max_drop / 100)
    elif any(ledgers):
        folder, other = (base, new) if ledgers[0] else (new, base)
        none = "a file" if other and Path(other).exists() else "neither a URL nor a folder that is there"
        raise UserError(
            f"{folder} is a folder or URL, and {other!r} is {none}: give two ledgers, or two configurations of one "
            "(--results names it)"
        )
    else:
        told = _configurations(base, new, kept, results, max_drop / 100)
    typer.echo(to_json(told) if as_json else to_text(told), file=out)
    raise typer.Exit(1 if told.worse else 0)


def _ledgers(base: str, new: str, kept: set[str] | None, max_drop: float) -> Told:
    from bench.report.comparing.comparison import compare as compared
    from bench.report.comparing.shared import shared
    from bench.report.comparing.text import Told

    first, second = (_opened(text) for text in (base, new))
    if _place(first) == _place(second):
        raise UserError(f"BASE {base} and NEW {new} are one ledger; name another, or two configurations of it")
    found = shared(
        _of_suite(first.records(), kept), first.predictions, _of_suite(second.records(), kept), second.predictions
    )
    if not found.pairs and not found.lost:
        raise UserError(
            f"{base} and {new} share no configuration with complete trials "
            f"({len(found.only_base)} are only in BASE, {len(found.only_new)} only in NEW); "
            "run the same suite in both"
        )
    rows = compared(found.pairs, (), max_drop) if found.pairs else []
    return Told(base, new, max_drop, tuple(rows), found.lost, found.only_base, found.only_new)


def _configurations(base: str, new: str, kept: set[str] | None, results: str, max_drop: float) -> Told:
    from bench.ledger.ledger import Ledger
    from bench.report.comparing.comparison import Pair, Side
    from bench.report.comparing.comparison import compare as compared
    from bench.report.comparing.selection import select
    from bench.report.comparing.text import Told
    from bench.report.sections import sections

    ledger = Ledger(results)
    if not ledger.home.check():
        raise UserError(
            f"BASE {base!r} and NEW {new!r}: neither is a ledger's folder or URL, and there is no ledger {results} to "
            "find configurations in; give two ledgers, or name one with --results"
        )
    tell_damaged(ledger)
    found = sections(_of_suite(ledger.records(), kept))
    place = f"{results}/"
    (ours, one), (theirs, other) = (select(text, found, role, place) for text, role in ((base, "BASE"), (new, "NEW")))
    if one.identity == other.identity:
        raise UserError(f"BASE {base!r} and NEW {new!r} are one configuration, {one.label}; name another")
    notes = []
    if ours != theirs:
        notes.append(f"other protocols: BASE has {ours.protocol}; NEW has {theirs.protocol}")
    chosen = (one.identity, other.identity)
    others = [
        Side(beside, ledger.predictions)
        for section in (ours, theirs)[: 1 + (ours != theirs)]
        for beside in section.configurations
        if beside.identity not in chosen and len(beside.having("complete")) > 1
    ]
    base_side, new_side = (Side(side, ledger.predictions) for side in (one, other))
    rows = compared([Pair(f"{other.label} against {one.label}", base_side, new_side)], others, max_drop)
    if others and rows[0].method != "McNemar":
        notes.append(f"the noise of a seed is told by {len(others) + 2} configurations together")
    return Told(base, new, max_drop, tuple(rows), notes=tuple(notes))


def _opened(text: str) -> Ledger:
    ledger = existing(text)
    tell_damaged(ledger)
    return ledger


def _place(ledger: Ledger) -> Path | str:
    root = ledger.root
    return root.resolve() if isinstance(root, Path) else root


def _configs(suite: str) -> set[str]:
    """The configurations of a suite as text, and its data sets, of which added rows are kept."""
    from bench.suite.expand import canonical

    configs = [config for config, _ in load(suite, None, None, None).configurations]
    return {canonical(one) for config in configs for one in (config, config["dataset"])}


def _of_suite(records: list[Record], kept: set[str] | None) -> list[Record]:
    from bench.ledger.added import is_added
    from bench.suite.expand import canonical

    if kept is None:
        return records
    return [r for r in records if canonical(r.config["dataset"] if is_added(r.config) else r.config) in kept]
