"""Data sets."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from bench.components.base import Component, Fraction, Positive, register

FROM_PATH = ("image_folder", "npz", "torchvision", "medmnist", "hf", "parquet")
"""Data sets that are the files at their `path`, known by the contents of these, wherever they lie."""
IN_MEMORY = "arrays"
"""The data set that is in the memory of a Python session, and known by its contents too."""

TORCHVISION = (
    "CIFAR10",
    "CIFAR100",
    "CLEVRClassification",
    "Caltech101",
    "Caltech256",
    "Country211",
    "DTD",
    "EMNIST",
    "EuroSAT",
    "FER2013",
    "FGVCAircraft",
    "FashionMNIST",
    "Flowers102",
    "Food101",
    "GTSRB",
    "INaturalist",
    "ImageFolder",
    "ImageNet",
    "Imagenette",
    "KMNIST",
    "LSUN",
    "MNIST",
    "Omniglot",
    "OxfordIIITPet",
    "PCAM",
    "Places365",
    "QMNIST",
    "RenderedSST2",
    "SEMEION",
    "STL10",
    "SUN397",
    "SVHN",
    "StanfordCars",
    "USPS",
)
"""Classes of torchvision.datasets; `bench.data.torchvision_sets` says how each is read."""

MEDMNIST = (
    "pathmnist",
    "dermamnist",
    "octmnist",
    "pneumoniamnist",
    "retinamnist",
    "breastmnist",
    "bloodmnist",
    "tissuemnist",
    "organamnist",
    "organcmnist",
    "organsmnist",
)

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""``owner/name`` of the Hugging Face hub."""

Size = Annotated[list[Positive], Field(min_length=2, max_length=2)] | None
Channels = Literal[1, 3] | None
Text = Annotated[str, Field(min_length=1)]


SIZE: Any = Field(None, description="Height and width that every image is resized to.", examples=[[32, 32]])
CHANNELS: Any = Field(
    None, description="1 for grey, 3 for colour; without it, grey where every image is.", examples=[3]
)
TEST_FRACTION: Any = Field(
    None,
    description="Draws the test part from the training part, the same fraction of every class, where none comes along.",
    examples=[0.2],
)


class DatasetComponent(Component):
    """A data set; `implementation` reads it."""

    axis = "dataset"
    given_validation: ClassVar[str] = "return it from the function as val_images and val_labels"
    """What to do for a validation part to come with the data set; empty where none can."""

    @classmethod
    def no_given_part(cls, name: str) -> str:
        """What is wrong with `validation: given` for a data set of this kind that has none."""
        advice = f"{cls.given_validation}, or take" if cls.given_validation else "take"
        return (
            f"`validation: given` is the validation part that comes with a data set, and {name} comes without one; "
            f"{advice} `validation: {{stratified: 0.1}}`"
        )


class CatalogueDataset(DatasetComponent):
    """A data set of `bench.data.catalogue`."""

    implementation = "bench.data.dataset:load"
    given_validation = ""


@register
class FashionMnist(CatalogueDataset):
    """Fashion-MNIST, current release: 60,000 + 10,000 grey images of 28 x 28, ten classes."""

    name: Literal["fashion_mnist"] = "fashion_mnist"


@register
class Mnist(CatalogueDataset):
    """MNIST: 60,000 + 10,000 grey images of 28 x 28, ten digits."""

    name: Literal["mnist"] = "mnist"


@register
class Kmnist(CatalogueDataset):
    """Kuzushiji-MNIST: 60,000 + 10,000 grey images of 28 x 28, ten cursive Japanese characters."""

    name: Literal["kmnist"] = "kmnist"


@register
class Emnist(CatalogueDataset):
    """EMNIST, handwritten characters of 28 x 28, grey: balanced (47 classes), letters (26) or digits (10)."""

    name: Literal["emnist"] = "emnist"
    split: Literal["balanced", "letters", "digits"] = "balanced"


@register
class Cifar10(CatalogueDataset):
    """CIFAR-10: 50,000 + 10,000 colour images of 32 x 32, ten classes."""

    name: Literal["cifar10"] = "cifar10"


@register
class Cifar100(CatalogueDataset):
    """CIFAR-100: 50,000 + 10,000 colour images of 32 x 32, a hundred classes."""

    name: Literal["cifar100"] = "cifar100"


@register
class ImageFolder(DatasetComponent):
    """Your own images: train/CLASS/FILE, test/CLASS/FILE and perhaps val/CLASS/FILE below `path`."""

    implementation = "bench.data.image_folder:load"
    given_validation = "put images of it into val/CLASS/FILE next to train/ and test/"
    name: Literal["image_folder"] = "image_folder"
    path: Text = Field(description="The folder, from the suite file's own folder.")
    size: Size = SIZE
    channels: Channels = CHANNELS


