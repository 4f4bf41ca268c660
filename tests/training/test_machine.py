"""What a trial's process is set to, and what is told about it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
import torch

from bench.execution.ray_cluster import SETTINGS
from bench.system import versions
from bench.training.runtime import device_name, peak_memory, reset_peak_memory, settings

CPU = torch.device("cpu")


def denormals_count() -> bool:
    return bool((torch.full((4,), 1e-30) * 1e-10 > 0).all())


@pytest.mark.parametrize("deterministic", [True, False])
def test_settings_hold_for_a_trial_and_not_after_it(deterministic: bool) -> None:
    with settings(deterministic):
        assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert torch.backends.cudnn.benchmark == (not deterministic)
        assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
        assert not denormals_count()
        # Not only for trials that ask: cuBLAS reads it once in a process, and a later trial may.
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in (":4096:8", ":16:8")
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    assert denormals_count()


@pytest.mark.parametrize("allowed", [True, False])
def test_tensor_float_32_is_as_before_after_a_trial(allowed: bool) -> None:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32, cudnn.allow_tf32 = not allowed, allowed
        with settings(deterministic=True):
            assert (matmul.allow_tf32, cudnn.allow_tf32) == (False, False)
        assert (matmul.allow_tf32, cudnn.allow_tf32) == (not allowed, allowed)
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def test_settings_do_not_outlive_a_trial_that_fails() -> None:
    with pytest.raises(KeyError), settings(deterministic=True):
        raise KeyError
    assert denormals_count() and not torch.are_deterministic_algorithms_enabled()


def test_peak_memory_starts_anew() -> None:
    used = torch.ones(50_000_000)  # 200 MB
    reset_peak_memory(CPU)
    before = peak_memory(CPU)
    assert before > used.nbytes
    del used
    reset_peak_memory(CPU)
    assert peak_memory(CPU) < before - 100_000_000
    more = torch.ones(75_000_000)
    assert peak_memory(CPU) > before
    del more


def test_the_device_and_the_versions_are_named() -> None:
    assert device_name(CPU)
    found = versions()
    assert torch.__version__.startswith(found["torch"])  # without the part that names the build
    assert {"python", "numpy", "timm", "torchvision"} <= found.keys()


TOLD = "import ctypes; raise SystemExit(not ctypes.CDLL(None).mallopt(-3, 2**30))"


def is_told() -> bool:
    """Whether the allocator can be told, asked where nothing else is done."""
    return (
        platform.libc_ver()[0] == "glibc" and subprocess.run([sys.executable, "-c", TOLD], check=False).returncode == 0
    )


PAGES = """
import resource
import sys
import threading
import torch
from bench.training.runtime import settings

def pages_made():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    (line,) = (line for line in open("/proc/self/smaps_rollup") if line.startswith("Rss:"))
    return int(line.split()[1]) // 1024

def told():
    with settings(deterministic=False):  # imports what it needs
        pages_made()
    before = resident()
    with settings(deterministic=False):
        print(min(pages_made() for _ in range(10)), resident() - before)
    print(resident() - before)

if sys.argv[1:] == ["thread"]:
    thread = threading.Thread(target=told)
    thread.start()
    thread.join()
else:
    told()
"""
"""Run by itself, as what a process did before decides where its memory lies."""


@pytest.mark.skipif(not is_told(), reason="an allocator that cannot be told to, or not for so much: glibc before 2.35")
@pytest.mark.parametrize("where", ["main", "thread"])
def test_freed_memory_is_used_again_within_a_trial_and_given_back_after_it(where: str) -> None:
    """64 MiB, in pages of 4 KiB, or of 2 MiB where the system makes those, which are 32. Ray trains in a thread."""
    said = subprocess.run(
        [sys.executable, "-c", PAGES, where],
        env={**os.environ, **SETTINGS, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    pages, kept, after = map(int, said.split())
    assert pages < 20
    assert kept > 60
    assert after < 10
