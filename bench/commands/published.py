"""`bench published`: the published results that suites repeat, beside what was measured."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.options import RESULTS, AsJson, Results
from bench.commands.results import tell_damaged
from bench.commands.suites import load, trials_of
from bench.suite.errors import UserError

if TYPE_CHECKING:
    from bench.ledger.record import Record
    from bench.published import Reference
    from bench.suite.references import Comparison
    from bench.suite.suite import Suite


QuotedSuites = Annotated[
    list[str],
    typer.Argument(
        help="Suite files or names; one with options of its own in quotes: 'labs/dense_mnist --seeds 5'.",
        metavar="SUITE...",
    ),
]


def published(
    suites: QuotedSuites,
    results: Results = RESULTS,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Hold published results against the ledger: those that a suite's `references` name with a `match` or a `note`."""
    loaded = [(suite, _references(suite)) for suite in map(_loaded, suites)]
    if not any(references for _, references in loaded):
        raise UserError(
            f"{', '.join(str(suite.path) for suite, _ in loaded)}: no reference says which configuration repeats it\n"
            "  write it like references: [{id: lab-e-l2, match: {regularizer: l2}}]; docs/protocol.md has more"
        )
    from bench.ledger.ledger import Ledger
    from bench.report.provenance import provenance
    from bench.report.published import beside_ours
    from bench.report.published_rows import Asked
    from bench.report.published_text import Page, to_json, to_markdown
    from bench.report.sections import sections

    asked = [
        Asked(suite.name, suite.title, suite.description, references, trials_of(suite))
        for suite, references in loaded
        if references
    ]
    ledger = Ledger(results)
    records = ledger.records()
    tell_damaged(ledger)
    trials = list({trial.key: trial for one in asked for trial in one.trials}.values())
    keys = {trial.key for trial in trials}
    used = [record for record in records if record.key in keys]
    page = Page(
        beside_ours(
            asked, [record for record in records if record.key in keys or _current(record)], ledger.predictions
        ),
        provenance(
            used,
            sections(used, trials),
            ", ".join(one.name for one in asked),
            f"bench published {shlex.join(suites)}",
        ),
    )
    text = to_json(page) if as_json else to_markdown(page)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}; choose another file with --out") from error
    typer.echo(f"wrote {out}")


def _loaded(text: str) -> Suite:
    """A suite as written on the command line: its file or name, and options that belong to it alone."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("suite")
    parser.add_argument("--only", action="append")
    parser.add_argument("--set", action="append", dest="overrides")
    parser.add_argument("--seeds", type=int)
    try:
        found, unknown = parser.parse_known_args([text] if Path(text).is_file() else shlex.split(text))
    except (argparse.ArgumentError, ValueError) as error:
        raise UserError(f"{text!r} cannot be read: {error}; write 'SUITE --set epochs=5'") from error
    if unknown:
        raise UserError(f"{text!r}: {unknown[0]!r} is not known there; allowed are --only, --set and --seeds")
    return load(found.suite, found.only, found.overrides, found.seeds)


def _current(record: Record) -> bool:
    """Whether a record of no suite on the page is of today's data and training: its key says so.

    Records of the user's own models count only with the suite that names them, whose folder has their code.
    """
    from bench.data import fingerprint
    from bench.suite.trial import trial_key

    try:
        return record.key == trial_key(record.config, record.seed, fingerprint(record.config["dataset"]), None)
    except (UserError, KeyError):  # a data set or a form of configuration that this version does not know
        return False


def _references(suite: Suite) -> list[tuple[Comparison, Reference]]:
    """The published result of each comparison; of those that share an id, the one on the configuration's dataset."""
    from bench.published import find

    found = []
    for one in suite.comparisons:
        candidates = find([one.reference])
        names = {config["dataset"]["name"] for config in one.configs}
        here = [reference for reference in candidates if reference.dataset in names] or candidates
        if len(here) > 1:
            allowed = ", ".join(f"{reference.dataset}/{reference.id}" for reference in here)
            place = suite.place("references", one.reference)
            raise UserError(f"{place}: {one.reference!r} is filed under several datasets\n  write one of {allowed}")
        found.append((one, here[0]))
    return found
