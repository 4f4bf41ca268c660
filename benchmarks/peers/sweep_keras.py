"""Document E's sweep against Keras. ``python -m benchmarks.peers.sweep_keras FOLDER [--repeats N] [--quick]``.

Claim: 3 penalties x 3 dropout rates x 3 batch sizes of the 784-128-64-10 network on Fashion-MNIST, 30 epochs each, take
``bench run`` at most a quarter of the time of a loop of Keras `fit` calls (Keras 3 on TensorFlow, all cores), start-up
included on both sides, to the same results.

In turn, --repeats times: Keras trains 9 of the 27 configurations (a Latin square of the grid) for 3 epochs in one
process; bench trains all 27 for 1 epoch, then all 27 for 3, each into an empty ledger. Both are carried to 27
configurations of 30 epochs: starting up and ending once, all else times 27 over the configurations trained, and an
epoch's cost for the epochs that are left. An epoch's cost is, for Keras, the mean time between the ends of two epochs
(the first, in which it compiles, counts once a configuration); for bench, half the difference of both commands.
Test accuracies after the 3 epochs are compared for the nine. --whole trains everything on both sides instead, some
40 minutes a turn. --quick: 3 configurations.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import throughput
from benchmarks.figures import load_now, median_and_spread, show
from benchmarks.peers import environments
from benchmarks.peers.sweep import EPOCHS, HEADER, TRIALS, Sides, accuracies, flops, points, same_results, sweep
from benchmarks.peers.timing import peer, slope

BOUND = 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the peers' environments are, or will be made")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--whole", action="store_true")
    chosen = parser.parse_args()
    load_before, machine, busy = load_now(), [], []
    python, images = environments.keras(chosen.folder), environments.arrays(chosen.folder)
    epochs = EPOCHS if chosen.whole else 3
    compared = points(3 if chosen.quick else TRIALS if chosen.whole else 9)
    sides = Sides()
    with tempfile.TemporaryDirectory() as text:
        for turn in range(chosen.repeats):
            folder = Path(text) / str(turn)
            machine.append(throughput.matrix_throughput())
            theirs = peer(
                python, "keras_sweep.py", images, epochs, json.dumps(compared), trials=len(compared), epochs=epochs
            )
            busy.append(theirs.found["busy"])
            found = sweep(folder, folder / "long", epochs, augmented=False, quick=chosen.quick)
            per_epoch = 0.0
            if not chosen.whole:
                short = sweep(folder, folder / "short", 1, augmented=False, quick=chosen.quick)
                per_epoch = slope(short, found)
            sides.turn(theirs, found, per_epoch)
    best = throughput.of_the_machine(machine)
    rows = sides.rows(("Keras", "bench"), flops(found), best["float32"], BOUND)
    how = "trained whole" if chosen.whole else f"carried from {epochs} epochs"
    title = (
        f"Document E's sweep, {TRIALS} configurations of {EPOCHS} epochs, {how}; median of {chosen.repeats} turns "
        f"(smallest to largest)"
    )
    show(title, HEADER, rows, load_before)
    print(f"\nKeras is {', '.join(environments.KERAS[:2])}. {throughput.line(best)}.")
    print(f"Keras's process used {median_and_spread(busy, '.0%')} of the cores' time; else it waited.")
    reached_by_keras = {(run[0], run[1], run[2]): run[3] for run in theirs.found["runs"]}
    print(same_results(reached_by_keras, accuracies(found, "test"), f"Test accuracy after {epochs} epochs"))


if __name__ == "__main__":
    main()
