"""The first epochs of ours and theirs, where ours has a smaller budget or did not end."""

from __future__ import annotations

import pytest
from made_ledger import L2, Ledger, config
from made_page import LONG, group, row, with_curve

from bench.published.reference_data import curve


def test_at_equal_epochs_their_noise_is_that_of_their_curves(ledger: Ledger) -> None:
    """Two runs of one configuration are printed by epoch: their best within the first three lie so far apart."""
    settings = config(**LONG, regularizer=L2)
    ledger.add_ended(settings, 0, "pruned", 3, pruning={"rule": {}, "decisions": []})
    with_curve(ledger, [0.85, 0.86, 0.88])
    found = group(ledger, ("lab-b-vgg-l2", settings), ("lab-b-vgg-l2-sgd", settings), seeds=1)
    first, second = curve("lab-b-vgg-l2"), curve("lab-b-vgg-l2-sgd")
    assert first and second and found.rows[0].equal_epochs
    comparison = found.rows[0].equal_epochs.comparison
    assert comparison.source == "published"
    (noise,) = found.noise.values()
    assert noise.deviation == pytest.approx(abs(first.best_within(3) - second.best_within(3)) / 2**0.5)


def test_a_smaller_budget_is_no_yardstick_without_a_printed_curve(ledger: Ledger) -> None:
    settings = config(epochs=5)
    ledger.add(settings, [0.85, 0.86, 0.87])
    found = row(ledger, "lab-e-baseline", settings)
    assert found.verdict == "not compared"
    assert found.full_run and found.full_run.measured.mean == pytest.approx(0.86)
    assert found.notes == ("5 epochs measured, 30 published, and no published curve",)


def test_equal_epochs_compare_the_best_of_the_first(ledger: Ledger) -> None:
    """The first 3 epochs of theirs peak at the third; ours at the second."""
    settings = config(epochs=3)
    ledger.add(settings, [0.8, 0.8, 0.8])
    with_curve(ledger, [0.79, 0.83, 0.81], count=3)
    with_curve(ledger, [0.79, 0.828, 0.81], count=2)
    with_curve(ledger, [0.79, 0.826, 0.81])
    found = row(ledger, "lab-b-baseline", settings, seeds=3)
    printed = curve("lab-b-baseline")
    assert printed and found.equal_epochs
    assert (found.equal_epochs.epochs, found.equal_epochs.comparison.published) == (3, max(printed.values[:3]))
    assert found.equal_epochs.comparison.measured.mean == pytest.approx(0.828)
    assert found.verdict == "within"


def test_a_shorter_run_of_the_same_configuration_counts(ledger: Ledger) -> None:
    """The suite asks for 100 epochs with early stopping; a five-epoch run at a constant rate is in the ledger."""
    short = config(epochs=5)
    ledger.add(short, [0.86])
    with_curve(ledger, [0.8, 0.82, 0.83, 0.844, 0.84])
    found = row(ledger, "lab-b-baseline", config(**LONG))
    assert found.equal_epochs and found.equal_epochs.epochs == 5
    assert found.equal_epochs.comparison.n_seeds == 1
    assert found.verdict == "within"


def test_a_shorter_cosine_is_another_course(ledger: Ledger) -> None:
    ledger.add(config(epochs=5, schedule={"name": "cosine", "final_factor": 0.0}), [0.86])
    found = row(ledger, "lab-b-baseline", config(**LONG, schedule={"name": "cosine", "final_factor": 0.0}))
    assert (found.equal_epochs, found.verdict) == (None, "not run")


def test_the_beginning_of_a_pruned_run_counts(ledger: Ledger) -> None:
    settings = config(**LONG)
    ledger.add_ended(settings, 0, "pruned", 4, pruning={"rule": {}, "decisions": []})
    with_curve(ledger, [0.8, 0.82, 0.83, 0.844])
    found = row(ledger, "lab-b-baseline", settings, seeds=1)
    assert found.equal_epochs and found.equal_epochs.epochs == 4
    assert found.notes == ("1 of 1 seed pruned",)


