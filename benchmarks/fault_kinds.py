"""The faults of one machine that `faults.py` injects, each a function of a `Scene`.

Each starts the command, does its harm at a random moment, sees that the command ends as it must, and takes away what
hinders the next (fills no disk any longer).
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fault_runs import Scene, TooLateError, entries, files, fresh

from bench.ledger.leases import LeaseOwner, owner_bytes


@dataclass(frozen=True)
class Fault:
    """`before` is what was in the ledger, less `spoilt`, and may not be lost; `at` is `time.monotonic()`."""

    before: set[str]
    at: float
    spoilt: frozenset[str] = frozenset()


OUTPUT = 8192
"""More bytes than a run prints: a limit on the size of files holds for its log, too."""


def killed(scene: Scene) -> Fault:
    """kill -9 of the driver."""
    return _signalled(scene, signal.SIGKILL)


def terminated(scene: Scene) -> Fault:
    """SIGTERM to the driver."""
    return _signalled(scene, signal.SIGTERM)


def interrupted(scene: Scene) -> Fault:
    """SIGINT (Ctrl-C) to the driver."""
    return _signalled(scene, signal.SIGINT)


def _signalled(scene: Scene, number: signal.Signals) -> Fault:
    driver = scene.start()
    scene.wait(driver)
    before, at = entries(scene.results), time.monotonic()
    os.kill(driver.pid, number)
    # 130 is ours; the signal's own code is that of the moments before and after Python listens to it.
    if driver.must_end(-number, 130, 0) == 0:
        raise TooLateError
    return Fault(before, at)


def worker_killed(scene: Scene) -> Fault:
    """kill -9 of a process that trains; the run goes on by itself."""
    driver = scene.start()
    scene.wait(driver)
    while not (workers := _below(driver.pid, b"ray::ImplicitFunc")):  # none yet, or none any more
        if driver.ended:
            driver.must_end(0)
            raise TooLateError
        time.sleep(0.05)
    before, at = entries(scene.results), time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.kill(scene.chance.choice(workers), signal.SIGKILL)
    scene.driver = driver
    return Fault(before, at)


def limit_reached(scene: Scene) -> Fault:
    """The driver may write no file beyond a size, as at the end of a quota: RLIMIT_FSIZE, from a random moment on."""
    driver = scene.start()
    scene.wait(driver)
    before, at = entries(scene.results), time.monotonic()
    most = scene.chance.randrange(OUTPUT, _entry_size(scene))
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(driver.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    if driver.must_end(2, 0) == 0:
        raise TooLateError
    return Fault(before, at)


def disk_full(scene: Scene) -> Fault:
    """The file system of the ledger (a tmpfs) is filled up to a few bytes, and freed before the next run."""
    filler = scene.results / "filler"
    if not os.path.ismount(scene.results):
        scene.results.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(scene.results)], check=True)
        (scene.results / "entries").mkdir()
    driver = scene.start()
    scene.wait(driver)
    before, at = entries(scene.results), time.monotonic()
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(filler, max(0, filler.stat().st_size - scene.chance.randrange(2 * _entry_size(scene))))
    code = driver.must_end(2, 0)
    filler.unlink()
    if code == 0:
        raise TooLateError
    return Fault(before, at)


def half_an_entry(scene: Scene) -> Fault:
    """A part of a real entry lies under its name, a torn line ends the index, half a file lies in tmp; then kill -9."""
    driver = scene.start()
    scene.wait(driver)
    before, at = entries(scene.results), time.monotonic()
    whole = scene.chance.choice(files(scene.undisturbed))
    target = scene.results / whole.relative_to(scene.undisturbed)
    part = whole.read_bytes()[: scene.chance.randrange(whole.stat().st_size)]
    for place in (target, scene.results / "tmp" / f"{whole.name}.0"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(part)
    with (scene.results / "index.jsonl").open("ab") as file:
        file.write(part[:100])
    os.kill(driver.pid, signal.SIGKILL)
    driver.must_end(-signal.SIGKILL, 0)
    return Fault(before, at, frozenset([target.name]))


def entry_cut_short(scene: Scene) -> Fault:
    """kill -9, and one of the ledger's entries has lost its end, as after a power cut on a disk that lies."""
    fault = killed(scene)
    if not fault.before:
        return fault
    cut = scene.chance.choice(sorted(fault.before))
    path = next(scene.results.glob(f"entries/*/{cut}"))
    os.truncate(path, scene.chance.randrange(1 + path.stat().st_size))
    return replace(fault, spoilt=frozenset([cut]))


