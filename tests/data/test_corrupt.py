"""Corrupted images: always the same, stronger with severity, of any size, in grey and in colour."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.components.data_questions import CORRUPTIONS, SEVERITIES
from bench.data import Dataset
from bench.data.corrupt import IMPLEMENTATIONS, CorruptedImages, corrupt


def distance(images: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(images.astype(float) - other).mean())


@pytest.fixture(scope="module")
def clothes(fashion_mnist: Dataset) -> np.ndarray:
    return fashion_mnist.test_images[:200]


def test_every_corruption_is_described_and_carried_out() -> None:
    assert CORRUPTIONS.keys() == IMPLEMENTATIONS.keys()
    assert all(len(corruption.severities) == len(SEVERITIES) for corruption in CORRUPTIONS.values())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_grows_with_its_severity_and_is_the_same_every_time(name: str, clothes: np.ndarray) -> None:
    before = clothes.copy()
    corrupted = [corrupt(clothes, name, severity) for severity in SEVERITIES]
    assert np.array_equal(clothes, before)
    distances = [distance(clothes, images) for images in corrupted]
    assert 0 < distances[0] < distances[-1]
    assert all(images.dtype == np.uint8 and images.shape == clothes.shape for images in corrupted)
    assert np.array_equal(corrupted[2], corrupt(clothes, name, 3))
    assert np.array_equal(corrupted[2][:50], corrupt(clothes[:50], name, 3)) or name not in POINTWISE


POINTWISE = ("brightness", "contrast", "scale", "pixelate", "jpeg", "defocus_blur")
"""Without random numbers, whose order depends on how many images are corrupted together."""


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 9, 14), (3, 20, 17), (2, 8, 8)])
def test_a_corruption_takes_colour_and_other_sizes(name: str, shape: tuple[int, ...]) -> None:
    images = np.random.RandomState(0).randint(0, 256, (12, *shape)).astype(np.uint8)
    for severity in (1, 5):
        corrupted = corrupt(images, name, severity)
        assert corrupted.shape == images.shape and not np.array_equal(corrupted, images)


def test_black_images_stay_valid() -> None:
    black = np.zeros((3, 1, 28, 28), np.uint8)
    for name in CORRUPTIONS:
        assert corrupt(black, name, 5).max() < 256
    assert corrupt(black, "brightness", 5).min() == round(0.3 * 255)


def test_geometry_keeps_the_centre_and_moves_by_what_the_table_says() -> None:
    dot = np.zeros((40, 1, 29, 29), np.uint8)
    dot[:, :, 14, 14] = 255
    assert (corrupt(dot, "rotate", 3)[:, 0, 14, 14] == 255).all()
    assert (corrupt(dot, "shear", 3)[:, 0, 14, 14] == 255).all()
    rows = {tuple(map(int, np.argwhere(image)[0])) for image in corrupt(dot, "translate", 4)[:, 0]}
    assert rows == {(10, 10), (10, 18), (18, 10), (18, 18)}


def test_swapping_pixels_of_glass_loses_none() -> None:
    ramp = np.arange(784, dtype=np.uint8).reshape(1, 1, 28, 28)
    shuffled = IMPLEMENTATIONS["glass_blur"](ramp / np.float32(255), np.random.RandomState(0), 1e-6, 1, 2)
    assert np.allclose(np.sort(shuffled.ravel() * 255), np.sort(ramp.ravel()), atol=1e-3)
    assert not np.allclose(shuffled * 255, ramp)


def test_jpeg_of_many_grey_images_is_that_of_each(clothes: np.ndarray) -> None:
    def alone(image: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=40)
        return np.asarray(Image.open(file))

    assert np.array_equal(corrupt(clothes, "jpeg", 5)[:, 0], [alone(image) for image in clothes[:, 0]])


def test_the_numbers_of_random_corruptions_are_frozen(clothes: np.ndarray) -> None:
    digests = {
        name: hashlib.sha256(corrupt(clothes[:20], name, 3).tobytes()).hexdigest()[:12]
        for name in ("gaussian_noise", "impulse_noise", "translate")
    }
    assert digests == FROZEN


FROZEN = {"gaussian_noise": "47b2d1dd0366", "impulse_noise": "a0ac5e9db9ee", "translate": "0e1222da6cbd"}


def test_corruptions_of_many_images_are_stored_and_taken_from_there(
    fashion_mnist: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    images = fashion_mnist.test_images[:1500]
    made = CorruptedImages(images).images_of("contrast", 2)
    assert np.array_equal(made, corrupt(images, "contrast", 2))
    (stored,) = tmp_path.rglob("contrast-0.5.npy")
    np.save(stored, np.zeros_like(images))
    assert not CorruptedImages(images).images_of("contrast", 2).any()
    assert CorruptedImages(images[::-1]).images_of("contrast", 2).any()
    monkeypatch.setattr("bench.data.corrupt.CORRUPTER", 2)  # other code makes other images
    assert np.array_equal(CorruptedImages(images).images_of("contrast", 2), made)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stored.write_bytes(b"half a file")
    assert np.array_equal(CorruptedImages(images).images_of("contrast", 2), made)
