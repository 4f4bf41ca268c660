"""A part of `gpu.py`: images per second of the labs' and the frontier's networks, ours and of other loops.

Ours is the second of two epochs of `bench.training.train_trial.train_trial`, as `step_variants.py` times it: without
evaluation, with the epoch's figures read at its end. The other loops train the same network with the same optimizer and
loss, without penalties, and their second epoch counts too:

bare         float32 images ready on the device, a `randperm` there, cut into batches; no augmentation
airbench     as KellerJordan/cifar10-airbench does it: images in bfloat16 on the device, padded once, flipped and
             cropped for a whole epoch at once, channels last, the network under autocast in bfloat16
torchvision  `transforms` (flip, crop, ToTensor) behind a `DataLoader` with a worker for each core, eight at most,
             pinned memory and copies that do not wait; float32

Each is compared with ours under the same augmentation and precision. The share is that of three forward passes'
operations in the matrix throughput that this command measures on the device in that precision.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from cases import first
from peers.environments import torchvision_folder
from step_variants import Way, channels_first, speed
from throughput import best_seconds, training_gflops
from torch import Tensor, nn
from torch.nn import functional as F

from bench.data import load
from bench.data.dataset import Dataset
from bench.models.count_operations import forward_flops
from bench.suite.find_suite import find_suite
from bench.suite.suite import load_suite
from bench.suite.trial import TrialConfig
from bench.training import optimizer_factory, runtime
from bench.training.network import build_network
from bench.training.objective import combine
from bench.training.runtime import wait_for

NETWORKS: dict[str, tuple[str, list[str], int]] = {
    "lab E: MLP 784-128-64-10": ("labs/regularization", ["regularizer=none"], 59_904),
    "lab B: customVGG": ("labs/model_zoo", ["model=vgg"], 30_080),
    "frontier: resnet9": ("frontier", ["model=resnet9", "epochs=8"], 59_904),
    "frontier: WideResNet-28-10": ("frontier", ["model.depth=28"], 6_400),
    "lab B: baseline": ("labs/model_zoo", ["model=mlp"], 59_904),
    "lab B: conv2D": ("labs/model_zoo", ["model=cnn"], 59_904),
    "lab B: customResNet": ("labs/model_zoo", ["model=resnet"], 30_080),
    "lab A: residual MLP": ("labs/deep_residual_mlp", ["epochs=60"], 59_904),
    "lab C: MLP 512-512": ("labs/dense_mnist", ["model.dropout=0.2"], 59_904),
    "lab D: ten blocks": (
        "labs/skip_mlp_mnist",
        ["model=skip_mlp", "model.stacks=[2, 2, 2, 2, 2, 2, 2, 2, 2]"],
        59_904,
    ),
    "frontier: WideResNet-16-4": ("frontier", ["model.depth=16"], 30_080),
    "frontier: PreAct ResNet-18": ("frontier", ["model=preact_resnet"], 30_080),
    "frontier: convnext": ("frontier", ["model=convnext"], 59_904),
}
"""A suite, the configuration of it, and how many images are trained on; those that tell most come first."""

AS_TIMED = [
    "dataset=fashion_mnist", "validation=none", "early_stopping=null", "weights=last", "augmentation=none",
    "precision=float32", "ema=null",
]  # fmt: skip
AUGMENTATION = {"augmentation": [{"name": "flip"}, {"name": "crop", "padding": 2}]}
"""What both sides do to images where the loop compared with does."""

PADDING, MAX_WORKERS = 2, 8
LOADED = 20_480
"""Images of an epoch of the `DataLoader`, which takes long."""


def config_of(name: str) -> dict[str, Any]:
    """A network's configuration: everything but the network, optimizer, batch size and penalties is taken away."""
    suite, only, _ = NETWORKS[name]
    return load_suite(find_suite(suite), only, AS_TIMED).configurations[0][0]


