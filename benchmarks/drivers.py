"""What do several drivers on one ledger give, and a thousand reports? ``python benchmarks/drivers.py [--only PART]``.

trials: 1, 2 and 4 drivers (a process each, `bench run --no-ray` without its start) share a suite of trivial trials in
a new ledger, a folder and a bucket of moto's S3 server on loopback. Trials per second from the first driver's start to
the last one's end; CPU time of all drivers for each trial; requests to the server for each, which at a real one take
their time one after the other. "trained" are trials of an epoch on 40 images, "made" ones cost nothing, so what is
measured is the coordinator and the ledger alone. Each trial has to be there once.

reports: CPU time of the coordinator for a report of progress, of a thousand running trials: between rungs, and at one.

ray: the same through Ray Tune: trials that report as fast as the driver takes it in.

waiting: which part of their time trials wait for the driver, a discrete-event simulation of trials that report to one
driver with the cost that ``ray`` measured (or --cost), first come first served; as it was before trials watched how
long a report takes (twice a second, or after every epoch under pruning), and as `bench.execution.worker.ReportPace`
has it.
"""

from __future__ import annotations

import argparse
import heapq
import io
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from figures import load_now, show, write_suite
from rich.console import Console

from bench.data import Dataset
from bench.execution.coordinator import Coordinator
from bench.execution.messages import RunOptions, TrialReport, TrialResult
from bench.execution.progress import PlainProgress, ProgressStats
from bench.execution.run_trials import run_trials
from bench.execution.scheduler import RunningTrial
from bench.execution.worker import MAX_REPORT_FRACTION, REPORT_SECONDS
from bench.ledger.ledger import Ledger
from bench.ledger.record import Result, RunInfo
from bench.ledger.store import list_entries
from bench.metrics import Predictions
from bench.suite.schema import Pruning
from bench.suite.suite import load_suite
from bench.suite.trial import Trial, trials
from bench.training.epoch_progress import Progress

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["bench.execution.run_trials", "bench.training.train_trial"])
DRIVERS = (1, 2, 4)
PARTS = ("trials", "reports", "ray", "waiting")
RUNNING = 1_000
IMAGES = 10_000
"""Test images of made trials, as in real ones: predictions are most of an entry."""
METRICS = {"train_loss": 0.5, "train_accuracy": 0.8, "val_loss": 0.5, "val_accuracy": 0.8, "lr": 0.1}


def planned(folder: Path, count: int, epochs: int = 1) -> tuple[list[Trial], dict[str, Dataset]]:
    """`count` trials of one network and their few images."""
    random, labels = np.random.default_rng(0), np.arange(40) % 2
    images = random.integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)
    data = Dataset("fashion_mnist", ("a", "b"), images, labels, images, labels, "", folder)
    rates = [number / 10_000 for number in range(1, count + 1)]
    suite = write_suite(
        folder,
        {"model": {"name": "mlp", "hidden": [4]}, "optimizer": {"name": "sgd", "lr": {"grid": rates}}},
        {"dataset": "fashion_mnist", "epochs": epochs},
        name="drivers",
    )
    todo = trials(load_suite(suite), lambda _: "", lambda _: None)
    return todo, {todo[0].data: data}


def quiet(todo: list[Trial]) -> PlainProgress:
    return PlainProgress(ProgressStats(todo, [], 1), Console(file=io.StringIO()))


# --- trials ----------------------------------------------------------------------------------------


def made_result() -> TrialResult:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(10), IMAGES).astype(np.float16)
    predicted, ones = probabilities.argmax(1).astype(np.uint8), np.ones(IMAGES, np.float32)
    predictions = Predictions(
        labels=predicted, predicted=predicted, confidence=ones, true_class_probability=ones,
        true_rank=np.zeros(IMAGES, np.uint8), probabilities=probabilities,
    )  # fmt: skip
    curves: dict[str, list[float | None]] = {name: [value] for name, value in METRICS.items()}
    metrics = {"accuracy": 0.8, "loss": 0.5}
    result = Result(curves, 1, 1, metrics, metrics, metrics, [str(number) for number in range(10)])
    return TrialResult("complete", result, RunInfo(train_seconds=0.01), predictions)


def drive(root: str, folder: str, count: int, how: str, barrier: Any, answers: Any) -> None:
    """One driver, in a process of its own: when it began and ended, its CPU time, and what it ran."""
    todo, datasets = planned(Path(folder), count)
    ledger, result = Ledger(root), made_result()
    if how == "trained":  # what a process's first training costs is no trial's
        with tempfile.TemporaryDirectory() as own:
            run_trials(todo[:1], datasets, Ledger(own), Console(file=io.StringIO()), RunOptions(use_ray=False))
    barrier.wait()
    begun, cpu = time.time(), time.process_time()
    if how == "trained":
        ended = len(run_trials(todo, datasets, ledger, Console(file=io.StringIO()), RunOptions(use_ray=False)))
    else:
        coordinator = Coordinator(todo, ledger, RunOptions(), quiet(todo))
        while True:
            if trial := coordinator.next_trial():
                coordinator.receive(trial.key, result)
            elif coordinator.leased_elsewhere:
                coordinator.poll_other_drivers()
            else:
                break
        ended = len(coordinator.ended)
    answers.put((begun, time.time(), time.process_time() - cpu, ended))


