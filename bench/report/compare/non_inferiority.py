"""Is NEW worse than BASE by more than a margin? One-sided paired tests of two configurations on the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from bench.components import AXES
from bench.errors import UserError
from bench.ledger.record import Record
from bench.metrics import Predictions
from bench.report.grouping import Config, Configuration
from bench.statistics import paired_tests
from bench.statistics.contrasts import difference
from bench.statistics.intervals import Interval
from bench.statistics.means import MeanEstimates, measure
from bench.statistics.paired_tests import mcnemar, one_sided_mcnemar
from bench.suite.labels import ORDER, axis_label
from bench.suite.schema import OMITTED_DEFAULTS

ALPHA = 0.025
"""One-sided: a single comparison is then decided by its two-sided 95 % interval."""

PairVerdict = Literal["worse", "better", "not worse", "inconclusive", "identical"]
Method = Literal["seeds and images", "McNemar", "identical"]


@dataclass(frozen=True, eq=False)
class ComparedConfiguration:
    """A configuration of one ledger: its complete records, by seed, and where their predictions are."""

    configuration: Configuration
    predictions: Callable[[str], Predictions]

    @property
    def label(self) -> str:
        return self.configuration.label

    @property
    def records(self) -> list[Record]:
        return self.configuration.with_status("complete")

    def test_labels(self) -> NDArray[Any]:
        """The classes of the test images, in their order."""
        return self.predictions(self.records[0].key).labels

    def correct(self) -> NDArray[np.bool_]:
        """Which images each seed classified correctly, shape (seeds, images)."""
        predictions = [self.predictions(record.key) for record in self.records]
        return np.stack([p.predicted == p.labels for p in predictions])


@dataclass(frozen=True, eq=False)
class ConfigurationPair:
    """Two configurations to compare, under a label.

    `candidates` are the numbers of configurations that BASE and NEW were selected from on validation, where they were.
    """

    label: str
    base: ComparedConfiguration
    new: ComparedConfiguration
    candidates: tuple[int, int] | None = None


@dataclass(frozen=True)
class PairComparison:
    """The result for one pair; accuracies and differences are fractions.

    `difference` is NEW - BASE with its own 95 % interval: `low` to `high` on new images (McNemar: for these weights),
    `test_set_low` to `test_set_high` on this test set (None without seed noise). `p_value` is two-sided, of no
    difference. `detectable_drop` is the drop that could be ruled out if the two were equal: a smaller margin cannot be
    decided. `base_excluded` and `new_excluded` name the seeds that are in no mean, with the reason. The two classify
    `images_differing` of `images` differently. `config_diff` lists how the two configurations and their runs differ.
    """

    label: str
    base: str
    new: str
    candidates: tuple[int, int] | None
    base_mean: float
    new_mean: float
    base_seeds: int
    new_seeds: int
    base_excluded: tuple[str, ...]
    new_excluded: tuple[str, ...]
    images: int
    images_differing: int
    difference: float
    low: float
    high: float
    test_set_low: float | None
    test_set_high: float | None
    p_value: float
    detectable_drop: float
    method: Method
    verdict: PairVerdict
    config_diff: tuple[str, ...]


@dataclass(frozen=True)
class _PairTest:
    """A pair's results, and the one-sided p-values for claiming "worse", "not worse" and "better"."""

    results: dict[str, Any]
    worse: float
    not_worse: float
    better: float


def compare(
    pairs: Sequence[ConfigurationPair], others: Sequence[ComparedConfiguration], max_drop: float = 0.0
) -> list[PairComparison]:
    """Compare each pair, in their order.

    NEW is ``worse`` where its mean is significantly more than `max_drop` below BASE's, ``not worse`` where such a drop
    can be ruled out, ``better`` where its mean is significantly higher, else ``inconclusive``. Each kind of claim is
    tested one-sided at 2.5 % over all pairs together (Holm 1979) with the score test of
    `bench.statistics.paired_tests`. Where NEW lacks seeds, the complete ones are a biased sample: it is ``worse`` or
    ``inconclusive``. Pairs with equal predictions seed by seed are ``identical``; they are not tested.

    Parameters
    ----------
    pairs
        At least one.
    others
        Further configurations, whose seeds make the estimate of the seed noise more precise.
    max_drop
        The non-inferiority margin as a fraction, not negative.

    Raises
    ------
    UserError
        The two sides of a pair were tested on different images.
    """
    for pair in pairs:
        _check_images(pair)
    results = {index: _identical(pair) for index, pair in enumerate(pairs) if _is_identical(pair)}
    groups: dict[bytes, list[int]] = {}
    for index, pair in enumerate(pairs):
        if index not in results:
            groups.setdefault(pair.base.test_labels().tobytes(), []).append(index)
    tests: dict[int, _PairTest] = {}
    for indices in groups.values():
        tests.update(zip(indices, _test_group([pairs[index] for index in indices], others, max_drop), strict=True))
    claims = [_holm([getattr(test, claim) for test in tests.values()]) for claim in ("worse", "better", "not_worse")]
    for (index, test), worse, better, not_worse in zip(tests.items(), *claims, strict=True):
        verdict = _verdict(pairs[index], worse, better, not_worse)
        results[index] = PairComparison(**test.results, verdict=verdict)
    return [results[index] for index in range(len(pairs))]