@cache
def matrix_flops(device: str, precision: str, small: bool) -> float:
    """FLOP/s: the best product of two square matrices, or convolution, on the device in a precision."""
    size, pictures = (256, 8) if small else (8192, 1024)
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    last = torch.channels_last
    images = torch.randn(pictures, 256, 14, 14, device=device).to(kind).to(memory_format=last)
    kernels = torch.randn(256, 256, 3, 3, device=device).to(kind).to(memory_format=last)

    def waited(work: Callable[[], Tensor]) -> Callable[[], None]:
        def whole() -> None:
            work()
            wait_for(torch.device(device))

        return whole

    seconds = 0.1 if small else 1.0
    with (tensor_float if precision == "TF32" else SETTINGS)(deterministic=False):
        product = 2 * size**3 / best_seconds(waited(lambda: left @ right), seconds)
        convolved = best_seconds(waited(lambda: F.conv2d(images, kernels, padding=1)), seconds)
    return max(product, 2 * pictures * 14**2 * 256**2 * 9 / convolved)


SETTINGS = runtime.settings
"""Those of a trial, whatever stands in their place."""


@contextlib.contextmanager
def tensor_float(deterministic: bool) -> Iterator[None]:
    """A trial's settings, but for matrix products and convolutions in TensorFloat-32, which bench does not offer."""
    with SETTINGS(deterministic):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        yield


@contextlib.contextmanager
def changed_inside(precision: str, memory: str) -> Iterator[None]:
    """What of a way to train no configuration can say."""
    with contextlib.ExitStack() as stack:
        if precision == "TF32":
            stack.enter_context(patch.object(runtime, "settings", tensor_float))
        if memory == "first":
            stack.enter_context(channels_first())
        yield


def ways() -> dict[tuple[str, str, bool], Way]:
    """Precision, memory format and whether compiled; what takes long to compile comes last."""
    kinds = itertools.product((False, True), ("last", "first"), ("bfloat16", "TF32", "float32"))
    return {
        (precision, memory, compiled): Way(
            {"precision": "bfloat16" if precision == "bfloat16" else "float32", "compile": compiled},
            within=partial(changed_inside, precision, memory),
        )
        for compiled, memory, precision in kinds
    }


def throughput(device: str, small: bool, only: str, work: Path) -> Iterator[dict[str, Any]]:
    """For `gpu.py`: the machine's throughput, each network against the other loops, then every way of training it."""
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    for precision in ("float32", "TF32", "bfloat16"):
        yield {"matrix throughput": precision, "TFLOP/s": matrix_flops(device, precision, small) / 1e12}
    data = load("fashion_mnist")
    names = [name for name in NETWORKS if only in name][: 1 if small else None]
    parts = {name: first(data, 512 if small else NETWORKS[name][2], test=64) for name in names}
    for name in names:
        yield from against_loops(name, parts[name], device, work)
    flops: dict[str, int] = {}
    for (precision, memory, compiled), way in ways().items():
        if small and (compiled or memory == "first"):
            continue
        for name in names:
            config, part = config_of(name), parts[name]
            row = {"network": name, "precision": precision, "channels": memory, "compiled": "yes" if compiled else "no"}
            if name not in flops:
                flops[name] = forward_flops(network(config, part), part.train_images.shape[1:])
            try:
                rate, more = speed(config, part, way, device)
            except Exception as error:  # the other ways are timed all the same
                failure = f"{type(error).__name__}: {error}".splitlines()[0]
                yield row | {"images/s": None, "of the device": None, "s to compile": failure}
                continue
            reached = 1e9 * training_gflops(flops[name], rate) / matrix_flops(device, precision, small)
            yield row | {
                "images/s": rate,
                "of the device": f"{reached:.1%}",
                "s to compile": more if compiled else None,
            }


def network(config: dict[str, Any], data: Dataset) -> nn.Module:
    typed = TrialConfig.from_json(config)
    return build_network(typed, 0, data.train_images, len(data.classes), combine(typed.regularizer))


