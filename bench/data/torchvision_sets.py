"""The classification data sets of torchvision.datasets, read by its own classes from its own layouts on a disk."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.data.decoded import ImagePart, Notify
from bench.data.library_sets import LibraryData
from bench.data.library_sets import labels as labels_of
from bench.data.library_sets import load as load_library_data
from bench.data.local_files import SourceFiles, files_below, user_cache
from bench.data.npz import SourceArrays
from bench.data.prepare import Labels
from bench.errors import UserError
from bench.jsonutil import JsonObject

DIGITS = tuple(string.digits)
LSUN = (
    "bedroom",
    "bridge",
    "church_outdoor",
    "classroom",
    "conference_room",
    "dining_room",
    "kitchen",
    "living_room",
    "restaurant",
    "tower",
)


@dataclass(frozen=True)
class TorchvisionSet:
    """How one of torchvision's classes is called for each part; without `test` the test part is drawn.

    `files` are paths below the root, with ``*`` for any name; a folder stands for all files below it. `classes` are
    names where torchvision has none. `options` are further parameters that a suite file may set. `folders` are below
    the root, a part each, where the class takes no part by name. `note` is for people.
    """

    files: tuple[str, ...]
    train: Mapping[str, Any]
    test: Mapping[str, Any] | None = None
    val: Mapping[str, Any] | None = None
    classes: tuple[str, ...] | None = None
    options: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)
    can_fetch: bool = True
    note: str = ""

    @property
    def parts(self) -> dict[str, Mapping[str, Any]]:
        parts = {"train": self.train, "val": self.val, "test": self.test}
        return {part: parameters for part, parameters in parts.items() if parameters is not None}


def _by_flag(*files: str, **more: Any) -> TorchvisionSet:
    return TorchvisionSet(files, {"train": True}, {"train": False}, **more)


def _by_split(
    *files: str, val: str | None = None, train: str = "train", test: str = "test", **more: Any
) -> TorchvisionSet:
    validation = {"split": val} if val else None
    return TorchvisionSet(files, {"split": train}, {"split": test}, validation, **more)


def _drawn(*files: str, **more: Any) -> TorchvisionSet:
    return TorchvisionSet(files, {}, **more)


SETS: dict[str, TorchvisionSet] = {
    "CIFAR10": _by_flag("cifar-10-batches-py"),
    "CIFAR100": _by_flag("cifar-100-python"),
    "CLEVRClassification": _by_split("clevr", test="val", note="how many objects; its test part has no labels"),
    "Caltech101": _drawn("caltech101/101_ObjectCategories"),
    "Caltech256": _drawn("caltech256/256_ObjectCategories"),
    "Country211": _by_split("country211", val="valid"),
    "DTD": _by_split("dtd", val="val", options=("partition",)),
    "EMNIST": _by_flag("EMNIST/raw/*-ubyte", options=("split",), note="needs `split`; images lie on their side"),
    "EuroSAT": _drawn("eurosat/2750"),
    "FER2013": _by_split(
        "fer2013",
        classes=("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        can_fetch=False,
        note="fer2013.csv or icml_face_data.csv: of the competition's test.csv the labels are not published",
    ),
    "FGVCAircraft": _by_split("fgvc-aircraft-2013b", val="val", options=("annotation_level",)),
    "FashionMNIST": _by_flag("FashionMNIST/raw/*-ubyte"),
    "Flowers102": _by_split("flowers-102", val="val"),
    "Food101": _by_split("food-101"),
    "GTSRB": _by_split("gtsrb"),
    "INaturalist": TorchvisionSet(
        ("2021_train", "2021_valid"), {"version": "2021_train"}, {"version": "2021_valid"}, note="2021"
    ),
    "ImageFolder": TorchvisionSet(
        ("train", "val", "test"), {}, {}, {}, folders={part: part for part in ("train", "val", "test")}, can_fetch=False
    ),
    "ImageNet": _by_split("train", "val", "meta.bin", test="val", can_fetch=False),
    "Imagenette": _by_split("imagenette2*", test="val", options=("size",)),
    "KMNIST": _by_flag("KMNIST/raw/*-ubyte"),
    "LSUN": TorchvisionSet(
        ("*_lmdb/data.mdb",), {"classes": "train"}, {"classes": "val"}, classes=LSUN, can_fetch=False, note="needs lmdb"
    ),
    "MNIST": _by_flag("MNIST/raw/*-ubyte"),
    "Omniglot": _drawn(
        "omniglot-py", options=("background",), note="characters of the background alphabets, or of the others"
    ),
    "OxfordIIITPet": _by_split("oxford-iiit-pet", train="trainval", note="its training part is called trainval"),
    "PCAM": _by_split("pcam", val="val", classes=("no tumor", "tumor"), note="needs h5py"),
    "Places365": _by_split(
        "categories_places365.txt",
        "places365_*.txt",
        "data_*_standard",
        "val_*",
        train="train-standard",
        test="val",
        options=("small",),
    ),
    "QMNIST": _by_flag("QMNIST/raw/*-ubyte", "QMNIST/raw/*-int"),
    "RenderedSST2": _by_split("rendered-sst2", val="val"),
    "SEMEION": _drawn("semeion.data", classes=DIGITS),
    "STL10": _by_split("stl10_binary", options=("folds",), note="labelled images only"),
    "SUN397": _drawn("SUN397"),
    "SVHN": _by_split("train_32x32.mat", "test_32x32.mat", classes=DIGITS),
    "StanfordCars": _by_split("stanford_cars", can_fetch=False),
    "USPS": _by_flag("usps*.bz2", classes=DIGITS),
}
"""Where there is no official test part, ImageNet's, Imagenette's, Places365's and LSUN's is their validation part."""

NOT_OFFERED: dict[str, str] = {
    **dict.fromkeys(("CelebA",), "several labels an image; its identities differ between the parts"),
    **dict.fromkeys(("LFWPeople",), "most people have one image, none to be tested on"),
    **dict.fromkeys(("LFWPairs", "PhotoTour"), "pairs of images"),
    **dict.fromkeys(("LSUNClass", "DatasetFolder"), "a part of another one: LSUN, ImageFolder"),
    **dict.fromkeys(("FakeData",), "no files: random pixels"),
    **dict.fromkeys(("HMDB51", "Kinetics", "MovingMNIST", "UCF101"), "video"),
    **dict.fromkeys(("CocoCaptions", "Flickr30k", "Flickr8k", "SBU"), "captions"),
    **dict.fromkeys(("CocoDetection", "Kitti", "VOCDetection", "WIDERFace"), "boxes"),
    **dict.fromkeys(("Cityscapes", "SBDataset", "VOCSegmentation"), "classes of pixels"),
    **dict.fromkeys(("FlyingChairs", "FlyingThings3D", "HD1K", "KittiFlow", "Sintel"), "optical flow"),
    **dict.fromkeys(
        (
            "CREStereo",
            "CarlaStereo",
            "ETH3DStereo",
            "FallingThingsStereo",
            "InStereo2k",
            "Kitti2012Stereo",
            "Kitti2015Stereo",
            "Middlebury2014Stereo",
            "SceneFlowStereo",
            "SintelStereo",
        ),
        "stereo pairs",
    ),
}
"""Classes of torchvision.datasets that do not classify whole images, and what they have instead."""


def fingerprint(component: JsonObject) -> str:
    """SHA-256 (hex) over the names and contents of the set's files below the root; UserError where there are none."""
    return source_files(component).checksum


