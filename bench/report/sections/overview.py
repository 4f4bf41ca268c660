"""What does a reader learn first? One sentence, four answers, and accuracy against training time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report.charts.drawing import axis_title, chart_data, in_percent, pick, unless_picked
from bench.report.charts.style import BLUE, GREY, INK, SOFT, VERMILLION, alt, fitted
from bench.report.comparison import Comparison
from bench.report.document import Chart, OmittedChart, Tile
from bench.report.leaderboard_frame import NEVER_RANKED
from bench.report.number_format import counted, number, percent, points_range, unit
from bench.report.sections.cost import AMOUNT, cost_points
from bench.report.sections.leaderboard import test_estimate
from bench.report.sections.published_results import NOT_COMPARED, POSITIONS, published_frame
from bench.statistics.contrasts import MIN_SEEDS, difference

TITLE = "Accuracy against training time"
SELECTED, TIED, OTHER = "selected on validation", "tied with the best", "other"
PUBLISHED_LINE = "published"
LINES = 6
"""Published results drawn as lines, the nearest ones."""

NEAR = 0.03
"""How far beyond the measured values a published one may lie to be drawn, as a fraction of accuracy."""

PLOT_WIDTH, PLOT_HEIGHT = 400, 170
LINE_NAME = 190
"""Pixels of the name of a published result on its line."""


def opening(comparison: Comparison) -> str:
    """What was trained and which configuration leads, in one sentence."""
    frame, group = comparison.frame, comparison.group
    trained = frame[(frame["kind"] == "trained") & (frame["status"] == "complete")]
    if trained.empty:
        return ""
    seeds = sorted(set(trained["seeds"]))
    with_seeds = (
        f"with {counted(seeds[0], 'seed')} each" if len(seeds) == 1 else f"with {seeds[0]} to {seeds[-1]} seeds"
    )
    what = "1 configuration" if len(trained) == 1 else f"{len(trained):,} configurations"
    deciding = comparison.deciding
    best = _leader(trained) if deciding is comparison else _leader(deciding.frame)
    metric = METRICS[best["metric"]].heading
    value = f"{number(best['test_mean'], best['metric'])}{unit(best['metric'])}".replace(" %", "\u00a0%")
    role = "the one selected on validation reaches" if best["selected"] else "the best of them reaches"
    if len(trained) == 1:
        return f"{what} {with_seeds} was trained on {group.dataset}; it reaches {value} test {metric}."
    whose = " with these networks" if best["selected"] else ""
    if deciding is not comparison:
        whose = f" with {counted(best['seeds'], 'fresh seed')}"
    return f"{what} {with_seeds} were trained on {group.dataset}; {role} {value} test {metric}{whose}."


def _leader(trained: pd.DataFrame) -> Mapping[Any, Any]:
    selected = trained[trained["selected"]]
    return (trained if selected.empty else selected).to_dict("records")[0]


def tiles(comparison: Comparison) -> tuple[Tile, ...]:
    """Who leads, what is really different, where it errs, against published results; none before a first result."""
    frame = comparison.frame
    trained = frame[(frame["kind"] == "trained") & (frame["status"] == "complete")]
    if trained.empty:
        return ()
    deciding = comparison.deciding
    is_fresh = deciding is not comparison
    if is_fresh:
        trained = deciding.frame
    best = _leader(trained)
    different = _different(deciding, trained, best, is_fresh)
    made = (_leads(best, is_fresh), different, _errs(comparison), _against_published(comparison))
    return tuple(tile for tile in made if tile is not None)


def _leads(best: Mapping[Any, Any], is_fresh: bool) -> Tile:
    interval = f"{test_estimate(best)}{unit(best['metric'])}"
    parts = [
        "selected on validation, of these networks" if best["selected"] else "highest on test; nothing was selected"
    ]
    if is_fresh:
        parts = [f"selected on validation, judged by {counted(best['seeds'], 'fresh seed')} alone"]
    if not pd.isna(best["new_low"]):
        low, high = (number(best[name], best["metric"]) for name in ("new_low", "new_high"))
        parts.append(f"{low} to {high}{unit(best['metric'])} on new images")
    return Tile("Who leads", interval, "; ".join(parts), "leaderboard", best["label"])


def _different(comparison: Comparison, trained: pd.DataFrame, best: Mapping[Any, Any], is_fresh: bool) -> Tile | None:
    heading = "What is really different"
    if len(trained) < 2:
        text = "No other configuration came as close on validation as seeds vary."
        return Tile(heading, "no rival", text, "leaderboard") if is_fresh else None
    tested = trained[trained["in_best_set"].notna()]
    if tested.empty:
        few = int(trained["seeds"].min())
        if few >= MIN_SEEDS:
            return None
        text = f"{counted(few, 'seed')} each: another may reverse any order. Run with `--seeds {MIN_SEEDS}` or more."
        return Tile(heading, "not known yet", text, "differences")
    worse = tested[~tested["in_best_set"].astype(bool)]
    section = "leaderboard" if is_fresh else "differences"
    value = f"{len(worse)} of {len(tested)} worse than the best" + " with fresh seeds" * is_fresh
    if worse.empty:
        return Tile(heading, value, "No configuration can be told from the best.", section)
    n_tied = len(tested) - len(worse)
    best_text = "one alone may be the best" if n_tied == 1 else f"{n_tied} are tied with the best"
    following = worse.to_dict("records")[0]
    return Tile(heading, value, f"{best_text}; {_gap(comparison, best, following)}", section)


def _gap(comparison: Comparison, best: Mapping[Any, Any], other: Mapping[Any, Any]) -> str:
    """How far the next one is behind, with its interval."""
    analysis = comparison.analysis
    estimates, indices = analysis.estimates, analysis.indices
    if estimates is None or not {best["label"], other["label"]} <= indices.keys() or best["label"] == other["label"]:
        return "it is not the one that leads"
    gap = difference(estimates, indices[best["label"]], indices[other["label"]])
    bounds = points_range(gap.low, gap.high)
    return f"the next, {other['label']}, is {100 * gap.estimate:.2f} points behind ({bounds})"


def _errs(comparison: Comparison) -> Tile | None:
    if not comparison.details or not comparison.details[0].confused_pairs:
        return None
    first, *others = comparison.details[0].confused_pairs[:3]
    text = f"{percent(first.fraction)} % of {first.true} are taken for {first.predicted}"
    more = ", ".join(f"{percent(pair.fraction)} % of {pair.true} for {pair.predicted}" for pair in others)
    return Tile("Where it errs", f"{first.true} → {first.predicted}", f"{text}{'; ' + more if more else ''}", "classes")


def _against_published(comparison: Comparison) -> Tile:
    heading = "Against published results"
    frame = published_frame(comparison)
    frame = frame[frame["position"] != NOT_COMPARED]
    if frame.empty:
        return Tile(heading, "none named", "List some under `references` in the suite file.", "published")
    counts = [(name, int((frame["position"] == name).sum())) for name in POSITIONS]
    value = ", ".join(f"{name} {n}" for name, n in counts if n) + f" of {len(frame)}"
    above = frame[frame["position"] == "below"].tail(1).to_dict("records")
    if above:
        row = above[0]
        text = f"nearest above: {row['published']}, {percent(row['value'])} %"
    else:
        row = frame.to_dict("records")[0]
        text = f"the highest: {row['published']}, {percent(row['value'])} %"
    return Tile(heading, value, text, "published")


def overview_chart(comparison: Comparison) -> Chart | OmittedChart:
    """Each configuration with its intervals, and the published results that are near as dashed lines."""
    metric = comparison.metrics[0]
    points = cost_points(comparison, "train_seconds")
    points = points[points["role"] != "published"]
    if points.empty:
        return OmittedChart(TITLE, "nothing was trained completely")
    frame = comparison.frame.set_index("label")
    points["kind"] = [_kind(frame.loc[label]) for label in points["label"]]
    if comparison.deciding is not comparison:
        points = _by_fresh_seeds(points, comparison.deciding)
    lines = _published_lines(comparison, points)
    unit_name = "seconds"
    if points["x"].max() < 1:
        points["x"], unit_name = 1000 * points["x"], "milliseconds"
    caption = (
        "95 % intervals, thick on this test set, thin on new images; published results dashed."
        if len(lines)
        else "95 % intervals, thick on this test set, thin on new images."
    )
    if comparison.deciding is not comparison:
        caption += " The selected configuration and its rivals stand where their fresh seeds put them."
    return Chart("overview", TITLE, caption, _layers(points, lines, metric, unit_name))


def _by_fresh_seeds(points: pd.DataFrame, deciding: Comparison) -> pd.DataFrame:
    """The same points, those that have fresh seeds by these alone."""
    fresh = cost_points(deciding, "train_seconds")
    fresh["kind"] = [_kind(row) for _, row in deciding.frame.set_index("label").loc[fresh["label"]].iterrows()]
    others = points[~points["label"].isin(set(fresh["label"]))]
    return pd.concat([others, fresh], ignore_index=True)


def _kind(row: pd.Series[Any]) -> str:
    if row["selected"]:
        return SELECTED
    return TIED if not pd.isna(row["in_best_set"]) and row["in_best_set"] else OTHER


def _published_lines(comparison: Comparison, points: pd.DataFrame) -> pd.DataFrame:
    metric = comparison.metrics[0]
    frame = comparison.frame
    refuted = frame["note"].str.contains(NEVER_RANKED.replace("_", " "), regex=False)
    rows = frame[(frame["kind"] == "published") & frame["test_mean"].notna() & ~refuted]
    values = in_percent(rows["test_mean"].astype("float64"), metric)
    margin = in_percent(pd.Series([NEAR]), metric).iloc[0]
    near = values.between(points["y"].min() - margin, points["y"].max() + margin)
    values, labels = values[near], rows["label"][near]
    middle = points["y"].max()
    nearest = (values - middle).abs().sort_values(kind="stable").index[:LINES]
    names = [label.rpartition(" (")[0] or label for label in labels[nearest]]
    cut = fitted(dict.fromkeys(names), LINE_NAME)
    drawn = {"name": [cut[name] for name in names], "label": list(labels[nearest]), "y": list(values[nearest])}
    return pd.DataFrame(drawn)


def _layers(points: pd.DataFrame, lines: pd.DataFrame, metric: str, unit_name: str) -> alt.LayerChart:
    looks = {SELECTED: (VERMILLION, "diamond"), TIED: (BLUE, "circle"), OTHER: (GREY, "square")}
    kinds: Sequence[str] = [kind for kind in looks if kind in set(points["kind"])]
    colours, shapes = [looks[kind][0] for kind in kinds], [looks[kind][1] for kind in kinds]
    key = alt.Legend(title=None, orient="top", columns=len(kinds), labelLimit=0, columnPadding=28)
    x = alt.X(
        "x:Q",
        title=f"training {unit_name} per seed (log scale)",
        scale=alt.Scale(type="log", nice=False, padding=16),
        axis=alt.Axis(labelExpr=AMOUNT, labelOverlap=True, tickCount=6, grid=False),
    )
    y = alt.Y(
        "y:Q", title=axis_title("test", metric), scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=5)
    )
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=colours), legend=key)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=shapes), legend=key)
    picked = pick("kind")
    base = alt.Chart(chart_data(points)).encode(opacity=unless_picked(picked))
    written = ".2f" if METRICS[metric].percent else ".4f"
    tooltip = [
        alt.Tooltip("label:N", title="configuration"),
        alt.Tooltip("y:Q", title=axis_title("test", metric), format=written),
        alt.Tooltip("x:Q", title=f"training {unit_name}", format=",.4~g"),
    ]
    layers = [
        base.mark_rule(strokeWidth=width).encode(x=x, y=alt.Y(f"{low}:Q"), y2=f"{high}:Q", color=colour)
        for low, high, width in (("new_low", "new_high", 1), ("low", "high", 3))
        if points[low].notna().any()
    ]
    layers.append(
        base.mark_point(filled=True, size=80)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip)
        .add_params(picked)
    )
    if len(lines):
        published = alt.Chart(chart_data(lines)).encode(y=alt.Y("y:Q"))
        tip = [alt.Tooltip("label:N", title="published"), alt.Tooltip("y:Q", title="reported", format=written)]
        layers.insert(0, published.mark_rule(strokeDash=[5, 4], color=SOFT).encode(tooltip=tip))
        text = published.mark_text(align="left", baseline="bottom", dy=-2, fontSize=11, color=INK)
        layers.append(text.encode(x=alt.value(2), text="name:N"))
    return alt.LayerChart(layer=layers, width=PLOT_WIDTH, height=PLOT_HEIGHT)