def two_drivers(scene: Scene) -> Fault:
    """A second driver on the same ledger, from a random moment on; every other time one of the two is killed."""
    drivers = [scene.start()]
    scene.wait(drivers[0])
    before, at = entries(scene.results), time.monotonic()
    drivers.append(scene.start())
    dies = scene.chance.choice([None, *drivers])
    if dies:
        time.sleep(scene.chance.uniform(0, 3 * scene.seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(dies.pid, signal.SIGKILL)
    for driver in drivers:
        driver.must_end(0, *([-signal.SIGKILL] if driver is dies else []))
    return Fault(before, at)


def times_ahead(scene: Scene) -> Fault:
    """kill -9, then the clock is set back: all files lie in the future, and claims of another machine among them."""
    fault = killed(scene)
    ahead = time.time() + scene.chance.uniform(1200, 30 * 86400)
    elsewhere = LeaseOwner("another", "", "", 1, "", "0" * 32)
    for whole in files(scene.undisturbed):
        claim = scene.results / "leases" / f"{whole.name.partition('-')[0]}.0"
        if not claim.exists() and scene.chance.random() < 0.5:
            claim.parent.mkdir(parents=True, exist_ok=True)
            claim.write_bytes(owner_bytes(elsewhere))
    for path in scene.results.rglob("*"):
        os.utime(path, (ahead, ahead))
    return fault


def clock_set_back(library: Path | None) -> Callable[[Scene], Fault]:
    """The clock that the driver sees goes back while it runs (libfaketime); every other time it is killed after."""

    def fault(scene: Scene) -> Fault:
        clock = scene.results.parent / "clock"
        clock.parent.mkdir(parents=True, exist_ok=True)
        clock.write_text("+0")
        settings = {"TIMESTAMP_FILE": str(clock), "NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
        scene.launch = fresh(
            {"LD_PRELOAD": str(library), **{f"FAKETIME_{name}": text for name, text in settings.items()}}
        )
        driver = scene.start()
        scene.wait(driver)
        before, at = entries(scene.results), time.monotonic()
        aside = clock.with_suffix(".new")
        aside.write_text(f"-{scene.chance.randrange(60, 30 * 86400)}")
        aside.replace(clock)
        if scene.chance.random() < 0.5:
            time.sleep(scene.chance.uniform(0, 2 * scene.seconds))
            os.kill(driver.pid, signal.SIGKILL)
        driver.must_end(0, -signal.SIGKILL)
        return Fault(before, at)

    return fault


@contextlib.contextmanager
def cleared(scene: Scene) -> Iterator[None]:
    """At the end nothing is left of a round that was broken off: no driver, nothing mounted."""
    try:
        yield
    finally:
        for driver in scene.started:
            if not driver.ended:
                driver.process.kill()
        if os.path.ismount(scene.results):
            subprocess.run(["umount", "--lazy", str(scene.results)], check=True)


def _entry_size(scene: Scene) -> int:
    return files(scene.undisturbed)[0].stat().st_size


def _below(driver: int, name: bytes) -> list[int]:
    """Processes below the driver whose command line has this name."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            names[int(folder.name)] = (folder / "cmdline").read_bytes()
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])

    def is_below(process: int) -> bool:
        while process in parents and process != driver:
            process = parents[process]
        return process == driver

    return sorted(process for process, line in names.items() if name in line and is_below(process))
