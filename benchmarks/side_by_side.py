"""Do two one-thread trials side by side give nearly twice one? ``python benchmarks/side_by_side.py [--repeats N]``.

Claim: two trials at once, in two processes of one thread each, train at least 1.8 times as many images per second as
one alone, for the 784-128-64-10 network (batches of 256) and for the convolution block (batches of 64). It is what
running several trials on one machine is worth, and needs two cores that nothing else is using.

Two processes wait for each other, train the same trial at the same moment, and the later one's
`Outcome.train_seconds` counts; alone, one of them trains while the other sleeps. In turn, --repeats times after one
that does not count; the ratio is the median of the ratios within a turn. The last column but one is processor time
over wall time of the process that got less of it while both trained: well below 1, something else was at work on
this machine, and the ratio tells of that.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import statistics
import time
import warnings
from typing import Any

from cases import first
from figures import configuration, load_now, median_and_spread, show, verdict

BOUND = 1.8
CASES: dict[str, dict[str, Any]] = {
    "784-128-64-10, batch 256": {
        "model": {"name": "mlp", "hidden": [128, 64]},
        "optimizer": {"name": "adam", "lr": 1e-3}, "batch_size": 256, "images": 60_000, "epochs": 3,
    },
    "conv2D, batch 64": {
        "model": {"name": "cnn", "channels": [32], "kernel": 5, "padding": "valid", "hidden": [128], "dropout": 0.2},
        "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9}, "batch_size": 64, "images": 12_000, "epochs": 1,
    },
}  # fmt: skip


def work(orders: Any, answers: Any, together: Any) -> None:
    """A process that trains when it is told to: (configuration, images, whether to wait for the other one)."""
    import torch

    from bench.data import load
    from bench.suite.trial import TrialConfig
    from bench.training.train_trial import train_trial

    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(1)
    data = load("fashion_mnist")
    for config, count, wait in iter(orders.get, None):
        part = first(data, count, test=250)
        if wait:
            together.wait()
        start, used = time.perf_counter(), time.process_time()
        trained = train_trial(TrialConfig.from_json(config), 0, part).train_seconds
        answers.put((trained, (time.process_time() - used) / (time.perf_counter() - start)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    load_before, rows = load_now(), []
    context = mp.get_context("spawn")
    orders, answers, together = [context.Queue(), context.Queue()], context.Queue(), context.Barrier(2)
    workers = [context.Process(target=work, args=(queue, answers, together), daemon=True) for queue in orders]
    for worker in workers:
        worker.start()
    for title, case in CASES.items():
        grid = {"model": case["model"], "optimizer": case["optimizer"]}
        config = configuration(grid, batch_size=case["batch_size"])
        config["epochs"], count = case["epochs"], case["images"]
        alone, pair, shares = [], [], []
        for _ in range(repeats + 1):
            orders[0].put((config, count, False))
            alone.append(count * case["epochs"] / answers.get()[0])
            for queue in orders:
                queue.put((config, count, True))
            both = [answers.get(), answers.get()]
            pair.append(2 * count * case["epochs"] / max(seconds for seconds, _ in both))
            shares.append(min(share for _, share in both))
        alone, pair, shares = alone[1:], pair[1:], shares[1:]
        ratios = [two / one for one, two in zip(alone, pair, strict=True)]
        rows.append((
            title, median_and_spread(alone, ",.0f"), median_and_spread(pair, ",.0f"), median_and_spread(ratios),
            median_and_spread(shares),
            verdict(statistics.median(ratios), BOUND, at_least=True),
        ))  # fmt: skip
    for queue, worker in zip(orders, workers, strict=True):
        queue.put(None)
        worker.join()
    header = ("network", "one alone, images/s", "two at once, images/s", "two / one", "of a core", f">= {BOUND}")
    show(f"Two one-thread trials at once, median of {repeats} turns (smallest to largest)", header, rows, load_before)


if __name__ == "__main__":
    main()
