"""The same sweep against PyTorch's and Ray Tune's tutorials. ``python -m benchmarks.peers.sweep_torch FOLDER``.

Claim: document E's sweep takes ``bench run`` at most a 15th of the time of a torchvision `FashionMNIST` with
`transforms` (``ToTensor``) behind a `DataLoader` under plain Ray Tune, all with their defaults, and at most a 25th with
augmentation (flip, crop with 2 pixels of padding, random erasing), start-up included on both sides.

In turn, --repeats times, without and with augmentation: Tune trains 6 of the 27 configurations (twice each batch size)
for --epochs epochs, as many at once as there are cores; bench trains all 27 for 1 epoch, then all 27 for 3. Both are
carried to 27 configurations of 30 epochs: starting up and ending once, all else times 27 over the configurations
trained, and an epoch's cost for the epochs that are left. For Tune that is the seconds of every trial's last epoch,
over the trials at once; for bench, half the difference of both commands. Validation accuracies are compared for the
configurations and epochs that both trained (with ``--epochs 3``). --quick: 2 configurations of Tune's,
3 of bench's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks import throughput
from benchmarks.figures import load_now, show
from benchmarks.peers import environments
from benchmarks.peers.sweep import EPOCHS, HEADER, TRIALS, Sides, accuracies, flops, points, same_results, sweep
from benchmarks.peers.timing import peer, slope

BOUNDS = {False: 15.0, True: 25.0}
WITH = {False: "without augmentation", True: "with augmentation"}
OURS = 3
"""Epochs of bench's longer command."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the peers' environments and images are, or will be made")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3, help="of the peer's trials, two or more: the last one counts")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    if chosen.epochs < 2:
        parser.error("--epochs: give two or more, as the last one counts, and the first one warms up")
    root = environments.torchvision_folder(chosen.folder)
    load_before, machine, results = load_now(), [], []
    compared, sides = points(2 if chosen.quick else 6), {augmented: Sides() for augmented in BOUNDS}
    for augmented, side in sides.items():
        with tempfile.TemporaryDirectory() as text:
            for turn in range(chosen.repeats):
                folder = Path(text) / str(turn)
                machine.append(throughput.matrix_throughput())
                theirs = peer(
                    sys.executable, "torch_sweep.py", root.resolve(), chosen.epochs, int(augmented),
                    json.dumps(compared), folder / "tune", trials=len(compared), epochs=chosen.epochs,
                )  # fmt: skip
                short = sweep(folder, folder / "short", 1, augmented, quick=chosen.quick)
                found = sweep(folder, folder / "long", OURS, augmented, quick=chosen.quick)
                side.turn(theirs, found, slope(short, found))
        if chosen.epochs in (short.epochs, found.epochs):
            alike = short if chosen.epochs == short.epochs else found
            theirs_reached = {(run[0], run[1], run[2]): run[3] for run in theirs.found["runs"]}
            what = f"Validation accuracy after {chosen.epochs} epochs, {WITH[augmented]}"
            results.append(same_results(theirs_reached, accuracies(alike, "validation"), what))
    best = throughput.of_the_machine(machine)
    rows = []
    for augmented, side in sides.items():
        names = (f"PyTorch, Ray Tune, {WITH[augmented]}", f"bench, {WITH[augmented]}")
        rows += side.rows(names, flops(found), best["float32"], BOUNDS[augmented])
    title = (
        f"Document E's sweep, {TRIALS} configurations of {EPOCHS} epochs, carried from {chosen.epochs} of theirs and "
        f"{OURS} of ours; median of {chosen.repeats} turns (smallest to largest)"
    )
    show(title, HEADER, rows, load_before)
    print(f"\n{throughput.line(best)}.")
    print("\n".join(results))


if __name__ == "__main__":
    main()
