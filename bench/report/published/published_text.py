"""The comparison with published results as a Markdown page, and as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.metrics import METRICS
from bench.report.cells import NOTHING, count, figure, number, percent
from bench.report.markdown import escape, provenance_lines, table
from bench.report.published.match_published import PublishedRow, SuiteComparison
from bench.report.published.published_noise import PublishedVerdict, ValueComparison

TITLE = "Published systems, run again"
MARKS = {"suite": "", "page": " ‡", "theirs": " §", "theory": " †"}
PARTS = {"test": "test", "validation": "val."}
HEADINGS = ["System", "Figure", "Quoted %", "Ours %", "Seeds", "Epochs", "Parameters", "Ours is", "Notes"]
EQUAL_EPOCHS_HEADINGS = ["System", "Epochs", "Theirs, best %", "Ours, best %", "Seeds", "Ours is"]

LEGEND = (
    "*Ours*: the mean over seeds. ± is its 95 % interval on these images over seeds (t, with a variance pooled over "
    "the suite's configurations of the same network on the same data); brackets are Wilson's over images, where "
    "nothing tells the noise of a seed. *2 epochs: ...* is the figure of a shorter training of the configuration, "
    "which nothing judges.",
    "*Ours is* within, above or below theirs: the difference in points, and after ± how far that may be from 0 by "
    "noise alone (95 %). Theirs is one run, so it is given the seed noise of ours: t × √(s² (1 / seeds + 1)), s the "
    "pooled deviation between our seeds. *Cannot tell*: within noise of more than ± 1 point, in which nearly anything "
    "lies; or the noise is told by two runs alone, one degree of freedom.",
    "Both were measured on the same images (the data set's own test part, or the tail of its training part), so these "
    "add no noise. Where they were not (another release, re-encoded images, another split), both sides' sampling of "
    "images, p (1 − p) / n each, is added under the root.",
    "Networks differ in their noise, so s comes from runs of the same network on the same data: those of the suite; ‡ "
    "where its configurations have too few seeds, those of all suites of this page; § else their own repeated runs, as "
    "far as they print them (at equal epochs, their curves), and theory's where that is wider; † else theory's "
    "√(error / 2n), from which seeds may differ by half as much or by far more: a verdict outside is weak.",
    "Theirs was rounded, and may be off by half a unit of its last digit; that is added too.",
    "*Epochs*: the mean of those run, and the budget where that is larger. Theirs are those run.",
    "*At equal epochs*: where ours trained for fewer epochs than theirs, the best validation accuracy within the first "
    "n epochs of both. A shorter training counts where nothing else differs and its learning rate does not follow the "
    "budget; so do the beginning of a pruned one, and the best of one that diverged. n is what at least half of our "
    "seeds reached.",
)


@dataclass(frozen=True)
class PublishedPage:
    """All suites' comparisons, and how the page was made."""

    groups: tuple[SuiteComparison, ...]
    provenance: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> list[PublishedRow]:
        return [row for group in self.groups for row in group.rows]


def to_markdown(page: PublishedPage) -> str:
    """The page: what agrees, how to read it, a table per suite, and the rows outside the noise."""
    parts = [f"# {TITLE}", _summary(page.rows), "\n".join(f"- {line}" for line in LEGEND)]
    for group in page.groups:
        parts += _group(group)
    parts += ["## Outside the noise", _outside_noise(page.rows), "## Provenance"]
    parts.append(provenance_lines(page.provenance))
    return "\n\n".join(parts) + "\n"


def to_json(page: PublishedPage) -> str:
    """The same for programs; figures are fractions, what is not known is null."""
    groups = [
        {
            "suite": group.name,
            "title": group.title,
            "options": group.options.strip(),
            "noise": {
                name: {"deviation": noise.deviation, "degrees": noise.degrees} for name, noise in group.noise.items()
            },
            "rows": [_row_json(row) for row in group.rows],
        }
        for group in page.groups
    ]
    data = {"title": TITLE, "provenance": dict(page.provenance), "suites": groups}
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def _summary(rows: Sequence[PublishedRow]) -> str:
    counts = Counter(row.verdict for row in rows)
    early = sum(row.decisive is not None and row.decisive is not row.whole for row in rows)
    order: tuple[PublishedVerdict, ...] = (
        "within",
        "above",
        "below",
        "cannot tell",
        "not compared",
        "not run",
        "not repeated",
    )
    found = ", ".join(f"{counts[word]} {word}" for word in order if counts[word])
    later = f" {early} of the verdicts {'is' if early == 1 else 'are'} at equal epochs." if early else ""
    return f"{len(rows)} published figures: {found}.{later}"


