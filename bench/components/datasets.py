"""Data sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.components.base import Component, Positive, register

FROM_PATH = ("image_folder", "npz")
"""Data sets that are the files at their `path`, known by the contents of these, wherever they lie."""
IN_MEMORY = "arrays"
"""The data set that is in the memory of a Python session, and known by its contents too."""


class DatasetComponent(Component):
    """A data set; `implementation` reads it."""

    axis = "dataset"


@register
class FashionMnist(DatasetComponent):
    """Fashion-MNIST, current release: 60,000 + 10,000 grey images of 28 x 28, ten classes."""

    implementation = "bench.data.dataset:load"
    name: Literal["fashion_mnist"] = "fashion_mnist"


@register
class Mnist(DatasetComponent):
    """MNIST: 60,000 + 10,000 grey images of 28 x 28, ten digits."""

    implementation = "bench.data.dataset:load"
    name: Literal["mnist"] = "mnist"


@register
class Kmnist(DatasetComponent):
    """Kuzushiji-MNIST: 60,000 + 10,000 grey images of 28 x 28, ten cursive Japanese characters."""

    implementation = "bench.data.dataset:load"
    name: Literal["kmnist"] = "kmnist"


@register
class Emnist(DatasetComponent):
    """EMNIST, handwritten characters of 28 x 28, grey: balanced (47 classes), letters (26) or digits (10)."""

    implementation = "bench.data.dataset:load"
    name: Literal["emnist"] = "emnist"
    split: Literal["balanced", "letters", "digits"] = "balanced"


@register
class Cifar10(DatasetComponent):
    """CIFAR-10: 50,000 + 10,000 colour images of 32 x 32, ten classes."""

    implementation = "bench.data.dataset:load"
    name: Literal["cifar10"] = "cifar10"


@register
class Cifar100(DatasetComponent):
    """CIFAR-100: 50,000 + 10,000 colour images of 32 x 32, a hundred classes."""

    implementation = "bench.data.dataset:load"
    name: Literal["cifar100"] = "cifar100"


@register
class ImageFolder(DatasetComponent):
    """Your own images: train/CLASS/FILE and test/CLASS/FILE below `path`."""

    implementation = "bench.data.image_folder:load"
    name: Literal["image_folder"] = "image_folder"
    path: Annotated[str, Field(min_length=1)] = Field(description="The folder, from the suite file's own folder.")
    size: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Height and width that every image is resized to.", examples=[[32, 32]]
    )
    channels: Literal[1, 3] | None = Field(
        None, description="1 for grey, 3 for colour; without it, grey where every image is.", examples=[3]
    )


@register
class Npz(DatasetComponent):
    """Your own arrays: an .npz file with train_images, train_labels, test_images, test_labels, perhaps classes."""

    implementation = "bench.data.npz:load"
    name: Literal["npz"] = "npz"
    path: Annotated[str, Field(min_length=1)] = Field(description="The file, from the suite file's own folder.")


@register
class ArraysInMemory(DatasetComponent):
    """Arrays of a Python session, as `bench.Dataset.from_arrays` takes them; a file names an npz instead."""

    implementation = "bench.data.in_memory:find"
    name: Literal["arrays"] = "arrays"
    title: Annotated[str, Field(min_length=1)] = Field(description="What reports call the data; not in the key.")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{12}$")] = Field(description="The beginning of their checksum.")