def test_one_run_that_ended_early_does_not_shorten_the_comparison_of_the_others(ledger: Ledger) -> None:
    settings = config(**LONG)
    for seed, length in enumerate((2, 4, 6)):
        ledger.add_ended(settings, seed, "pruned", length, pruning={"rule": {}, "decisions": []})
        with_curve(ledger, [0.8, 0.82, 0.83, 0.84, 0.85, 0.86][:length])
    found = row(ledger, "lab-b-baseline", settings)
    assert found.equal_epochs and (found.equal_epochs.epochs, found.equal_epochs.comparison.n_seeds) == (4, 2)
    assert found.equal_epochs.comparison.measured.mean == pytest.approx(0.84)
    assert found.notes == ("3 of 3 seeds pruned", "1 of 3 seeds ended before epoch 4 and left out")


def test_a_seed_that_diverged_is_told_and_not_in_the_mean_of_the_end(ledger: Ledger) -> None:
    settings = config(epochs=30)
    ledger.add(settings, [0.882, 0.884])
    ledger.add_ended(settings, 2, "diverged", 3)
    found = row(ledger, "lab-e-baseline", settings)
    assert found.full_run and found.full_run.n_seeds == 2
    assert found.notes == ("1 of 3 seeds diverged, not in the mean",)


def test_the_best_before_it_diverged_counts_at_equal_epochs(ledger: Ledger) -> None:
    """Or only the seeds that went well would be left."""
    settings = config(epochs=3)
    ledger.add(settings, [0.8, 0.8])
    with_curve(ledger, [0.8, 0.82, 0.83], count=2)
    ledger.add_ended(settings, 2, "diverged", 2)
    with_curve(ledger, [0.71, None])
    found = row(ledger, "lab-b-baseline", settings)
    assert found.equal_epochs and (found.equal_epochs.epochs, found.equal_epochs.comparison.n_seeds) == (3, 3)
    assert found.equal_epochs.comparison.measured.mean == pytest.approx((0.83 + 0.83 + 0.71) / 3)
    assert found.notes[-1] == "1 of 3 seeds diverged: best epoch before that"


def test_nothing_is_compared_where_every_seed_diverged_at_once(ledger: Ledger) -> None:
    settings = config(**LONG)
    ledger.add_ended(settings, 0, "diverged", 1)
    with_curve(ledger, [None])
    found = row(ledger, "lab-b-baseline", settings, seeds=1)
    assert (found.equal_epochs, found.verdict) == (None, "not compared")
    assert found.notes == ("1 of 1 seed diverged", "every seed diverged in its first epoch")


def test_a_full_run_is_compared_whole_however_early_it_stopped(ledger: Ledger) -> None:
    settings = config(**LONG)
    ledger.add(settings, [0.86, 0.861, 0.862], validation=[0.871, 0.872, 0.873])
    with_curve(ledger, [0.8, 0.82], count=3)
    found = row(ledger, "lab-b-baseline", settings, seeds=3)
    assert found.equal_epochs is None
    assert (found.verdict, found.epochs_run, found.epochs) == ("within", 2.0, 100)


def test_a_run_that_continued_an_earlier_fit_is_no_yardstick_for_early_epochs(ledger: Ledger) -> None:
    settings = config(epochs=5)
    ledger.add(settings, [0.9, 0.9])
    found = row(ledger, "lab-b-resnet", settings, seeds=2)
    assert (found.equal_epochs, found.verdict) == (None, "not compared")
    assert "continued an earlier one" in found.notes[0]


def test_a_diverged_curve_ends_before_its_last_finite_point(ledger: Ledger) -> None:
    ledger.add(config(epochs=5), [0.8])
    with_curve(ledger, [0.8, 0.82, None, 0.1, 0.1])
    found = row(ledger, "lab-b-baseline", config(epochs=5), seeds=1)
    assert found.equal_epochs and found.equal_epochs.epochs == 2
