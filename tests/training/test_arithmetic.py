"""What a trial will compute is counted before it runs, and is what its record says afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from bench.data import Dataset
from bench.execution.operation_cost import flops_per_image, training_flops
from bench.training.train_trial import train_trial


def test_a_linear_model_by_hand(configured: Any) -> None:
    config = configured(model={"name": "mlp", "hidden": []}, epochs=3, validation={"tail": 0.25})
    forward = flops_per_image(config, (1, 28, 28), 10)
    assert forward == 2 * 784 * 10
    assert training_flops(config, forward, 1000) == 3 * forward * 750 * 3
    assert training_flops(config.changed(validation="none"), forward, 1000) == 3 * forward * 1000 * 3
    assert training_flops(config.changed(refit=True), forward, 1000) == 3 * forward * (750 + 1000) * 3


@pytest.mark.parametrize("preprocessing", ["standardize", "column_standardize"])
def test_the_count_without_numbers_is_that_of_the_record(preprocessing: str, configured: Any, small: Dataset) -> None:
    model = {"name": "cnn", "channels": [2], "kernel": 3, "hidden": [4]}
    config = configured(model=model, preprocessing={"name": preprocessing}, epochs=1)
    shape = small.train_images.shape[1:]
    assert flops_per_image(config, shape, len(small.classes)) == train_trial(config, 0, small).flops