def labels(component: JsonObject, notify: Notify) -> Labels:
    return labels_of(load(component, notify))


def load(component: JsonObject, notify: Notify) -> SourceArrays:
    """The fields of a `Dataset`, in torchvision's order; errors as in `bench.data.library_sets.load`."""
    what = _title(component)
    source = root_of(component)
    return load_library_data(what, component, source, lambda: fingerprint(component), lambda: _read(component), notify)


def fetch(component: JsonObject, notify: Notify) -> Path:
    """Have torchvision download a set below the root, and return that; UserError where that fails."""
    name, root = component["dataset"], root_of(component)
    if not SETS[name].can_fetch:
        raise UserError(f"{_title(component)} cannot be downloaded by torchvision: put its files below {root}")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{root} cannot be made: {error.strerror or error}") from error
    notify(f"{_title(component)}: torchvision downloads it into {root}")
    for part in SETS[name].parts:
        _opened(component, part, download=True)
    return root


def root_of(component: JsonObject) -> Path:
    """Torchvision's `root`."""
    return Path(component["path"]) if component.get("path") else user_cache() / "torchvision"


def _title(component: JsonObject) -> str:
    return f"torchvision's {component['dataset']}"


def _entry(component: JsonObject) -> str:
    path = f", path: {component['path']}" if component.get("path") else ""
    return f"{{name: torchvision, dataset: {component['dataset']}{path}}}"