Batches = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""The batches of an epoch, on the device."""


def against_loops(name: str, data: Dataset, device: str, work: Path) -> Iterator[dict[str, Any]]:
    """Each of the other loops, and ours under the same augmentation and precision."""
    config = config_of(name)
    size, few = config["batch_size"], first(data, LOADED, test=64)
    loops: dict[str, tuple[dict[str, Any], Dataset, Batches]] = {
        "bare": ({}, data, bare(data, size, device)),
        "airbench": (AUGMENTATION | {"precision": "bfloat16"}, data, airbench(data, size, device)),
        "torchvision": (AUGMENTATION, few, loaded(few, size, device, work)),
    }
    for loop, (changed, part, batches) in loops.items():
        autocast = torch.bfloat16 if "precision" in changed else None
        theirs = loop_speed(config, part, batches, device, autocast)
        ours, _ = speed(config | changed, data, Way(), device)
        yield {
            "network": name, "loop": loop, "precision": changed.get("precision", "float32"),
            "loop, images/s": theirs, "bench, images/s": ours, "bench / loop": ours / theirs,
        }  # fmt: skip


def loop_speed(
    config: dict[str, Any], data: Dataset, batches: Batches, device: str, autocast: torch.dtype | None
) -> float:
    """Images per second of the second epoch of a bare loop over `batches`."""
    typed, target = TrialConfig.from_json(config), torch.device(device)
    regularizers = combine(typed.regularizer)
    model = network(config, data).to(target).to(memory_format=torch.channels_last)
    groups = optimizer_factory.parameter_groups(model, regularizers.weight_decay, regularizers.kernels_only)
    optimizer = optimizer_factory.create(typed.optimizer, groups)
    model.train()
    with SETTINGS(deterministic=False):
        for _ in range(2):
            wait_for(target)
            start = time.perf_counter()
            for images, labels in batches():
                with torch.autocast(target.type, autocast, enabled=autocast is not None):
                    loss = F.cross_entropy(model(images), labels, label_smoothing=regularizers.label_smoothing)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            wait_for(target)
            seconds = time.perf_counter() - start
    return len(data.train_labels) / seconds


def ready(data: Dataset, device: str) -> tuple[Tensor, Tensor]:
    """Images as float32 in [0, 1], and labels, on the device."""
    images = torch.from_numpy(data.train_images).to(device).float().div_(255)
    return images, torch.from_numpy(data.train_labels).to(device).long()


def bare(data: Dataset, size: int, device: str) -> Batches:
    images, labels = ready(data, device)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for index in torch.split(torch.randperm(len(images), device=device), size):
            yield images[index], labels[index]

    return batches


def airbench(data: Dataset, size: int, device: str) -> Batches:
    images, labels = ready(data, device)
    side, count = images.shape[-1], len(images)
    padded = F.pad(images, (PADDING,) * 4).to(torch.bfloat16).to(memory_format=torch.channels_last)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        turned = torch.rand(count, device=device) < 0.5
        whole = torch.where(turned.view(-1, 1, 1, 1), padded.flip(-1), padded)
        shift = torch.randint(2 * PADDING + 1, (count, 2), device=device)
        cropped = torch.empty_like(whole[:, :, :side, :side])
        for down, right in itertools.product(range(2 * PADDING + 1), repeat=2):  # as airbench's batch_crop
            here = (shift[:, 0] == down) & (shift[:, 1] == right)
            cropped[here] = whole[here, :, down : down + side, right : right + side]
        for index in torch.split(torch.randperm(count, device=device), size):
            yield cropped[index], labels[index]

    return batches


def loaded(data: Dataset, size: int, device: str, work: Path) -> Batches:
    """torchvision's data set of the first images, as its own files have them."""
    from torch.utils.data import DataLoader, Subset
    from torchvision import datasets, transforms

    augmented = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomCrop(data.train_images.shape[-1], PADDING),
            transforms.ToTensor(),
        ]
    )
    images = datasets.FashionMNIST(torchvision_folder(work / "torchvision"), transform=augmented)
    workers = min(MAX_WORKERS, len(os.sched_getaffinity(0)))
    on_gpu = torch.device(device).type == "cuda"
    loader = DataLoader(
        Subset(images, range(len(data.train_labels))), batch_size=size, shuffle=True,
        num_workers=workers, pin_memory=on_gpu, persistent_workers=True,
    )  # fmt: skip

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for pixels, labels in loader:
            yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)

    return batches
