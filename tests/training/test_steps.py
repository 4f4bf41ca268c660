"""Training steps against their formulas."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from by_name import component
from torch import nn

from bench.data import Dataset
from bench.errors import UserError
from bench.training import step_functions
from bench.training.step_functions import Batch
from bench.training.train_trial import train_trial


def batch_of(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Batch:
    return Batch(
        net=model,
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        loss=nn.functional.cross_entropy,
        images=images,
        targets=labels,
        penalties=[],
        weight=None,
        autocast=None,
    )


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(1))


LABELS = torch.arange(12) % 3


def gradients(model: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(nn.functional.cross_entropy(model(images), LABELS), list(model.parameters())))


@pytest.mark.parametrize(("max_norm", "scaled"), [(0.01, True), (100.0, False)])
def test_clip_scales_a_long_gradient_only(max_norm: float, scaled: bool, net: nn.Module, images: torch.Tensor) -> None:
    before = copy.deepcopy(net)
    wanted = gradients(copy.deepcopy(net), images)
    norm = torch.cat([gradient.flatten() for gradient in wanted]).norm()
    step_functions.clip(batch_of(net, images, LABELS), max_norm=max_norm)
    for old, new, gradient in zip(before.parameters(), net.parameters(), wanted, strict=True):
        factor = max_norm / norm if scaled else 1.0
        torch.testing.assert_close(old - new, 0.1 * gradient * factor, rtol=1e-4, atol=1e-7)


def test_sam_steps_along_the_gradient_at_the_worst_point_nearby(net: nn.Module, images: torch.Tensor) -> None:
    before, worst, rho = copy.deepcopy(net), copy.deepcopy(net), 0.3
    ascent = gradients(copy.deepcopy(net), images)
    norm = torch.cat([gradient.flatten() for gradient in ascent]).norm()
    with torch.no_grad():
        for weight, gradient in zip(worst.parameters(), ascent, strict=True):
            weight.add_(rho * gradient / norm)
    wanted = gradients(worst, images)
    batch = batch_of(net, images, LABELS)
    step_functions.sam(batch, rho=rho)
    for old, new, gradient in zip(before.parameters(), net.parameters(), wanted, strict=True):
        torch.testing.assert_close(old - new, 0.1 * gradient, rtol=1e-4, atol=1e-7)
    loss, logits = batch.first_result()
    torch.testing.assert_close(logits, before(images))  # the epoch's metrics are of the weights before the step
    assert loss == nn.functional.cross_entropy(logits, LABELS)


def test_sam_takes_running_statistics_of_the_first_pass(net: nn.Module, images: torch.Tensor) -> None:
    once = copy.deepcopy(net)
    once(images)
    step_functions.sam(batch_of(net, images, LABELS), rho=1.0)
    assert torch.equal(net[2].running_mean, once[2].running_mean)  # type: ignore[arg-type]
    assert net[2].momentum == 0.1


def test_a_large_limit_trains_as_the_standard_step(configured: Any, small: Dataset) -> None:
    standard = train_trial(configured(), 0, small)
    clipped = train_trial(configured(step={"name": "clip", "max_norm": 1e9}), 0, small)
    sharpness_aware = train_trial(configured(step={"name": "sam"}), 0, small)
    assert clipped.test == standard.test
    assert sharpness_aware.test != standard.test
    assert sharpness_aware.curves["train_loss"][-1] < sharpness_aware.curves["train_loss"][0]  # type: ignore[operator]


WRONG = {
    "def step(batch): pass": "never called batch.compute_gradients",
    "def step(batch): batch.compute_gradients()": "changes no weight of a small network",
    "def step(batch, rate): batch.compute_gradients(); batch.optimizer.step()": "missing a required argument: 'rate'",
    "def step(batch): batch.gradients()": "AttributeError: 'Batch' object has no attribute 'gradients' (",
}


@pytest.mark.parametrize("source", WRONG)
def test_a_step_that_cannot_train_is_refused(source: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(UserError) as error:
        step_functions.check(component("step", {"name": f"{tmp_path}/mine.py:step"}))
    assert WRONG[source] in str(error.value) and str(error.value).startswith("step '")
