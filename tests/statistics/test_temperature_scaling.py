"""Ensembles and temperature scaling on probabilities whose calibration is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from bench.metrics import calibration_error
from bench.statistics.temperature_scaling import (
    RESAMPLES,
    fit_temperature,
    image_counts,
    mean_probabilities,
    score,
    with_temperature,
)

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(4000, 5)) * 2


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


LABELS = np.array([RANDOM.choice(5, p=row) for row in softmax(LOGITS)])
"""Drawn with these probabilities, so a network that says them is calibrated."""
COUNTS = image_counts(len(LABELS))


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_the_temperature_undoes_a_known_scale(scale):
    halved = softmax(scale * LOGITS).astype(np.float16)
    fitted = fit_temperature(halved, LABELS)
    assert fitted.value == pytest.approx(scale, rel=0.06)
    assert (fitted.images, fitted.loss_after <= fitted.loss_before) == (4000, True)
    exact = optimize.minimize_scalar(
        lambda t: -np.log(softmax(scale * LOGITS / t)[np.arange(4000), LABELS]).mean(),
        bounds=(0.1, 9),
        method="bounded",
    )
    assert fitted.value == pytest.approx(exact.x, rel=2e-3), "half precision changes it little"
    after = score([with_temperature(halved, fitted.value)], LABELS, COUNTS)
    before = score([halved], LABELS, COUNTS)
    assert after["ece"].estimate < 0.02 and after["log_loss"].estimate <= before["log_loss"].estimate + 1e-9
    assert after["accuracy"].estimate == pytest.approx(before["accuracy"].estimate, abs=1e-3)


def test_the_metrics_are_those_of_records():
    probabilities = softmax(2 * LOGITS)
    values = score([probabilities], LABELS, COUNTS)
    predicted = probabilities.argmax(1)
    assert values["accuracy"].estimate == (predicted == LABELS).mean()
    assert values["ece"].estimate == pytest.approx(calibration_error(probabilities.max(1), predicted == LABELS))
    assert values["log_loss"].estimate == pytest.approx(-np.log(probabilities[np.arange(4000), LABELS]).mean())
    one_hot = np.eye(5)[LABELS]
    assert values["brier_score"].estimate == pytest.approx(((probabilities - one_hot) ** 2).sum(1).mean())


def test_the_interval_of_a_proportion_is_that_of_theory():
    interval = score([softmax(LOGITS)], LABELS, COUNTS)["accuracy"]
    error = math.sqrt(interval.estimate * (1 - interval.estimate) / len(LABELS))
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_an_ensemble_of_equal_networks_is_the_network_and_one_of_different_networks_is_better():
    def network(seed):
        return softmax(LOGITS + np.random.default_rng(seed).normal(size=LOGITS.shape) * 2).astype(np.float16)

    assert np.abs(mean_probabilities([network(1)] * 3) - network(1)).max() < 1e-3
    networks = [network(seed) for seed in range(4)]
    single, ensemble = (score(group, LABELS, COUNTS) for group in (networks, [mean_probabilities(networks)]))
    for metric in ("log_loss", "brier_score"):
        assert ensemble[metric].high < single[metric].low
    assert ensemble["accuracy"].low > single["accuracy"].high
    with pytest.raises(ValueError, match="one shape"):
        mean_probabilities([network(1), network(2)[:10]])


def test_a_probability_of_zero_costs_much_and_not_infinity():
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5]], np.float16)
    values = score([probabilities], np.array([1, 0]), image_counts(2))
    assert values["log_loss"].estimate == pytest.approx((25 * math.log(2) + math.log(2)) / 2)
    assert math.isfinite(fit_temperature(probabilities, np.array([1, 0])).loss_after)


def test_resamples_are_the_same_every_time_and_have_as_many_images():
    counts = image_counts(50)
    assert counts.shape == (RESAMPLES, 50) and (counts.sum(1) == 50).all()
    assert (counts == image_counts(50)).all()
