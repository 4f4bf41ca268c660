"""How often does `bench compare` pass what is too bad, and which drop can it see? ``python benchmarks/drops.py``.

Claims: where NEW is worse than BASE by just `--max-drop`, "not worse" is said in at most 2.5 % of cases, on 50 to
10,000 test images and with 1, 3 and 5 seeds; and so is "worse". The last table says which drop each of these can see.

Made pairs. An image's chance to be missed is 0.9 Beta(.075, 1.075), 5.9 % in all, as in `coverage.py`; the two have
these chances in common in 7 of 10 images, and a seed multiplies its errors by a factor with a deviation of 3 %. NEW
loses .3, 1, 3 and 8 points, in three ways:

- *harder*: all its chances to miss are larger.
- *blind*: it is BASE, but misses a few kinds of images always, so that a small test part may hold none of them.
- *twin*: as blind, and neither has any chance in it: the two networks differ nowhere else.

The rate of a row is the worst of these twelve. "t interval" is what the two-way components' interval would have done,
which takes the variance of the images for known. Truth is the mean over new images (and seeds, where there are
several; with one seed that of these two networks, whose factors are 1). Of single runs the images that only one of the
two gets right are drawn as two counts, which is the same and allows a hundred times as many pairs.

"at most": were all rates of the table 2.5 %, or 2.9 % of single runs, whose score test is an approximation
(`bench.statistics.paired_tests.one_sided_mcnemar`), none of them would lie above this in 19 of 20 runs of the script.

The smallest drop: two equal configurations, and the least `--max-drop` by which "not worse" is said in 4 of 5 cases. As
large must a drop be to be called "worse" than 0 in 4 of 5.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from functools import cache

import numpy as np
from coverage import EASE, ERROR, HARDEST
from figures import load_now, show, verdict
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from bench.statistics import paired_tests
from bench.statistics.contrasts import difference
from bench.statistics.intervals import Interval
from bench.statistics.means import measure
from bench.statistics.paired_tests import McNemar, mcnemar, one_sided_mcnemar

Floats = NDArray[np.floating]

ALIKE, SPREAD = 0.7, 0.03
HOW, DROPS, LEVEL = ("harder", "blind", "twin"), (0.003, 0.01, 0.03, 0.08), 0.025
SEEDS = (1, 3, 5)
SINGLE_LEVEL = 0.029
TWIN_MISSES = 0.4
"""A twin misses an image whose chance to be missed is higher."""

generator = np.random.default_rng(0)
CHANCES = HARDEST * generator.beta(*EASE, 1_000_000)


@cache
def harder(drop: float) -> float:
    """The factor on all chances that loses so much."""
    return float(brentq(lambda k: np.minimum(1, k * CHANCES).mean() - CHANCES.mean() - drop, 1, 50))


def chances(how: str, drop: float, images: int) -> tuple[Floats, Floats]:
    """Of being missed by NEW and by BASE."""
    common, mine, theirs = (generator.choice(CHANCES, images) for _ in range(3))
    alike = generator.random(images) < ALIKE
    base = np.where(alike, common, mine)
    if how == "harder":
        return np.minimum(1, harder(drop) * np.where(alike, common, theirs)), base
    if how == "twin":
        base = (base > TWIN_MISSES).astype(float)
    blind = generator.random(images) < drop / (1 - (ERROR if how == "blind" else (CHANCES > TWIN_MISSES).mean()))
    return np.where(blind, 1.0, base), base


def runs(missed: Floats, seeds: int, spread: float = SPREAD) -> NDArray[np.bool_]:
    factors = 1 + spread * np.clip(generator.standard_normal((seeds, 1)), -3, 3)
    return generator.random((seeds, len(missed))) >= missed * factors


def wrong_of_two_runs(how: str, drop: float, images: int, pairs: int) -> tuple[float, float]:
    """How often a drop of just `drop` between two single runs is called "not worse", and how often "worse"."""
    new, base = chances(how, drop, len(CHANCES))
    only_new = float(np.mean((1 - new) * base))
    only_base = only_new + drop
    drawn = generator.multinomial(images, [only_new, only_base, 1 - only_new - only_base], size=pairs)
    kept = worse = 0
    for (mine, theirs), times in Counter(map(tuple, drawn[:, :2].tolist())).items():
        below, above = one_sided_mcnemar(McNemar(Interval(0.0, 0.0, 0.0), mine, theirs, 1.0), images, -drop)
        kept, worse = kept + times * (above <= LEVEL), worse + times * (below <= LEVEL)
    return kept / pairs, worse / pairs


def wrong(how: str, drop: float, images: int, seeds: int, pairs: int) -> tuple[float, float, float]:
    """How often a drop of just `drop` is called "not worse", by our test and a t interval, and how often "worse"."""
    if seeds == 1:
        kept_rate, worse_rate = wrong_of_two_runs(how, drop, images, pairs)
        return kept_rate, 0.0, worse_rate
    kept, plain, worse = 0, 0, 0
    for _ in range(pairs):
        missed = chances(how, drop, images)
        measured = measure([runs(one, seeds, 0.0 if how == "twin" else SPREAD) for one in missed])
        below, above = paired_tests.one_sided(measured, 0, 1, -drop)
        plain += difference(measured, 0, 1).low > -drop
        kept, worse = kept + (above <= LEVEL), worse + (below <= LEVEL)
    return kept / pairs, plain / pairs, worse / pairs


def smallest(images: int, seeds: int, pairs: int) -> float:
    low = []
    for _ in range(pairs):
        new, base = (runs(one, seeds) for one in chances("harder", 0.0, images))
        if seeds == 1:
            low.append(mcnemar(new[0], base[0]).difference.low)
        else:
            low.append(paired_tests.score_interval(measure([new, base]), 0, 1).low)
    return float(np.quantile(-np.array(low), 0.8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pairs", type=int, default=2000, help="made pairs per rate; fewer of many images, more of one seed"
    )
    options = parser.parse_args()
    load = load_now()
    sizes = ((50, 1.0), (200, 1.0), (1000, 0.5), (10_000, 0.25))

    rows = []
    for images, part in sizes:
        for seeds in SEEDS:
            pairs = 100 * options.pairs if seeds == 1 else max(10, int(part * options.pairs))
            rates = {(how, drop): wrong(how, drop, images, seeds, pairs) for how in HOW for drop in DROPS}
            kept, plain, worse = (max(one[which] for one in rates.values()) for which in range(3))
            rates_of_table = 2 * len(rates) * len(sizes) * len(SEEDS)
            bound = float(stats.binom.isf(0.05 / rates_of_table, pairs, SINGLE_LEVEL if seeds == 1 else LEVEL)) / pairs
            rows.append([f"{images:,}", str(seeds), str(pairs), f"{100 * kept:.1f}",
                         "-" if seeds == 1 else f"{100 * plain:.1f}", f"{100 * worse:.1f}",
                         f"{100 * bound:.1f}", verdict(max(kept, worse), bound, at_least=False)])  # fmt: skip
            print(*rows[-1], file=sys.stderr, flush=True)
    head = ("images", "seeds", "pairs", '"not worse", %', "t interval, %", '"worse", %', "at most", "holds")
    show("A drop of just --max-drop, called wrongly: worst of twelve rates", head, rows, load)

    rows = [
        [f"{images:,}", *(f"{100 * smallest(images, seeds, max(10, int(part * options.pairs / 4))):.2f}"
                          for seeds in (1, 3, 5, 10))]
        for images, part in sizes
    ]  # fmt: skip
    show(
        "Smallest drop, in points, at 94 % accuracy", ("images", "1 seed", "3 seeds", "5 seeds", "10 seeds"), rows, load
    )


if __name__ == "__main__":
    main()
