"""Parts of `gpu.py` that run whole commands: several trials at once, the frontier's recipes, the labs' suites.

All are ``bench run --no-ray``, which needs no Ray; several of them on one ledger divide its trials among themselves.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cases import SWEEP_DEFAULTS, sweep_grid
from figures import write_suite
from frontier import IMAGES, trained

from bench.ledger.ledger import Ledger
from bench.ledger.record import Record

AT_ONCE = (1, 2, 4, 8)
DRIVERS = 8
"""Of the labs' suites, each with an eighth of the device."""

ACCURACIES = (0.9331, 0.9450, 0.9550, 0.9600)

ENTRIES: dict[str, tuple[list[str], int, int]] = {
    "resnet9, 3 epochs": (["model=resnet9", "epochs=3"], 3, 3),
    "resnet9, 8 epochs": (["model=resnet9", "epochs=8"], 8, 3),
    "resnet9, 24 epochs": (["model=resnet9", "epochs=24"], 24, 3),
    "WideResNet-16-4, cutmix": (["model.depth=16", "augmentation=*cutmix*"], 100, 3),
    "WideResNet-16-4, erasing": (["model.depth=16", "augmentation=*random_erasing*"], 100, 3),
    "PreAct ResNet-18, cutmix": (["model=preact_resnet", "augmentation=*cutmix*"], 100, 3),
    "WideResNet-28-10, erasing": (["model.depth=28", "augmentation=*random_erasing*"], 100, 1),
}
"""Of suites/frontier.yaml: which configuration, its epochs, and how many seeds of it."""

LABS = (
    "labs/regularization", "labs/regularization_extensions", "labs/dense_mnist", "labs/skip_mlp_mnist",
    "labs/deep_residual_mlp", "labs/model_zoo", "labs/vgg_regularizers", "labs/vgg_search", "labs/resnet_search",
    "labs/skip_mlp_cifar10",
)  # fmt: skip

SMALL = ("model={name: mlp, hidden: [16]}", "fraction=0.01", "epochs=1")
MATCHED_SMALL = ["batch_size=256", "augmentation=*erasing*"]
"""What every entry is with ``--small``, and how one of them is found then."""


def gpus(device: str, fraction: float) -> list[str]:
    """The option that gives a trial a part of the device, and of its memory."""
    return ["--gpus-per-trial", "0" if device == "cpu" else f"{fraction:g}"]


