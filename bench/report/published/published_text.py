"""The comparison with published results as a Markdown page, and as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from bench.metrics import METRICS
from bench.report.markdown import escape, provenance_lines, table_text
from bench.report.number_format import NOTHING, count, number, percent, with_interval
from bench.report.published.match_published import PublishedRow, SuiteComparison
from bench.report.published.published_noise import NoiseSource, PublishedVerdict, ValueComparison

TITLE = "Published systems, reproduced"
MARKS: dict[NoiseSource, str] = {"suite": "", "page": " ‡", "published": " §", "theory": " †"}
PARTS = {"test": "test", "validation": "val."}
HEADINGS = ["System", "Metric", "Published %", "Measured %", "Seeds", "Epochs", "Parameters", "Verdict", "Notes"]
EQUAL_EPOCHS_HEADINGS = ["System", "Epochs", "Published, best %", "Measured, best %", "Seeds", "Verdict"]

LEGEND = (
    "*Measured*: the mean over seeds. ± is its 95 % interval on these images over seeds (t, with a variance pooled "
    "over the suite's configurations of the same network on the same data); brackets are Wilson's interval over "
    "images, where there is no estimate of the seed noise. *2 epochs: ...* is the value of a shorter training of the "
    "configuration, which is not compared.",
    "*Verdict*: whether the measured value is within, above or below the published one: the difference in points, and "
    "after ± how large it may be by chance (95 %). The published value is from one run, so the measured seed noise "
    "applies to it too: t × √(s² (1 / seeds + 1)), s the pooled deviation between measured seeds. *Inconclusive*: "
    "within noise of more than ± 1 point, which nearly any value is; or the noise is from two runs, one degree of "
    "freedom.",
    "Both were measured on the same images (the data set's test part, or the tail of its training part), so these add "
    "no noise. Where they were not (another release, re-encoded images, another split), the sampling of images, p (1 "
    "− p) / n for each value, is added under the root.",
    "Networks differ in their seed noise, so s is from runs of the same network on the same data: those of the suite; "
    "‡ where its configurations have too few seeds, those of all suites of this page; § else the repeated published "
    "runs (at equal epochs, their curves), and the binomial lower bound where that is larger; † else the binomial "
    "lower bound √(error / 2n), which the seed noise may exceed by far: a verdict above or below is then weak.",
    "Published values are rounded and may be off by half a unit of the last digit; that is added too.",
    "*Epochs*: the mean of those run, and the budget where that is larger; published ones are those run.",
    "*At equal epochs*: where fewer epochs were measured than published, the best validation accuracy within the "
    "first n epochs of both. A shorter training counts where nothing else differs and its learning rate does not "
    "depend on the budget; so do the first epochs of a pruned run, and the best epoch of a diverged one. n is what at "
    "least half of the seeds reached.",
)


@dataclass(frozen=True)
class PublishedPage:
    """All suites' comparisons, and how the page was made."""

    suites: tuple[SuiteComparison, ...]
    provenance: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> list[PublishedRow]:
        return [row for suite in self.suites for row in suite.rows]


def to_markdown(page: PublishedPage) -> str:
    """The page: how many results agree, how to read it, a table per suite, and the rows outside the noise."""
    parts = [f"# {TITLE}", _summary(page.rows), "\n".join(f"- {line}" for line in LEGEND)]
    for suite in page.suites:
        parts += _suite(suite)
    parts += ["## Outside the noise", _outside_noise(page.rows), "## Provenance"]
    parts.append(provenance_lines(page.provenance))
    return "\n\n".join(parts) + "\n"


def to_json(page: PublishedPage) -> str:
    """The same for programs; values are fractions, null where unknown."""
    suites = [
        {
            "suite": suite.name,
            "title": suite.title,
            "options": suite.options.strip(),
            "noise": {
                name: {"deviation": noise.deviation, "degrees": noise.degrees} for name, noise in suite.noise.items()
            },
            "rows": [_row_json(row) for row in suite.rows],
        }
        for suite in page.suites
    ]
    data = {"title": TITLE, "provenance": dict(page.provenance), "suites": suites}
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def _summary(rows: Sequence[PublishedRow]) -> str:
    counts = Counter(row.verdict for row in rows)
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(PublishedVerdict) if counts[verdict])
    at_equal = sum(row.decisive is not None and row.decisive is not row.full_run for row in rows)
    at_equal_text = (
        f" {at_equal} of the verdicts {'is' if at_equal == 1 else 'are'} at equal epochs." if at_equal else ""
    )
    return f"{len(rows)} published results: {verdicts}.{at_equal_text}"