def shared(root: str, drivers: int, count: int, how: str) -> tuple[float, float]:
    """Trials per second, and CPU seconds for each, of so many drivers on a new ledger."""
    barrier, answers = SERVER.Barrier(drivers), SERVER.Queue()
    with tempfile.TemporaryDirectory() as text:
        folders = [Path(text, str(number)) for number in range(drivers)]
        for folder in folders:
            folder.mkdir()
        processes = [
            SERVER.Process(target=drive, args=(root, str(folder), count, how, barrier, answers)) for folder in folders
        ]
        for process in processes:
            process.start()
        found = [answers.get(timeout=600) for _ in processes]
        for process in processes:
            process.join()
    names = Counter(name.partition("-")[0] for name in list_entries(Ledger(root).store).entries)
    if len(names) != count or names.total() != count:
        sys.exit(f"{count} trials: {len(names)} are in the ledger, in {names.total()} entries")
    begun, ended, cpu, _ = zip(*found, strict=True)
    return count / (max(ended) - min(begun)), sum(cpu) / count


@contextmanager
def object_store(folder: Path) -> Iterator[tuple[str, Path]]:
    """A bucket's URL, and the server's log of requests."""
    import s3fs

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_STATE_HOME": str(folder / "state"),
    }  # fmt: skip
    log = folder / "requests"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            while True:
                try:
                    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bench-drivers")
                    break
                except Exception:
                    if server.poll() is not None:
                        sys.exit(log.read_text())
                    time.sleep(0.3)
            yield "s3://bench-drivers", log
        finally:
            server.kill()
            server.wait()


def requests(log: Path) -> int:
    return log.read_bytes().count(b" HTTP/1.1")


def trials_table(count: int) -> None:
    before, rows = load_now(), []
    with tempfile.TemporaryDirectory() as text, object_store(Path(text)) as (bucket, log):
        for store, how in (("files", "trained"), ("files", "made"), ("S3", "trained"), ("S3", "made")):
            for drivers in DRIVERS:
                root = str(Path(text, f"{how}-{drivers}")) if store == "files" else f"{bucket}/{how}-{drivers}"
                n_trials, asked = count if store == "files" else count // 3, requests(log)
                rate, cpu = shared(root, drivers, n_trials, how)
                asked = requests(log) - asked
                rows.append([
                    store, how, str(drivers), str(n_trials), f"{rate:.1f}", f"{1000 * cpu:.1f}",
                    f"{asked / n_trials:.1f}" if store == "S3" else "",
                ])  # fmt: skip
                print(*rows[-1], file=sys.stderr, flush=True)
    header = ("ledger", "trials", "drivers", "count", "trials per second", "CPU, ms each", "requests each")
    show("Several drivers on one ledger", header, rows, before)


# --- reports ---------------------------------------------------------------------------------------


def reports_table(times: int) -> None:
    """CPU time of `Coordinator.receive` for a report, of a thousand trials that run."""
    before, rows = load_now(), []
    with tempfile.TemporaryDirectory() as text:
        todo, _ = planned(Path(text), RUNNING, epochs=1_000)
        for name, pruning, first in (
            ("no pruning", None, 1),
            ("pruning, between rungs", Pruning(grace_period=500, reduction_factor=2), 1),
            ("pruning, at a rung", Pruning(grace_period=1, reduction_factor=10), 1),
        ):
            options = RunOptions(pruning=pruning)
            coordinator = Coordinator(todo, Ledger(Path(text, name)), options, quiet(todo))
            for trial in todo:
                coordinator.leases.acquire = lambda _: True  # type: ignore[method-assign]
                assert coordinator.next_trial() == trial or pruning
            reports = 1 if "at a rung" in name else times
            start, cpu = time.perf_counter(), time.process_time()
            for epoch in range(first, first + reports):
                for key in list(coordinator.running):
                    coordinator.receive(key, Progress(epoch, 1_000, METRICS, 1.0))
            count = reports * RUNNING
            rows.append([
                name, f"{count:,}", f"{1e6 * (time.process_time() - cpu) / count:.0f}",
                f"{1e6 * (time.perf_counter() - start) / count:.0f}",
            ])  # fmt: skip
    show(
        f"The coordinator's cost of a report, {RUNNING:,} running trials, a ledger of files",
        ("reports", "count", "CPU, us each", "us each"), rows, before,
    )  # fmt: skip


# --- ray -------------------------------------------------------------------------------------------


