"""Augmentations against slow references, one image at a time in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_name import build, crop, flip, gaussian_noise, implementation, random_erasing, shift

from bench.components import AXES
from bench.components.image_transforms import Augmentation
from bench.errors import UserError

SHAPES = [(200, 1, 28, 28), (200, 3, 9, 12)]
PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}

NAMES = [name for name, component in AXES["augmentation"].items() if issubclass(component, Augmentation)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*shape: int) -> torch.Tensor:
    """Random pixels, none of them black, so that black shows what came in."""
    return torch.rand(shape, generator=seeded(99)) * 0.9 + 0.1


def places(before: torch.Tensor, after: torch.Tensor, tall: int, wide: int, mode: str) -> list[tuple[int, int]]:
    """Where each image's window lies in its padded original; an error where it lies nowhere."""
    height, width = before.shape[2:]
    found = []
    for old, new in zip(before.numpy(), after.numpy(), strict=True):
        padded = np.pad(old, ((0, 0), (tall, tall), (wide, wide)), mode=PAD_MODES[mode])
        offsets = [(y, x) for y in range(2 * tall + 1) for x in range(2 * wide + 1)]
        fits = [(y, x) for y, x in offsets if np.array_equal(padded[:, y : y + height, x : x + width], new)]
        assert len(fits) == 1
        found += fits
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_shape_type_and_range_stay_and_the_input_is_not_written_to(name: str, shape: tuple[int, ...]) -> None:
    images = pictures(*shape)
    before = images.clone()
    after = implementation("augmentation", name)(images, seeded())
    assert after.shape == images.shape and after.dtype == images.dtype
    assert after.min() >= 0 and after.max() <= 1
    assert torch.equal(images, before) and after.data_ptr() != images.data_ptr()


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(name: str) -> None:
    images, function = pictures(64, 1, 28, 28), implementation("augmentation", name)
    assert torch.equal(function(images, seeded(5)), function(images, seeded(5)))
    assert not torch.equal(function(images, seeded(5)), function(images, seeded(6)))


@pytest.mark.parametrize("name", NAMES)
def test_no_value_is_read_back_from_the_device(name: str) -> None:
    # The meta device holds no values: reading one, or a shape that depends on one, is an error there.
    images = torch.empty(8, 1, 28, 28, device="meta")
    assert implementation("augmentation", name)(images, seeded()).shape == images.shape


@pytest.mark.parametrize("shape", SHAPES)
def test_flip_mirrors_about_the_given_share(shape: tuple[int, ...]) -> None:
    images = pictures(*shape)
    after = flip(images, seeded(), p=0.3).numpy()
    mirrored = 0
    for old, new in zip(images.numpy(), after, strict=True):
        is_mirrored = np.array_equal(new, old[:, :, ::-1])
        assert is_mirrored or np.array_equal(new, old)
        mirrored += is_mirrored
    assert 40 <= mirrored <= 80  # 60 expected, standard deviation 6.5


@pytest.mark.parametrize(("p", "mirrored"), [(0.0, False), (1.0, True)])
def test_flip_with_certainty(p: float, mirrored: bool) -> None:
    images = pictures(20, 1, 8, 8)
    assert torch.equal(flip(images, seeded(), p=p), images.flip(3) if mirrored else images)


@pytest.mark.parametrize("shape", SHAPES)
def test_shift_moves_by_every_offset_and_fills_with_black(shape: tuple[int, ...]) -> None:
    images = pictures(*shape)
    found = places(images, shift(images, seeded(), vertical=1, horizontal=2), 1, 2, "constant")
    assert set(found) == {(y, x) for y in range(3) for x in range(5)}


def test_shift_by_nothing_changes_nothing() -> None:
    images = pictures(8, 1, 28, 28)
    assert torch.equal(shift(images, seeded(), vertical=0, horizontal=0), images)


def test_shift_offsets_are_equally_likely() -> None:
    images = pictures(4500, 1, 5, 5)
    found = places(images, shift(images, seeded(), vertical=1, horizontal=1), 1, 1, "constant")
    counts = np.unique(np.array(found), axis=0, return_counts=True)[1]
    assert len(counts) == 9 and counts.min() > 400 and counts.max() < 600  # 500 expected, standard deviation 21


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", PAD_MODES)
def test_crop_takes_a_window_of_the_padded_picture(shape: tuple[int, ...], mode: str) -> None:
    images = pictures(*shape)
    found = places(images, crop(images, seeded(), padding=1, mode=mode), 1, 1, mode)
    assert set(found) == {(y, x) for y in range(3) for x in range(3)}


