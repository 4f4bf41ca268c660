"""What runs next, and what becomes of it: a run's state without any training."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from predicted import RIGHT

from bench.execution.checkpoints import checkpoint_path
from bench.execution.coordinator import Coordinator
from bench.execution.messages import RunOptions, TrialFailure, TrialResult
from bench.execution.scheduler import RunningTrial
from bench.execution.signals import stop_on_signals
from bench.ledger.leases import Leases
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import Suite
from bench.suite.trial import Trial
from bench.training.epoch_progress import Progress


class Silent:
    def trial_started(self, running: RunningTrial) -> None: ...
    def trial_resumed(self, running: RunningTrial) -> None: ...
    def trial_paused(self, running: RunningTrial) -> None: ...
    def trial_progressed(self, running: RunningTrial) -> None: ...
    def trial_ended(self, trial: Trial, record: Record) -> None: ...
    def note(self, text: str) -> None: ...


GRID = "grid: {model: mlp, optimizer: {name: sgd, lr: {grid: [0.1, 0.2, 0.3, 0.4]}}, epochs: 9, seeds: 2}\n"


@pytest.fixture
def coordinator_of(
    suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]], tmp_path: Path
) -> Callable[[str], Coordinator]:
    def make(text: str) -> Coordinator:
        suite = suite_of(text)
        return Coordinator(trials_of(suite), Ledger(tmp_path / "results"), RunOptions(pruning=suite.pruning), Silent())

    return make


def progress(
    coordinator: Coordinator, trial: Trial, epoch: int, metrics: Any, seconds: float, epochs: int = 9, **more: Any
) -> bool:
    return coordinator.receive(trial.key, Progress(epoch, epochs, metrics, seconds, **more))


def complete(coordinator: Coordinator, trial: Trial, curve: list[float]) -> None:
    metrics = {"val_accuracy": list(curve), "train_loss": [0.1] * len(curve)}
    coordinator.receive(
        trial.key, TrialResult("complete", Result(curves=metrics, epochs_run=len(curve)), RunInfo(), RIGHT)
    )


def run_all(coordinator: Coordinator, score: Callable[[Trial], float]) -> list[tuple[float, int, str]]:
    """Run one trial after the other; (learning rate, seed, how it ended) in that order."""
    out = []
    while (trial := coordinator.next_trial()) is not None:
        for epoch in range(1, 10):
            metrics = {"train_loss": 0.1, "val_accuracy": score(trial)}
            if progress(coordinator, trial, epoch, metrics, 1.0):
                break
        else:
            complete(coordinator, trial, [score(trial)] * 9)
        out.append((trial.config.optimizer.lr, trial.seed, coordinator.ended[-1].status))
    return out


def test_without_pruning_trials_run_in_the_order_of_the_file(coordinator_of: Callable[[str], Coordinator]) -> None:
    ran = run_all(coordinator_of(GRID), lambda _: 0.5)
    assert ran == [(lr, seed, "complete") for lr in (0.1, 0.2, 0.3, 0.4) for seed in (0, 1)]


def test_nothing_starts_after_a_stop_that_a_library_swallowed(coordinator_of: Callable[[str], Coordinator]) -> None:
    coordinator = coordinator_of(GRID)
    with stop_on_signals():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            coordinator.next_trial()
    assert coordinator.next_trial() is not None


def test_what_the_ledger_has_is_not_run_again(coordinator_of: Callable[[str], Coordinator]) -> None:
    first = coordinator_of(GRID)
    trial = first.next_trial()
    assert trial is not None
    complete(first, trial, [0.5])
    first.leases.release_all()
    again = coordinator_of(GRID)
    assert len(again.waiting) == 7
    assert trial.key not in {t.key for t in again.waiting}


def test_a_failed_trial_is_tried_again_by_the_next_run(coordinator_of: Callable[[str], Coordinator]) -> None:
    coordinator = coordinator_of(GRID)
    trial = coordinator.next_trial()
    assert trial is not None
    coordinator.receive(trial.key, TrialFailure(kind="ValueError", message="no", traceback=""))
    assert coordinator.ended[-1].status == "failed"
    coordinator.leases.release_all()
    assert len(coordinator_of(GRID).waiting) == 8


def test_pruning_decides_on_first_seeds_and_survivors_run_the_others(
    coordinator_of: Callable[[str], Coordinator],
) -> None:
    coordinator = coordinator_of(GRID + "pruning: {grace_period: 1, reduction_factor: 2}\n")
    ran = run_all(coordinator, lambda trial: trial.config.optimizer.lr)
    by_rate: dict[float, list[tuple[int, str]]] = {}
    for lr, seed, status in ran:
        by_rate.setdefault(lr, []).append((seed, status))
    assert all(ends in ([(0, "complete"), (1, "complete")], [(0, "pruned")]) for ends in by_rate.values())
    assert by_rate[0.4] == [(0, "complete"), (1, "complete")]
    assert any(ends == [(0, "pruned")] for ends in by_rate.values())


def test_second_seeds_are_never_judged(coordinator_of: Callable[[str], Coordinator]) -> None:
    coordinator = coordinator_of(GRID + "pruning: {grace_period: 1, reduction_factor: 2}\n")
    ran = run_all(coordinator, lambda trial: 0.9 if trial.seed == 0 else 0.0)
    assert [end for _, seed, end in ran if seed == 1] == ["complete"] * 4


def test_a_resumed_search_remembers_its_rungs(coordinator_of: Callable[[str], Coordinator]) -> None:
    text = GRID.replace("seeds: 2", "seeds: 1") + "pruning: {grace_period: 1, reduction_factor: 2}\n"
    first = coordinator_of(text)
    best = first.next_trial()
    assert best is not None
    assert not progress(first, best, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    complete(first, best, [0.9] * 9)
    first.leases.release_all()
    second = coordinator_of(text)
    other = second.next_trial()
    assert other is not None
    assert progress(second, other, 1, {"train_loss": 0.1, "val_accuracy": 0.1}, 1.0)


def test_pruned_under_another_rule_runs_again(coordinator_of: Callable[[str], Coordinator]) -> None:
    text = GRID.replace("seeds: 2", "seeds: 1")
    coordinator = coordinator_of(text + "pruning: {grace_period: 1, reduction_factor: 2}\n")
    pruned = sum(end == "pruned" for *_, end in run_all(coordinator, lambda t: t.config.optimizer.lr))
    assert pruned
    assert not coordinator_of(text + "pruning: {grace_period: 1, reduction_factor: 2}\n").waiting
    assert len(coordinator_of(text + "pruning: {grace_period: 1, reduction_factor: 3}\n").waiting) == pruned
    assert len(coordinator_of(text).waiting) == pruned


def test_a_trial_that_starts_over_keeps_one_curve(coordinator_of: Callable[[str], Coordinator]) -> None:
    coordinator = coordinator_of(GRID)
    trial = coordinator.next_trial()
    assert trial is not None
    for epoch in (1, 2, 3, 1, 2):
        progress(coordinator, trial, epoch, {"train_loss": float(epoch)}, 1.0)
    assert coordinator.running[trial.key].curves == {"train_loss": [1.0, 2.0]}


def test_a_trial_that_goes_on_from_a_checkpoint_has_the_curves_before(
    coordinator_of: Callable[[str], Coordinator],
) -> None:
    coordinator = coordinator_of(GRID)
    trial = coordinator.next_trial()
    assert trial is not None
    before: dict[str, list[float | None]] = {"train_loss": [3.0, 2.0]}
    assert not progress(coordinator, trial, 2, {}, 5.0, resumed=before)
    progress(coordinator, trial, 3, {"train_loss": 1.0}, 7.0)
    running = coordinator.running[trial.key]
    assert (running.curves, running.resumed, running.train_seconds) == ({"train_loss": [3.0, 2.0, 1.0]}, 2, 7.0)
    assert before == {"train_loss": [3.0, 2.0]}


def test_a_trial_that_goes_on_is_judged_from_there(coordinator_of: Callable[[str], Coordinator]) -> None:
    """What was decided at the rungs behind it stands, and fills them for others."""
    coordinator = coordinator_of(
        GRID.replace("seeds: 2", "seeds: 1") + "pruning: {grace_period: 1, reduction_factor: 3}\n"
    )
    best, other, third = coordinator.next_trial(), coordinator.next_trial(), coordinator.next_trial()
    assert best is not None and other is not None and third is not None
    for epoch in (1, 2, 3):
        assert not progress(coordinator, best, epoch, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    assert not progress(coordinator, other, 2, {}, 1.0, resumed={"train_loss": [0.1, 0.1], "val_accuracy": [0.5, 0.6]})
    assert progress(coordinator, third, 1, {"train_loss": 0.1, "val_accuracy": 0.4}, 1.0)
    assert progress(coordinator, other, 3, {"train_loss": 0.1, "val_accuracy": 0.7}, 1.0)
    pruned = {record.key: record for record in coordinator.ended}[other.key]
    assert pruned.pruning is not None and pruned.result.curves["val_accuracy"] == [0.5, 0.6, 0.7]
    decisions = [(one["epoch"], one["decision"]) for one in pruned.pruning["decisions"]]
    assert decisions == [(1, "continue"), (3, "stop")]


def test_a_refit_is_never_judged_and_leaves_the_curves_alone(coordinator_of: Callable[[str], Coordinator]) -> None:
    coordinator = coordinator_of(GRID + "pruning: {grace_period: 1, reduction_factor: 2}\n")
    trial = coordinator.next_trial()
    assert trial is not None
    progress(coordinator, trial, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    curves = coordinator.running[trial.key].curves
    assert not progress(coordinator, trial, 1, {"train_loss": 0.2}, 2.0, epochs=4, refit=True)
    running = coordinator.running[trial.key]
    assert (running.refit, running.curves, running.train_seconds) == ((1, 4), curves, 2.0)


@pytest.mark.parametrize(("status", "kept"), [("complete", False), ("diverged", False), ("failed", True)])
def test_a_checkpoint_goes_with_its_trial_unless_that_is_tried_again(
    status: str, kept: bool, coordinator_of: Callable[[str], Coordinator], tmp_path: Path
) -> None:
    coordinator = coordinator_of(GRID)
    trial = coordinator.next_trial()
    assert trial is not None
    path = checkpoint_path(tmp_path / "results", trial.key)
    path.write_bytes(b"state")
    if status == "failed":
        coordinator.receive(trial.key, TrialFailure(kind="WorkerDied", message="no", traceback=""))
    else:
        coordinator.receive(trial.key, TrialResult(status, Result(curves={}, epochs_run=1), RunInfo(), RIGHT))
    assert path.exists() == kept


def test_a_checkpoint_left_of_a_trial_that_is_over_is_removed_by_the_next_run(
    coordinator_of: Callable[[str], Coordinator], tmp_path: Path
) -> None:
    coordinator = coordinator_of(GRID)
    over, not_over = coordinator.next_trial(), coordinator.next_trial()
    assert over is not None and not_over is not None
    complete(coordinator, over, [0.5])
    paths = [checkpoint_path(tmp_path / "results", trial.key) for trial in (over, not_over)]
    for path in paths:
        path.write_bytes(b"state")
    coordinator_of(GRID)
    assert [path.exists() for path in paths] == [False, True]


def test_what_a_failed_trial_printed_is_stored_as_text_that_can_be_shown(
    coordinator_of: Callable[[str], Coordinator],
) -> None:
    coordinator = coordinator_of(GRID)
    trial = coordinator.next_trial()
    assert trial is not None
    printed = "epoch 1\repoch 2 \x1b[31mred\x1b[0m\ncaf\udce9"
    coordinator.receive(trial.key, TrialFailure(kind="E", message="m\x07", traceback="", printed=printed))
    told = {"kind": "E", "message": r"m\x07", "traceback": ""}
    assert coordinator.ended[0].failure == told | {"printed": "epoch 1\\repoch 2 \\x1b[31mred\\x1b[0m\ncaf\\udce9"}
    assert Ledger(coordinator.ledger.root).records() == coordinator.ended


def test_another_drivers_trial_is_left_to_it_and_the_wait_is_told_once(
    coordinator_of: Callable[[str], Coordinator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = coordinator_of(GRID)
    other = Leases(tmp_path / "results")
    taken = coordinator.waiting[0]
    assert other.acquire(taken.key)
    started = coordinator.next_trial()
    assert started is not None
    assert started.key != taken.key
    assert coordinator.leased_elsewhere == [taken]
    notes: list[str] = []
    monkeypatch.setattr(coordinator.listener, "note", notes.append)
    coordinator.poll_other_drivers()
    assert coordinator.next_trial() is not None
    coordinator.poll_other_drivers()
    assert notes == [
        f"waiting for 1 trial with process {os.getpid()} of this machine; "
        "leases of dead drivers expire after 10 minutes"
    ]
    other.release(taken.key)
    coordinator.poll_other_drivers()
    assert taken.key in {trial.key for trial in coordinator.waiting}


def test_a_first_seed_that_diverges_ends_its_configuration(coordinator_of: Callable[[str], Coordinator]) -> None:
    text = GRID + "pruning: {grace_period: 1, reduction_factor: 2}\n"
    coordinator = coordinator_of(text)
    while (trial := coordinator.next_trial()) is not None:
        result = Result(curves={"train_loss": [None]}, epochs_run=1)
        coordinator.receive(trial.key, TrialResult("diverged", result, RunInfo(), None))
    assert [(record.seed, record.status) for record in coordinator.ended] == [(0, "diverged")] * 4
    coordinator.leases.release_all()
    assert not coordinator_of(text).waiting


ONE_SEED = GRID.replace("seeds: 2", "seeds: 1") + "pruning: {grace_period: 1, reduction_factor: 2}\n"


def test_two_drivers_on_one_ledger_prune_together(coordinator_of: Callable[[str], Coordinator]) -> None:
    """The second one learns of a score while the trial still runs at the first one's."""
    first, second = coordinator_of(ONE_SEED), coordinator_of(ONE_SEED)
    best, other = first.next_trial(), second.next_trial()
    assert best is not None and other is not None and best.key != other.key
    assert not progress(first, best, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    assert progress(second, other, 1, {"train_loss": 0.1, "val_accuracy": 0.1}, 1.0)


def test_a_run_goes_on_with_the_rungs_of_trials_that_were_interrupted(
    coordinator_of: Callable[[str], Coordinator], tmp_path: Path
) -> None:
    first = coordinator_of(ONE_SEED)
    best = first.next_trial()
    assert best is not None
    progress(first, best, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    first.leases.release_all()  # and it ends there
    (tmp_path / "results" / "rungs" / "not-a-rung").write_text("of another program")
    (score,) = tmp_path.glob("results/rungs/*/1/*")
    score.with_name("nonsense").touch()
    again = coordinator_of(ONE_SEED)
    same, other = again.next_trial(), again.next_trial()
    assert same is not None and other is not None and same.key == best.key
    assert not progress(again, same, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    assert progress(again, other, 1, {"train_loss": 0.1, "val_accuracy": 0.1}, 1.0)


def test_scores_of_other_suites_on_the_ledger_do_not_count(coordinator_of: Callable[[str], Coordinator]) -> None:
    first = coordinator_of(ONE_SEED)
    second = coordinator_of(ONE_SEED.replace("[0.1, 0.2, 0.3, 0.4]", "[0.5, 0.6]"))
    best, other = first.next_trial(), second.next_trial()
    assert best is not None and other is not None
    assert not progress(first, best, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    assert not progress(second, other, 1, {"train_loss": 0.1, "val_accuracy": 0.1}, 1.0)


def rung_of(coordinator: Coordinator, trial: Trial) -> dict[str, float]:
    """The scores of the first rung, as a driver knows them."""
    assert coordinator.scheduler.pruner is not None
    rung = coordinator.scheduler.pruner.rung(trial, 1)
    assert rung is not None
    return coordinator.scheduler.rungs.scores(rung)


def scores_of(folder: Path, epoch: int) -> list[Path]:
    return sorted(folder.glob(f"results/rungs/*/{epoch}/*"))


@pytest.mark.parametrize("score", ["nan", "inf", "-0.5", "1.5", "0.5.tmp", "", "0.9=0.9"])
def test_a_score_that_no_trial_could_have_does_not_count(
    score: str, coordinator_of: Callable[[str], Coordinator], tmp_path: Path
) -> None:
    first, second = coordinator_of(ONE_SEED), coordinator_of(ONE_SEED)
    good, bad, other = first.next_trial(), first.next_trial(), second.next_trial()
    assert good is not None and bad is not None and other is not None
    progress(first, good, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    (path,) = scores_of(tmp_path, 1)
    path.with_name(f"{bad.key}={score}").touch()
    assert progress(second, other, 1, {"train_loss": 0.1, "val_accuracy": 0.5}, 1.0)
    assert rung_of(second, other) == {good.key: 0.9, other.key: 0.5}


def test_an_unreadable_folder_of_scores_changes_nothing(
    coordinator_of: Callable[[str], Coordinator], tmp_path: Path
) -> None:
    (tmp_path / "results" / "leases").mkdir(parents=True)
    (tmp_path / "results" / "rungs").write_text("in the way")
    first = coordinator_of(ONE_SEED)
    best, other = first.next_trial(), first.next_trial()
    assert best is not None and other is not None
    assert not progress(first, best, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    assert progress(first, other, 1, {"train_loss": 0.1, "val_accuracy": 0.1}, 1.0)
    assert [record.status for record in Ledger(tmp_path / "results").records()] == ["pruned"]


@pytest.mark.parametrize(
    ("rule", "other_rule"),
    [
        ("grace_period: 1, reduction_factor: 3", "grace_period: 3, reduction_factor: 2"),
        ("grace_period: 3, reduction_factor: 2, brackets: 2", "grace_period: 3, reduction_factor: 2"),
    ],
)
def test_scores_under_another_rule_do_not_count(
    rule: str, other_rule: str, coordinator_of: Callable[[str], Coordinator]
) -> None:
    """Another rule lets other trials come as far, so that a trial would be compared with the best alone."""
    suite = GRID.replace("seeds: 2", "seeds: 1")
    first = coordinator_of(f"{suite}pruning: {{{rule}}}\n")
    second = coordinator_of(f"{suite}pruning: {{{other_rule}}}\n")
    while (trial := first.next_trial()) is not None:
        progress(first, trial, 3, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)
    first.leases.release_all()
    trial = second.next_trial()
    assert trial is not None
    assert not progress(second, trial, 3, {"train_loss": 0.1, "val_accuracy": 0.1}, 1.0)


def test_later_seeds_that_another_driver_has_trained_do_not_count(coordinator_of: Callable[[str], Coordinator]) -> None:
    text = GRID + "pruning: {grace_period: 1, reduction_factor: 2}\n"
    first, second = coordinator_of(text), coordinator_of(text)

    def finish(coordinator: Coordinator, trial: Trial, score: float) -> None:
        assert not progress(coordinator, trial, 1, {"train_loss": 0.1, "val_accuracy": score}, 1.0)
        complete(coordinator, trial, [score] * 9)

    best = first.next_trial()
    assert best is not None
    finish(first, best, 0.5)
    second.poll_other_drivers()
    started: list[Trial] = []
    while (trial := first.next_trial()) is not None:  # three first seeds, then the second seed of the best
        started.append(trial)
    assert [trial.seed for trial in started] == [0, 0, 0, 1]
    second_seed = started.pop()
    while second.next_trial() is not None:
        pytest.fail("the first driver has all of them")
    finish(first, second_seed, 0.9)
    second.poll_other_drivers()
    first.leases.release(started[0].key)
    second.poll_other_drivers()
    other = second.next_trial()
    assert other is not None and other.seed == 0
    assert not progress(second, other, 1, {"train_loss": 0.1, "val_accuracy": 0.6}, 1.0)


def test_a_trial_whose_driver_died_between_score_and_record_runs_again(
    coordinator_of: Callable[[str], Coordinator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is judged as it was, and its score on another machine does not count twice."""
    first = coordinator_of(ONE_SEED)
    best, other = first.next_trial(), first.next_trial()
    assert best is not None and other is not None
    progress(first, best, 1, {"train_loss": 0.1, "val_accuracy": 0.9}, 1.0)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(first.ledger, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            progress(first, other, 1, {"train_loss": 0.1, "val_accuracy": 0.1}, 1.0)
    assert len(scores_of(tmp_path, 1)) == 2
    first.leases.release_all()
    again = coordinator_of(ONE_SEED)
    waiting = {trial.key for trial in again.waiting}
    assert {best.key, other.key} <= waiting and len(waiting) == 4
    while (trial := again.next_trial()) is not None and trial.key != other.key:
        pass
    assert trial is not None
    assert progress(again, trial, 1, {"train_loss": 0.1, "val_accuracy": 0.11}, 1.0)
    assert [record.status for record in again.ended] == ["pruned"]
    assert again.ended[0].pruning is not None
    assert [note["decision"] for note in again.ended[0].pruning["decisions"]] == ["stop"]
    assert rung_of(again, trial) == {best.key: 0.9, other.key: 0.1}


def test_a_version_on_another_node_that_is_not_the_drivers_is_a_warning_once(
    coordinator_of: Callable[[str], Coordinator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.execution.coordinator.versions", lambda: {"torch": "2.14.1", "numpy": "2.3"})
    coordinator = coordinator_of(GRID)
    notes: list[str] = []
    coordinator.listener.note = notes.append  # type: ignore[method-assign]
    run_info = RunInfo(versions={"torch": "2.13.0", "numpy": "2.3"})
    for _ in range(2):
        trial = coordinator.next_trial()
        assert trial
        result = Result(curves={"val_accuracy": [0.5]}, epochs_run=1)
        coordinator.receive(trial.key, TrialResult("complete", result, run_info, RIGHT, node="node-7"))
    (note,) = notes
    assert note.startswith("WARNING: node-7 has torch 2.13.0, this driver 2.14.1: ")
    assert {record.run_info.versions["torch"] for record in coordinator.ended} == {"2.13.0"}