class Timed(PlainProgress):
    """Notes the clock and the driver's CPU time at each report."""

    def __init__(self, stats: ProgressStats):
        super().__init__(stats, Console(file=io.StringIO()))
        self.moments: list[tuple[float, float]] = []

    def trial_progressed(self, running: RunningTrial) -> None:
        super().trial_progressed(running)
        self.moments.append((time.perf_counter(), time.process_time()))


def ray_table(slots: tuple[int, ...], reports: int) -> float:
    """Reports through Ray Tune as fast as they are taken in; the driver's CPU seconds for one."""
    from bench.execution import tune

    def reporting(config: dict[str, Any], **_: Any) -> None:  # noqa: ARG001 (as Tune calls it)
        start = time.perf_counter()
        for epoch in range(1, reports + 1):
            tune._report(TrialReport(progress=[Progress(epoch, reports, METRICS, 1.0)]))
        waited = time.perf_counter() - start
        result = replace(made_result().result, curves={})
        info = RunInfo(train_seconds=waited)
        tune._report(TrialReport(end=TrialResult("complete", result, info, made_result().predictions)))

    tune._train = reporting
    before, rows, cost = load_now(), [], 0.0
    for n_slots in slots:
        with tempfile.TemporaryDirectory() as text:
            todo, datasets = planned(Path(text), n_slots, epochs=reports)
            displays: list[Timed] = []

            def display(stats: ProgressStats, displays: list[Timed] = displays) -> Timed:
                displays.append(Timed(stats))
                return displays[0]

            options = RunOptions(jobs=n_slots, cpus_per_trial=min(1.0, 2 / n_slots), gpus_per_trial=0)
            records = run_trials(
                todo, datasets, Ledger(Path(text, "r")), Console(file=io.StringIO()), options, display=display
            )
        moments = displays[0].moments[len(displays[0].moments) // 4 :]  # when all run
        count = len(moments) - 1
        seconds, cpu = (moments[-1][part] - moments[0][part] for part in (0, 1))
        waited = sum(record.run_info.train_seconds for record in records) / len(records) / reports
        cost = max(cost, cpu / count)
        rows.append([
            str(n_slots), f"{count:,}", f"{count / seconds:.0f}", f"{1000 * cpu / count:.2f}", f"{1000 * waited:.1f}"
        ])  # fmt: skip
        print(*rows[-1], file=sys.stderr, flush=True)
    header = ("trials side by side", "reports", "per second", "driver's CPU, ms each", "a trial waits, ms")
    show("Reports through Ray Tune, as fast as they are taken in", header, rows, before)
    return cost


# --- waiting ---------------------------------------------------------------------------------------


def waiting(n_trials: int, epoch_seconds: float, cost: float, policy: str, seconds: float = 300.0) -> float:
    """The part of their time that trials wait for one driver, of which each report takes `cost` seconds."""
    coming = [(epoch_seconds * (1 + number / n_trials), number) for number in range(n_trials)]
    not_before = dict.fromkeys(range(n_trials), 0.0)
    free_at = total = 0.0
    while coming[0][0] < seconds:
        now, number = heapq.heappop(coming)
        done = now
        if policy == "every epoch" or now > not_before[number]:
            done = free_at = max(now, free_at) + cost
            total += min(done, seconds) - now
            pause = REPORT_SECONDS if policy == "twice a second" else (done - now) / MAX_REPORT_FRACTION
            not_before[number] = done + max(REPORT_SECONDS, pause)
        heapq.heappush(coming, (done + epoch_seconds, number))
    return total / n_trials / seconds


def waiting_table(cost: float) -> None:
    before, rows = load_now(), []
    for n_trials in (100, 1_000):
        for epoch_seconds in (0.1, 1.0, 10.0):
            cells = [
                f"{waiting(n_trials, epoch_seconds, cost, policy):.1%}"
                for policy in ("twice a second", "every epoch", "as needed")
            ]
            rows.append([f"{n_trials:,}", f"{epoch_seconds:g}", *cells])
    show(
        f"Part of their time that trials wait for the driver, simulated, {1000 * cost:.2f} ms a report",
        ("running trials", "s an epoch", "twice a second (before)", "every epoch (before, pruning)", "as needed (now)"),
        rows, before,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--trials", type=int, default=240, help="trials in a folder; a third of them in the bucket")
    parser.add_argument("--reports", type=int, default=1_000, help="of each trial through Ray")
    parser.add_argument("--cost", type=float, default=2.0, help="ms of the driver for a report, where ray is left out")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"--only {', '.join(sorted(unknown))}: give some of {', '.join(PARTS)}")
    cost = given.cost / 1000
    if "trials" in wanted:
        trials_table(given.trials)
    if "reports" in wanted:
        reports_table(20)
    if "ray" in wanted:
        cost = ray_table((1, 2), given.reports)
    if "waiting" in wanted:
        waiting_table(cost)


if __name__ == "__main__":
    main()
