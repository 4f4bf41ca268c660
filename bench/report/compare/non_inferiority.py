"""Is NEW worse than BASE? Two configurations, or every one that two ledgers share, on the same test images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from bench.components import AXES
from bench.errors import UserError
from bench.ledger.record import Predictions, Record
from bench.report.grouping import Configuration
from bench.statistics import paired_tests
from bench.statistics.factor_effects import difference
from bench.statistics.intervals import Interval
from bench.statistics.means import MeanEstimates, measure
from bench.statistics.paired_tests import mcnemar, one_sided_mcnemar
from bench.suite.labels import ORDER, axis_label
from bench.suite.schema import LATER

RUN_FIELDS: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("seeds", lambda one: str(one.seed)),
    ("device", lambda one: one.run_info.device),
    ("threads", lambda one: str(one.run_info.threads or "")),
    ("git commit", lambda one: (one.run_info.git_commit or "")[:12]),
)


def config_diff(base: Configuration, new: Configuration) -> list[str]:
    """What the complete trials of the two do not share: axes and settings, data or code, seeds, machine, versions.

    A line for each, ``regularizer: none -> l2``.
    """
    if base.imported or new.imported:
        return ["how they were trained: of what was added from predictions alone nothing is known"]
    lines = axes_diff(base.config, new.config)
    if not lines and base.identity != new.identity:
        lines.append("data or code: another checksum of the data set or of the user's own model")
    return lines + runs_diff(base.with_status("complete"), new.with_status("complete"))


def axes_diff(base: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The keys of two configs that differ, in the order of labels."""
    keys = sorted(base.keys() | new.keys(), key=lambda key: (ORDER.index(key) if key in ORDER else len(ORDER), key))
    return [_change(key, *_value_texts(base, new, key)) for key in keys if base.get(key) != new.get(key)]


def runs_diff(base: list[Record], new: list[Record]) -> list[str]:
    """What two sets of records do not share of seeds, machine, commit and packages."""
    packages = sorted({name for record in (*base, *new) for name in record.run_info.versions})
    versions = tuple((name, _version(name)) for name in packages)
    texts = ((name, _joined(base, text_of), _joined(new, text_of)) for name, text_of in (*RUN_FIELDS, *versions))
    return [_change(name, first, second) for name, first, second in texts if first != second]


def _version(name: str) -> Callable[[Record], str]:
    return lambda record: record.run_info.versions.get(name, "")


def _value_texts(base: dict[str, Any], new: dict[str, Any], key: str) -> tuple[str, str]:
    """Both values as labels have them, with every parameter where those would read the same."""
    axis = key if key in AXES else None
    short, whole = (
        [axis_label(one[key], axis, whole=whole) if key in one else "" for one in (LATER | base, LATER | new)]
        for whole in (False, True)
    )
    first, second = short if short[0] != short[1] else whole
    return first, second


def _joined(records: list[Record], text_of: Callable[[Record], str]) -> str:
    return ", ".join(dict.fromkeys(text_of(record) for record in records))


def _change(name: str, first: str, second: str) -> str:
    return f"{name}: {first or 'unknown'} -> {second or 'unknown'}"


ONE_SIDED = 0.025
"""A single comparison is then decided by its two-sided 95 % interval."""

PairVerdict = Literal["worse", "better", "not worse", "cannot tell", "same"]
Method = Literal["seeds and images", "McNemar", "identical"]


@dataclass(frozen=True, eq=False)
class ComparedConfiguration:
    """A configuration as one ledger has it: its complete records, by seed, and where their predictions are."""

    configuration: Configuration
    predictions: Callable[[str], Predictions]

    @property
    def records(self) -> list[Record]:
        return self.configuration.with_status("complete")

    def labels(self) -> NDArray[Any]:
        """The classes of the test images, in their order."""
        return self.predictions(self.records[0].key).labels

    def right(self) -> NDArray[np.bool_]:
        """Which images each seed got right, shape (seeds, images)."""
        said = [self.predictions(record.key) for record in self.records]
        return np.stack([one.predicted == one.labels for one in said])


@dataclass(frozen=True, eq=False)
class ConfigurationPair:
    """What is compared: one configuration, called `label`, or two under that heading.

    `chosen_of` says of how many configurations validation chose each side, where it did.
    """

    label: str
    base: ComparedConfiguration
    new: ComparedConfiguration
    chosen_of: tuple[int, int] | None = None


