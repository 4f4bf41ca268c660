"""Rotation, scaling and shearing against SciPy, one image at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_name import rotation, scaling, shearing
from scipy.ndimage import affine_transform

from bench.training.augment import resampled

SHAPES = [(40, 1, 28, 28), (40, 3, 9, 12)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(*shape: int) -> torch.Tensor:
    """Blobs without sharp edges, dark towards the border."""
    count, channels, height, width = shape
    rows, columns = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    centre = (torch.rand(count, channels, 1, 1, generator=seeded(1)) - 0.5) / 2
    return torch.exp(-4 * ((rows - centre) ** 2 + (columns + centre) ** 2))


def by_scipy(image: np.ndarray, matrix: np.ndarray, move: tuple[float, float] = (0, 0)) -> np.ndarray:
    """An image (C, H, W) seen through a matrix on (x, y) from its centre; zeros come in, half a pixel at the edge."""
    swapped = matrix[::-1, ::-1]  # SciPy counts (row, column)
    centre = (np.array(image.shape[1:]) - 1) / 2
    offset = centre + np.array(move[::-1]) - swapped @ centre
    padded = [affine_transform(channel, swapped, offset, order=1, mode="grid-constant") for channel in image]
    return np.stack(padded)


def draws(seed: int, low: float, high: float, count: int) -> np.ndarray:
    return (torch.rand(count, 1, 1, 1, generator=seeded(seed)) * (high - low) + low).flatten().double().numpy()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["rotation", "scaling", "shearing"])
def test_each_picture_is_turned_by_an_amount_of_its_own(kind: str, shape: tuple[int, ...]) -> None:
    images = smooth(*shape)
    if kind == "rotation":
        after = rotation(images, seeded(), degrees=40.0)
        angles = np.deg2rad(draws(0, -40, 40, len(images)))
        matrices = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]
    elif kind == "scaling":
        after = scaling(images, seeded(), scale=[0.6, 1.5])
        matrices = [np.eye(2) / factor for factor in draws(0, 0.6, 1.5, len(images))]
    else:
        after = shearing(images, seeded(), degrees=30.0)
        matrices = [np.array([[1, np.tan(a)], [0, 1]]) for a in np.deg2rad(draws(0, -30, 30, len(images)))]
    for old, new, matrix in zip(images.double().numpy(), after.numpy(), matrices, strict=True):
        assert new == pytest.approx(by_scipy(old, matrix), abs=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quarter_turn_is_exact(shape: tuple[int, ...]) -> None:
    images = smooth(*shape)[..., : min(shape[2:]), : min(shape[2:])]
    one, zero = torch.ones(len(images), 1, 1, 1), torch.zeros(len(images), 1, 1, 1)
    turned = resampled(images, zero, -one, one, zero)
    assert torch.allclose(turned, torch.rot90(images, 1, (2, 3)), atol=1e-5)


def test_nothing_comes_of_no_angle_and_a_factor_of_one() -> None:
    images = smooth(20, 1, 28, 28)
    for same in (
        rotation(images, seeded(), degrees=0.0),
        scaling(images, seeded(), scale=[1.0, 1.0]),
        shearing(images, seeded(), degrees=0.0),
    ):
        assert torch.allclose(same, images, atol=1e-5)


def test_a_picture_moves_by_whole_pixels_of_either_side() -> None:
    images = smooth(5, 1, 9, 12)
    one, zero = torch.ones(5, 1, 1, 1), torch.zeros(5, 1, 1, 1)
    moved = resampled(images, one, zero, zero, one, 2 * one, -3 * one)
    assert torch.allclose(moved[:, :, 3:, :-2], images[:, :, :-3, 2:], atol=1e-5)
    assert (moved[:, :, :3] == 0).all() and (moved[:, :, :, -2:] == 0).all()
