"""Several processes train one trial: what is the same as with one, and what is each rank's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from together import KeepsFirst, NotAnew, Together

from bench.execution.checkpoints import checkpoint_path
from bench.training.distributed import SINGLE_PROCESS, DistributedContext
from bench.training.runtime import stream_seed
from bench.training.train_trial import TrialOutcome, train_trial

MLP = {"name": "mlp", "hidden": [32]}


@pytest.fixture(scope="module")
def together() -> Iterator[Together]:
    started = Together()
    yield started
    started.end()


def close(one: TrialOutcome, other: TrialOutcome, tolerance: float = 1e-5) -> bool:
    """Curves that differ by the rounding of sums alone."""
    return all(
        np.allclose(np.array(one.curves[name], float), np.array(other.curves[name], float), rtol=tolerance, atol=0)
        for name in one.curves
    )


def test_a_batch_is_cut_in_order_and_evenly() -> None:
    batch = torch.arange(10)
    shares = [DistributedContext(rank, 3).batch_slice(batch) for rank in range(3)]
    assert [share.indices.tolist() for share in shares] == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]
    assert sum(share.weight for share in shares) == pytest.approx(3)
    assert all(share.counted for share in shares)


def test_too_small_a_last_batch_is_every_ranks_and_counts_once() -> None:
    shares = [DistributedContext(rank, 2).batch_slice(torch.arange(3)) for rank in range(2)]
    assert [share.indices.tolist() for share in shares] == [[0, 1, 2], [0, 1, 2]]
    assert [(share.weight, share.counted) for share in shares] == [(1.0, True), (1.0, False)]


def test_one_process_takes_everything() -> None:
    batch = torch.arange(1)
    assert SINGLE_PROCESS.batch_slice(batch).indices is batch
    assert SINGLE_PROCESS.local_batches([batch]) == [batch]


def test_further_ranks_have_streams_of_their_own() -> None:
    assert stream_seed(3, "dropout", 0) == stream_seed(3, "dropout")
    assert len({stream_seed(3, "dropout", rank) for rank in range(4)}) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"model": MLP, "batch_size": 96},  # 720 = 7 * 96 + 48
        {
            "model": MLP,
            "batch_size": 103,  # a last batch of 102, cut in the middle
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
            "regularizer": [{"name": "l2", "strength": 1e-3, "layers": "all"}],
            "loss": {"name": "mean_squared_error"},
            "augmentation": [{"name": "gaussian_noise", "static": True}],
            "weights": "best",
            "refit": True,
        },
        {"model": MLP, "batch_size": 239, "validation": {"tail": 0.1}},  # a last batch of 3: every rank has it
        {"model": MLP, "batch_size": 96, "ema": 0.9, "test_time": "flip"},
    ],
    ids=["even", "uneven", "tiny", "average"],
)  # fmt: skip
def test_two_workers_find_what_one_finds(
    changes: dict[str, Any], together: Together, configured: Any, sliced: Any
) -> None:
    config, data = configured(epochs=3, **changes), sliced(800, 600)
    alone = train_trial(config, 0, data)
    first, second = together(config, 0, data)
    assert close(alone, first)
    assert first.status == "complete" and first.best_epoch == alone.best_epoch
    for part in ("train", "validation", "test"):
        assert getattr(first, part) == pytest.approx(getattr(alone, part), rel=1e-4)
    assert len(first.predicted.predicted) == 600
    assert (first.predicted.predicted == alone.predicted.predicted).mean() > 0.99
    assert first.curves == second.curves and first.test == second.test


def test_batch_statistics_are_each_ranks_and_rank_0s_are_kept(together: Together, configured: Any, sliced: Any) -> None:
    config = configured(model={**MLP, "batch_norm": "before"}, epochs=2, batch_size=100)
    data = sliced(800, 300)
    first, second = together(config, 0, data)
    assert first.test == second.test
    assert not close(train_trial(config, 0, data), first)


def test_dropout_differs_between_ranks_and_repeats(together: Together, configured: Any, sliced: Any) -> None:
    config = configured(model={**MLP, "dropout": 0.3}, epochs=2, batch_size=100)
    data = sliced(800, 300)
    found = together(config, 0, data)[0]
    assert found.curves == together(config, 0, data)[0].curves
    assert not close(train_trial(config, 0, data), found)


def test_as_many_processes_as_the_configuration_says(configured: Any, sliced: Any) -> None:
    with pytest.raises(ValueError, match="1 processes cannot train a trial of `workers: 2`"):
        train_trial(configured(workers=2), 0, sliced(100, 50))


@pytest.mark.parametrize("refit", [False, True])
def test_a_trial_of_two_workers_goes_on_to_the_same_bits(
    together: Together, configured: Any, sliced: Any, tmp_path: Path, refit: bool
) -> None:
    """Dropout and augmentation go on in each rank's own streams."""
    model, augmentation = {**MLP, "dropout": 0.3}, [{"name": "flip"}]
    config = configured(model=model, augmentation=augmentation, epochs=4, batch_size=100, refit=refit)
    data, path = sliced(800, 300), checkpoint_path(tmp_path, "0123456789abcdef0123")
    checkpointer = KeepsFirst(path, {}, 0, print)
    checkpointer.epochs = 5 if refit else 2  # a search of four epochs offers three
    undisturbed = together(config, 0, data, checkpointer)[0]
    assert path.exists()
    resumed = together(config, 0, data, NotAnew(path, {}, 0, print))[0]
    assert resumed.curves == undisturbed.curves
    assert resumed.test == undisturbed.test
