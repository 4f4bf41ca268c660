"""Are the defaults for trials at once and threads the best? ``python benchmarks/jobs_and_threads.py [--repeats N]``.

Claim: `bench run` without `--jobs` and `--cpus-per-trial` trains at least 0.9 times as many images per second as the
best of one or two trials at once with one or two threads each; for the 784-128-64-10 network (batches of 256) and the
convolution block (batches of 64), on all of the machine's CPUs, on one (as by taskset), and under quotas of 1.5 and 1
CPUs (as by ``docker run --cpus``; control groups that may be written to, so as root, else they are left out).

For each limit two processes start under it. They train the same trial at the same moment, and the later one's seconds
count; the default is what `bench.system.slots` says within the limit. In turn, --repeats times after one that does not
count; the ratio is the median of the ratios within a turn.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing as mp
import os
import statistics
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cases import first
from figures import configuration, load_now, median_and_spread, show, verdict
from side_by_side import CASES

BOUND = 0.9
CHOICES = ((1, 1), (1, 2), (2, 1), (2, 2))
"""Trials at once, and threads of each."""
IMAGES = {"784-128-64-10, batch 256": 30_000, "conv2D, batch 64": 3_000}
GROUPS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
PERIOD = 100_000
LIMITS: dict[str, tuple[int | None, float | None]] = {
    "none": (None, None), "one CPU": (1, None), "quota of 1.5 CPUs": (None, 1.5), "quota of 1 CPU": (None, 1.0),
}  # fmt: skip
"""CPUs that may be used, and the quota of their time."""


def work(orders: Any, answers: Any, together: Any) -> None:
    """A process that trains when it is told to: (configuration, images, threads, whether to wait for the other one)."""
    import torch

    from bench.data import load
    from bench.suite.trial import TrialConfig
    from bench.system import slots
    from bench.training.train_trial import train_trial

    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    data = load("fashion_mnist")
    for order in iter(orders.get, None):
        if order == "slots":
            answers.put(slots(1, None, None))
            continue
        config, count, threads, wait = order
        torch.set_num_threads(threads)
        part = first(data, count, test=250)
        if wait:
            together.wait()
        answers.put(train_trial(TrialConfig.from_json(config), 0, part).train_seconds)


@contextlib.contextmanager
def processes(cpus: int | None, quota: float | None) -> Iterator[tuple[list[Any], Any]]:
    """Queues of orders of two processes within a limit, and that of their answers."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(allowed)[:cpus]))
    context = mp.get_context("spawn")
    orders, answers, together = [context.Queue(), context.Queue()], context.Queue(), context.Barrier(2)
    workers = [context.Process(target=work, args=(queue, answers, together), daemon=True) for queue in orders]
    group = quota_group(quota) if quota else None
    try:
        for worker in workers:
            worker.start()
            if group:
                (group / "cgroup.procs").write_text(str(worker.pid))
        yield orders, answers
    finally:
        for queue, worker in zip(orders, workers, strict=True):
            queue.put(None)
            worker.join()
        os.sched_setaffinity(0, allowed)
        if group:
            group.rmdir()


def quota_group(quota: float) -> Path:
    """A new control group with so many CPUs' time; OSError where none can be made."""
    top = next(folder for folder in GROUPS if folder.is_dir())
    group = top / f"bench-quota-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "cpu.cfs_quota_us").exists():
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(int(quota * PERIOD)))
        else:
            (group / "cpu.max").write_text(f"{int(quota * PERIOD)} {PERIOD}")
    except OSError:
        group.rmdir()
        raise
    return group


def measure(title: str, orders: list[Any], answers: Any, repeats: int) -> dict[tuple[int, int], list[float]]:
    """Images per second of each choice, in the order of the turns."""
    case, count = CASES[title], IMAGES[title]
    config = configuration({"model": case["model"], "optimizer": case["optimizer"]}, batch_size=case["batch_size"])
    speeds: dict[tuple[int, int], list[float]] = {choice: [] for choice in CHOICES}
    for _ in range(repeats + 1):
        for jobs, threads in CHOICES:
            for queue in orders[:jobs]:
                queue.put((config, count, threads, jobs > 1))
            speeds[jobs, threads].append(jobs * count / max(answers.get() for _ in range(jobs)))
    return {choice: turns[1:] for choice, turns in speeds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    load_before, rows = load_now(), []
    for limit, (cpus, quota) in LIMITS.items():
        try:
            with processes(cpus, quota) as (orders, answers):
                orders[0].put("slots")
                default = (min(2, answers.get()), 1)
                for title in CASES:
                    speeds = measure(title, orders, answers, repeats)
                    best = max(CHOICES, key=lambda choice: statistics.median(speeds[choice]))
                    ratios = [ours / other for ours, other in zip(speeds[default], speeds[best], strict=True)]
                    rows.append((
                        title, limit, *(f"{statistics.median(speeds[choice]):,.0f}" for choice in CHOICES),
                        f"{default[0]} x {default[1]}", f"{best[0]} x {best[1]}", median_and_spread(ratios),
                        verdict(statistics.median(ratios), BOUND, at_least=True),
                    ))  # fmt: skip
        except OSError as error:
            rows.append(("", limit, *[""] * len(CHOICES), "", "", f"left out: {error.strerror}", ""))
    names = [f"{jobs} x {threads}, images/s" for jobs, threads in CHOICES]
    header = ("network", "limit", *names, "default", "best", "default / best", f">= {BOUND}")
    show(f"Trials at once x threads of each, median of {repeats} turns", header, rows, load_before)


if __name__ == "__main__":
    main()
