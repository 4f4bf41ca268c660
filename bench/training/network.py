"""The network of a trial: built before training, a safetensors file after it, and a classifier of images again.

A file holds the state of the very network that was evaluated on the test images: after the best epoch, the average of
weights or the refit, where a configuration has them. Preprocessing is a part of it, with what it was fitted to.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.errors import UserError
from bench.models.create import create
from bench.models.layers import Shape, with_preprocessing
from bench.suite.trial import NetworkOrigin, TrialConfig
from bench.training.evaluation import PRECISIONS, with_test_time_augmentation
from bench.training.objective import RegularizerSpec, combine
from bench.training.preprocessors import fit as fit_preprocessing
from bench.training.preprocessors import network_input_shape
from bench.training.runtime import global_streams_kept, seed_global_streams

METADATA = "bench"
"""The entry of a file's metadata that holds `WeightsMetadata` as JSON; others map a tied tensor to the saved one."""


@dataclass(frozen=True)
class WeightsMetadata:
    """What a file says besides its tensors: whose they are, and of which shape (C, H, W) and how many classes."""

    origin: NetworkOrigin
    image_shape: Shape
    classes: int


def build_network(
    config: TrialConfig,
    seed: int,
    train_images: NDArray[np.uint8],
    classes: int,
    regularizers: RegularizerSpec,
    *,
    load_weights: bool = True,
) -> nn.Module:
    """The network before training: preprocessing fitted on the training part, start values from the seed.

    `train_images` are uint8 (N, C, H, W), without those of the validation part; some `regularizers` set
    parameters of the model. ``load_weights=False`` leaves pretrained weights out. Start values are drawn on the CPU, so
    that they are the same on every device.
    """
    seed_global_streams(seed, "preprocessing")
    channels, height, width = train_images.shape[1:]
    preprocess = fit_preprocessing(config.preprocessing, train_images)
    input_shape = network_input_shape(config.preprocessing, (channels, height, width))
    seed_global_streams(seed, "init")
    network = create(config.model, input_shape, classes, regularizers.model, load_weights=load_weights)
    return with_preprocessing(preprocess, network)


def to_safetensors(network: nn.Module, metadata: WeightsMetadata) -> bytes:
    """A network's parameters and buffers, by their names in its `state_dict`.

    As `safetensors.torch.save_model` does it: of tensors that are tied the first is saved, and the metadata name it for
    each of the others; `safetensors.torch.load_model` reads it back.

    Raises
    ------
    UserError
        The network's state holds something else than tensors, or tensors that safetensors has no form for.
    """
    tensors: dict[str, Tensor] = {}
    shared: dict[str, str] = {}
    names: dict[tuple[Any, ...], str] = {}
    for name, tensor in network.state_dict().items():
        if not isinstance(tensor, Tensor):
            raise UserError(f"its state has {name!r}, a {type(tensor).__name__}; only tensors can be saved")
        memory = tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape, tensor.stride()
        if tensor.numel() and memory in names:
            shared[name] = names[memory]
            continue
        names[memory] = name
        tensors[name] = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    try:
        return safetensors.torch.save(tensors, {"format": "pt", METADATA: json.dumps(asdict(metadata)), **shared})
    except Exception as error:  # whatever it has no form for
        raise UserError(f"safetensors cannot hold its state: {type(error).__name__}: {error}") from error


def from_safetensors(data: bytes) -> tuple[dict[str, Tensor], WeightsMetadata]:
    """All tensors of a `state_dict`, the tied ones too, and the metadata; UserError where it is no such file."""
    try:
        size = int.from_bytes(data[:8], "little")
        texts: dict[str, str] = json.loads(data[8 : 8 + size])["__metadata__"]
        tensors = safetensors.torch.load(data)
        values = json.loads(texts[METADATA])
        channels, height, width = values["image_shape"]
        origin = NetworkOrigin(**values["origin"])
        metadata = WeightsMetadata(origin, (channels, height, width), int(values["classes"]))
    except Exception as error:  # whatever safetensors and json make of other bytes
        raise UserError(f"no weights that bench has saved: {type(error).__name__}: {error}") from error
    shared = {name: tensors[saved] for name, saved in texts.items() if name not in ("format", METADATA)}
    return tensors | shared, metadata


def rebuild_network(
    config: TrialConfig, seed: int, data: bytes, train_images: NDArray[np.uint8] | None = None
) -> nn.Module:
    """The network whose state a safetensors file holds, in eval mode on the CPU.

    `train_images` are needed where preprocessing is the user's own: what it fits need not be in its buffers. For all
    other preprocessing any images do.
    """
    tensors, metadata = from_safetensors(data)
    if train_images is None:
        shape = (4, *metadata.image_shape)
        train_images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with global_streams_kept(), torch.random.fork_rng(devices=[]):
        seed_global_streams(seed, "regularizer")
        regularizers = combine(config.regularizer)
        network = build_network(config, seed, train_images, metadata.classes, regularizers, load_weights=False)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError(
            f"its weights do not fit the network that this version of bench (or of timm) builds: {error}"
        ) from error
    return network.eval().to(memory_format=torch.channels_last)


class ImageClassifier(nn.Module):
    """A trial's network as it was tested: ``model(images)`` are logits, float32 (N, classes).

    `images` are uint8, (N, H, W) or (N, H, W, 1) in grey, (N, H, W, 3) in colour, of the data set's size. Scaling,
    preprocessing, the precision of the computation and test-time augmentation are those of the trial's test.

    Attributes
    ----------
    network
        The bare network: float pixels in [0, 1], (N, C, H, W), to logits.
    image_shape
        Channels, height, width.
    classes
        Their names, in the order of the logits.
    """

    def __init__(self, network: nn.Module, config: TrialConfig, image_shape: Shape, classes: tuple[str, ...]):
        super().__init__()
        self.network = network
        self.tested = with_test_time_augmentation(network, config)
        self.autocast = PRECISIONS[config.precision]
        self.image_shape = image_shape
        self.classes = classes

    def forward(self, images: Tensor) -> Tensor:
        channels, height, width = self.image_shape
        if images.ndim == 3:
            images = images.unsqueeze(3)
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != (height, width, channels):
            grey = f" or (N, {height}, {width})" if channels == 1 else ""
            raise ValueError(
                f"expected images as uint8 of shape (N, {height}, {width}, {channels}){grey}, "
                f"got {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}"
            )
        pixels = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format) / 255
        if self.autocast is None:
            logits: Tensor = self.tested(pixels)
            return logits.float()
        with torch.autocast(pixels.device.type, self.autocast):
            logits = self.tested(pixels)
        return logits.float()