def _test_group(
    pairs: Sequence[ConfigurationPair], others: Sequence[ComparedConfiguration], max_drop: float
) -> Iterator[_PairTest]:
    """Test pairs on the same images."""
    labels = pairs[0].base.test_labels()
    sides = {id(side): side for pair in pairs for side in (pair.base, pair.new)}
    rows = {name: row for row, name in enumerate(sides)}
    estimates = None
    if any(len(side.records) > 1 for side in sides.values()):
        same_images = (other for other in others if np.array_equal(other.test_labels(), labels))
        estimates = measure(side.correct() for side in (*sides.values(), *same_images))
    for pair in pairs:
        if estimates is None or len(pair.base.records) == len(pair.new.records) == 1:
            yield _test_single_runs(pair, max_drop)
        else:
            yield _test_seeds(pair, estimates, rows[id(pair.new)], rows[id(pair.base)], max_drop)


def _verdict(pair: ConfigurationPair, worse: bool, better: bool, not_worse: bool) -> PairVerdict:
    if worse:
        return "worse"
    if pair.new.configuration.excluded:
        return "inconclusive"
    return "better" if better else "not worse" if not_worse else "inconclusive"


def _test_seeds(pair: ConfigurationPair, estimates: MeanEstimates, new: int, base: int, max_drop: float) -> _PairTest:
    worse, not_worse = paired_tests.one_sided(estimates, new, base, -max_drop)
    below, above = paired_tests.one_sided(estimates, new, base, 0.0)
    effect = difference(estimates, new, base)
    has_noise = estimates.noise is not None
    results = {
        **_description(pair, estimates, new, base),
        **_interval(paired_tests.score_interval(estimates, new, base)),
        "test_set_low": effect.this_low if has_noise else None,
        "test_set_high": effect.this_high if has_noise else None,
        "p_value": min(1.0, 2 * min(below, above)),
        "method": "seeds and images",
    }
    return _PairTest(results, worse, not_worse, better=above)


def _test_single_runs(pair: ConfigurationPair, max_drop: float) -> _PairTest:
    new, base = pair.new.correct(), pair.base.correct()
    test = mcnemar(new[0], base[0])
    worse, not_worse = one_sided_mcnemar(test, new.shape[1], -max_drop)
    results = {
        **_description(pair, measure([new, base]), 0, 1),
        **_interval(test.difference),
        "test_set_low": None,
        "test_set_high": None,
        "p_value": test.p,
        "method": "McNemar",
    }
    return _PairTest(results, worse, not_worse, better=one_sided_mcnemar(test, new.shape[1])[1])


def _interval(interval: Interval) -> dict[str, float]:
    half_width = (interval.high - interval.low) / 2
    return {
        "difference": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "detectable_drop": half_width,
    }


def _is_identical(pair: ConfigurationPair) -> bool:
    """Whether both sides have the same trials, with the same predictions or the same early end."""
    keys = [record.key for record in pair.base.records]
    return (
        keys == [record.key for record in pair.new.records]
        and pair.base.configuration.excluded == pair.new.configuration.excluded
        and all(
            np.array_equal(pair.base.predictions(key).predicted, pair.new.predictions(key).predicted) for key in keys
        )
    )


def _identical(pair: ConfigurationPair) -> PairComparison:
    zeros: dict[str, Any] = dict.fromkeys(
        ("difference", "low", "high", "test_set_low", "test_set_high", "detectable_drop"), 0.0
    )
    results = _description(pair, measure([pair.new.correct()]), 0, 0)
    return PairComparison(**results, **zeros, p_value=1.0, method="identical", verdict="identical")


