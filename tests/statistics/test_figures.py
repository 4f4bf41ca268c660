from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from bench.statistics.stored_metrics import figures


def drawn(classes: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet(np.full(classes, 0.5), 400).astype(np.float32)
    labels = generator.integers(classes, size=400)
    mine = probabilities[np.arange(400), labels]
    return {
        "labels": labels,
        "predicted": probabilities.argmax(1),
        "confidence": probabilities.max(1),
        "true_class_probability": mine,
        "true_rank": (probabilities > mine[:, None]).sum(1),
    }


def test_figures_are_scikit_learns() -> None:
    made = drawn(10)
    found = figures(**made, n_classes=10)
    assert found["f1_macro"] == f1_score(made["labels"], made["predicted"], average="macro")
    assert found["accuracy"] == found["f1_micro"] == (made["labels"] == made["predicted"]).mean()
    assert found["nll"] == pytest.approx(-np.log(made["true_class_probability"]).mean(), rel=1e-5)
    assert found["top_3_accuracy"] == (made["true_rank"] < 3).mean()


def test_top_k_needs_more_than_k_classes() -> None:
    assert {"top_2_accuracy"} == {name for name in figures(**drawn(3), n_classes=3) if name.startswith("top")}


def test_a_true_class_given_nothing_leaves_no_log_likelihood() -> None:
    made = drawn(4)
    made["true_class_probability"][0] = 0
    assert "nll" not in figures(**made, n_classes=4)


def test_classes_alone_tell_nothing_that_rests_on_probabilities() -> None:
    made = drawn(10)
    unknown = np.full(400, np.nan, np.float32)
    found = figures(**{**made, "confidence": unknown, "true_class_probability": unknown}, n_classes=10)
    assert found["accuracy"] == (made["labels"] == made["predicted"]).mean()
    assert not {"ece", "nll", "top_3_accuracy", "precision_at_half"} & found.keys()
