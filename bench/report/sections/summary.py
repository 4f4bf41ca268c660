"""What was selected on validation, in plain words: its metrics, what does not differ from it, where it errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report.comparison import Comparison
from bench.report.document import Summary
from bench.report.grouping import IMPORTED_PROTOCOL
from bench.report.number_format import NOTHING, counted, number, percent, points_range, unit
from bench.report.sections.leaderboard import test_estimate
from bench.report.sections.overview import opening, overview_chart, tiles
from bench.report.sections.provenance import trial_counts
from bench.report.sections.published_results import published_sentence
from bench.statistics.contrasts import MIN_SEEDS, difference

MAX_NAMED = 3
"""Configurations and pairs of classes named in a sentence; more are counted."""

OF_THESE = "This is of these networks, by which it was also selected: for others it is biased (`confirm`)."
NOT_CONFIRMED = "It is not confirmed yet: the same `bench run` trains its fresh seeds."

NOTABLE_RATIO = 1.5
"""Ratio of training times from which it is mentioned."""


def summarize(comparison: Comparison) -> Summary:
    """What was selected on validation in this comparison, and what a page begins with."""
    return replace(
        _in_words(comparison),
        opening=opening(comparison),
        tiles=tiles(comparison),
        draw=partial(overview_chart, comparison),
    )


def _in_words(comparison: Comparison) -> Summary:
    group, frame = comparison.group, comparison.frame
    complete = frame[frame["status"] == "complete"]
    trained = complete[complete["kind"] == "trained"]
    metric = METRICS[comparison.metrics[0]]
    trials = _trials(comparison)
    sentences = {"Most frequent errors": _errors(comparison), "Published results": published_sentence(comparison)}
    facts = tuple((heading, text) for heading, text in sentences.items() if text)
    if not any(configuration.records for configuration in group.configurations):
        planned = sum(len(configuration.planned) for configuration in group.configurations)
        return Summary(f"Nothing has been run yet ({counted(planned, 'trial')}).", facts=facts)
    if group.protocol == IMPORTED_PROTOCOL:
        lead = "Only rows that were imported from their predictions: nothing was trained here, and nothing selected."
        return Summary(lead, difference=_best_set_sentence(comparison, complete), facts=facts)
    if trained.empty:
        lead = f"{_first_error(comparison)}No configuration has all its seeds: nothing was selected."
        return Summary(lead, trials=trials, facts=facts)
    caution = _caution(trained)
    if len(trained) == 1:
        row = trained.to_dict("records")[0]
        lead = "Only one configuration is complete, so there was nothing to select between."
        return Summary(lead, row["label"], _metrics(row), caution=caution, trials=trials, facts=facts)
    selected = trained[trained["selected"]]
    if selected.empty:
        lead = f"Nothing was selected: {_no_selection(comparison, trained)}."
        best = _best_set_sentence(comparison, complete)
        return Summary(lead, difference=best, caution=caution, trials=trials, facts=facts)
    row = selected.to_dict("records")[0]
    if comparison.deciding is not comparison:
        return replace(_confirmed(comparison.deciding, len(trained)), trials=trials, facts=facts)
    if comparison.confirmed:
        caution = f"{caution} {NOT_CONFIRMED}".strip()
    difference_text = _differences(comparison, row, complete)
    highest = trained.iloc[0]
    if highest["label"] != row["label"]:
        end, way = ("lowest", "downwards") if metric.ascending else ("highest", "upwards")
        mean = f"{number(highest['test_mean'], comparison.metrics[0])}{unit(comparison.metrics[0])}"
        difference_text = (
            f"{difference_text} The {end} test mean among the complete configurations is {mean} ({highest['label']}); "
            f"it was not selected on validation, and the {end} of many test results is biased {way}."
        ).strip()
    lead = f"Selected on validation, of {len(trained)} complete configurations:"
    return Summary(lead, row["label"], f"{_metrics(row)} {OF_THESE}", difference_text, caution, trials, facts)


def _confirmed(confirmed: Comparison, n_complete: int) -> Summary:
    """What fresh seeds say of the selected configuration and its rivals."""
    complete = confirmed.frame
    row = complete[complete["selected"]].to_dict("records")[0]
    lead = f"Selected on validation, of {n_complete} complete configurations, and judged by fresh seeds alone:"
    if len(complete) == 1:
        difference_text = "It has no rival: no other configuration came as close on validation as seeds vary."
    else:
        others = [label for label in complete["label"] if label != row["label"]]
        names = f"Its {'rival' if len(others) == 1 else 'rivals'} with the same fresh seeds: {_names(others)}."
        difference_text = f"{names} {_differences(confirmed, row, complete)}".strip()
    metrics = f"{_metrics(row).removesuffix('.').removesuffix('seeds').removesuffix('seed')}fresh seeds."
    return Summary(lead, row["label"], metrics, difference_text, _caution(complete))


def _first_error(comparison: Comparison) -> str:
    """What ended the first trial, where each one that ran has failed; nothing else is to be read then."""
    ended = comparison.not_ranked
    any_complete = any(configuration.with_status("complete") for configuration in comparison.group.configurations)
    if any_complete or ended.empty or not ended["status"].eq("failed").all():
        return ""
    first = ended.to_dict("records")[0]
    return f"Every trial failed, the first ({first['label']}, seed {first['seed']}) with {first['reason']}. "


def _trials(comparison: Comparison) -> str:
    """``36 trials: 33 complete, 1 pruned, 2 skipped by pruning``; nothing where none was planned."""
    total, _, statuses = trial_counts([comparison.group]).partition(": ")
    return f"{total} {'trial' if total == '1' else 'trials'}: {statuses}" if statuses else ""


def _no_selection(comparison: Comparison, trained: pd.DataFrame) -> str:
    """Why nothing was selected among several complete configurations."""
    if all(
        configuration.config.get("validation") == "none"
        for configuration in comparison.group.configurations
        if not configuration.imported
    ):
        return "this protocol has no validation images"
    rated = int(trained["validation_mean"].notna().sum())
    heading = METRICS[comparison.metrics[0]].heading
    return f"{rated or 'none'} of {len(trained)} complete configurations has {heading} on validation"


def _metrics(row: Mapping[Any, Any]) -> str:
    metric = row["metric"]
    name = "" if metric == "accuracy" else f"{METRICS[metric].heading} "
    mean = number(row["validation_mean"], metric)
    validation = "" if mean == NOTHING else f"validation {mean}{unit(metric)}, "
    interval = "" if pd.isna(row["test_low"]) else f" (95 %, {row['interval']})"
    new = ""
    if not pd.isna(row["new_low"]) and row["seeds"] > 1:
        new = f"{number(row['new_low'], metric)} to {number(row['new_high'], metric)}{unit(metric)} on new images, "
    seeds = counted(row["seeds"], "seed")
    return f"test {name}{test_estimate(row)}{unit(metric)}{interval}, {new}{validation}{seeds}."


def _differences(comparison: Comparison, row: Mapping[Any, Any], complete: pd.DataFrame) -> str:
    """Which others are not significantly different from the best, then the best of those that are."""
    if pd.isna(row["in_best_set"]):
        return ""
    tested = complete[complete["in_best_set"].notna() & (complete["label"] != row["label"])]
    in_set = tested["in_best_set"].astype(bool)
    alike, different = tested[in_set], tested[~in_set]
    if not row["in_best_set"]:
        best = _difference_to("The highest by test mean", alike.to_dict("records")[0], row, comparison)
        return f"It is significantly worse than the best on the test images. {best}{_networks_only(comparison)}"
    if alike.empty:
        sentence = "All others are significantly worse."
    else:
        verb = "is" if len(alike) == 1 else "are"
        sentence = f"{_names(alike['label'].tolist())} {verb} not significantly different from the best."
    if different.empty:
        return f"{sentence}{_networks_only(comparison)}"
    following = _difference_to("The next", different.to_dict("records")[0], row, comparison)
    n = len(different) - 1
    more = f" {n:,} more {'ranks' if n == 1 else 'rank'} lower." if n else ""
    return f"{sentence} {following}{more}{_networks_only(comparison)}"


def _difference_to(role: str, other: Mapping[Any, Any], row: Mapping[Any, Any], comparison: Comparison) -> str:
    """``The next, mlp, is 0.50 points lower (0.20 to 0.80 on new images) and takes 3.0 times as long to train.``"""
    analysis = comparison.analysis
    assert analysis.estimates is not None
    gap = difference(analysis.estimates, analysis.indices[other["label"]], analysis.indices[row["label"]])
    word = "higher" if gap.estimate > 0 else "lower"
    low, high = sorted((gap.low, gap.high)) if gap.estimate > 0 else sorted((-gap.low, -gap.high))
    bounds = points_range(low, high)
    return (
        f"{role}, {other['label']}, is {100 * abs(gap.estimate):.2f} points {word} ({bounds} on new images)"
        f"{_training_time(other['train_seconds'], row['train_seconds'])}."
    )


def _training_time(other: float, selected: float) -> str:
    """How much longer or shorter another configuration trains, where that is notable."""
    if not (other > 0 and selected > 0):
        return ""
    if other >= NOTABLE_RATIO * selected:
        return f" and takes {other / selected:.1f} times as long to train"
    if selected >= NOTABLE_RATIO * other:
        return f" and trains {selected / other:.1f} times as fast"
    return ""


def _best_set_sentence(comparison: Comparison, complete: pd.DataFrame) -> str:
    tested = complete[complete["in_best_set"].notna()]
    best = tested[tested["in_best_set"].astype(bool)] if len(tested) else tested
    if best.empty:
        return ""
    verb = "are not significantly different from the best on test" if len(best) > 1 else "alone may be the best on test"
    return f"{_names(best['label'].tolist())} {verb}.{_networks_only(comparison)}"


def _networks_only(comparison: Comparison) -> str:
    """What a difference is of where no configuration has two seeds."""
    return " This compares these networks: seed noise is not included." if comparison.analysis.single_seeds else ""


def _names(labels: Sequence[str]) -> str:
    """``a, b and c``, ``a, b, c and 4 more``; labels hold spaces, so that each has quotation marks."""
    names = [f"“{label}”" for label in labels[:MAX_NAMED]]
    if len(labels) > MAX_NAMED:
        names.append(f"{len(labels) - MAX_NAMED} more")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _caution(trained: pd.DataFrame) -> str:
    """That some complete configuration has too few seeds to compare."""
    few = trained["seeds"][trained["seeds"] < MIN_SEEDS]
    if few.empty:
        return ""
    fewest, most = int(few.min()), int(few.max())
    seeds = {1: "one seed"}.get(most, f"{most} seeds") if fewest == most else f"{fewest} to {most} seeds"
    return (
        f"No differences are claimed: with {seeds} per configuration, another seed may reverse them. Run at least "
        f"{MIN_SEEDS} seeds of each (`--seeds {MIN_SEEDS}`), and more for small differences."
    )


def _errors(comparison: Comparison) -> str:
    """The classes that the first configuration of the details, the selected one where there is one, confuses most."""
    if not comparison.details or not comparison.details[0].confused_pairs:
        return ""
    first = comparison.details[0]
    pairs = [
        f"{percent(pair.fraction)} % of {pair.true} predicted as {pair.predicted}"
        for pair in first.confused_pairs[:MAX_NAMED]
    ]
    of = "" if first.selected else f" ({first.label})"
    return f"{', '.join(pairs)}{of}."
