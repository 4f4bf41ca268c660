"""The process that a trial runs in: its settings, device, versions and peak memory, and its random streams.

One seed gives several independent streams: changing what one part draws changes nothing in the others.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from bench.system import processor_name

Stream = Literal[
    "regularizer",
    "preprocessing",
    "init",
    "order",
    "augmentation",
    "static augmentation",
    "static augmentation of validation",
    "dropout",
]


def stream_seed(seed: int, stream: Stream, rank: int = 0) -> int:
    """A 63-bit seed for one stream of a trial's seed; each further rank of a trial of several workers has its own."""
    name = f"{seed}/{stream}" if rank == 0 else f"{seed}/{stream}/{rank}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def generator(seed: int, stream: Stream, device: torch.device | str = "cpu", rank: int = 0) -> torch.Generator:
    """A generator of its own for one stream, on the device whose kernels draw from it."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, stream, rank))


def seed_global_streams(seed: int, stream: Stream, rank: int = 0) -> None:
    """Seed what draws without being given a generator: PyTorch's stream, Python's and NumPy's."""
    value = stream_seed(seed, stream, rank)
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)  # its seeds have 32 bits


@contextlib.contextmanager
def global_streams_kept() -> Iterator[None]:
    """Leave Python's and NumPy's streams as they were, since others in this process draw from them."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of mallopt, from glibc's malloc.h."""

KEPT = 2**30
"""Bytes below which freed memory is handed out again. By itself glibc gives blocks above 32 MiB back to the system;
activations of wide networks are larger, and every step would have their pages made and zeroed anew."""

USUALLY_KEPT = 2**25
"""The most that glibc keeps by itself."""


@contextlib.contextmanager
def settings(deterministic: bool) -> Iterator[None]:
    """Process-wide switches for the time of one trial, since worker processes are reused.

    On a CPU every kernel we use is deterministic anyway; on CUDA `deterministic` takes such kernels where there are
    some, and an operation that has none raises RuntimeError.
    """
    # Read once, at the first cuBLAS call in the process, so it must be there before, for whichever later trial is to
    # be deterministic; 8 buffers of 4 MiB on the device (https://docs.nvidia.com/cuda/cublas/#results-reproducibility).
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    _set_deterministic(deterministic)
    # The search for the fastest convolution goes by the clock, so it may choose another one in every run.
    torch.backends.cudnn.benchmark = not deterministic
    # By default PyTorch lets CUDA convolutions round float32 to the 10 bits of TensorFloat-32, and `precision` does not
    # say so; convolutions and matrix products both take float32 as it is.
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    tf32 = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    # Regularised weights that decay towards zero end as denormal numbers, which a CPU multiplies much more
    # slowly; here they count as zero. The switch is this thread's own.
    torch.set_flush_denormal(True)
    keeps_freed_memory = _keep_freed_memory(KEPT)
    try:
        yield
    finally:
        if keeps_freed_memory:
            _keep_freed_memory(USUALLY_KEPT)
        torch.set_flush_denormal(False)
        matmul.allow_tf32, cudnn.allow_tf32 = tf32
        _set_deterministic(False)
        torch.backends.cudnn.benchmark = False


def _set_deterministic(deterministic: bool) -> None:
    """Only where it is otherwise: torch imports its whole compiler for it, over two seconds of a process's start."""
    is_set = torch.are_deterministic_algorithms_enabled()
    if is_set != deterministic or torch.is_deterministic_algorithms_warn_only_enabled():
        torch.use_deterministic_algorithms(deterministic)


def _keep_freed_memory(size: int) -> bool:
    """Let glibc keep blocks up to so many bytes when they are freed, and give back what it kept until now.

    Whether it does: others than glibc cannot be told, and glibc before 2.35 not for so much.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    # Where the one is refused, the other alone would end glibc's own adjusting of both.
    accepted = bool(libc.mallopt(M_MMAP_THRESHOLD, size))
    if accepted:
        libc.mallopt(M_TRIM_THRESHOLD, size)
    libc.malloc_trim(0)
    return accepted


def device_name(device: torch.device) -> str:
    """The accelerator's or processor's own name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()


def reset_peak_memory(device: torch.device) -> None:
    """Start a new peak, so that a reused process does not report an earlier trial's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was given, as before a clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def limit_gpu_memory(device: torch.device, fraction: float) -> None:
    """Let this process allocate so much of its GPU's memory and no more, as others train on the same one."""
    if device.type == "cuda":
        # By its number: PyTorch refuses a device without one in this call, and takes None for the current one.
        torch.cuda.set_per_process_memory_fraction(min(1.0, fraction), device.index)


def gpu_memory_text(device: torch.device, fraction: float) -> str:
    """What a trial that ran out of a GPU's memory had of it."""
    size = torch.cuda.get_device_properties(device).total_memory / 2**30
    text = f"this trial had {fraction:g} of the GPU" if fraction < 1 else "this trial had the GPU to itself"
    one_more = ", this one once more with a whole GPU (--retry-alone)" if fraction < 1 else ""
    advice = f"give each trial more (--gpus-per-trial){one_more}, or a smaller batch_size"
    return f"{text}, {min(1.0, fraction) * size:.1f} of {size:.1f} GiB; {advice}"


def peak_memory(device: torch.device) -> int:
    """Bytes: the device's allocations on an accelerator, else the process's resident set at its largest."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
