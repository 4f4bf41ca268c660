"""A checkpoint file: kept and read back, or passed over with a word why."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.execution.checkpoints import Checkpoint, checkpoint_path, remove, sweep

KEY = "0123456789abcdef0123"
ABOUT = {"device": "made", "threads": 1, "versions": {"torch": "2.0"}}
STATE = {"weights": torch.arange(4.0), "curves": {"lr": [0.1, None]}, "stream": (3, (1, 2), None)}


class Opened:
    """Checkpoints of one trial, as one process after the other opens them, and what they told."""

    def __init__(self, root: Path) -> None:
        self.path = checkpoint_path(root, KEY)
        self.notes: list[str] = []

    def __call__(self, after: float = 0.0, **about: Any) -> Checkpoint:
        return Checkpoint(self.path, ABOUT | about, after, self.notes.append)


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    return Opened(tmp_path / "results")


def plain(state: dict[str, Any] | None) -> dict[str, Any]:
    assert state is not None
    return {name: value.tolist() if isinstance(value, torch.Tensor) else value for name, value in state.items()}


def test_the_next_process_reads_what_was_kept(opened: Opened) -> None:
    opened().save(lambda: STATE)
    assert plain(opened().load()) == plain(STATE)
    assert opened.notes == []
    assert [path.name for path in opened.path.parent.iterdir()] == [f"{KEY}.pt"]
    assert not list((opened.path.parent.parent / "tmp").iterdir())


def test_nothing_kept_is_nothing_to_tell(opened: Opened) -> None:
    assert opened().load() is None
    assert opened.notes == []


def test_a_short_trial_keeps_nothing(opened: Opened) -> None:
    opened(after=60).save(lambda: pytest.fail("the state is not wanted yet"))
    assert not opened.path.exists()


def test_a_trial_that_went_on_keeps_its_next_epoch_at_once(opened: Opened) -> None:
    opened().save(lambda: STATE)
    again = opened(after=60)
    assert again.load() is not None
    again.save(lambda: {"epoch": 2})
    assert opened().load() == {"epoch": 2}


def test_checkpoints_take_a_small_share_of_the_time(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    kept = opened()

    def slow(epoch: int) -> Callable[[], dict[str, Any]]:
        def state() -> dict[str, Any]:
            nonlocal now
            now += 2.0
            return {"epoch": epoch}

        return state

    for epoch in range(1, 61):  # of one second each
        now += 1.0
        kept.save(slow(epoch))
    assert opened().load() == {"epoch": 41}
    assert now == 1060.0 + 2 * 2.0


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("change", [cut, flipped, lambda data: data[32:], lambda _: b"", lambda _: b"no checkpoint"])
def test_a_damaged_one_is_passed_over(change: Callable[[bytes], bytes], opened: Opened) -> None:
    opened().save(lambda: STATE)
    opened.path.write_bytes(change(opened.path.read_bytes()))
    assert opened().load() is None
    assert opened.notes == ["trial 01234567 starts from the beginning, its checkpoint is ignored: it is damaged"]


def test_nothing_is_run_that_a_file_holds(opened: Opened, tmp_path: Path) -> None:
    """Not even with the right checksum."""

    class Harmful:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "run"),)

    opened().save(lambda: {"weights": Harmful()})
    assert opened().load() is None
    assert not (tmp_path / "run").exists()
    assert opened.notes[0].endswith("its checkpoint is ignored: it is no checkpoint of bench (UnpicklingError)")
    assert pickle.loads(pickle.dumps(Harmful())) is None and (tmp_path / "run").exists()  # noqa: S301 (it would)


@pytest.mark.parametrize(
    "about",
    [{"versions": {"torch": "2.1"}}, {"threads": 2}, {"device": "another"}],
    ids=["versions", "threads", "device"],
)
def test_one_left_under_other_conditions_is_passed_over(about: dict[str, Any], opened: Opened) -> None:
    opened(**about).save(lambda: STATE)
    assert opened().load() is None
    assert opened.notes[0].endswith(f"ignored: it was written under other conditions ({next(iter(about))})")


def test_another_trials_is_passed_over(opened: Opened) -> None:
    opened().save(lambda: STATE)
    other = opened.path.with_name("f" * 20 + ".pt")
    other.write_bytes(opened.path.read_bytes())
    assert Checkpoint(other, ABOUT, 0, opened.notes.append).load() is None
    assert opened.notes[0].endswith("(key)")


def test_a_disk_that_takes_nothing_costs_the_trial_nothing(opened: Opened) -> None:
    (opened.path.parent.parent / "tmp").write_text("in the way")
    kept = opened()
    kept.save(lambda: STATE)
    kept.save(lambda: STATE)
    assert len(opened.notes) == 1
    assert opened.notes[0].startswith("trial 01234567 trains on without a checkpoint: cannot write")


def test_a_worker_that_does_not_see_the_ledger_keeps_nothing(opened: Opened) -> None:
    opened.path.parent.rmdir()
    opened().save(lambda: pytest.fail("there is no place for it"))
    assert not opened.path.parent.exists()


def test_only_trials_that_are_over_are_swept(opened: Opened) -> None:
    root = opened.path.parent.parent
    opened().save(lambda: STATE)
    sweep(root, {"f" * 20})
    assert opened.path.exists()
    sweep(root, {KEY})
    assert not opened.path.exists()
    remove(root, KEY)  # already gone: nothing happens
