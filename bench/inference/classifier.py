"""A trial's network from its weights in a ledger."""

from __future__ import annotations

import atexit
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.components import AXES, COMBINABLE
from bench.errors import UserError
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.ledger.weights_files import read_weights
from bench.suite.trial import TrialConfig
from bench.user_code.component_code import ComponentCode, UserCode
from bench.user_code.read_code import read_component
from bench.user_code.run_code import unpacked, use

if TYPE_CHECKING:
    from bench.training.network import ImageClassifier

CODE_AXES = ("model", "preprocessing", "regularizer")
"""Whose code builds a network."""

_folders = contextlib.ExitStack()
"""Where the user's own code is unpacked while this process runs."""
atexit.register(_folders.close)


def load_model(
    key: str, results: str | Path = "results", folder: str | Path = ".", data_dir: str | Path | None = None
) -> ImageClassifier:
    """The network of a trial whose weights were saved (``bench run --keep``), in eval mode on the CPU.

    ``model(images)`` maps uint8 images (N, H, W), or (N, H, W, C) in colour, to logits (N, classes), float32;
    ``model(images).softmax(1)`` are the probabilities of the record up to half precision. Preprocessing, test-time
    augmentation and precision are part of it; ``model.classes`` names the classes, ``model.network`` is the bare
    network that takes float pixels in [0, 1]. A model of the user's own runs its code in this process.

    Parameters
    ----------
    key
        A trial's key or the beginning of it.
    results
        The ledger: a folder or a URL.
    folder
        The suite file's folder, where paths of the user's own code and data start.
    data_dir
        Where data are looked for first. Only preprocessing of the user's own needs them: it is fitted again.

    Raises
    ------
    UserError
        No such trial, or no weights of it; the user's own code has changed since it was trained.
    """
    record, data = read_weights(Ledger(str(results)), key)
    return build_classifier(record, data, Path(folder), Path(data_dir) if data_dir else None)


def build_classifier(record: Record, data: bytes, folder: Path, data_dir: Path | None = None) -> ImageClassifier:
    """The network of a record whose weights are `data`; parameters and errors otherwise as in `load_model`."""
    from bench.training.network import ImageClassifier, from_safetensors, rebuild_network

    try:
        config = TrialConfig.from_json(record.config)
    except ValueError as error:
        raise UserError(f"{record.key}: was made by another version of bench, whose configurations differ") from error
    try:
        _, metadata = from_safetensors(data)
        if metadata.origin.key != record.key:
            raise UserError(f"its weights are of another trial, {metadata.origin.key}")
        _use_code(config, metadata.origin.code, folder)
        images = _training_images(record, folder, data_dir) if config.preprocessing.user_code else None
        network = rebuild_network(config, record.seed, data, images)
    except UserError as error:
        raise UserError(f"{record.key}: {error}") from error
    return ImageClassifier(network, config, metadata.image_shape, tuple(record.result.classes)).eval()


def _use_code(config: TrialConfig, checksums: list[list[str]], folder: Path) -> None:
    """Let this process import the user's own code of the network; UserError where it is not what was trained."""
    components = [
        component
        for axis in CODE_AXES
        for component in (getattr(config, axis) if axis in COMBINABLE else [getattr(config, axis)])
        if axis in AXES and component.user_code
    ]
    if not components:
        return
    parts: dict[tuple[str, str], ComponentCode] = {}
    for component in components:
        part = read_component(component, folder)
        assert part is not None, component
        parts[component.axis, component.name] = part
    code = UserCode(tuple(parts.values()))
    if code.of_network != checksums:
        raise UserError(
            f"the source of {code.name}, or of what it imports or reads, has changed since the trial was trained\n"
            "  go back to what it was, or run its suite again for new weights"
        )
    use(code, _folders.enter_context(unpacked(code)))


def _training_images(record: Record, folder: Path, data_dir: Path | None) -> NDArray[np.uint8]:
    """The training images that preprocessing of the user's own was fitted to."""
    from bench.data.prepare import split
    from bench.execution.rerun import rebuild_trial
    from bench.execution.user_dataset import load_dataset
    from bench.training.train_trial import refit_part, select_training_part

    trial = rebuild_trial(record, folder)
    data = load_dataset(trial, data_dir)
    config = trial.config
    if config.refit:
        data, part = refit_part(config, data, trial.seed)
    else:
        train, _ = split(data.train_labels, config.validation)
        part = select_training_part(config, data.train_labels, len(data.classes), train, trial.seed)
    images: NDArray[np.uint8] = data.train_images[part.indices]
    return images