def test_crop_refuses_to_reflect_more_than_there_is() -> None:
    with pytest.raises(UserError, match="needs images larger than 8 pixels, these are 8 x 8"):
        crop(pictures(2, 1, 8, 8), seeded(), padding=8, mode="reflect")


def test_noise_has_its_standard_deviation_and_is_clipped() -> None:
    grey = torch.full((50, 1, 28, 28), 0.5)
    noise = (gaussian_noise(grey, seeded(), sigma=0.05) - 0.5).numpy()
    assert noise.mean() == pytest.approx(0, abs=0.001) and noise.std() == pytest.approx(0.05, rel=0.02)
    black = gaussian_noise(torch.zeros(50, 1, 28, 28), seeded(), sigma=0.05).numpy()
    assert black.min() == 0 and (black == 0).mean() == pytest.approx(0.5, abs=0.01)


def rectangles(before: torch.Tensor, after: torch.Tensor) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of what was erased from each image that was; an error where it is no rectangle."""
    found = []
    for old, new in zip(before.numpy(), after.numpy(), strict=True):
        changed = (old != new).any(axis=0)
        if not changed.any():
            continue
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert changed.sum() == height * width
        found.append((rows[0], columns[0], height, width))
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fill", ["zero", "noise"])
def test_erasing_takes_one_rectangle_from_about_the_given_share(shape: tuple[int, ...], fill: str) -> None:
    images = pictures(*shape)
    found = rectangles(images, random_erasing(images, seeded(), p=0.3, fill=fill))
    assert 40 <= len(found) <= 80  # 60 expected, standard deviation 6.5


def test_erased_shares_are_uniform_and_aspects_log_uniform() -> None:
    images = pictures(2000, 1, 100, 100)
    area, aspect = (0.05, 0.2), (0.5, 2.0)  # small enough that no side is clipped
    found = np.array(rectangles(images, random_erasing(images, seeded(), p=1, area=area, aspect=aspect)))
    height, width = found[:, 2].astype(float), found[:, 3].astype(float)
    share = height * width / 1e4
    assert share.min() > 0.045 and share.max() < 0.21
    assert np.percentile(share, [25, 50, 75]) == pytest.approx([0.0875, 0.125, 0.1625], abs=0.006)
    ratio = np.log2(height / width)
    assert np.percentile(ratio, [25, 50, 75]) == pytest.approx([-0.5, 0, 0.5], abs=0.07)


def test_every_place_inside_the_picture_is_equally_likely() -> None:
    images = pictures(3000, 1, 10, 10)
    found = np.array(rectangles(images, random_erasing(images, seeded(), p=1, area=(0.25, 0.2501), aspect=(1, 1.001))))
    assert (found[:, 2:] == 5).all()
    for corner in (found[:, 0], found[:, 1]):
        counts = np.bincount(corner, minlength=6)
        assert len(counts) == 6 and counts.min() > 400 and counts.max() < 600  # 500 expected, deviation 20


def test_a_side_longer_than_the_picture_is_clipped_to_it() -> None:
    images = pictures(20, 1, 10, 10)
    found = rectangles(images, random_erasing(images, seeded(), p=1, area=(0.5, 0.501), aspect=(4, 4.001)))
    assert {(height, width) for _, _, height, width in found} == {(10, 4)}


def test_noise_fills_with_values_over_the_whole_range_in_every_channel() -> None:
    images = torch.full((400, 3, 12, 12), 2.0)
    after = random_erasing(images, seeded(), p=1, fill="noise").permute(1, 0, 2, 3).flatten(1).numpy()
    for channel in after:
        filled = channel[channel != 2]
        assert np.percentile(filled, [10, 50, 90]) == pytest.approx([0.1, 0.5, 0.9], abs=0.02)


def test_entries_are_composed_in_their_order_static_ones_apart() -> None:
    entries = [
        {"name": "flip", "static": False, "p": 1.0},
        {"name": "gaussian_noise", "static": True, "sigma": 0.1},
        {"name": "shift", "static": False, "vertical": 0, "horizontal": 2},
    ]
    static, per_batch = build(entries)
    images = pictures(30, 1, 28, 28)
    assert static is not None and per_batch is not None
    assert torch.equal(static(images, seeded()), gaussian_noise(images, seeded(), sigma=0.1))
    generator = seeded()
    wanted = shift(flip(images, generator, p=1.0), generator, vertical=0, horizontal=2)
    assert torch.equal(per_batch(images, seeded()), wanted)


def test_no_entries_build_nothing() -> None:
    assert build([]) == (None, None)
    assert build([{"name": "flip", "static": True, "p": 0.5}])[1] is None
