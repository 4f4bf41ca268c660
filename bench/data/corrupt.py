"""Corrupted test images: the same for every trial, on every device, in NumPy, SciPy and Pillow.

Each function takes pixels as floats in [0, 1] (N, C, H, W), the random numbers and the parameters of one severity from
`bench.components.data_questions`. Where they differ from CIFAR-10-C's and MNIST-C's code, docs/in_and_out.md says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import scipy
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, sparse

from bench.components.data_questions import CORRUPTIONS
from bench.data.local_files import user_cache

Pixels = NDArray[np.floating[Any]]
Random = np.random.RandomState

CHUNK = 1000
"""Images that are corrupted together: what they need fits into a processor's cache, more or less."""

MAX_JPEG_SIDE = 65_000
"""Pixels; the format ends at 65,535."""


CORRUPTER = 1
"""Raised whenever the same images would be corrupted otherwise than before."""

SMALL = 2**20
"""Bytes of images that are corrupted faster than they are read from a file."""


class CorruptedImages:
    """The corruptions of a test set; those of a large one are stored in the user cache, by the contents and versions.

    Fifty sets of 10,000 grey images take 400 MB there. How long they take to make, which the next trial saves, is what
    `benchmarks/corruptions.py` measures.
    """

    def __init__(self, images: NDArray[np.uint8]):
        self.images = images
        versions = np.__version__, scipy.__version__, PIL.__version__
        digest = hashlib.sha256(repr((CORRUPTER, images.shape, *versions)).encode())
        digest.update(images.tobytes())
        self.folder = user_cache() / "corrupted" / digest.hexdigest()[:20]

    def images_of(self, name: str, severity: int) -> NDArray[np.uint8]:
        """As `corrupt`."""
        if self.images.nbytes < SMALL:
            return corrupt(self.images, name, severity)
        parameters = "-".join(f"{value:g}" for value in CORRUPTIONS[name].severities[severity - 1])
        path = self.folder / f"{name}-{parameters}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):
            stored: NDArray[np.uint8] = np.load(path, allow_pickle=False)
            if stored.shape == self.images.shape and stored.dtype == np.uint8:
                return stored
        images = corrupt(self.images, name, severity)
        with contextlib.suppress(OSError):  # a cache that cannot be written to costs time, nothing else
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", suffix=".npy", delete=False) as file:
                np.save(file, images)
            Path(file.name).replace(path)
        return images


def corrupt(images: NDArray[np.uint8], name: str, severity: int) -> NDArray[np.uint8]:
    """Images (N, C, H, W) with a corruption of `CORRUPTIONS` at a severity from 1 to 5; always the same ones."""
    parameters = CORRUPTIONS[name].severities[severity - 1]
    corrupted = np.empty_like(images)
    for number, part in enumerate(_chunks(len(images))):
        # From NumPy's frozen stream (NEP 19), one for each part: its images do not depend on how many follow.
        digest = hashlib.sha256(f"{name}/{severity}/{number}".encode()).digest()
        random = Random(np.frombuffer(digest[:16], np.uint32))
        pixels = IMPLEMENTATIONS[name](images[part] / np.float32(255), random, *parameters)
        corrupted[part] = np.rint(np.clip(pixels, 0, 1) * 255)
    return corrupted


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))


def gaussian_noise(pixels: Pixels, random: Random, deviation: float) -> Pixels:
    return pixels + random.normal(scale=deviation, size=pixels.shape)


def shot_noise(pixels: Pixels, random: Random, photons: float) -> Pixels:
    corrupted: Pixels = random.poisson(pixels * photons) / photons
    return corrupted


def impulse_noise(pixels: Pixels, random: Random, fraction: float) -> Pixels:
    draw = random.random_sample(pixels.shape)
    return np.where(draw < fraction, (draw < fraction / 2).astype(np.float32), pixels)


def defocus_blur(pixels: Pixels, random: Random, radius: float, edge: float) -> Pixels:  # noqa: ARG001
    reach = math.ceil(radius) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.float32)
    kernel = ndimage.gaussian_filter(disk / disk.sum(), edge, radius=1, mode="constant")
    corrupted: Pixels = ndimage.convolve(pixels, kernel[None, None], mode="mirror")
    return corrupted


