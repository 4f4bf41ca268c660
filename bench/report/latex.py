"""Tables as LaTeX, to be put into a paper with ``\\input``."""

from __future__ import annotations

from bench.report.comparison import Comparison
from bench.report.document import Cell, Report, RowStyle, Summary, Table

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
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "\u00a0": "~",
    "●": r"$\bullet$",
    "○": r"$\circ$",
    "◆": r"$\diamond$",
}
"""What would otherwise be a command, or is in no standard font of pdfTeX."""

HEAD = "% Needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}.\n"
MAX_ROWS = 20


def to_latex(report: Report) -> str:
    """A ``table`` with booktabs rules for each table of the sections; captions and labels name comparison and table."""
    tables = [
        latex_table(table, f"{number}-{table.name}", _about(table, comparison, summary))
        for number, (comparison, summary, sections) in enumerate(report.parts(), 1)
        for section in sections
        for table in section.filled("latex")
    ]
    return HEAD + "\n".join(tables)


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(SPECIAL.get(character, character) for character in text)


def _about(table: Table, comparison: Comparison, summary: Summary) -> str:
    about = summary.sentence if table.main else f"{table.title}. {table.caption}"
    return f"{comparison.group.dataset}: {comparison.group.protocol}. {about}"


def latex_table(table: Table, label: str = "", about: str = "") -> str:
    """A table by itself; without `about` its caption is the table's own."""
    columns = [column for column in table.displayed("latex") if column.kind != "drawing"]
    most = len(table.rows) if table.in_full else MAX_ROWS
    body = []
    for position, style in enumerate(table.styles[:most]):
        first, *others = (table.cells[column.name][position] for column in columns)
        # In braces: a bracket behind a line's end would be read as the space to leave there.
        body.append(" & ".join([f"{{{_row_name(first, style)}}}", *map(_cell_text, others)]))
    about = about or f"{table.title}. {table.caption}"
    left = f" The first {most} of {len(table.rows)} rows." if len(table.rows) > most else ""
    alignment = "".join("r" if column.kind == "number" else "l" for column in columns)
    lines = [
        r"\begin{table}",
        f"\\caption{{{escape(f'{about}{left}')}}}",
        f"\\label{{tab:bench-{label or table.name}}}",
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


def _row_name(cell: Cell, style: RowStyle) -> str:
    name, bold, italic = escape(cell.text), "selected" in style.states, "published" in style.states
    name = f"\\textbf{{{name}}}" if bold else f"\\emph{{{name}}}" if italic else name
    return f"{name} ({escape(', '.join(style.marks))})" if style.marks else name


def _cell_text(cell: Cell) -> str:
    return f"\\textbf{{{escape(cell.text)}}}" if cell.style == "strong" and cell.text else escape(cell.full)
