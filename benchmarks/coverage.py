"""Do the intervals and the set tied with the best keep their word? ``python benchmarks/coverage.py [--suites N]``.

Claims: nominal 95 % intervals cover 93 to 97 % at 5 and 10 seeds and at least 93 % at 3, on 1,000 images or more; a
configuration that is truly best is left out of the set tied with the best in at most 5 % of suites, by itself, and any
of 10, 30 and 100 equal configurations out of the set that holds all of them at once in at most 5 %; statistics of
10,000 images, 10 seeds and 100 configurations take less than 20 s.

Made suites. An image's chance to be missed is 0.9 Beta(.075, 1.075): most images are easy, few are hard, 5.9 % are
missed in all, and independent flips alone give seeds a deviation near sqrt(error / 2n). Configurations share these
chances in 7 of 10 images and have their own in the others, so that equal ones still differ from image to image. A seed
multiplies its configuration's errors by a factor around 1.

- *flips only*: the factor is 1. *seeds differ*: it has a deviation of 3 % (on 10,000 images .18 points, as much again
  as the flips). *unequal*: errors 6 to 50 % fewer, and deviations from .5 to 6 %, differently for each configuration.
  *collapse*: as *seeds differ*, but one configuration misses 9 of 10 images with one seed in ten.
- Truth on new images is the mean of the distribution, on this test set that of the drawn images.
- "noisiest" is the interval on this test set of the configuration with the highest true noise, beside what plain
  pooling gives it; "one seed" the interval on new images of a configuration with one seed among those with several,
  beside Wilson's. Of *collapse*, the collapsing one counts as the noisiest, and in no other column.
- Pairs: two single runs that differ on a share of the images in the one direction and on another in the other.
  Conditional is Clopper and Pearson's interval given the number of differing images; "ruled out" how often a drop of 1
  point is wrongly ruled out, of those that are just so large.
- Left out: equal configurations (*seeds differ*, or *unequal* noise with equal errors) that the set loses. Plain: by
  plainly pooled noise. Holm: each against the empirical leader by the same intervals' p-values. MCS (only with ``--mcs
  N``: N suites of 10): `arch.bootstrap.MCS` on the images' mean losses, which does not see that seeds differ.
- Power: of the other configurations, all .3 or .5 points worse than one, the share that leaves the set; beside it the
  share that leaves the set of all at once and that of this test set, and that a single comparison with the best tells
  apart.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from figures import load_now, show, verdict
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.statistics.best_set import find_best_set, fixed_images
from bench.statistics.contrasts import contrasts
from bench.statistics.factor_effects import main_effects
from bench.statistics.intervals import Interval, pooled_seed_deviation, seed_interval, wilson
from bench.statistics.means import MeanEstimates, measure, new_images, this_test_set
from bench.statistics.paired_tests import McNemar, one_sided_mcnemar, paired_interval
from bench.statistics.seed_noise import SeedNoise, moderated

Floats = NDArray[np.floating]

HARDEST, EASE = 0.9, (0.075, 1.075)
ERROR = HARDEST * EASE[0] / sum(EASE)
DRAWS = 1000
KINDS = ("flips only", "seeds differ", "unequal", "collapse")
COLLAPSED = 0.1
"""The chance that a seed of the collapsing configuration does, and its accuracy then."""


@dataclass
class Maker:
    """Made suites, one after the other."""

    generator: np.random.Generator
    images: int = 10_000

    def __post_init__(self) -> None:
        self.chances = (HARDEST * self.generator.beta(*EASE, 500_000)).astype(np.float32)

    def errors(self, count: int) -> Iterator[Floats]:
        """Chances to be missed, an array of the images for each configuration."""
        shared = self.generator.choice(self.chances, self.images)
        for _ in range(count):
            own = self.generator.choice(self.chances, self.images)
            yield np.where(self.generator.random(self.images, dtype=np.float32) < 0.7, shared, own)

    def table(self, errors: Floats, seeds: int, spread: float) -> NDArray[np.bool_]:
        factors = 1 + spread * np.clip(self.generator.standard_normal((seeds, 1), dtype=np.float32), -3, 3)
        return self.generator.random((seeds, self.images), dtype=np.float32) >= errors * factors

    def collapsing(self, errors: Floats, seeds: int) -> NDArray[np.bool_]:
        table = self.table(errors, seeds, 0.03)
        collapsed = self.generator.random(seeds) < COLLAPSED
        table[collapsed] = self.generator.random((int(collapsed.sum()), self.images)) < COLLAPSED
        return table

    def spreads(self, kind: str, count: int) -> Floats:
        if kind == "unequal":
            return np.exp(self.generator.uniform(math.log(0.005), math.log(0.06), count))
        return np.full(count, 0.0 if kind == "flips only" else 0.03)


def intervals(maker: Maker, kind: str, seeds: int, suites: int, count: int = 10) -> list[str]:
    hits: dict[str, list[float]] = {name: [] for name in ("this", "new", "gap", "noisy", "plain", "one", "wilson")}
    for _ in range(suites):
        scales = maker.generator.uniform(0.5, 0.94, count) if kind == "unequal" else np.ones(count)
        spreads = maker.spreads(kind, count)
        chances = [scale * one for scale, one in zip(scales, maker.errors(count), strict=True)]
        tables = [maker.table(one, seeds, spread) for one, spread in zip(chances, spreads, strict=True)]
        here, there = [1 - float(one.mean()) for one in chances], 1 - ERROR * scales
        usual = np.arange(count)
        noise = [float(np.mean(one * (1 - one)) / maker.images + (spread * one.mean()) ** 2) for one, spread in
                 zip(chances, spreads, strict=True)]  # fmt: skip
        noisiest = int(np.argmax(noise))
        if kind == "collapse":
            noisiest, usual = 0, usual[1:]
            tables[0] = maker.collapsing(chances[0], seeds)
            here[0] = (1 - COLLAPSED) * here[0] + COLLAPSED * COLLAPSED
        measured = measure(tables)
        this = [_within(this_test_set(measured, number), here[number]) for number in range(count)]
        hits["this"] += [this[number] for number in usual]
        hits["new"] += [_within(new_images(measured, number), there[number]) for number in usual]
        weights = (np.eye(count) - np.roll(np.eye(count), 1, axis=1))[usual[:-1]]
        gaps, truths = contrasts(measured, weights), weights @ there
        hits["gap"] += ((gaps.low <= truths) & (truths <= gaps.high)).tolist()
        hits["noisy"].append(this[noisiest])
        values = [table.mean(axis=1).tolist() for table in tables]
        pooled = pooled_seed_deviation(values)
        assert pooled is not None
        hits["plain"].append(_within(seed_interval(values[noisiest], pooled), here[noisiest]))
        tables[-1] = tables[-1][:1]
        hits["one"].append(_within(new_images(measure(tables), count - 1), there[-1]))
        hits["wilson"].append(_within(wilson(int(tables[-1].sum()), maker.images), there[-1]))
    rates = {name: float(np.mean(values)) for name, values in hits.items()}
    least, most = (0.93, 0.97) if seeds in (5, 10) else (0.93, 1)
    kept = all(least <= rates[name] <= most for name in ("this", "new", "gap"))
    told = f"{maker.images:,}", kind, str(seeds), *(f"{100 * rates[name]:.1f}" for name in hits)
    return [*told, "yes" if kept else "NO"]


def _within(interval: Interval | None, truth: float) -> bool:
    return interval is not None and interval.low - 1e-12 <= truth <= interval.high + 1e-12


def other_metrics(generator: np.random.Generator, seeds: int, suites: int, count: int = 10) -> list[str]:
    """A metric whose deviation between seeds differs up to tenfold between configurations, such as NLL."""
    hits: dict[str, list[float]] = {name: [] for name in ("all", "noisiest", "plain", "plain noisiest")}
    for _ in range(suites):
        deviations = np.exp(generator.uniform(0, math.log(10), count))
        values = deviations[:, None] * generator.standard_normal((count, seeds))
        noise = moderated(values.var(axis=1, ddof=1), np.ones(count), np.full(count, seeds))
        assert noise is not None
        half = stats.t.ppf(0.975, noise.degrees) * np.sqrt(noise.variances / seeds)
        pooled = pooled_seed_deviation(values.tolist())
        assert pooled is not None
        plain = stats.t.ppf(0.975, pooled.degrees) * pooled.deviation / math.sqrt(seeds)
        off, noisiest = np.abs(values.mean(axis=1)), int(np.argmax(deviations))
        hits["all"] += (off <= half).tolist()
        hits["noisiest"].append(float(off[noisiest] <= half[noisiest]))
        hits["plain"] += (off <= plain).tolist()
        hits["plain noisiest"].append(float(off[noisiest] <= plain))
    return [str(seeds), *(f"{100 * np.mean(values):.1f}" for values in hits.values())]


def pairs(generator: np.random.Generator, images: int, ours: float, theirs: float, suites: int) -> list[str]:
    draws = generator.multinomial(images, [ours, theirs, 1 - ours - theirs], suites)
    held, conditional = [], []
    for first, second, _ in draws:
        held.append(_within(paired_interval(int(first), int(second), images), ours - theirs))
        apart = int(first + second)
        low = stats.beta.ppf(0.025, first, second + 1) if first else 0.0
        high = stats.beta.ppf(0.975, first + 1, second) if second else 1.0
        bounds = Interval(0.0, apart * (2 * low - 1) / images, apart * (2 * high - 1) / images)
        conditional.append(_within(bounds, ours - theirs))
    wrong = [
        one_sided_mcnemar(McNemar(Interval(0, 0, 0), int(first), int(second), 1.0), images, -0.01)[1] <= 0.025
        for first, second, _ in generator.multinomial(images, [theirs, theirs + 0.01, 0.99 - 2 * theirs], suites)
    ]
    rates = (np.mean(one) for one in (held, conditional, wrong))
    return [f"{images:,}", f"{ours:g}", f"{theirs:g}", *(f"{100 * rate:.1f}" for rate in rates)]


def equal(maker: Maker, kind: str, count: int, seeds: int, suites: int, mcs: int) -> list[str]:
    each, noisy, jointly, plain, holm, theirs = [], [], 0, [], 0, 0
    for number in range(suites):
        spreads = maker.spreads(kind, count)
        tables = [
            maker.table(errors, seeds, spread) for errors, spread in zip(maker.errors(count), spreads, strict=True)
        ]
        measured = measure(tables)
        found = find_best_set(measured, n_draws=DRAWS, seed=number)
        each.append(1 - found.in_set.mean())
        noisy.append(1 - found.in_set[int(np.argmax(spreads))])
        jointly += not found.in_joint_set.all()
        plain.append(1 - find_best_set(_plainly(measured), n_draws=DRAWS, seed=number).in_set[int(np.argmax(spreads))])
        weights = -np.eye(count)
        weights[:, int(np.argmax(measured.means))] += 1
        p = np.delete(contrasts(measured, weights).p, int(np.argmax(measured.means)))
        holm += bool(multipletests(p, 0.05, "holm")[0].any())
        if number < mcs:
            theirs += len(model_confidence_set(tables)) < count
    error = math.sqrt(0.05 * 0.95 / suites)
    kept = float(np.mean(each)) <= 0.05 and jointly / suites <= 0.05 + 1.645 * error
    shown = [*(f"{100 * np.mean(one):.1f}" for one in (each, noisy, plain)), f"{100 * jointly / suites:.1f}"]
    return [kind, str(count), str(seeds), str(suites), *shown, f"{100 * error:.1f}", f"{100 * holm / suites:.0f}",
            f"{100 * theirs / mcs:.0f}" if mcs else "-", "yes" if kept else "NO"]  # fmt: skip


def _plainly(measured: MeanEstimates) -> MeanEstimates:
    """The same with the seed noise of all configurations pooled."""
    noise = measured.noise
    assert noise is not None
    ratio = float(np.average(noise.raw_variances / measured.independent, weights=measured.seeds - 1))
    count = len(measured.means)
    pooled = SeedNoise(ratio * measured.independent, np.full(count, float(noise.total)), noise.total, np.zeros(count),
                       noise.raw_variances, noise.p)  # fmt: skip
    return replace(measured, noise=pooled)


def model_confidence_set(tables: list[NDArray[np.bool_]]) -> list[int]:
    from arch.bootstrap import MCS

    losses = np.stack([1 - table.mean(axis=0) for table in tables], axis=1)
    found = MCS(losses, size=0.05, reps=300, block_size=1, method="R", seed=0)
    found.compute()
    return list(found.included)


def power(maker: Maker, gap: float, count: int, seeds: int, suites: int) -> list[str]:
    out: list[list[float]] = [[], [], [], []]
    for number in range(suites):
        scales = np.full(count, 0.9 + gap / ERROR)
        scales[0] = 0.9
        tables = [maker.table(scale * one, seeds, 0.03) for scale, one in zip(scales, maker.errors(count), strict=True)]
        measured = measure(tables)
        found = find_best_set(measured, n_draws=DRAWS, seed=number)
        here = find_best_set(fixed_images(measured), n_draws=DRAWS, seed=number)
        weights = -np.eye(count)[1:]
        weights[:, 0] = 1
        told = (~found.in_set[1:], ~found.in_joint_set[1:], ~here.in_set[1:], contrasts(measured, weights).low > 0)
        for into, one in zip(out, told, strict=True):
            into.append(float(np.mean(one)))
    return [f"{100 * gap:g}", str(count), str(seeds), str(suites), *(f"{100 * np.mean(one):.0f}" for one in out)]


def seconds(maker: Maker) -> list[list[str]]:
    """Every statistic of a suite of 100 configurations with 10 seeds, once."""
    import pandas as pd

    tables = [maker.table(errors, 10, 0.03) for errors in maker.errors(100)]
    axes = pd.DataFrame({"model": [f"m{n // 10}" for n in range(100)], "optimizer": [f"o{n % 10}" for n in range(100)]})
    pairs = np.array([np.eye(100)[one] - np.eye(100)[other] for one in range(100) for other in range(one)])
    marks = [(time.perf_counter(), time.process_time())]
    measured = measure(tables)
    marks.append((time.perf_counter(), time.process_time()))
    _ = [(this_test_set(measured, number), new_images(measured, number)) for number in range(100)]
    contrasts(measured, pairs)
    main_effects(axes, measured)
    marks.append((time.perf_counter(), time.process_time()))
    find_best_set(measured)
    marks.append((time.perf_counter(), time.process_time()))
    names = ("components and noise", "intervals, 4,950 differences, effects", "tied with the best, 10,000 draws")
    spent = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(marks)]
    rows = [[name, f"{wall:.2f}", f"{cpu:.2f}", ""] for name, (wall, cpu) in zip(names, spent, strict=True)]
    whole = marks[-1][0] - marks[0][0]
    cpu = marks[-1][1] - marks[0][1]
    return [*rows, ["all", f"{whole:.2f}", f"{cpu:.2f}", verdict(whole, 20, at_least=False)]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", type=int, default=100, help="made suites per row; fewer where they are large")
    parser.add_argument("--mcs", type=int, default=0, help="suites per row that the model confidence set sees too")
    parser.add_argument("--images", type=int, nargs="+", default=[50, 200, 1000, 10_000], help="test images tried")
    options = parser.parse_args()
    suites, load = options.suites, load_now()

    head = ("images", "suites", "seeds", "this test set", "new images", "difference", "noisiest", "plainly pooled",
            "one seed", "Wilson", "kept")  # fmt: skip
    rows = [
        intervals(Maker(np.random.default_rng(0), images), kind, seeds, max(1, suites * min(images, 2500) // images))
        for images in options.images
        for kind in KINDS
        for seeds in (2, 3, 5, 10)
    ]
    show(f"Coverage of 95 % intervals, %, {suites} suites of 10 configurations", head, rows, load)

    head = ("seeds", "all", "noisiest", "all, plainly pooled", "noisiest, plainly pooled")
    rows = [other_metrics(np.random.default_rng(0), seeds, 4 * suites) for seeds in (2, 3, 5, 10)]
    show("Coverage of other metrics, whose noise differs up to tenfold, %, 10 configurations", head, rows, load)

    head = ("images", "only ours", "only theirs", "interval", "conditional", "1 point wrongly ruled out")
    shares = ((0.05, 0.05), (0.10, 0.02), (0.20, 0.02), (0.50, 0.01), (0.04, 0.0005))
    rows = [pairs(np.random.default_rng(0), images, *pair, suites=10 * suites) for images in options.images
            for pair in shares]  # fmt: skip
    show("Two single runs: coverage of the interval of their difference, %", head, rows, load)

    head = ("noise", "equal", "seeds", "suites", "each left out, %", "the noisiest", "noisiest, plain", "any at once",
            "+-", "Holm", "MCS", "kept")  # fmt: skip
    sizes = ((10, 2 * suites), (30, suites // 2), (100, suites // 8))
    rows = [
        equal(Maker(np.random.default_rng(0), 2000), kind, count, seeds, max(1, number), options.mcs * (count == 10))
        for kind in ("equal", "unequal") for count, number in sizes
        for seeds in ((2, 3, 5, 10) if count == 10 else (3, 10))
    ]  # fmt: skip
    show("Equal configurations that the set tied with the best loses, 2,000 images", head, rows, load)

    maker = Maker(np.random.default_rng(0))
    head = ("points", "configurations", "seeds", "suites", "out, %", "out at once", "out of this test set", "singly")
    rows = [power(maker, gap, count, seeds, max(1, suites // 3 * 10 // count)) for gap in (0.003, 0.005)
            for count, seeds in ((10, 5), (10, 10), (30, 10))]  # fmt: skip
    show("Configurations below the best that leave the set", head, rows, load)

    show("10,000 images, 10 seeds, 100 configurations", ("what", "s", "CPU s", "< 20 s"), seconds(maker), load)


if __name__ == "__main__":
    main()