def _suite(suite: SuiteComparison) -> list[str]:
    out = [f"## {escape(suite.title)}", escape(f"Suite {suite.name}{suite.options}. {suite.description}").strip()]
    body = [
        [
            _system(row),
            f"{PARTS[row.reference.part]} {METRICS[row.reference.metric_name].heading}",
            _published_value(row),
            _measured_value(row),
            _seeds(row),
            _epochs(row),
            _parameters(row),
            _verdict(row),
            escape("; ".join([*row.notes, *(flag.replace("_", " ") for flag in row.reference.flags)])),
        ]
        for row in suite.rows
    ]
    out.append(table_text(HEADINGS, body, "llrrrrrll"))
    at_equal = [
        [
            _system(row),
            str(row.equal_epochs.epochs),
            number(row.equal_epochs.comparison.published or 0.0, "accuracy"),
            with_interval(row.equal_epochs.comparison.measured, "accuracy"),
            str(row.equal_epochs.comparison.n_seeds),
            _comparison(row.equal_epochs.comparison),
        ]
        for row in suite.rows
        if row.equal_epochs
    ]
    if at_equal:
        out += ["At equal epochs:", table_text(EQUAL_EPOCHS_HEADINGS, at_equal, "lrrrrl")]
    if suite.noise:
        lines = [
            f"- {escape(f'{name}: {percent(noise.deviation)} points ({noise.degrees:g} degrees of freedom)')}"
            for name, noise in suite.noise.items()
        ]
        out.append("Deviation between seeds, pooled:\n\n" + "\n".join(lines))
    return out


def _outside_noise(rows: Sequence[PublishedRow]) -> str:
    lines = []
    for row in rows:
        comparison = row.decisive
        if comparison is None or row.verdict not in ("above", "below"):
            continue
        measured = number(comparison.measured.mean, row.reference.metric_name)
        epochs = ""
        if comparison is not row.full_run and row.equal_epochs:
            epochs = f" within the first {row.equal_epochs.epochs} epochs"
        lines.append(
            f"- {_system(row)}: measured {measured} %, published {percent(comparison.published or 0.0)} %{epochs}; "
            f"{_comparison(comparison)}. {escape('; '.join(row.notes) or 'the suite file gives no reason')}"
        )
    return "\n".join(lines) or "None."


def _system(row: PublishedRow) -> str:
    return f"{escape(row.reference.model)} ({escape(row.reference.id)})"


def _published_value(row: PublishedRow) -> str:
    if row.reference.value is None:
        return escape(row.reference.reported) or NOTHING
    return percent(row.reference.value)


def _measured_value(row: PublishedRow) -> str:
    metric = row.reference.metric_name
    if row.shorter_run:
        return f"{row.shorter_run.epochs} epochs: {with_interval(row.shorter_run.measured, metric)}"
    return with_interval(row.full_run.measured, metric) if row.full_run else NOTHING


def _seeds(row: PublishedRow) -> str:
    if not row.n_planned:
        return NOTHING
    n_seeds = row.full_run.n_seeds if row.full_run else 0
    return str(n_seeds) if n_seeds == row.n_planned else f"{n_seeds} of {row.n_planned}"


def _epochs(row: PublishedRow) -> str:
    published = f" (published {row.reference.epochs})" if row.reference.epochs is not None else ""
    if row.epochs_run is None:
        return f"{NOTHING}{published}"
    run = f"{row.epochs_run:.1f}".removesuffix(".0")
    return (run if row.epochs_run == row.epochs else f"{run} of {row.epochs}") + published


def _parameters(row: PublishedRow) -> str:
    published = row.reference.parameters
    if published is None:
        return count(row.parameters)
    same = row.parameters == published
    return f"{count(row.parameters)} ({'as published' if same else f'published {count(published)}'})"


def _verdict(row: PublishedRow) -> str:
    if row.decisive is None:
        return row.verdict
    return _comparison(row.decisive) + ("" if row.decisive is row.full_run else ", at equal epochs")


def _comparison(comparison: ValueComparison) -> str:
    agreement, verdict = comparison.agreement, comparison.verdict
    if agreement is None:
        return "not compared"
    word = f"**{verdict}**" if verdict in ("above", "below") else verdict
    difference = f"{100 * agreement.difference:+.2f}".replace("-", "−")
    return f"{word} ({difference} ± {percent(agreement.half_width)}{MARKS[comparison.source]})"


def _row_json(row: PublishedRow) -> dict[str, Any]:
    reference, shorter, equal = row.reference, row.shorter_run, row.equal_epochs
    return {
        "reference": reference.id,
        "system": reference.model,
        "dataset": reference.dataset,
        "part": reference.part,
        "metric": reference.metric_name,
        "published": reference.value,
        "reported": reference.reported,
        "flags": list(reference.flags),
        "measured_on": row.dataset,
        "config": row.config,
        "keys": list(row.keys),
        "verdict": row.verdict,
        "full_run": _comparison_json(row.full_run),
        "shorter_run": {"epochs": shorter.epochs, "mean": shorter.measured.mean, "seeds": shorter.n_seeds}
        if shorter
        else None,
        "equal_epochs": {"epochs": equal.epochs, **(_comparison_json(equal.comparison) or {})} if equal else None,
        "seeds_planned": row.n_planned,
        "epochs": row.epochs,
        "epochs_run": row.epochs_run,
        "epochs_published": reference.epochs,
        "parameters": row.parameters,
        "parameters_published": reference.parameters,
        "notes": list(row.notes),
    }


def _comparison_json(comparison: ValueComparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    measured, agreement = comparison.measured, comparison.agreement
    return {
        "mean": measured.mean,
        "low": None if math.isnan(measured.low) else measured.low,
        "high": None if math.isnan(measured.high) else measured.high,
        "interval": measured.interval,
        "published": comparison.published,
        "seeds": comparison.n_seeds,
        "difference": agreement.difference if agreement else None,
        "noise": agreement.half_width if agreement else None,
        "verdict": comparison.verdict if agreement else None,
        "noise_source": comparison.source,
    }
