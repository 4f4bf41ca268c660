"""What `faults.py` does its damage to: a small suite, `bench run` in a process of its own, and the comparison after it.

The process is forked from one that has imported PyTorch and Ray already (`multiprocessing`'s fork server), so that two
hundred runs do not spend their time importing; from there on it is the command, with its own arguments and signals.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.ledger.ledger import Ledger

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "bench.cli",
        "bench.execution.tune",
        "bench.execution.run_trials",
        "bench.training.train_trial",
        "bench.commands.run",
        "bench.report.build_report",
    ]
)
PATIENCE = 600.0
"""Seconds after which a run counts as hung."""
LONG = 8
"""Epochs of the trials of runs with Ray, which takes longer to start one."""

Found = dict[str, tuple[Any, ...]]
"""Key to all result fields, predictions included."""


class TooLateError(Exception):
    """The run was over before its fault; such a round does not count."""


class WrongError(Exception):
    """Something went otherwise than it must; the message says what."""


def write_suite(folder: Path, epochs: int) -> Path:
    """Twelve trials of 135 steps an epoch on 3,000 made images; dropout and flips make chance part of them."""
    random_ = np.random.RandomState(0)
    labels = random_.randint(0, 2, 5000)
    images = (random_.rand(5000, 12, 12) * 200 + labels[:, None, None] * 20).astype(np.uint8)
    parts = {"train": slice(3000), "test": slice(3000, None)}
    np.savez(
        folder / "made.npz",
        **{f"{part}_images": images[which] for part, which in parts.items()},
        **{f"{part}_labels": labels[which] for part, which in parts.items()},
    )
    path = folder / f"faults-{epochs}.yaml"
    defaults = {"dataset": {"name": "npz", "path": "made.npz"}, "epochs": epochs, "batch_size": 20}
    grid = {
        "model": {"name": "mlp", "hidden": [32]},
        "optimizer": {"name": "adam", "lr": {"grid": [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01]}},
        "regularizer": ["none", {"name": "dropout", "rate": 0.2}],
        "augmentation": "flip",
    }
    path.write_text(json.dumps({"name": "faults", "defaults": defaults, "grid": grid}))
    return path


def found_in(results: Path) -> Found:
    """Everything that complete trials found."""
    ledger = Ledger(results)
    return {
        record.key: (
            json.dumps(record.result.__dict__, sort_keys=True),
            *(values.tobytes() for values in ledger.predictions(record.key).__dict__.values()),
        )
        for record in ledger.records()
        if record.status == "complete"
    }


def files(results: Path) -> list[Path]:
    """The entries that lie in a ledger."""
    return sorted(results.glob("entries/*/*.npz"))


def entries(results: Path) -> set[str]:
    """Their names."""
    return {path.name for path in files(results)}


@dataclass
class Driver:
    """One `bench run` under way; `log` is what it prints."""

    process: Any
    log: Path

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    @property
    def ended(self) -> bool:
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll() is not None
        return not self.process.is_alive()

    def end(self) -> int:
        """Wait for its end; the exit code, negative after a signal. WrongError where it never comes."""
        limit = time.monotonic() + PATIENCE
        while not self.ended:
            if time.monotonic() > limit:
                self.process.kill()
                raise WrongError(f"hung for {PATIENCE:.0f} s:\n{self.said()}")
            time.sleep(0.02)
        return int(self.process.returncode if isinstance(self.process, subprocess.Popen) else self.process.exitcode)

    def must_end(self, *codes: int) -> int:
        """Wait for its end, with one of these exit codes and without a traceback; WrongError tells another."""
        code = self.end()
        if code not in codes or "Traceback" in self.said():
            raise WrongError(f"exit code {code}, expected {' or '.join(map(str, codes))}:\n{self.said()}")
        return code

    def said(self) -> str:
        return self.log.read_text(errors="replace")


Launch = Callable[[list[str], Path], Any]
"""Starts `bench ARGUMENTS`, its output into a file; a `Process` of multiprocessing, or a `Popen`."""


def forked(arguments: list[str], log: Path) -> Any:
    """Start the command in a process that has imported what it needs."""
    process = SERVER.Process(target=_command, args=(arguments, log))
    process.start()
    return process


def fresh(settings: dict[str, str]) -> Launch:
    """Start it from nothing, with these settings in its environment."""

    def launch(arguments: list[str], log: Path) -> Any:
        with log.open("wb") as file:
            command = [sys.executable, "-m", "bench", *arguments]
            return subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **settings})

    return launch


@dataclass
class Scene:
    """One round: a ledger of its own in a folder of its own, a command, and chance.

    `results` is the ledger, as this process sees it, `undisturbed` one that the same command made in peace; a trial
    takes about `seconds`. `driver` is one that goes on after its fault.
    """

    arguments: list[str]
    results: Path
    undisturbed: Path
    chance: random.Random
    seconds: float
    launch: Launch = forked
    driver: Driver | None = None
    started: list[Driver] = field(default_factory=list)

    def start(self) -> Driver:
        """Start the command, unless it goes on already."""
        if self.driver:
            return self.driver
        self.results.parent.mkdir(parents=True, exist_ok=True)
        log = self.results.parent / f"log-{time.monotonic_ns()}"
        log.touch()
        self.started.append(Driver(self.launch(self.arguments, log), log))
        return self.started[-1]

    def wait(self, driver: Driver) -> None:
        """Until a moment drawn at random: some more trials have ended, and a part of the next one is over."""
        there, most = len(entries(self.results)), len(entries(self.undisturbed)) - 1
        count = self.chance.randint(min(there, most), min(there + most // 2, most))
        rest = self.chance.uniform(0, 1.5 * self.seconds)
        limit = time.monotonic() + PATIENCE
        while len(entries(self.results)) < count and not driver.ended:
            if time.monotonic() > limit:
                raise WrongError(f"{count} trials did not end in {PATIENCE:.0f} s:\n{driver.said()}")
            time.sleep(0.005)
        time.sleep(rest)
        if driver.ended:
            driver.must_end(0)
            raise TooLateError


def _command(arguments: list[str], log: Path) -> None:
    """In the forked process: be `bench ARGUMENTS`."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where this runs in the background
    gc.freeze()  # what was imported before need not be looked through again
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["bench", *arguments]
    from bench.__main__ import main

    main()
