"""Mixup and CutMix: pixels and labels are mixed in the same shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from by_name import build_mixing as build
from by_name import cutmix, mixup
from scipy.stats import beta, kstest
from torch.nn import functional as F

from bench.data import Dataset
from bench.training.augment import Mix
from bench.training.train_trial import train_trial

SHAPES = [(201, 1, 28, 28), (200, 3, 9, 12)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixing(*entries: dict[str, Any]) -> Mix:
    mix = build(entries)
    assert mix is not None
    return mix


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_shares_have_the_beta_distribution(alpha: float) -> None:
    share = mixup(torch.zeros(3000, 1, 4, 4), seeded(), alpha=alpha).flatten().double().numpy()
    assert kstest(share, beta(alpha, alpha).cdf).pvalue > 1e-3


def test_an_extreme_alpha_still_gives_shares() -> None:
    share = mixup(torch.zeros(3000, 1, 4, 4), seeded(), alpha=1e-3)
    assert torch.isfinite(share).all() and share.min() >= 0 and share.max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_mixup_mixes_pixels_and_labels_in_one_share(shape: tuple[int, ...]) -> None:
    images, labels = torch.rand(shape, generator=seeded(9)), torch.arange(shape[0]) % 7
    mixed, targets = mixing({"name": "mixup", "alpha": 1.0, "p": 1.0})(images, labels, 7, seeded())
    share = mixup(images, seeded(), alpha=1.0)
    assert torch.allclose(mixed, share * images + (1 - share) * images.flip(0), atol=1e-6)
    rows, one_hot = share[:, :, 0, 0], F.one_hot(labels, 7).float()
    assert torch.allclose(targets, rows * one_hot + (1 - rows) * one_hot.flip(0), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_cutmix_pastes_one_box_and_labels_follow_its_area(shape: tuple[int, ...]) -> None:
    images, labels = torch.rand(shape, generator=seeded(9)), torch.arange(shape[0]) % 7
    mixed, targets = mixing({"name": "cutmix", "alpha": 1.0, "p": 1.0})(images, labels, 7, seeded())
    area = shape[2] * shape[3]
    for i, (new, old, other) in enumerate(zip(mixed.numpy(), images.numpy(), images.flip(0).numpy(), strict=True)):
        pasted = (new != old).any(axis=0)
        assert np.array_equal(new, np.where(pasted, other, old))
        if pasted.any():
            rows, columns = np.flatnonzero(pasted.any(axis=1)), np.flatnonzero(pasted.any(axis=0))
            assert pasted.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        if labels[i] != labels[-1 - i]:
            assert float(targets[i, labels[i]]) == pytest.approx(1 - pasted.sum() / area, abs=1e-6)
            assert float(targets[i, labels[-1 - i]]) == pytest.approx(pasted.sum() / area, abs=1e-6)
    assert torch.allclose(targets.sum(1), torch.ones(len(labels)))


def test_a_box_has_the_share_that_was_drawn_before_it_is_cut_off() -> None:
    keep = cutmix(torch.zeros(4000, 1, 64, 64), seeded(), alpha=1.0)
    found = 1 - keep.mean((1, 2, 3)).numpy()
    # Uniform shares, of which less than all lie inside: E = integral of s * (1 - sqrt(s) / 4)^2 over [0, 1].
    assert found.mean() == pytest.approx(1 / 2 - 1 / 5 + 1 / 48, abs=0.02)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
@pytest.mark.parametrize(("p", "low", "high"), [(0.0, 0, 0), (0.25, 30, 70), (1.0, 180, 200)])
def test_a_share_of_the_pictures_is_mixed(name: str, p: float, low: int, high: int) -> None:
    images = torch.rand(200, 1, 28, 28, generator=seeded(9))
    mixed, _ = mixing({"name": name, "alpha": 1.0, "p": p})(images, torch.zeros(200, dtype=torch.long), 2, seeded())
    changed = sum(not torch.equal(old, new) for old, new in zip(images, mixed, strict=True))
    assert low <= changed <= high


def test_of_both_each_picture_draws_one() -> None:
    images = torch.rand(400, 1, 28, 28, generator=seeded(9))
    both = mixing({"name": "mixup", "alpha": 1.0, "p": 1.0}, {"name": "cutmix", "alpha": 1.0, "p": 1.0})
    mixed, _ = both(images, torch.zeros(400, dtype=torch.long), 2, seeded())
    pasted = sum(
        bool(((new == old) | (new == other)).all())
        for new, old, other in zip(mixed, images, images.flip(0), strict=True)
    )
    assert 150 < pasted < 250


def test_nothing_to_mix_builds_nothing() -> None:
    assert build([]) is None
    assert build([{"name": "flip", "static": False, "p": 0.5}]) is None


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mean_squared_error"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_learns_from_mixtures(loss: str, precision: str, configured: Any, small: Dataset) -> None:
    config = configured(
        augmentation=[{"name": "flip"}, {"name": "mixup"}, {"name": "cutmix", "p": 0.5}],
        regularizer=[{"name": "label_smoothing"}],
        loss={"name": loss},
        precision=precision,
        epochs=5,
    )
    found = train_trial(config, 0, small)
    assert found.test is not None and found.test["accuracy"] > 0.4
    assert train_trial(config, 0, small).curves == found.curves
