"""Data sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.components.base import Component, Positive


class FashionMnist(Component):
    """Fashion-MNIST, current release: 60,000 + 10,000 grey images of 28 x 28, ten classes."""

    name: Literal["fashion_mnist"] = "fashion_mnist"


class Mnist(Component):
    """MNIST: 60,000 + 10,000 grey images of 28 x 28, ten digits."""

    name: Literal["mnist"] = "mnist"


class Kmnist(Component):
    """Kuzushiji-MNIST: 60,000 + 10,000 grey images of 28 x 28, ten cursive Japanese characters."""

    name: Literal["kmnist"] = "kmnist"


class Emnist(Component):
    """EMNIST, handwritten characters of 28 x 28, grey: balanced (47 classes), letters (26) or digits (10)."""

    name: Literal["emnist"] = "emnist"
    split: Literal["balanced", "letters", "digits"] = "balanced"


class Cifar10(Component):
    """CIFAR-10: 50,000 + 10,000 colour images of 32 x 32, ten classes."""

    name: Literal["cifar10"] = "cifar10"


class Cifar100(Component):
    """CIFAR-100: 50,000 + 10,000 colour images of 32 x 32, a hundred classes."""

    name: Literal["cifar100"] = "cifar100"


class ImageFolder(Component):
    """Your own images: train/CLASS/FILE and test/CLASS/FILE below `path`."""

    name: Literal["image_folder"] = "image_folder"
    path: Annotated[str, Field(min_length=1)] = Field(description="The folder, from the suite file's own folder.")
    size: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Height and width that every image is resized to.", examples=[[32, 32]]
    )
    channels: Literal[1, 3] | None = Field(
        None, description="1 for grey, 3 for colour; without it, grey where every image is.", examples=[3]
    )


class Npz(Component):
    """Your own arrays: an .npz file with train_images, train_labels, test_images, test_labels, perhaps classes."""

    name: Literal["npz"] = "npz"
    path: Annotated[str, Field(min_length=1)] = Field(description="The file, from the suite file's own folder.")
