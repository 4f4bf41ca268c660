"""The leaderboards as LaTeX tables, to be put into a paper with ``\\input``."""

from __future__ import annotations

from bench.report.cells import rows, told_headings, told_marks
from bench.report.report import Comparison, Report

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "√": r"$\surd$",
    "–": "--",
    "…": r"\dots{}",
    "“": "``",
    "”": "''",
    "→": r"$\to$",
}
"""What would otherwise be a command, or is in no standard font of pdfTeX."""

HEAD = "% Needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}.\n"


def to_latex(report: Report) -> str:
    """A ``table`` with booktabs rules for each leaderboard; caption and label name its data set and protocol."""
    return HEAD + "\n".join(
        _table(comparison, number) for number, comparison in enumerate(report.comparisons, 1) if len(comparison.frame)
    )


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(SPECIAL.get(character, character) for character in text)


def _table(comparison: Comparison, number: int) -> str:
    shown = rows(comparison.frame)
    columns = told_headings(shown, comparison.metrics)
    body = []
    for row in shown:
        name = escape(row.label)
        name = f"\\textbf{{{name}}}" if row.chosen else f"\\emph{{{name}}}" if row.published else name
        marks = f" ({escape(', '.join(told_marks(row)))})" if told_marks(row) else ""
        # In braces: a bracket behind a line's end would be taken for the space to leave there.
        body.append(" & ".join([f"{{{name}{marks}}}", *(escape(row.cells[cell]) for cell in columns)]))
    caption = f"{comparison.group.dataset}: {comparison.group.protocol}. {comparison.verdict.sentence}"
    heading = " & ".join(["Configuration", *(escape(text) for text in columns.values())])
    lines = [
        r"\begin{table}",
        f"\\caption{{{escape(caption)}}}",
        f"\\label{{tab:bench-{number}}}",
        r"\centering",
        f"\\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        heading + r" \\",
        r"\midrule",
        *(line + r" \\" for line in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
