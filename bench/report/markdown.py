"""The report in short, as Markdown fit to be committed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.report.cells import percent, rows, told_headings, told_marks
from bench.report.classes.class_report import HEADINGS, published_table
from bench.report.classes.details import Details
from bench.report.findings.table import Finding
from bench.report.findings.tables import claims
from bench.report.report import Comparison, Report

MOST_PAIRS = 5
MOST_ROWS = 20


def to_markdown(report: Report) -> str:
    """Verdicts, leaderboards, the classes of one configuration (chosen, else best), what was not ranked, provenance."""
    comparisons = [f"# {escape(report.title)}", *(escape(note) for note in report.notes)]
    for comparison in report.comparisons:
        comparisons += _part(comparison)
    if report.checks:
        lines = [
            f"- {'passed' if c.passed else '**FAILED**'}: {escape(c.name)} ({escape(c.detail)})" for c in report.checks
        ]
        comparisons += ["## Checks that this report made of itself", "\n".join(lines)]
    comparisons.append("## Provenance")
    comparisons.append(provenance_lines(report.provenance))
    return "\n\n".join(comparisons) + "\n"


def _part(comparison: Comparison) -> list[str]:
    group, verdict = comparison.group, comparison.verdict
    label = f" **{escape(verdict.label)}**:" if verdict.label else ""
    out = [f"## {escape(group.title)}", f"{escape(verdict.lead)}{label} {escape(verdict.figures)}".strip()]
    out += [escape(text) for text in (" ".join(filter(None, [verdict.comparison, verdict.caution])),) if text]
    above = (
        ("What was run", verdict.ran),
        ("Protocol", group.protocol),
        ("Same for all", group.common),
        ("Wherever named", group.legend),
    )
    out.append("\n".join(f"- {name}: {escape(text)}" for name, text in above if text))
    if len(comparison.frame):
        out.append(_leaderboard(comparison))
    if verdict.notes:
        out.append("\n".join(f"- {escape(note)}" for note in verdict.notes))
    for claim in claims(comparison.analysis):
        out += _claim(claim)
    if comparison.details:
        out += _classes(comparison.details[0])
    for one in comparison.details:
        out += _beside(one)
    if len(comparison.not_ranked):
        heading = ["Trial", "Status", "Seed", "Epoch", "Reason"]
        trials = [
            [escape(str(trial[name])) for name in ("label", "status", "seed", "epoch", "reason")]
            for trial in comparison.not_ranked.to_dict("records")
        ]
        out += ["### Never ranked", table(heading, trials, "llrrl")]
    return out


def _leaderboard(comparison: Comparison) -> str:
    shown = rows(comparison.frame)
    columns = told_headings(shown, comparison.metrics)
    body = []
    for row in shown:
        name = escape(row.label)
        name = f"**{name}**" if row.chosen else f"*{name}*" if row.published else name
        marks = f" ({escape(', '.join(told_marks(row)))})" if told_marks(row) else ""
        body.append([name + marks, *(row.cells[cell] for cell in columns)])
    return table(["Configuration", *columns.values()], body, "l" + "r" * len(columns))


def _claim(claim: Finding) -> list[str]:
    body = [[escape(cell.text) for cell in row] for row in claim.rows[:MOST_ROWS]]
    alignment = "".join("r" if numeric else "l" for numeric in claim.numeric)
    out = [
        f"### {escape(claim.title)}",
        escape(claim.caption),
        table([escape(h) for h in claim.headings], body, alignment),
    ]
    left = len(claim.rows) - MOST_ROWS
    return [*out, f"{left:,} more rows are in the JSON."] if left > 0 else out


def _classes(one: Details) -> list[str]:
    metrics = one.metrics
    body = [
        [escape(name), percent(p), percent(r), percent(f), str(support)]
        for name, p, r, f, support in zip(
            one.classes, metrics.precision, metrics.recall, metrics.f1, metrics.support, strict=True
        )
    ]
    seeds = len(one.seeds)
    pooled = f"Predictions of its {seeds} seeds counted together." if seeds > 1 else "From its one seed."
    pairs = [
        f"- {escape(pair.true)} predicted as {escape(pair.predicted)}: {percent(pair.fraction)} % ({pair.count:,})"
        for pair in one.confused_pairs[:MOST_PAIRS]
    ]
    out = [
        f"### Classes of {escape(one.label)}",
        pooled,
        table(["Class", "Precision %", "Recall %", "F1 %", "Test images"], body, "lrrrr"),
    ]
    return [*out, "Most confused:", "\n".join(pairs)] if pairs else out


def _beside(one: Details) -> list[str]:
    """Published figures by class beside ours, with the counts of their matrix."""
    out = []
    for found in (published_table(one, published) for published in one.published):
        theirs = found.published
        heading = ["Class", *(f"{name} % {whose}" for name in HEADINGS.values() for whose in ("ours", "theirs"))]
        counts = [[escape(name), *(count for count, _ in cells)] for name, cells in found.matrix.rows]
        out += [
            f"### {escape(one.label)} beside {escape(theirs.system)} ({theirs.reference})",
            escape(f"{theirs.source}. {theirs.note} Theirs are printed with two digits."),
            table(heading, [[escape(name), *cells] for name, cells in found.rows], "lrrrrrr"),
            "Their confusion matrix, a row per true class:",
            table(["True", *map(escape, found.matrix.columns)], counts, "l" + "r" * len(found.matrix.columns)),
        ]
    return out


def provenance_lines(provenance: Sequence[tuple[str, str]]) -> str:
    """Name and value, a line each; the command as code, to be copied as it is."""
    return "\n".join(
        f"- {escape(name)}: {_code(value) if name == 'Command' else escape(value)}" for name, value in provenance
    )


def _code(text: str) -> str:
    """Text as it is, between more backticks than it holds itself."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def table(heading: list[str], body: list[list[str]], alignment: str) -> str:
    rule = ["---:" if side == "r" else "---" for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heading, rule, *body])


def escape(text: str) -> str:
    """Keep names from being read as markup, a table cell's end or HTML."""
    escaped = re.sub(r"([\\`*|\[\]])", r"\\\1", " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
