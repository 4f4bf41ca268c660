"""Document E's sweep, for the scripts that compare it: 3 penalties x 3 dropout rates x 3 batch sizes, 30 epochs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import throughput
from benchmarks.cases import AUGMENTATION, SWEEP_DEFAULTS, sweep_grid
from benchmarks.figures import median_and_spread, verdict, write_suite
from benchmarks.peers.timing import Run, carried, ours

STRENGTHS, RATES, BATCHES = (1e-1, 1e-2, 1e-3), (0.2, 0.5, 0.7), (64, 128, 256)
TRIALS, EPOCHS = 27, 30
PICTURES = 48_000
"""The training part: the document holds out the last fifth."""

Point = tuple[float, float, int]
"""Penalty, dropout rate, batch size."""


def points(count: int = TRIALS) -> list[Point]:
    """Every point of the grid; with a count of 9, 6 or 3 as many of them, each batch size equally often.

    The nine are a Latin square, so that every value of every axis is met three times.
    """
    if count == TRIALS:
        return [(strength, rate, batch) for strength in STRENGTHS for rate in RATES for batch in BATCHES]
    square = [
        (STRENGTHS[-1 - row], RATES[(row + column) % 3], BATCHES[column]) for row in range(3) for column in range(3)
    ]
    return square[:count]


def sweep(folder: Path, results: Path, epochs: int, augmented: bool, *options: str, quick: bool = False) -> Run:
    """``bench run`` of the whole grid (`quick`: of three of its points)."""
    few, all_of_them = (1e-3, 0.5), ({"grid": list(STRENGTHS)}, {"grid": list(RATES)})
    grid = sweep_grid(*(few if quick else all_of_them), list(BATCHES))
    defaults = SWEEP_DEFAULTS | {"epochs": epochs, "augmentation": AUGMENTATION if augmented else "none"}
    folder.mkdir(parents=True, exist_ok=True)
    return ours(write_suite(folder, grid, defaults), results, *options, epochs=epochs)


def accuracies(run: Run, part: str) -> dict[Point, float]:
    """Accuracy of every point that bench trained, on `part` (``validation`` or ``test``)."""
    found: dict[Point, float] = {}
    for record in run.records:
        penalty, dropout = record.config["regularizer"]
        figures = getattr(record.result, part)
        found[(penalty["strength"], dropout["rate"], record.config["batch_size"])] = figures["accuracy"]
    return found


def flops(run: Run) -> int:
    """Floating-point operations of the network for one image forward, as the records say."""
    return int(run.records[0].run_info.flops or 0)


@dataclass
class Sides:
    """Seconds of the whole sweep, and of starting up for it, in turn: of the peer, then of bench."""

    seconds: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    starts: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))

    def turn(self, theirs: Run, found: Run, per_epoch: float) -> None:
        """Take in a turn, carried to the whole sweep; `per_epoch` is `carried`'s for bench."""
        for place, (run, each) in enumerate(((theirs, theirs.found["per_epoch"]), (found, per_epoch))):
            self.seconds[place].append(carried(run, each, TRIALS, EPOCHS))
            self.starts[place].append(run.fixed)

    def rows(self, names: tuple[str, str], forward: int, limit: float, bound: float) -> list[tuple[str, ...]]:
        """A row of `HEADER` for each side; `forward` is the network's work for an image, `limit` the machine's."""
        ratios = [peers / mine for peers, mine in zip(*self.seconds, strict=True)]
        judged = f"{bound:.0f}: {verdict(statistics.median(ratios), bound, at_least=True)}"
        last = ("", ""), (median_and_spread(ratios), judged)
        return [
            (name, *_speed(seconds, start, forward, limit), *compared)
            for name, seconds, start, compared in zip(names, self.seconds, self.starts, last, strict=True)
        ]


HEADER = ("", "seconds", "start-up of it", "images/s", "of the matrix units", "peer / bench", "at least")


def _speed(seconds: Sequence[float], starts: Sequence[float], forward: int, limit: float) -> tuple[str, ...]:
    speed = TRIALS * EPOCHS * PICTURES / statistics.median(seconds)
    reached = throughput.training_gflops(forward, speed)
    share = f"{reached:.1f} GF/s, {reached / limit:.1%}"
    return median_and_spread(seconds, ",.0f"), median_and_spread(starts, ".1f"), f"{speed:,.0f}", share


def same_results(theirs: dict[Point, float], found: dict[Point, float], what: str) -> str:
    """A sentence on how far apart both sides' accuracies are, over the points that both trained."""
    both = sorted(theirs.keys() & found.keys())
    apart = [found[point] - theirs[point] for point in both]
    mean_theirs, mean_ours = (sum(side[point] for point in both) / len(both) for side in (theirs, found))
    return (
        f"{what}, mean of {len(both)} configurations that both trained: bench {mean_ours:.4f}, peer {mean_theirs:.4f}; "
        f"bench - peer {min(apart):+.4f} to {max(apart):+.4f}; best: bench {max(found[point] for point in both):.4f}, "
        f"peer {max(theirs.values()):.4f}"
    )
