"""How is the report cited? A BibTeX entry that says which results it is of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from bench import __version__
from bench.report.comparison import Comparison, Origin
from bench.report.document import Section

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SPECIAL = re.compile(r"([&%$#_{}~^\\])")


def citation(comparisons: Sequence[Comparison], origin: Origin) -> Section:
    """The entry; nothing without a trial that has ended."""
    citation = bibtex(comparisons, origin)
    sentences = ("The note names the results by a checksum of their keys: the same trials have the same.",)
    return Section(
        "citation",
        "Cite this report",
        sentences=sentences if citation else (),
        listing=citation,
        folded=True,
        data=dict,
    )


def bibtex(comparisons: Sequence[Comparison], origin: Origin) -> str:
    """A ``misc`` entry without an author, which is for whoever publishes it to add."""
    records = [
        record
        for comparison in comparisons
        for configuration in comparison.group.configurations
        for record in configuration.records
    ]
    ended = max((record.run_info.finished for record in records if record.run_info.finished), default="")
    try:
        day = datetime.fromisoformat(ended)
    except ValueError:
        return ""
    keys = hashlib.sha256("\n".join(sorted(record.key for record in records)).encode()).hexdigest()[:16]
    commits = sorted({record.run_info.git_commit for record in records if record.run_info.git_commit})
    note = [f"{len(records)} trials, keys SHA-256 {keys}"]
    note += [f"{name} SHA-256 {checksum[:16]}" for name, checksum in origin.checksums.items()]
    note += [f"commit {commits[0][:12]}"] if len(commits) == 1 else []
    name = re.sub(r"[^a-z0-9]+", "-", (origin.suite or "results").lower()).strip("-")
    fields = {
        "title": f"{{{_escaped(origin.title or origin.suite or 'Results')}}}",
        "year": str(day.year),
        "month": MONTHS[day.month - 1],
        "howpublished": f"{{Report of benchgrid {__version__}}}",
        "note": f"{{{_escaped('; '.join(note))}}}",
    }
    lines = ",\n".join(f"  {field:<12} = {value}" for field, value in fields.items())
    return f"@misc{{{name}-{day:%Y-%m-%d},\n{lines}\n}}"


def _escaped(text: str) -> str:
    return SPECIAL.sub(lambda match: r"\textbackslash{}" if match[1] == "\\" else f"\\{match[1]}", text)