def glass_blur(pixels: Pixels, random: Random, deviation: float, distance: int, times: int) -> Pixels:
    count, channels, height, width = pixels.shape
    # Pixels first: the same pixel of all images lies together, and is swapped in all of them at once.
    table = np.ascontiguousarray(_gaussian_blur(pixels, deviation).transpose(2, 3, 0, 1)).reshape(-1, count, channels)
    image = np.arange(count)
    for _ in range(times):
        for y in range(height - distance, distance, -1):
            for x in range(width - distance, distance, -1):
                moves = random.randint(-distance, distance, size=(2, count))
                other = (y + moves[0]) * width + x + moves[1]
                value = table[y * width + x].copy()
                table[y * width + x] = table[other, image]
                table[other, image] = value
    shuffled = table.reshape(height, width, count, channels).transpose(2, 3, 0, 1)
    return _gaussian_blur(shuffled, deviation)


def motion_blur(pixels: Pixels, random: Random, radius: int, deviation: float) -> Pixels:
    reach = 2 * radius + 1
    weights = np.exp(-np.square(np.arange(reach)) / (2 * deviation**2))
    weights /= weights.sum()
    degrees = random.randint(-45, 46, size=len(pixels))
    height, width = pixels.shape[2:]
    padded = np.pad(pixels, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
    blurred = np.zeros_like(pixels)
    for angle in np.unique(degrees):
        chosen = degrees == angle
        images = padded[chosen]
        for step, weight in enumerate(weights.astype(np.float32)):
            # As ImageMagick steps along the line (effect.c, MotionBlurImage).
            y = reach + math.ceil(step * math.sin(math.radians(angle)) - 0.5)
            x = reach + math.ceil(step * math.cos(math.radians(angle)) - 0.5)
            blurred[chosen] += weight * images[:, :, y : y + height, x : x + width]
    return blurred


def fog(pixels: Pixels, random: Random, weight: float, decay: float) -> Pixels:
    height, width = pixels.shape[2:]
    size = 2 ** math.ceil(math.log2(max(height, width)))
    cloud = _plasma(len(pixels), size, decay, random)[:, None, :height, :width]
    brightest = pixels.max(axis=(1, 2, 3), keepdims=True)
    corrupted: Pixels = (pixels + weight * cloud) * brightest / (brightest + weight)
    return corrupted


def brightness(pixels: Pixels, random: Random, more: float) -> Pixels:  # noqa: ARG001
    value = pixels.max(axis=1, keepdims=True)
    brighter = np.clip(value + np.float32(more), 0, 1)
    corrupted: Pixels = np.where(value > 0, pixels * (brighter / np.where(value > 0, value, 1)), brighter)
    return corrupted


def contrast(pixels: Pixels, random: Random, factor: float) -> Pixels:  # noqa: ARG001
    mean = pixels.mean(axis=(2, 3), keepdims=True)
    corrupted: Pixels = (pixels - mean) * factor + mean
    return corrupted


def pixelate(pixels: Pixels, random: Random, fraction: float) -> Pixels:  # noqa: ARG001
    height, width = pixels.shape[2:]
    smaller = max(int(width * fraction), 1), max(int(height * fraction), 1)
    box = Image.Resampling.BOX
    return _with_pillow(pixels, lambda image: image.resize(smaller, box).resize((width, height), box))


def jpeg(pixels: Pixels, random: Random, quality: int) -> Pixels:  # noqa: ARG001
    def compressed(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    count, channels, height, width = pixels.shape
    if channels == 3:
        return _with_pillow(pixels, compressed)
    # Blocks of 8 x 8 know nothing of each other without colours, so that grey images in a column are compressed at
    # once, ten times as fast, to the same pixels. Incomplete blocks are filled as libjpeg fills them.
    rows, columns = -height % 8, -width % 8
    padded = np.pad(pixels, ((0, 0), (0, 0), (0, rows), (0, columns)), mode="edge")
    at_once = max(MAX_JPEG_SIDE // (height + rows), 1)
    planes = padded.reshape(count * channels, 1, height + rows, width + columns)
    columns_ = (planes[i : i + at_once] for i in range(0, len(planes), at_once))
    parts = [
        _with_pillow(part.reshape(1, 1, -1, width + columns), compressed).reshape(-1, height + rows, width + columns)
        for part in columns_
    ]
    return np.concatenate(parts)[:, :height, :width].reshape(pixels.shape)


def translate(pixels: Pixels, random: Random, distance: int) -> Pixels:
    signs = [(y, x) for y in (-1, 1) for x in (-1, 1)]
    return _warp(pixels, random, [(np.eye(2), np.array(sign) * distance) for sign in signs])


def rotate(pixels: Pixels, random: Random, angle: float) -> Pixels:
    return _warp(pixels, random, [(_rotation(sign * angle), np.zeros(2)) for sign in (-1, 1)])


def scale(pixels: Pixels, random: Random, fraction: float) -> Pixels:
    return _warp(pixels, random, [(np.eye(2) / fraction, np.zeros(2))])


def shear(pixels: Pixels, random: Random, angle: float) -> Pixels:
    # Rows and columns are (y, x); scikit-image's AffineTransform(shear=angle), as MNIST-C had it.
    matrices = [np.array([[math.cos(a), 0], [-math.sin(a), 1]]) for a in (-angle, angle)]
    return _warp(pixels, random, [(matrix, np.zeros(2)) for matrix in matrices])


IMPLEMENTATIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(gaussian_noise, shot_noise, impulse_noise, defocus_blur, glass_blur, motion_blur, fog, brightness, contrast),
        *(pixelate, jpeg, translate, rotate, scale, shear),
    )
}


def _gaussian_blur(pixels: Pixels, deviation: float) -> Pixels:
    """As scikit-image's `gaussian` with its defaults has it."""
    corrupted: Pixels = ndimage.gaussian_filter(pixels, (0, 0, deviation, deviation), mode="nearest", truncate=4.0)
    return corrupted


def _plasma(count: int, size: int, decay: float, random: Random) -> Pixels:
    """Height maps (count, size, size) in [0, 1] by the diamond-square algorithm, `size` a power of two."""
    heights = np.zeros((count, size, size), np.float32)
    step, wobble = size, 100.0

    def varied(total: Pixels) -> Pixels:
        corrupted: Pixels = total / 4 + wobble * random.uniform(-wobble, wobble, total.shape)
        return corrupted

    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        total = corners + np.roll(corners, -1, axis=1)
        centres = varied(total + np.roll(total, -1, axis=2))
        heights[:, half::step, half::step] = centres
        across = centres + np.roll(centres, 1, axis=1) + corners + np.roll(corners, -1, axis=2)
        heights[:, ::step, half::step] = varied(across)
        down = centres + np.roll(centres, 1, axis=2) + corners + np.roll(corners, -1, axis=1)
        heights[:, half::step, ::step] = varied(down)
        step, wobble = half, wobble / decay
    heights -= heights.min(axis=(1, 2), keepdims=True)
    corrupted: Pixels = heights / heights.max(axis=(1, 2), keepdims=True)
    return corrupted


def _rotation(angle: float) -> NDArray[np.float64]:
    """Of positions (y, x)."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _warp(pixels: Pixels, random: Random, maps: list[tuple[NDArray[Any], NDArray[Any]]]) -> Pixels:
    """Each image by one of these affine maps from output to input positions, around the centre; outside is black."""
    chosen = random.randint(0, len(maps), size=len(pixels))
    height, width = pixels.shape[2:]
    warped = np.empty_like(pixels)
    for number, (matrix, offset) in enumerate(maps):
        images = pixels[chosen == number]
        weights = _bilinear(height, width, matrix, offset)
        flat = weights @ images.reshape(-1, height * width).T
        warped[chosen == number] = flat.T.reshape(images.shape)
    return warped


def _bilinear(height: int, width: int, matrix: NDArray[Any], offset: NDArray[Any]) -> sparse.csr_array:
    """Weights (H * W, H * W) of input pixels in each output pixel."""
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    positions = np.indices((height, width)).reshape(2, -1).T - centre
    source = positions @ matrix.T + centre + offset
    corner = np.floor(np.round(source, 9)).astype(int)
    rows, columns, weights = [], [], []
    for shift in ((0, 0), (0, 1), (1, 0), (1, 1)):
        at = corner + shift
        weight = np.prod(1 - np.abs(source - at), axis=1)
        used = ((at >= 0) & (at < (height, width))).all(axis=1) & (weight > 1e-9)
        rows.append(np.flatnonzero(used))
        columns.append(at[used] @ (width, 1))
        weights.append(weight[used])
    entries = np.concatenate(weights).astype(np.float32), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array(entries, shape=(height * width, height * width))


def _with_pillow(pixels: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    """Each image in 8 bits through Pillow: three channels as one image in colour, any other number one by one."""
    bytes_ = np.rint(pixels * 255).astype(np.uint8)
    in_colour = pixels.shape[1] == 3
    images = bytes_.transpose(0, 2, 3, 1) if in_colour else bytes_.reshape(-1, *bytes_.shape[2:])
    changed = np.empty_like(images)
    for number, image in enumerate(images):
        changed[number] = np.asarray(change(Image.fromarray(np.ascontiguousarray(image))))
    restored = changed.transpose(0, 3, 1, 2) if in_colour else changed.reshape(bytes_.shape)
    corrupted: Pixels = restored / np.float32(255)
    return corrupted
