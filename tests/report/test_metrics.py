"""A suite names what its leaderboard shows and what ranks."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from made_ledger import FLIP, L2, Ledger, config
from rich.console import Console
from sklearn.metrics import f1_score

from bench.published import find
from bench.report import Report, build, print_terminal, to_csv, to_html, to_json, to_markdown


def measured(ledger: Ledger, **figures: list[float]) -> None:
    """Give the last trials these validation and test figures, one per seed: ``test_nll=[0.3, 0.4]``."""
    for name, values in figures.items():
        part, _, metric = name.partition("_")
        for place, value in zip(range(-len(values), 0), values, strict=True):
            result = ledger.records[place].result
            found = {**getattr(result, part), metric: value}
            ledger.records[place] = replace(ledger.records[place], result=replace(result, **{part: found}))


@pytest.fixture
def calibrated(ledger: Ledger) -> Ledger:
    """The plain network is the more accurate one, the one with L2 has the smaller calibration error."""
    ledger.add(config(), [0.9, 0.91])
    measured(ledger, test_ece=[0.06, 0.062], validation_ece=[0.05, 0.052], train_ece=[0.02, 0.02])
    ledger.add(config(regularizer=L2), [0.88, 0.89])
    measured(ledger, test_ece=[0.02, 0.022], validation_ece=[0.018, 0.02], train_ece=[0.01, 0.01])
    return ledger


def report(ledger: Ledger, *metrics: str, references: tuple[str, ...] = ()) -> Report:
    return build(ledger.records, ledger.predictions, "title", references=find(references), metrics=metrics)


def terminal(built: Report) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_terminal(built, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_error_ranks_and_is_chosen_from_the_smallest(calibrated: Ledger) -> None:
    table = report(calibrated, "ece", "accuracy").frame
    assert table["label"].tolist() == ["mlp · l2", "mlp"]
    assert table["selected"].tolist() == [True, False]
    assert table["test_mean"].tolist() == pytest.approx([0.021, 0.061])
    assert table["generalization_gap"].tolist() == pytest.approx([0.01 - 0.019, 0.02 - 0.051])
    assert table["test_accuracy"].tolist() == pytest.approx([0.885, 0.905])
    assert set(table["metric"]) == {"ece"}


def test_by_default_accuracy_ranks_alone(calibrated: Ledger) -> None:
    table = build(calibrated.records, calibrated.predictions, "title").frame
    assert table["label"].tolist() == ["mlp", "mlp · l2"]
    assert not [name for name in table if "ece" in name]


@pytest.mark.parametrize("write", [terminal, to_markdown, to_html])
def test_every_readable_form_shows_the_metrics_under_their_names(calibrated: Ledger, write) -> None:  # type: ignore[no-untyped-def]
    text = " ".join(write(report(calibrated, "ece", "accuracy")).split())
    headings = ("Test ECE %", "Test accuracy %", "Validation ECE %", "sorted by mean test ECE")
    for words in (*headings, "2.10 ± 0.", "88.50 ± "):
        assert words in text, words


@pytest.mark.parametrize(("seeds", "interval", "words"), [(2, "moderated", "99.90 ± "), (1, "Wilson", "99.90 [")])
def test_a_metric_that_does_not_rank_has_the_interval_that_it_says(
    ledger: Ledger, seeds: int, interval: str, words: str
) -> None:
    """A single seed near 100 % has bounds at unequal distances, whichever kind of interval it is."""
    ledger.add(config(), [0.9, 0.97][:seeds])
    measured(ledger, test_ece=[0.06, 0.062][:seeds], validation_ece=[0.05, 0.052][:seeds])
    ledger.add(config(regularizer=L2), [0.999])
    measured(ledger, test_ece=[0.02], validation_ece=[0.018])
    built = report(ledger, "ece", "accuracy")
    row = built.frame[built.frame["label"] == "mlp · l2"].iloc[0]
    low, high = (row[f"test_accuracy_{end}"] for end in ("low", "high"))
    assert abs((high - 0.999) - (0.999 - low)) > 1e-4
    assert interval in row["test_accuracy_interval"]
    for text in (terminal(built), to_markdown(built).replace("\\[", "[")):
        assert words in text


def test_the_verdict_is_of_the_ranking_metric(calibrated: Ledger) -> None:
    built = report(calibrated, "ece")
    said = built.summaries[0]
    assert (said.label, said.lead) == ("mlp · l2", "Selected on validation, of 2 complete configurations:")
    assert said.metrics.startswith("test ECE 2.10 ± 0.")
    assert "validation 1.90 %, 2 seeds." in said.metrics
    noise = next(text for text in built.sections[0][0].explanations if text.startswith("Seed noise"))
    assert "0.14 points" in noise and "Theory" not in noise


def test_a_lower_test_mean_that_validation_did_not_choose_is_told(calibrated: Ledger) -> None:
    measured(calibrated, test_ece=[0.07, 0.07])
    text = report(calibrated, "ece").summaries[0].difference
    assert text.startswith(
        "The lowest test mean among the complete configurations is 6.10 % (mlp); it was not selected on validation"
    )


def test_losses_are_printed_as_they_are(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.9])
    measured(ledger, test_loss=[1.25, 1.35])
    row = next(line for line in to_markdown(report(ledger, "loss")).splitlines() if line.startswith("| mlp "))
    assert row.startswith("| mlp | 1.3000 ± 0.6353 | 0.3000 | −0.1000 |")


def test_csv_and_json_name_the_metrics(calibrated: Ledger) -> None:
    built = report(calibrated, "ece", "accuracy")
    (first, _) = csv.DictReader(io.StringIO(to_csv(built)))
    assert (first["metric"], float(first["test_accuracy"])) == ("ece", pytest.approx(0.885))
    section = json.loads(to_json(built))["comparisons"][0]
    assert section["metrics"] == ["ece", "accuracy"]
    assert section["leaderboard"][0]["test_accuracy_low"] < 0.885


def test_a_record_made_before_a_metric_gets_its_test_figure_from_its_predictions(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.88])
    ledger.add(config(augmentation=FLIP), [0.8, 0.81])
    built = report(ledger, "f1_macro")
    wanted = np.mean([f1_score(p.labels, p.predicted, average="macro") for p in list(ledger.stored.values())[:2]])
    assert built.frame["test_mean"].iloc[0] == pytest.approx(wanted)
    assert built.frame["validation_mean"].isna().all()
    assert not built.frame["selected"].any()
    said = built.summaries[0]
    assert "the records lack it (Validation)" in " ".join(built.sections[0][0].notes)
    assert said.lead == "Nothing was selected: none of 2 complete configurations has F1 (macro) on validation."


def test_predictions_are_not_read_where_records_tell_everything(calibrated: Ledger) -> None:
    asked = []
    build(calibrated.records, lambda key: asked.append(key) or calibrated.stored[key], "title", metrics=("ece",))  # type: ignore[func-returns-value]
    plain = []
    build(calibrated.records, lambda key: plain.append(key) or calibrated.stored[key], "title")  # type: ignore[func-returns-value]
    assert len(asked) == len(plain)


def test_validation_s_log_likelihood_is_the_loss_where_that_is_cross_entropy(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.9])
    measured(ledger, test_nll=[0.4, 0.4])
    assert report(ledger, "log_loss").frame["validation_mean"].tolist() == [0.3]
    ledger.records = [replace(r, config={**r.config, "loss": {"name": "mean_squared_error"}}) for r in ledger.records]
    assert report(ledger, "log_loss").frame["validation_mean"].isna().all()


def test_one_seed_has_wilsons_interval_only_where_the_metric_is_a_share(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    built = report(ledger, "f1_macro", "top_2_accuracy")
    row = built.frame.iloc[0]
    assert np.isnan(row["test_low"]) and row["test_top_2_accuracy_low"] > 0.8
    assert "With 1 seed, F1 (macro) has no interval." in built.sections[0][0].notes
    assert to_html(built)


def test_published_accuracy_stands_in_its_column_or_its_note(calibrated: Ledger) -> None:
    shown = report(calibrated, "ece", "accuracy", references=("lab-e-baseline",)).frame.iloc[-1]
    assert (shown["test_accuracy"], shown["note"]) == (0.8835, "")
    noted = report(calibrated, "ece", references=("lab-e-baseline",)).frame.iloc[-1]
    assert noted["note"] == "test accuracy 88.35"
    assert np.isnan(noted["test_mean"])


def test_published_precision_at_half_stands_in_the_column_of_that_name(ledger: Ledger) -> None:
    ledger.add(config(dataset={"name": "mnist"}), [0.9])
    table = report(ledger, "precision_at_half", references=("lab-c-sgd-binary",)).frame
    assert table[table["kind"] == "published"]["validation_mean"].tolist() == [0.935]