def _holm(p_values: list[float]) -> list[bool]:
    if not p_values:
        return []
    return [bool(reject) for reject in multipletests(p_values, alpha=ALPHA, method="holm")[0]]


def _description(pair: ConfigurationPair, estimates: MeanEstimates, new: int, base: int) -> dict[str, Any]:
    means = estimates.means
    differences = estimates.deviations[new] - estimates.deviations[base] + (means[new] - means[base])
    return {
        "label": pair.label,
        "base": pair.base.label,
        "new": pair.new.label,
        "candidates": pair.candidates,
        "base_mean": float(means[base]),
        "new_mean": float(means[new]),
        "base_seeds": int(estimates.seeds[base]),
        "new_seeds": int(estimates.seeds[new]),
        "base_excluded": pair.base.configuration.excluded,
        "new_excluded": pair.new.configuration.excluded,
        "images": estimates.images,
        "images_differing": int(np.count_nonzero(np.abs(differences) > paired_tests.EQUAL_TOLERANCE)),
        "config_diff": tuple(config_diff(pair.base.configuration, pair.new.configuration)),
    }


def _check_images(pair: ConfigurationPair) -> None:
    base, new = pair.base.test_labels(), pair.new.test_labels()
    if not np.array_equal(base, new):
        name = " and ".join(dict.fromkeys((pair.base.label, pair.new.label)))
        raise UserError(
            f"{name}: tested on different images ({len(base):,} and {len(new):,}, or in another order); "
            "only configurations of one data set, in one release, can be compared"
        )
    if len(base) < 2:
        raise UserError(f"{pair.label}: nothing can be compared on 1 test image; take a larger test part")


RUN_FIELDS: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("seeds", lambda record: str(record.seed)),
    ("device", lambda record: record.run_info.device),
    ("threads", lambda record: str(record.run_info.threads or "")),
    ("git commit", lambda record: (record.run_info.git_commit or "")[:12]),
)


def config_diff(base: Configuration, new: Configuration) -> list[str]:
    """How two configurations and their complete trials differ, a line each: ``regularizer: none -> l2``.

    Axes and settings, data or code, seeds, machine, versions.
    """
    if base.imported or new.imported:
        return ["training: unknown for imported predictions"]
    lines = axes_diff(base.config, new.config)
    if not lines and base.identity != new.identity:
        lines.append("data or code: another checksum of the data set or of the user's model")
    return lines + runs_diff(base.with_status("complete"), new.with_status("complete"))


def axes_diff(base: Config, new: Config) -> list[str]:
    """The keys of two configs that differ, in the order of labels."""
    keys = sorted(base.keys() | new.keys(), key=lambda key: (ORDER.index(key) if key in ORDER else len(ORDER), key))
    return [_change(key, *_value_texts(base, new, key)) for key in keys if base.get(key) != new.get(key)]


def runs_diff(base: list[Record], new: list[Record]) -> list[str]:
    """How the seeds, machines, commits and package versions of two sets of records differ."""
    packages = sorted({name for record in (*base, *new) for name in record.run_info.versions})
    versions = tuple((name, _version(name)) for name in packages)
    texts = ((name, _joined(base, text_of), _joined(new, text_of)) for name, text_of in (*RUN_FIELDS, *versions))
    return [_change(name, before, after) for name, before, after in texts if before != after]


def _version(name: str) -> Callable[[Record], str]:
    return lambda record: record.run_info.versions.get(name, "")


def _value_texts(base: Config, new: Config, key: str) -> tuple[str, str]:
    """The two values as labels have them, with every parameter where the short forms are equal."""
    axis = key if key in AXES else None
    short, full = (
        [
            axis_label(config[key], axis, all_parameters=in_full) if key in config else ""
            for config in (OMITTED_DEFAULTS | base, OMITTED_DEFAULTS | new)
        ]
        for in_full in (False, True)
    )
    before, after = short if short[0] != short[1] else full
    return before, after


def _joined(records: list[Record], text_of: Callable[[Record], str]) -> str:
    return ", ".join(dict.fromkeys(text_of(record) for record in records))


def _change(name: str, before: str, after: str) -> str:
    return f"{name}: {before or 'unknown'} -> {after or 'unknown'}"