def _group(group: SuiteComparison) -> list[str]:
    out = [f"## {escape(group.title)}", escape(f"Suite {group.name}{group.options}. {group.description}").strip()]
    body = [
        [
            _system(row),
            f"{PARTS[row.reference.part]} {METRICS[row.reference.figure].heading}",
            _published_value(row),
            _measured_value(row),
            _seeds(row),
            _epochs(row),
            _parameters(row),
            _verdict(row),
            escape("; ".join([*row.reasons, *(flag.replace("_", " ") for flag in row.reference.flags)])),
        ]
        for row in group.rows
    ]
    out.append(table(HEADINGS, body, "llrrrrrll"))
    early = [
        [
            _system(row),
            str(row.early.epochs),
            number(row.early.judged.theirs or 0.0, "accuracy"),
            figure(row.early.judged.ours, "accuracy"),
            str(row.early.judged.seeds),
            _comparison(row.early.judged),
        ]
        for row in group.rows
        if row.early
    ]
    if early:
        out += ["At equal epochs:", table(EQUAL_EPOCHS_HEADINGS, early, "lrrrrl")]
    if group.noise:
        noises = [
            f"{name}: {percent(noise.deviation)} points ({noise.degrees:g} degrees of freedom)"
            for name, noise in group.noise.items()
        ]
        out.append("Deviation between seeds, pooled:\n\n" + "\n".join(f"- {escape(noise)}" for noise in noises))
    return out


def _outside_noise(rows: Sequence[PublishedRow]) -> str:
    lines = []
    for row in rows:
        judged = row.decisive
        if judged is None or row.verdict not in ("above", "below"):
            continue
        ours, theirs = number(judged.ours.mean, row.reference.figure), percent(judged.theirs or 0.0)
        when = "" if judged is row.whole or row.early is None else f" within the first {row.early.epochs} epochs"
        why = "; ".join(row.reasons) or "no reason is stated in the suite file"
        lines.append(f"- {_system(row)}: ours {ours} %, theirs {theirs} %{when}; {_comparison(judged)}. {escape(why)}")
    return "\n".join(lines) or "None."


def _system(row: PublishedRow) -> str:
    return f"{escape(row.reference.model)} ({escape(row.reference.id)})"


def _published_value(row: PublishedRow) -> str:
    if row.reference.value is None:
        return escape(row.reference.reported) or NOTHING
    return percent(row.reference.value)


def _measured_value(row: PublishedRow) -> str:
    if row.short:
        return f"{row.short.epochs} epochs: {figure(row.short.ours, row.reference.figure)}"
    return figure(row.whole.ours, row.reference.figure) if row.whole else NOTHING


def _seeds(row: PublishedRow) -> str:
    if not row.planned:
        return NOTHING
    seeds = row.whole.seeds if row.whole else 0
    return str(seeds) if seeds == row.planned else f"{seeds} of {row.planned}"


def _epochs(row: PublishedRow) -> str:
    theirs = f" (theirs {row.reference.epochs})" if row.reference.epochs is not None else ""
    if row.epochs_run is None:
        return f"{NOTHING}{theirs}"
    run = f"{row.epochs_run:.1f}".removesuffix(".0")
    return (run if row.epochs_run == row.epochs else f"{run} of {row.epochs}") + theirs


def _parameters(row: PublishedRow) -> str:
    quoted = row.reference.parameters
    if quoted is None or row.parameters is None:
        return count(row.parameters) if quoted is None else f"{NOTHING} (quoted {count(quoted)})"
    return f"{count(row.parameters)} ({'as quoted' if row.parameters == quoted else f'quoted {count(quoted)}'})"


def _verdict(row: PublishedRow) -> str:
    if row.decisive is None:
        return row.verdict
    return _comparison(row.decisive) + ("" if row.decisive is row.whole else ", at equal epochs")


def _comparison(judged: ValueComparison) -> str:
    found = judged.agreement
    if found is None:
        return "not compared"
    word = f"**{judged.word}**" if judged.word in ("above", "below") else judged.word
    signed = f"{100 * found.difference:+.2f}".replace("-", "−")
    return f"{word} ({signed} ± {percent(found.half_width)}{MARKS[judged.source]})"


def _row_json(row: PublishedRow) -> dict[str, Any]:
    reference = row.reference
    return {
        "reference": reference.id,
        "system": reference.model,
        "dataset": reference.dataset,
        "part": reference.part,
        "metric": reference.figure,
        "quoted": reference.value,
        "reported": reference.reported,
        "flags": list(reference.flags),
        "ours_on": row.dataset,
        "config": row.config,
        "keys": list(row.keys),
        "verdict": row.verdict,
        "whole": _comparison_json(row.whole),
        "shorter": (
            {"epochs": row.short.epochs, "mean": row.short.ours.mean, "seeds": row.short.seeds} if row.short else None
        ),
        "first_epochs": {"epochs": row.early.epochs, **(_comparison_json(row.early.judged) or {})}
        if row.early
        else None,
        "seeds_planned": row.planned,
        "epochs": row.epochs,
        "epochs_run": row.epochs_run,
        "epochs_quoted": reference.epochs,
        "parameters": row.parameters,
        "parameters_quoted": reference.parameters,
        "notes": list(row.reasons),
    }


def _comparison_json(judged: ValueComparison | None) -> dict[str, Any] | None:
    if judged is None:
        return None
    found = judged.agreement
    return {
        "mean": judged.ours.mean,
        "low": None if math.isnan(judged.ours.low) else judged.ours.low,
        "high": None if math.isnan(judged.ours.high) else judged.ours.high,
        "interval": judged.ours.interval,
        "theirs": judged.theirs,
        "seeds": judged.seeds,
        "difference": found.difference if found else None,
        "noise": found.half_width if found else None,
        "word": judged.word if found else None,
        "noise_from": judged.source,
    }
