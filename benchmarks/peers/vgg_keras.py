"""customVGG against Keras. ``python -m benchmarks.peers.vgg_keras FOLDER [--repeats N] [--images N] [--quick]``.

Claim: document B's customVGG (1,990,915 parameters, 28 channels in, batches of 64, SGD) trains at 3 times the images
per second of Keras 3 on TensorFlow, whole machine against whole machine.

One process of Keras, which has all cores, and two of bench wait for orders; only one side works at a time. In turn,
--repeats times, in float32 and in bfloat16 (Keras's policy ``mixed_bfloat16``, bench's ``precision: bfloat16``): Keras
trains an epoch of --images images; bench trains as many in each of two one-thread trials side by side (their sum
over the later one's seconds), then once in one trial of two threads. The better of the two, by medians, is compared.
Keras's seconds are those from the start of `fit` to the end of its last batch, in a network that has compiled and
trained an epoch before (how long `fit` waited after that is told beside it); bench's are
`Outcome.train_seconds` of `train_trial`, evaluation left out on both sides. bench folds the 28 channels that are made
of each image into two, the same function at a tenth fewer operations; shares of the machine are of each side's own.
--quick: 128 images.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import statistics
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from benchmarks import throughput
from benchmarks.cases import CUSTOM_VGG, VGG_DEFAULTS, first, unfolded_flops
from benchmarks.figures import configuration, load_now, median_and_spread, show, verdict
from benchmarks.peers import environments
from benchmarks.peers.timing import THEIRS

BOUND = 3.0
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def configurations() -> dict[str, dict[str, Any]]:
    """One resolved configuration for each precision: one epoch of everything it is given."""
    return {precision: configuration(CUSTOM_VGG, **VGG_DEFAULTS, precision=precision) for precision in PRECISIONS}


def work(orders: Any, answers: Any, together: Any) -> None:
    """A process of bench that trains when it is told to: (configuration, images, threads, whether both train)."""
    import torch

    from bench.data import load
    from bench.training.train_trial import train_trial

    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    data = load("fashion_mnist")
    for config, count, threads, wait in iter(orders.get, None):
        torch.set_num_threads(threads)
        if wait:
            together.wait()
        outcome = train_trial(config, 0, first(data, count))
        answers.put((outcome.train_seconds, outcome.flops))


def keras_seconds(process: subprocess.Popen[str], policy: str, count: int) -> tuple[float, float]:
    """Seconds of one epoch in the waiting Keras: until its last batch was trained, and until `fit` came back."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{policy} {count}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        sys.exit("the process of Keras ended; its message stands above")
    trained, whole = map(float, answer.split())
    return trained, whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the peers' environments are, or will be made")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--images", type=int, default=5_120)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    count = 128 if chosen.quick else chosen.images
    load_before, machine, flops = load_now(), [], 0
    python, images = environments.keras(chosen.folder), environments.arrays(chosen.folder)
    context = mp.get_context("spawn")
    orders, answers, together = [context.Queue(), context.Queue()], context.Queue(), context.Barrier(2)
    workers = [context.Process(target=work, args=(queue, answers, together), daemon=True) for queue in orders]
    for worker in workers:
        worker.start()
    command = [python, THEIRS / "keras_vgg.py", images]
    keras = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    configs = configurations()
    ways = ("Keras", "two trials, one thread each", "one trial, two threads")
    speeds: dict[str, dict[str, list[float]]] = {precision: {way: [] for way in ways} for precision in PRECISIONS}
    waits: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for turn in range(chosen.repeats + 1):  # the first does not count
        machine.append(throughput.matrix_throughput())
        for precision, policy in PRECISIONS.items():
            trained, whole = keras_seconds(keras, policy, count)
            theirs = count / trained
            for queue in orders:
                queue.put((configs[precision], count, 1, True))
            both = [answers.get(), answers.get()]
            flops = both[0][1]
            orders[0].put((configs[precision], count, 2, False))
            alone = count / answers.get()[0]
            if turn:
                found = (theirs, 2 * count / max(seconds for seconds, _ in both), alone)
                for way, speed in zip(ways, found, strict=True):
                    speeds[precision][way].append(speed)
                told = ", ".join(f"{way} {speed:.0f}" for way, speed in zip(ways, found, strict=True))
                print(f"turn {turn}, {precision}: images/s {told}; fit waited {whole - trained:.1f} s more", flush=True)
                waits[precision].append(whole / trained)
    for queue, worker in zip(orders, workers, strict=True):
        queue.put(None)
        worker.join()
    keras.communicate()
    best, rows, written = throughput.of_the_machine(machine), [], unfolded_flops(configs["float32"])
    for precision, policy in PRECISIONS.items():
        medians = {way: statistics.median(speeds[precision][way]) for way in ways}
        better = max(ways[1:], key=lambda way: medians[way])
        for way in ways:
            turns = zip(speeds[precision][ways[0]], speeds[precision][way], strict=True)
            ratios = [ours / theirs for theirs, ours in turns]
            reached = throughput.training_gflops(written if way == "Keras" else flops, medians[way])
            name = f"Keras, {policy}" if way == "Keras" else f"bench, {precision}, {way}"
            rows.append((
                name, median_and_spread(speeds[precision][way], ",.0f"),
                f"{reached:.0f} GF/s, {reached / best[precision]:.0%}",
                "" if way == "Keras" else median_and_spread(ratios),
                verdict(statistics.median(ratios), BOUND, at_least=True) if way == better else "",
            ))  # fmt: skip
        if precision == "bfloat16":
            turns = zip(speeds["float32"][ways[0]], speeds["bfloat16"][better], strict=True)
            across = median_and_spread([ours / theirs for theirs, ours in turns])
    title = f"customVGG, {count} images a turn, median of {chosen.repeats} turns (smallest to largest)"
    header = ("", "images/s", "of the matrix units", "bench / Keras, same precision", f">= {BOUND:.0f}")
    show(title, header, rows, load_before)
    print(f"\nbench in bfloat16 against Keras in its default, float32: {across}.")
    told = ", ".join(f"{median_and_spread(found)} in {PRECISIONS[precision]}" for precision, found in waits.items())
    print(f"Keras's `fit` took so many times as long as until its last batch: {told}.")
    print(
        f"Keras is {', '.join(environments.KERAS[:2])}. {throughput.line(best)}; {written:,} FLOPs an image "
        f"forward in Keras, and {flops:,} in bench, which folds the 28 channels of standardized columns into two."
    )


if __name__ == "__main__":
    main()
