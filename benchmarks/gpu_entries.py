"""Do the GPU entries of suites/frontier.yaml train? ``python benchmarks/gpu_entries.py [--steps N]``.

Each of them is trained here for --steps steps of its own recipe at a batch of 32, in three runs over as many images as
that takes, the schedule squeezed into them, and judged on 1,000 test images that stand for nothing else. Shown: the
training loss of the first and of the last third, that accuracy, seconds a step, and what an epoch costs by arithmetic:
three times the forward pass's operations (`bench.execution.operation_cost` counts them) for each of 60,000 images, at
the rate that was measured here and at the one that `bench plan` assumes of a GPU, which is not measured. An entry
trains if its loss falls from the first third to the last and more than half of those test images are right.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from typing import Any

import torch
from cases import first
from figures import load_now, show

from bench.data import load
from bench.data.dataset import Dataset
from bench.execution.operation_cost import GPU_RATE, PASSES
from bench.suite.find_suite import find_suite
from bench.suite.labels import labels
from bench.suite.suite import load_suite
from bench.suite.trial import TrialConfig
from bench.training.train_trial import TrialOutcome, train_trial

MODELS = ("wide_resnet", "preact_resnet")
BATCH, THIRDS = 32, 3


def trained(config: dict[str, Any], data: Dataset, steps: int) -> tuple[TrialOutcome, float]:
    """An outcome after so many steps, and seconds a step."""
    count = BATCH * (steps // THIRDS)
    found = train_trial(
        TrialConfig.from_json({**config, "batch_size": BATCH, "epochs": THIRDS}), 0, first(data, count, test=1000)
    )
    if found.test is None:
        sys.exit(f"{config['model']}: {found.status} after {found.epochs_run} of {THIRDS} runs")
    return found, found.train_seconds / (THIRDS * (count // BATCH))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if given.steps < THIRDS:
        parser.error(f"--steps {given.steps}: give {THIRDS} or more")
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(given.threads)
    suite = load_suite(find_suite("frontier"))
    configs = [config for config, _ in suite.configurations if config["model"]["name"] in MODELS]
    data, before, rows = load("fashion_mnist"), load_now(), []
    for config, label in zip(configs, labels(configs), strict=True):
        start = time.perf_counter()
        found, seconds = trained(config, data, given.steps)
        losses = [loss for loss in found.curves["train_loss"] if loss is not None]
        accuracy = found.test["accuracy"] if found.test else 0.0
        work = PASSES * found.flops * 60_000
        rate = PASSES * found.flops * BATCH / seconds
        rows.append((
            label, f"{found.parameters / 1e6:.2f}", f"{found.flops / 1e6:,.0f}", f"{seconds:.2f}",
            f"{losses[0]:.2f} to {losses[-1]:.2f}", f"{100 * accuracy:.1f}",
            f"{work / 1e15:.2f}", f"{work / rate / 60:.0f}", f"{work / GPU_RATE:.0f}",
            "yes" if losses[-1] < losses[0] and accuracy > 0.5 else "NO",
        ))  # fmt: skip
        print(f"{label}: {time.perf_counter() - start:.0f} s", flush=True)
    header = ("entry", "parameters, M", "forward, MFLOP", "s a step of 32", "loss, first to last third",
              "accuracy, %", "PFLOP an epoch", "minutes an epoch here",
              f"s an epoch at {GPU_RATE / 1e12:.0f} TFLOP/s", "trains")  # fmt: skip
    show(f"{THIRDS * (given.steps // THIRDS)} steps each, {given.threads} threads", header, rows, before)


if __name__ == "__main__":
    main()