@dataclass(frozen=True)
class PairComparison:
    """One comparison; figures are fractions.

    `difference` is NEW - BASE with its own 95 % interval, `low` to `high` on new images (McNemar: of these weights on
    images like these), `this_low` to `this_high` on this test set (None without seed noise), and `p` two-sided against
    no difference. `shows` is the drop that could be ruled out were the two equal: a bound below it cannot be decided.
    `base_absent` and `new_absent` name the seeds that are in no mean, with why; `chosen_of` is the pair's. The two
    differ on `images_differing` of `images`. `config_diff` lists what the two sides do not share.
    """

    label: str
    base: str
    new: str
    chosen_of: tuple[int, int] | None
    base_mean: float
    new_mean: float
    base_seeds: int
    new_seeds: int
    base_absent: tuple[str, ...]
    new_absent: tuple[str, ...]
    images: int
    images_differing: int
    difference: float
    low: float
    high: float
    this_low: float | None
    this_high: float | None
    p: float
    shows: float
    method: Method
    word: PairVerdict
    config_diff: tuple[str, ...]


@dataclass(frozen=True)
class _TestedPair:
    """A row's figures, and its one-sided p-values against "NEW is within the bound", "... is not", "... no better"."""

    figures: dict[str, Any]
    worse: float
    kept: float
    better: float


def compare(
    pairs: Sequence[ConfigurationPair], others: Sequence[ComparedConfiguration], max_drop: float = 0.0
) -> list[PairComparison]:
    """Compare each pair, in their order.

    A row is ``worse`` where its mean lies more than `max_drop` below with confidence, ``not worse`` where such a drop
    can be ruled out, ``better`` where it is above 0 with confidence, else ``cannot tell``: each of these claims is held
    to 2.5 %, one-sided, over all pairs together (Holm 1979), by the score test of `bench.statistics.paired_tests`,
    which does not take few images that differ for little noise. Where NEW lacks seeds that were asked for, those that
    ended well are no fair sample: such a row is ``worse`` or ``cannot tell``. ``same`` are those whose predictions are
    equal seed by seed; they need no test and are not counted there.

    Parameters
    ----------
    pairs
        At least one.
    others
        Configurations beside those of `pairs`, whose seeds help to tell the noise of a seed.
    max_drop
        As a fraction, not negative.

    Raises
    ------
    UserError
        The two sides of a pair were tested on different images.
    """
    for pair in pairs:
        _check_images(pair)
    same = {index: _identical(pair) for index, pair in enumerate(pairs) if _is_identical(pair)}
    tested = [(index, pair) for index, pair in enumerate(pairs) if index not in same]
    judged = dict(one for group in _by_images(tested) for one in _test_group(group, others, max_drop))
    verdicts = [_holm([getattr(one, name) for one in judged.values()]) for name in ("worse", "better", "kept")]
    words: dict[int, PairVerdict] = {
        index: _pair_verdict(pairs[index], worse, better, kept)
        for index, worse, better, kept in zip(judged, *verdicts, strict=True)
    }
    rows = same | {index: PairComparison(**one.figures, word=words[index]) for index, one in judged.items()}
    return [rows[index] for index in range(len(pairs))]


def _test_group(
    group: Sequence[tuple[int, ConfigurationPair]], others: Sequence[ComparedConfiguration], max_drop: float
) -> Iterable[tuple[int, _TestedPair]]:
    """Pairs on the same images, by their number."""
    labels = group[0][1].base.labels()
    mine = {id(side): side for _, pair in group for side in (pair.base, pair.new)}
    beside = (side for side in others if np.array_equal(side.labels(), labels))
    numbers = {name: number for number, name in enumerate(mine)}
    several = any(len(side.records) > 1 for side in mine.values())
    measured = measure(side.right() for side in (*mine.values(), *beside)) if several else None
    for index, pair in group:
        single = len(pair.base.records) == len(pair.new.records) == 1
        if measured is None or single:
            yield index, _test_single_runs(pair, max_drop)
        else:
            yield index, _test_seeds(pair, measured, numbers[id(pair.new)], numbers[id(pair.base)], max_drop)


def _pair_verdict(pair: ConfigurationPair, worse: bool, better: bool, kept: bool) -> PairVerdict:
    if worse:
        return "worse"
    if pair.new.configuration.excluded:
        return "cannot tell"
    return "better" if better else "not worse" if kept else "cannot tell"


