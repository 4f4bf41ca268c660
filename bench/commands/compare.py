"""`bench compare`: the published results that suites repeat, beside what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.options import RESULTS, AsJson, Results, SuiteArgument
from bench.commands.results import tell_damaged
from bench.commands.suites import load, trials_of
from bench.suite.errors import UserError

if TYPE_CHECKING:
    from bench.ledger.record import Record
    from bench.published import Reference
    from bench.suite.references import Comparison
    from bench.suite.suite import Suite


def compare(
    suites: SuiteArgument,
    results: Results = RESULTS,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Hold published results against the ledger: those that a suite's `references` name with a `match` or a `note`."""
    loaded = [(suite, _references(suite)) for suite in (load(text, None, None, None) for text in suites)]
    if not any(references for _, references in loaded):
        raise UserError(
            f"{', '.join(str(suite.path) for suite, _ in loaded)}: no reference says which configuration repeats it\n"
            "  write it like references: [{id: lab-e-l2, match: {regularizer: l2}}]; docs/protocol.md has more"
        )
    from bench.ledger.ledger import Ledger
    from bench.report.compare import compare as groups_of
    from bench.report.compare_rows import Asked
    from bench.report.compare_text import Page, to_json, to_markdown
    from bench.report.provenance import provenance
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
        groups_of(asked, [record for record in records if record.key in keys or _current(record)], ledger.predictions),
        provenance(
            used,
            sections(used, trials),
            ", ".join(one.name for one in asked),
            f"bench compare {' '.join(suites)}",
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
