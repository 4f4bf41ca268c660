"""The claims as tables of text: what the page and Markdown both show of an analysis, with what may not be concluded."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from bench.report.cells import NOTHING, count, percent
from bench.report.findings.analysis import Analysis
from bench.report.findings.budget import NOT_RUN, SPARED
from bench.report.findings.factors import MOST_INTERACTIONS
from bench.report.findings.pairs import TWO_RUNS
from bench.report.findings.table import Cell, Finding, Row, p_value, points, signed, spaced, span, table
from bench.report.findings.tuned import EVERYTHING

ALIKE = "·"


def claims(analysis: Analysis) -> tuple[Finding, ...]:
    """The tables that have a row, in the order of a report."""
    made = [
        _effects(analysis),
        _interactions(analysis),
        # With one try each, nothing was tuned, and the effects say the same.
        *(
            _tuned(axis, found, _alone(analysis))
            for axis, found in analysis.tuned.items()
            if found["n_trials"].max() > 1
        ),
        _tries(analysis),
        _times(analysis),
        _placements(analysis),
        _pairs(analysis),
        _budget(analysis),
    ]
    return tuple(one for one in made if one.rows)


def _effects(analysis: Analysis) -> Finding:
    frame = analysis.effects
    missing = (
        " Cells are missing because the grid has no such pair, or pruning or failure left none: what survives "
        "pruning is a selected sample."
        if (frame["missing"] > 0).any()
        else ""
    )
    return table(
        "effects",
        "Effects",
        "What a level does to test accuracy, in points, everything else equal: against “none” where the axis has it, "
        "else against the mean of its levels. 95 % intervals, each by itself, on new images and on this test set; "
        "p is on new images. "
        f"Cells are combinations of all other axes in which the levels could be compared.{missing}{_alone(analysis)}",
        frame,
        {
            "Axis": lambda row: Cell(spaced(row["axis"])),
            "Level": lambda row: Cell(row["value"], label=True),
            "Against": lambda row: Cell(row["against"], label=True),
            "Effect": points,
            "On new images": lambda row: Cell(span(row["low"], row["high"])),
            "On this test set": lambda row: Cell(span(row["this_low"], row["this_high"])),
            "p": lambda row: Cell(p_value(row["p"])),
            "Cells": lambda row: Cell(count(row["n_strata"])),
            "Missing": lambda row: Cell(count(row["missing"])),
        },
        text=3,
    )


def _alone(analysis: Analysis) -> str:
    """What the intervals leave out where no configuration has two seeds."""
    return " One seed each: how seeds differ is not counted." if analysis.networks_alone else ""


def _interactions(analysis: Analysis) -> Finding:
    return table(
        "interactions",
        "Interactions",
        f"The strongest {MOST_INTERACTIONS} two-way interactions at most: what two levels do together beyond the sum "
        "of their effects, in points, on cells that have every pair of levels. Being the strongest of many, they are "
        f"overstated; p (Holm) allows for how many were looked at, the interval does not.{_alone(analysis)}",
        analysis.interactions,
        {
            "Level": lambda row: Cell(f"{spaced(row['axis'])}: {row['value']}"),
            "With": lambda row: Cell(f"{spaced(row['with_axis'])}: {row['with_value']}"),
            "Together": points,
            "On new images": lambda row: Cell(span(row["low"], row["high"])),
            "p (Holm)": lambda row: Cell(p_value(row["p_holm"])),
            "Cells": lambda row: Cell(count(row["n_strata"])),
            "Missing": lambda row: Cell(count(row["missing"])),
        },
        text=2,
    )


def _tuned(axis: str, levels: pd.DataFrame, alone: str) -> Finding:
    return table(
        f"tuned-{axis}",
        f"Each {spaced(axis)} at its best setting",
        f"Every {spaced(axis)} at the setting that validation accuracy chose for it, among all else that varies. A "
        "level with more tries had more chances. “Difference” is its test accuracy minus the first row's, in points, "
        f"with the 95 % interval on new images.{alone}",
        levels,
        {
            "Level": lambda row: Cell(row["value"]),
            "Tries": lambda row: Cell(count(row["n_trials"])),
            "Setting": lambda row: Cell(row["label"], label=True),
            "Validation %": lambda row: Cell(percent(row["validation"])),
            "Test %": lambda row: Cell(percent(row["test"])),
            "95 % on new images": lambda row: Cell(f"{percent(row['low'])} to {percent(row['high'])}"),
            "Difference": lambda row: Cell(signed(row["gap_to_best"])),
            "Its interval": lambda row: Cell(span(row["gap_low"], row["gap_high"])),
            "p": lambda row: Cell(p_value(row["p"])),
        },
        text=1,
        also_text=(2,),
    )


def _tries(analysis: Analysis) -> Finding:
    """A row per level and a column per number of tries, doubled each time."""
    frame = analysis.tries
    most = int(frame["n_trials"].max()) if len(frame) else 0
    steps = sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most} - {0})
    groups = [
        {"axis": axis, "value": level, **dict(zip(of["n_trials"], of["test"], strict=True))}
        for (axis, level), of in frame.groupby(["axis", "value"], sort=False)
    ]

    def at(step: int) -> Callable[[Row], Cell]:
        return lambda row: Cell(percent(row.get(step, math.nan)))

    return table(
        "tries",
        "Expected best against tries",
        "Expected test accuracy, in %, of the best on validation among so many settings drawn at random from those "
        "that were tried: with equal numbers, levels that had more tries are not favoured.",
        pd.DataFrame(groups),
        {
            "Settings of": lambda row: Cell(
                "all configurations"
                if row["value"] == EVERYTHING and not row["axis"]
                else f"{spaced(row['axis'])}: {row['value']}"
            ),
            **{f"{step} {'try' if step == 1 else 'tries'}": at(step) for step in steps},
        },
        text=1,
    )


def _times(analysis: Analysis) -> Finding:
    frame = analysis.times
    target = f"{100 * frame['target'].iloc[0]:g} %" if len(frame) else ""
    return table(
        "times",
        f"Time to {target} on validation",
        f"Median over seeds of the training time until validation accuracy first reached {target}, the highest half "
        "point that half of the configurations reach; a dash where half of the seeds or more never did. The first "
        "crossing of a noisy curve is early, and seconds are of the machines that ran the trials.",
        frame,
        {
            "Configuration": lambda row: Cell(row["label"], label=True),
            "Seconds": lambda row: Cell(NOTHING if math.isinf(row["seconds"]) else f"{row['seconds']:,.1f}"),
            "Epoch": lambda row: Cell(NOTHING if math.isinf(row["epochs"]) else f"{row['epochs']:g}"),
            "Seeds that reached it": lambda row: Cell(f"{row['reached']} of {row['seeds']}"),
        },
        text=1,
    )


def _placements(analysis: Analysis) -> Finding:
    return table(
        "placements",
        "Beside published figures",
        "Published test accuracies against our mean and its 95 % interval on new images, of the configuration that "
        "repeats theirs where one does, else of the first that leads; a single run has Wilson's interval of its own. "
        "Theirs comes without predictions, so there is no p. Compare like with like: the flags say what differs, and "
        "another preparation or budget may explain any gap.",
        analysis.placements,
        {
            "Published": lambda row: Cell(f"{row['published']} ({row['id']})"),
            "Theirs %": lambda row: Cell(percent(row["value"])),
            "Place": lambda row: Cell(row["place"]),
            "Gap": lambda row: Cell(signed(row["gap"])),
            "Its interval": lambda row: Cell(span(row["gap_low"], row["gap_high"])),
            "Ours %": lambda row: Cell(percent(row["ours"])),
            "Of": lambda row: Cell(row["against"], label=True),
            "Repeats theirs": lambda row: Cell("yes" if row["repeats"] else "no"),
            "Flags": lambda row: Cell(row["flags"] or NOTHING),
        },
        text=1,
        also_text=(2, 6, 7, 8),
    )


def _pairs(analysis: Analysis) -> Finding:
    """A square matrix; what is above the diagonal stands below it with the other sign."""
    frame = analysis.pairs
    labels = list(dict.fromkeys([*frame["ours"], *frame["theirs"]]))
    found: dict[tuple[str, str], Row] = {}
    for row in frame.to_dict("records"):
        found[row["ours"], row["theirs"]] = {**row, "sign": 1.0}
        found[row["theirs"], row["ours"]] = {**row, "sign": -1.0}
    runs = int((frame["kind"] == TWO_RUNS).sum())
    exact = " Where both have one run, the interval is Tango's and speaks of these two networks only." if runs else ""

    def against(label: str) -> Callable[[Row], Cell]:
        def cell(row: Row) -> Cell:
            pair = found.get((row["label"], label))
            if pair is None:
                return Cell(ALIKE)
            low, high = sorted((pair["sign"] * pair["low"], pair["sign"] * pair["high"]))
            text = f"{signed(pair['sign'] * pair['difference'])} {span(low, high)}"
            return Cell(text, faint=bool(pair["below_seed_noise"]))

        return cell

    numbered = {label: f"{place}" for place, label in enumerate(labels, start=1)}
    return table(
        "pairs",
        "Leaders against each other",
        "Test accuracy of the row minus that of the column, in points, with the 95 % interval on new images of each "
        "pair by itself: among many pairs some exclude 0 by chance, so the ties above are not read from here. Shared "
        f"images pair the configurations.{exact} Faint: seeds alone make as large a difference "
        "(2 s √(1/s1 + 1/s2), s the deviation between seeds).",
        pd.DataFrame({"label": labels}),
        {
            "Configuration": lambda row: Cell(f"{numbered[row['label']]}. {row['label']}", label=True),
            **{numbered[label]: against(label) for label in labels},
        },
        text=1,
    )


def _budget(analysis: Analysis) -> Finding:
    frame = analysis.budget
    saved = bool((frame["saved_epochs"] > 0).any())
    total = {"status": "total", **frame[["trials", "epochs", "seconds", "saved_epochs"]].sum().to_dict()}
    shown = pd.concat([frame, pd.DataFrame([total])], ignore_index=True) if len(frame) > 1 else frame
    return table(
        "budget",
        "Budget",
        "What the trials took, training without evaluation, by what became of them. "
        + ("Saved epochs are those of a full budget that pruning cut off or never began." if saved else ""),
        shown,
        {
            "Trials": lambda row: Cell(row["status"]),
            "Number": lambda row: Cell(count(int(row["trials"]))),
            "Epochs trained": lambda row: Cell(_spent(row, count(int(row["epochs"])))),
            "Seconds of training": lambda row: Cell(_spent(row, f"{row['seconds']:,.0f}")),
            **({"Epochs saved": lambda row: Cell(count(int(row["saved_epochs"])))} if saved else {}),
        },
        text=1,
    )


def _spent(row: Row, text: str) -> str:
    return NOTHING if row["status"] in (SPARED, NOT_RUN) else text
