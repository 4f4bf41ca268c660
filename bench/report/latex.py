"""Tables as LaTeX, to be put into a paper with ``\\input``."""

from __future__ import annotations

from bench.report.comparison import Comparison
from bench.report.document import Table
from bench.report.report import Report
from bench.report.sections.summary import Summary

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
    "’": "'",
    "→": r"$\to$",
    "●": r"$\bullet$",
    "○": r"$\circ$",
    "◆": r"$\diamond$",
}
"""What would otherwise be a command, or is in no standard font of pdfTeX."""

HEAD = "% Needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}.\n"


def to_latex(report: Report) -> str:
    """A ``table`` with booktabs rules for each leaderboard; caption and label name its data set and protocol."""
    tables = [
        _table(table, comparison, summary, number)
        for number, (comparison, summary, sections) in enumerate(report.parts(), 1)
        for section in sections
        for table in section.filled("latex")
    ]
    return HEAD + "\n".join(tables)


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(SPECIAL.get(character, character) for character in text)


def _table(table: Table, comparison: Comparison, summary: Summary, number: int) -> str:
    columns = [column for column in table.displayed("latex") if column.kind != "drawing"]
    body = []
    for position, style in enumerate(table.styles):
        first, *others = (escape(table.cells[column.name][position].text) for column in columns)
        bold, italic = "selected" in style.states, "published" in style.states
        name = f"\\textbf{{{first}}}" if bold else f"\\emph{{{first}}}" if italic else first
        marks = f" ({escape(', '.join(style.marks))})" if style.marks else ""
        # In braces: a bracket behind a line's end would be read as the space to leave there.
        body.append(" & ".join([f"{{{name}{marks}}}", *others]))
    caption = f"{comparison.group.dataset}: {comparison.group.protocol}. {summary.sentence}"
    alignment = "".join("r" if column.kind == "number" else "l" for column in columns)
    lines = [
        r"\begin{table}",
        f"\\caption{{{escape(caption)}}}",
        f"\\label{{tab:bench-{number}}}",
        r"\centering",
        f"\\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        " & ".join(escape(column.heading) for column in columns) + r" \\",
        r"\midrule",
        *(line + r" \\" for line in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