def source_files(component: JsonObject) -> SourceFiles:
    """The set's files below the root; UserError where there are none or where a folder cannot be read."""
    info, root = SETS[component["dataset"]], root_of(component)
    try:
        names = sorted(
            file.relative_to(root).as_posix()
            for pattern in info.files
            for match in root.glob(pattern)
            for file in (files_below(match) if match.is_dir() else [match])
        )
    except OSError as error:
        raise UserError(f"{root} cannot be read: {error.strerror or error}") from error
    if not names:
        advice = (
            f"fetch them with `bench data fetch '{_entry(component)}'`, or name the folder that torchvision calls root "
            "with `path:`"
            if info.can_fetch
            else "put them there"
        )
        wanted = ", ".join(info.files)
        raise UserError(f"{root} has no files of {_title(component)} (it would have {wanted}): {advice}")
    return SourceFiles(root, tuple(names))


def _read(component: JsonObject) -> LibraryData:
    root = root_of(component)
    info = SETS[component["dataset"]]
    available = [part for part in info.parts if part not in info.folders or (root / info.folders[part]).is_dir()]
    if "train" not in available:
        raise UserError(f"{root} has no folder {info.folders['train']}/ to learn from")
    opened = {part: _opened(component, part) for part in available}
    names = _class_names(component, opened["train"])
    parts = {
        part: ImagePart(len(data), partial(_items, component, part, data, _numbers(component, part, data, names)))
        for part, data in opened.items()
    }
    return LibraryData(parts, names)


def _class_names(component: JsonObject, data: Any) -> list[str] | None:
    """The names of a part's labels 0, 1, ...; None where torchvision has none."""
    attribute = "all_categories" if component["dataset"] == "INaturalist" else "classes"
    names = SETS[component["dataset"]].classes or getattr(data, attribute, None) or getattr(data, "categories", None)
    return None if names is None else [_name(name) for name in names]


def _numbers(component: JsonObject, part: str, data: Any, names: Sequence[str] | None) -> dict[int, int] | None:
    """A part's labels as those of the training part, where it numbers its classes otherwise: by the folders it has."""
    own_names = _class_names(component, data)
    if own_names == names or own_names is None or names is None:
        return None
    unknown = [name for name in own_names if name not in names]
    if unknown:
        raise UserError(
            f"{_title(component)}: its part {part!r} has the class {unknown[0]!r}, which the part 'train' has not"
        )
    return {number: names.index(name) for number, name in enumerate(own_names)}


def _name(name: Any) -> str:
    """ImageNet's classes are tuples of words."""
    return ", ".join(name) if isinstance(name, tuple) else str(name)


def _items(
    component: JsonObject, part: str, data: Any, numbers: Mapping[int, int] | None
) -> Iterator[tuple[str, Any, Any]]:
    for i in range(len(data)):
        name = f"{_title(component)}: image {i} of the part {part!r}"
        try:
            image, label = data[i]
        except Exception as error:  # of whatever library opens the file
            raise UserError(f"{name} cannot be read: {_reason(error)}") from error
        yield name, image.numpy() if hasattr(image, "numpy") else image, label if numbers is None else numbers[label]


def _opened(component: JsonObject, part: str, download: bool = False) -> Any:
    """Torchvision's data set of a part; UserError with its reason where it finds no valid files."""
    name, root, options = component["dataset"], root_of(component), component.get("options") or {}
    info = SETS[name]
    unknown = [option for option in options if option not in info.options]
    if unknown:
        allowed = ", ".join(info.options) or "none"
        raise UserError(f"{_title(component)} has no option {unknown[0]!r} in a suite file; allowed: {allowed}")
    if part in info.folders:
        root = root / info.folders[part]
    factory: Callable[..., Any] = getattr(_torchvision_datasets(), name)
    parameters = {**info.parts[part], **options, **({"download": True} if download else {})}
    if name == "SEMEION":  # which would download by itself
        parameters["download"] = download
    try:
        return factory(root=str(root), **parameters)
    except Exception as error:  # of whatever library reads the files
        if download:
            raise UserError(f"{_title(component)} could not be downloaded into {root}: {_reason(error)}") from error
        hint = f"; `bench data fetch '{_entry(component)}'` downloads it anew" if info.can_fetch else ""
        given = "".join(f", {key}={value!r}" for key, value in parameters.items() if key != "download")
        raise UserError(f"torchvision.datasets.{name}({str(root)!r}{given}) fails: {_reason(error)}{hint}") from error


def _reason(error: Exception) -> str:
    text = str(error).strip().split("\n")[0].replace(" You can use download=True to download it", "").rstrip(".")
    return f"{type(error).__name__}: {text}" if not isinstance(error, RuntimeError) or not text else text


def _torchvision_datasets() -> ModuleType:
    import torchvision.datasets

    return torchvision.datasets  # type: ignore[no-any-return]