def _test_seeds(pair: ConfigurationPair, measured: MeanEstimates, new: int, base: int, max_drop: float) -> _TestedPair:
    worse, kept = paired_tests.one_sided(measured, new, base, -max_drop)
    below, above = paired_tests.one_sided(measured, new, base, 0.0)
    found = difference(measured, new, base)
    counted = measured.noise is not None
    figures = {
        **_description(pair, measured, new, base),
        **_interval(paired_tests.score_interval(measured, new, base)),
        "this_low": found.this_low if counted else None,
        "this_high": found.this_high if counted else None,
        "p": min(1.0, 2 * min(below, above)),
        "method": "seeds and images",
    }
    return _TestedPair(figures, worse, kept, better=above)


def _test_single_runs(pair: ConfigurationPair, max_drop: float) -> _TestedPair:
    new, base = pair.new.right(), pair.base.right()
    found = mcnemar(new[0], base[0])
    worse, kept = one_sided_mcnemar(found, new.shape[1], -max_drop)
    figures = {
        **_description(pair, measure([new, base]), 0, 1),
        **_interval(found.difference),
        "this_low": None,
        "this_high": None,
        "p": found.p,
        "method": "McNemar",
    }
    return _TestedPair(figures, worse, kept, better=one_sided_mcnemar(found, new.shape[1])[1])


def _interval(interval: Interval) -> dict[str, float]:
    half = (interval.high - interval.low) / 2
    return {"difference": interval.estimate, "low": interval.low, "high": interval.high, "shows": half}


def _is_identical(pair: ConfigurationPair) -> bool:
    """Whether both sides have the same trials, and these said the same of every image or ended early alike."""
    first, second = pair.base.records, pair.new.records
    return (
        [one.key for one in first] == [one.key for one in second]
        and pair.base.configuration.excluded == pair.new.configuration.excluded
        and all(
            np.array_equal(pair.base.predictions(one.key).predicted, pair.new.predictions(one.key).predicted)
            for one in first
        )
    )


def _identical(pair: ConfigurationPair) -> PairComparison:
    nothing: dict[str, Any] = dict.fromkeys(("difference", "low", "high", "this_low", "this_high", "shows"), 0.0)
    figures = _description(pair, measure([pair.new.right()]), 0, 0)
    return PairComparison(**figures, **nothing, p=1.0, method="identical", word="same")


def _holm(p: list[float]) -> list[bool]:
    if not p:
        return []
    return [bool(reject) for reject in multipletests(p, alpha=ONE_SIDED, method="holm")[0]]


def _description(pair: ConfigurationPair, measured: MeanEstimates, new: int, base: int) -> dict[str, Any]:
    between = measured.deviations[new] - measured.deviations[base] + (measured.means[new] - measured.means[base])
    return {
        "label": pair.label,
        "base": pair.base.configuration.label,
        "new": pair.new.configuration.label,
        "chosen_of": pair.chosen_of,
        "base_mean": float(measured.means[base]),
        "new_mean": float(measured.means[new]),
        "base_seeds": int(measured.seeds[base]),
        "new_seeds": int(measured.seeds[new]),
        "base_absent": pair.base.configuration.excluded,
        "new_absent": pair.new.configuration.excluded,
        "images": measured.images,
        "images_differing": int(np.count_nonzero(np.abs(between) > paired_tests.EQUAL_TOLERANCE)),
        "config_diff": tuple(config_diff(pair.base.configuration, pair.new.configuration)),
    }


def _check_images(pair: ConfigurationPair) -> None:
    first, second = pair.base.labels(), pair.new.labels()
    if not np.array_equal(first, second):
        name = " and ".join(dict.fromkeys((pair.base.configuration.label, pair.new.configuration.label)))
        raise UserError(
            f"{name}: tested on different images ({len(first):,} and {len(second):,}, or in another order); "
            "only configurations of one data set, in one release, can be compared"
        )
    if len(first) < 2:
        raise UserError(
            f"{pair.label}: there is 1 test image, on which nothing can be compared; take a larger test part"
        )


def _by_images(pairs: Sequence[tuple[int, ConfigurationPair]]) -> list[list[tuple[int, ConfigurationPair]]]:
    groups: dict[bytes, list[tuple[int, ConfigurationPair]]] = {}
    for index, pair in pairs:
        groups.setdefault(pair.base.labels().tobytes(), []).append((index, pair))
    return list(groups.values())