@register
class Npz(DatasetComponent):
    """Your own arrays: an .npz file with train_images, train_labels, test_ and perhaps val_ arrays and classes."""

    implementation = "bench.data.npz:load"
    given_validation = "save it in the file as the arrays val_images and val_labels"
    name: Literal["npz"] = "npz"
    path: Text = Field(description="The file, from the suite file's own folder.")


@register
class ArraysInMemory(DatasetComponent):
    """Arrays of a Python session, as `bench.Dataset.from_arrays` takes them; a file names an npz instead."""

    implementation = "bench.data.in_memory:find"
    given_validation = "give val_images and val_labels to Dataset.from_arrays"
    name: Literal["arrays"] = "arrays"
    title: Annotated[str, Field(min_length=1)] = Field(description="What reports call the data; not in the key.")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{12}$")] = Field(description="The beginning of their checksum.")


@register
class Torchvision(DatasetComponent):
    """A classification data set of torchvision.datasets, from its files below `path`: SVHN, GTSRB, EuroSAT, ..."""

    implementation = "bench.data.torchvision_sets:load"
    given_validation = "take one whose official validation part is in the table of docs/in_and_out.md"
    name: Literal["torchvision"] = "torchvision"
    dataset: Literal[TORCHVISION] = Field(description="The class in torchvision.datasets.")  # type: ignore[valid-type]
    path: Text | None = Field(
        None, description="What torchvision calls root, from the suite file's own folder; without it, the user cache."
    )
    options: dict[str, str | int | bool] | None = Field(
        None, description="Parameters of a few classes, such as EMNIST's split.", examples=[{"split": "letters"}]
    )
    size: Size = SIZE
    channels: Channels = CHANNELS
    test_fraction: Fraction | None = TEST_FRACTION


@register
class MedMnist(DatasetComponent):
    """A data set of MedMNIST with one class an image; its validation part is `validation: given`."""

    implementation = "bench.data.medmnist_files:load"
    given_validation = "take the file with val_images"
    name: Literal["medmnist"] = "medmnist"
    dataset: Literal[MEDMNIST] = Field(  # type: ignore[valid-type]
        description="All of two dimensions but chestmnist, which has several labels an image."
    )
    size: Literal[28, 64, 128, 224] = Field(28, description="Height and width.")
    path: Text | None = Field(
        None, description="The folder of the .npz files, from the suite file's own folder; without it, ~/.medmnist."
    )

    @field_validator("dataset", mode="before")
    @classmethod
    def _has_one_label(cls, name: Any) -> Any:
        if name == "chestmnist":
            raise ValueError("chestmnist has several labels an image; bench classifies into one class per image")
        if isinstance(name, str) and name.endswith("mnist3d"):
            raise ValueError(f"{name} has images of three dimensions; bench takes those of two")
        return name


@register
class HuggingFace(DatasetComponent):
    """A data set of the `datasets` library: on the hub at a revision, of `save_to_disk`, or local files."""

    implementation = "bench.data.hugging_face:load"
    given_validation = "name its split with `dataset.validation`"
    name: Literal["hf"] = "hf"
    path: Text = Field(description="owner/name on the hub, or a folder or file, from the suite file's own folder.")
    config: Text | None = Field(None, description="The configuration, where there are several.")
    revision: Text | None = Field(None, description="The commit on the hub, 40 digits; needed there.")
    image: Text = Field("image", description="The column of images.")
    label: Text = Field("label", description="The column of labels.")
    train: Text | None = Field(None, description="The split to learn from; without it, train.")
    validation: Text | None = Field(None, description="The split of `validation: given`; without it, validation.")
    test: Text | None = Field(None, description="The split to test on; without it, test.")
    size: Size = SIZE
    channels: Channels = CHANNELS
    test_fraction: Fraction | None = TEST_FRACTION


@register
class Parquet(DatasetComponent):
    """Images in Parquet files below `path`: a column of image files' bytes or of pixels, and one of labels."""

    implementation = "bench.data.parquet_files:load"
    given_validation = "put its files next to the others, and name them with `dataset.validation`"
    name: Literal["parquet"] = "parquet"
    path: Text = Field(description="The folder, from the suite file's own folder.")
    image: Text = Field("image", description="The column of images.")
    label: Text = Field("label", description="The column of labels.")
    train: Text = Field("train*.parquet", description="Files to learn from; ** stands for any folders.")
    validation: Text = Field("val*.parquet", description="Files of `validation: given`.")
    test: Text = Field("test*.parquet", description="Files to test on.")
    size: Size = SIZE
    channels: Channels = CHANNELS
    test_fraction: Fraction | None = TEST_FRACTION