def environment() -> dict[str, str]:
    """One thread for NumPy and the like in each of several processes."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run_drivers(count: int, arguments: Sequence[str], ledger: Path) -> tuple[float, list[str]]:
    """Several ``bench run --no-ray`` of one ledger at once; their seconds, and what those that failed said last."""
    command = [sys.executable, "-m", "bench", "run", *arguments, "--no-ray", "--results", str(ledger)]
    ledger.parent.mkdir(parents=True, exist_ok=True)
    logs = [ledger.with_name(f"{ledger.name}-driver-{number}.log") for number in range(count)]
    start = time.perf_counter()
    drivers = []
    for log in logs:  # a pipe that nobody reads would stop a driver, and those that wait for its trials
        with log.open("w") as output:
            drivers.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment()))
    codes = [driver.wait() for driver in drivers]
    seconds = time.perf_counter() - start
    failed = [(code, log.read_text().strip().splitlines()) for code, log in zip(codes, logs, strict=True) if code]
    return seconds, [f"exit code {code}: {lines[-1] if lines else ''}" for code, lines in failed]


def sharing(device: str, small: bool, only: str, work: Path) -> Iterator[dict[str, Any]]:
    """For `gpu.py`: the same trials by 1, 2, 4 and 8 drivers; images per second from first start to last end."""
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
        "MLP 784-128-64-10": (sweep_grid(1e-3, 0.2, 256), SWEEP_DEFAULTS, 10),
        "resnet9": ({"model": "resnet9", "optimizer": {"name": "sgd", "lr": 0.05}}, {"precision": "bfloat16"}, 2),
    }
    for name, (grid, defaults, epochs) in cases.items():
        if only not in name or (small and name == "resnet9"):
            continue
        reduced = {"fraction": 0.01, "epochs": 1, "seeds": 2} if small else {"epochs": epochs, "seeds": 16}
        settings = {"dataset": "fashion_mnist", "validation": "none"} | defaults | reduced
        suite = write_suite(work, grid, settings, f"sharing_{epochs}")
        alone = None
        for count in AT_ONCE[: 2 if small else None]:
            ledger = work / f"sharing-{epochs}-{count}"
            options = [str(suite), "--cpus-per-trial", "1", *gpus(device, 1 / count)]
            _, failures = run_drivers(count, options, ledger)
            records = Ledger(ledger).records()
            done = [record for record in records if record.status == "complete"]
            rate = images_per_second(done) if done else None
            alone = rate if count == 1 else alone
            memory = max((record.run_info.peak_memory_bytes or 0 for record in done), default=0) / 2**20
            allowed = None if device == "cpu" else total_memory(device) / count / 2**20
            if allowed is not None and memory > allowed:
                failures.append(f"a trial took {memory:,.0f} MiB")
            yield {
                "network": name, "at once": count, "trials": len(done), "images/s": rate,
                "over one": rate / alone if rate and alone else None, "largest memory, MiB": memory,
                "allowed, MiB": allowed,
                "holds": "; ".join(["NO", *failures]) if failures or len(done) != settings["seeds"] else "yes",
            }  # fmt: skip
        if device != "cpu":
            yield refused_above_its_part(device)


def images_per_second(records: Sequence[Record]) -> float:
    """Images trained on per second from the first trial's start to the last one's end."""
    times = [
        [datetime.fromisoformat(text) for text in (one.run_info.started, one.run_info.finished)] for one in records
    ]
    seconds = (max(end for _, end in times) - min(start for start, _ in times)).total_seconds()
    return sum((one.run_info.train_images or 0) * one.result.epochs_run for one in records) / max(seconds, 1e-9)


def total_memory(device: str) -> int:
    import torch

    return int(torch.cuda.get_device_properties(device).total_memory)


def refused_above_its_part(device: str) -> dict[str, Any]:
    """Whether a process with an eighth of the memory is refused a fifth of it, and has a tenth."""
    import torch

    torch.cuda.set_per_process_memory_fraction(1 / 8, torch.device(device).index)
    held = {}
    for part in (1 / 10, 1 / 5):
        try:
            torch.empty(int(total_memory(device) * part), dtype=torch.uint8, device=device)
            held[part] = True
        except torch.OutOfMemoryError:
            held[part] = False
        torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1.0, torch.device(device).index)
    return {
        "process with an eighth of the memory": "a tenth of it, then a fifth",
        "given": ", ".join(str(one) for one in held.values()),
        "holds": "yes" if list(held.values()) == [True, False] else "NO",
    }  # fmt: skip


def frontier(device: str, small: bool, only: str, work: Path) -> Iterator[dict[str, Any]]:
    """For `gpu.py`: a row for every seed, in the order of their cost; what lies in the ledger is not trained anew."""
    folder = work / "frontier"
    folder.mkdir(exist_ok=True)
    options = ["--cpus-per-trial", "1" if small else "4", *gpus(device, 1)]
    for name, (patterns, epochs, seeds) in itertools.islice(ENTRIES.items(), 1 if small else None):
        if only not in name:
            continue
        for seed in range(1 if small else seeds):
            changes = list(SMALL) if small else []
            record, seconds = trained(MATCHED_SMALL if small else patterns, seed, folder, changes, options)
            accuracy = record.result.test["accuracy"] if record.result.test else 0.0
            work_done = 3 * (record.run_info.flops or 0) * IMAGES * epochs
            yield {
                "entry": name, "epochs": epochs, "seed": seed, "accuracy, %": f"{100 * accuracy:.2f}",
                "s, start to end": seconds, "s of training": record.run_info.train_seconds,
                "PFLOP": work_done / 1e15, "TFLOP/s": work_done / record.run_info.train_seconds / 1e12,
                "reached": ", ".join(f"{goal:.4f}" for goal in ACCURACIES if accuracy >= goal),
            }  # fmt: skip


def labs(device: str, small: bool, only: str, work: Path) -> Iterator[dict[str, Any]]:
    """For `gpu.py`: a row for every suite; what lies in the ledger is not trained anew."""
    for suite in LABS[: 1 if small else None]:
        if only not in suite:
            continue
        count = 2 if small else DRIVERS
        changes = [text for one in SMALL[1:] for text in ("--set", one)] if small else []
        before = keys(work / "labs")
        arguments = [suite, "--cpus-per-trial", "1", *gpus(device, 1 / count), *changes]
        seconds, failures = run_drivers(count, arguments, work / "labs")
        records = [one for one in Ledger(work / "labs").records() if one.key not in before]
        tested = [one.result.test["accuracy"] for one in records if one.result.test]
        yield {
            "suite": suite, "trials": len(records), "complete": len(tested), "s, start to end": seconds,
            "s of training, all": sum(one.run_info.train_seconds for one in records),
            "median accuracy, %": f"{100 * statistics.median(tested):.2f}" if tested else "", "drivers": count,
            "holds": "; ".join(["NO", *sorted(set(failures))]) if failures else "yes",
        }  # fmt: skip


def keys(folder: Path) -> set[str]:
    """The trials that a ledger has."""
    return {record.key for record in Ledger(folder).records()} if folder.exists() else set()
