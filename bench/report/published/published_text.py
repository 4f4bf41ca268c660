"""The comparison with published results as a Markdown page, and as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import pandas as pd

from bench.metrics import METRICS
from bench.report.document import Cell, Column, Section, Table
from bench.report.markdown import section_blocks
from bench.report.number_format import NOTHING, count, number, percent, points
from bench.report.published.match_published import EqualEpochs, PublishedRow, SuiteComparison
from bench.report.published.published_noise import NoiseSource, PublishedVerdict, ValueComparison
from bench.report.sections.provenance import provenance_table

TITLE = "Published systems, reproduced"
MARKS: dict[NoiseSource, str] = {"suite": "", "page": " ‡", "published": " §", "theory": " †"}
PARTS = {"test": "test", "validation": "val."}

LEGEND = (
    "“Measured”: the mean over seeds. “2 epochs: ...” is the value of a shorter training of the configuration, which "
    "is not compared.",
    "“Verdict”: whether the measured value is within, above or below the published one: the measured minus the "
    "published value in points, and after ± how large it may be by chance (95 %). The published value is from one run, "
    "so the measured seed noise applies to it too: t × √(s² (1 / seeds + 1)), s the pooled deviation between measured "
    "seeds. “Inconclusive”: within noise of more than ± 1 point, which nearly any value is (± 2 points where one "
    "run's value on its validation part is all that is published); or the noise is from two runs, one degree of "
    "freedom.",
    "Both were measured on the same images (the data set's test part, or the tail of its training part), so these add "
    "no noise. Where they were not (another release, re-encoded images, another split), the sampling of images, p (1 "
    "− p) / n for each value, is added under the root.",
    "Networks differ in their seed noise, so s is from runs of the same network on the same data: those of the suite; "
    "‡ where its configurations have too few seeds, those of all suites of this page; § else the repeated published "
    "runs (at equal epochs, their curves), and the binomial lower bound where that is larger; † else the binomial "
    "lower bound √(error / 2n), which the seed noise may exceed by far: a verdict above or below is then weak.",
    "Published values are rounded and may be off by half a unit of the last digit; that is added too.",
    "“Epochs”: the mean of those run, and the budget where that is larger; published ones are those run.",
    "“At equal epochs”: where fewer epochs were measured than published, the best validation accuracy within the "
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
    facts = provenance_table(page.provenance)
    sections = (
        Section("reading", "How to read the tables", notes=LEGEND),
        *map(_suite, page.suites),
        Section("outside", "Outside the noise", notes=_outside_noise(page.rows)),
        Section("provenance", "Provenance", (facts,)),
    )
    blocks = [block for section in sections for block in section_blocks(section, "##")]
    return "\n\n".join([f"# {TITLE}", _summary(page.rows), *blocks]) + "\n"


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


def _suite(suite: SuiteComparison) -> Section:
    """Its rows, those at equal epochs, and the noise behind the verdicts."""
    return Section(
        suite.name,
        suite.title,
        (_row_table(suite.rows), _equal_epochs_table([row for row in suite.rows if row.equal_epochs])),
        sentences=(f"Suite {suite.name}{suite.options}. {suite.description}".strip(),),
        notes=tuple(
            f"Deviation between seeds, pooled: {name}: {percent(noise.deviation)} points ({noise.degrees:g} degrees of "
            "freedom)"
            for name, noise in suite.noise.items()
        ),
    )


def _row_table(rows: Sequence[PublishedRow]) -> Table:
    return Table(
        "rows",
        "Results",
        "",
        pd.DataFrame({"row": rows}, dtype=object),
        (
            _column("System", _system, "text"),
            _column(
                "Metric",
                lambda row: f"{PARTS[row.reference.part]} {METRICS[row.reference.metric_name].heading}",
                "text",
            ),
            _column(
                "Published %",
                lambda row: (
                    row.reference.reported or NOTHING if row.reference.value is None else percent(row.reference.value)
                ),
            ),
            _column("Measured %", _measured_value),
            _column("Seeds", _seeds),
            _column("Epochs", _epochs),
            _column("Parameters", _parameters),
            _column("Verdict", _verdict, "text"),
            _column(
                "Notes",
                lambda row: "; ".join([*row.notes, *(flag.replace("_", " ") for flag in row.reference.flags)]),
                "text",
            ),
        ),
        in_full=True,
    )


def _equal_epochs_table(rows: Sequence[PublishedRow]) -> Table:
    """The best of the first epochs of both runs."""

    def of(text: Callable[[EqualEpochs], Cell | str]) -> Callable[[PublishedRow], Cell | str]:
        return lambda row: text(row.equal_epochs) if row.equal_epochs else NOTHING

    return Table(
        "equal-epochs",
        "At equal epochs",
        "",
        pd.DataFrame({"row": rows}, dtype=object),
        (
            _column("System", _system, "text"),
            _column("Epochs", of(lambda equal: str(equal.epochs))),
            _column("Published, best %", of(lambda equal: number(equal.comparison.published or 0.0, "accuracy"))),
            _column("Measured, best %", of(lambda equal: number(equal.comparison.measured.mean, "accuracy"))),
            _column("Seeds", of(lambda equal: str(equal.comparison.n_seeds))),
            _column("Verdict", of(lambda equal: _agreement(equal.comparison)), "text"),
        ),
        in_full=True,
    )


def _column(
    heading: str, cell: Callable[[PublishedRow], Cell | str], kind: Literal["text", "number"] = "number"
) -> Column:
    return Column(heading, heading, lambda row: cell(row["row"]), kind)


def _outside_noise(rows: Sequence[PublishedRow]) -> tuple[str, ...]:
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
            f"{_system(row)}: measured {measured} %, published {percent(comparison.published or 0.0)} %{epochs}; "
            f"{_agreement(comparison).full}. {'; '.join(row.notes) or 'the suite file gives no reason'}"
        )
    return tuple(lines) or ("None.",)


def _system(row: PublishedRow) -> str:
    return f"{row.reference.model} ({row.reference.id})"


def _measured_value(row: PublishedRow) -> str:
    metric = row.reference.metric_name
    if row.shorter_run:
        return f"{row.shorter_run.epochs} epochs: {number(row.shorter_run.measured.mean, metric)}"
    return number(row.full_run.measured.mean, metric) if row.full_run else NOTHING


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


def _verdict(row: PublishedRow) -> Cell:
    if row.decisive is None:
        return Cell(row.verdict)
    cell = _agreement(row.decisive)
    return cell if row.decisive is row.full_run else replace(cell, detail=f"{cell.detail}, at equal epochs")


def _agreement(comparison: ValueComparison) -> Cell:
    agreement, verdict = comparison.agreement, comparison.verdict
    if agreement is None:
        return Cell("not compared")
    detail = f"{points(agreement.difference)} ± {percent(agreement.half_width)}{MARKS[comparison.source]}"
    return Cell(verdict, "strong" if verdict in ("above", "below") else "", detail=detail)


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
