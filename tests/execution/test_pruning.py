"""ASHA over configurations: groups, rungs, replay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.execution.pruning import Asha, Halving, RungTable, halving_cost, rule, rung_scores
from bench.execution.scheduler import Scheduler
from bench.suite.schema import Pruning
from bench.suite.suite import Suite
from bench.suite.trial import Trial
from bench.training.epoch_progress import Progress

TrialsOf = Callable[[Suite], list[Trial]]
GRID = "grid: {model: mlp, optimizer: {name: sgd, lr: {grid: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}}, epochs: 10}"


class Judge(Asha):
    """ASHA with a rung table of its own."""

    def __init__(self, pruning: Pruning, sampling_seed: int = 0) -> None:
        super().__init__(pruning, sampling_seed)
        self.rungs = RungTable()

    def stops(self, trial: Trial, epoch: int, score: float) -> bool:
        stop = self.decide(self.rungs, trial, epoch, score) == "stop"
        if rung := self.rung(trial, epoch):
            self.rungs.add(rung, trial.key, score)
        return stop

    def fill(self, trial: Trial, curve: list[float | None]) -> None:
        for rung, score in rung_scores(self, trial, curve):
            self.rungs.add(rung, trial.key, score)


@pytest.fixture
def six(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> list[Trial]:
    return trials_of(suite_of(GRID))


def test_rungs_are_powers_of_the_reduction_below_the_budget() -> None:
    assert Asha(Pruning(grace_period=1, reduction_factor=3)).milestones(10) == [1, 3, 9]
    assert Asha(Pruning(grace_period=2, reduction_factor=2)).milestones(8) == [2, 4]
    assert Asha(Pruning(grace_period=5, reduction_factor=3)).milestones(5) == []


def test_the_lower_ones_stop_at_a_rung(six: list[Trial]) -> None:
    asha = Judge(Pruning(grace_period=1, reduction_factor=3))
    scores = [0.9, 0.8, 0.7, 0.6, 0.95, 0.1]
    assert [asha.stops(t, 1, s) for t, s in zip(six, scores, strict=True)] == [False, True, True, True, False, True]


def test_between_rungs_and_in_the_last_epoch_nobody_stops(six: list[Trial]) -> None:
    asha = Judge(Pruning(grace_period=1, reduction_factor=3))
    for epoch in range(1, 11):
        assert not asha.stops(six[0], epoch, 0.9)
    assert asha.stops(six[1], 1, 0.1)
    assert not asha.stops(six[2], 10, 0.1)


def test_groups_are_judged_by_themselves(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> None:
    text = "grid: {model: [{name: mlp, hidden: {grid: [[8], [16]]}}, cnn], epochs: 10}"
    small, large, cnn = trials_of(suite_of(text))
    by_model = Judge(Pruning(group=["model"], grace_period=1))
    assert not any(by_model.stops(t, 1, s) for t, s in ((small, 0.9), (large, 0.2), (cnn, 0.1)))
    together = Judge(Pruning(group=["optimizer"], grace_period=1))
    assert [together.stops(t, 1, s) for t, s in ((small, 0.9), (large, 0.2), (cnn, 0.1))] == [False, True, True]


def test_different_budgets_are_never_compared(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> None:
    short, long = trials_of(suite_of("grid: {model: mlp, epochs: [5, 10]}"))
    asha = Judge(Pruning(grace_period=1))
    assert not asha.stops(short, 1, 0.9)
    assert not asha.stops(long, 1, 0.1)


def test_replayed_curves_fill_the_rungs(six: list[Trial]) -> None:
    fresh, resumed = (Judge(Pruning(grace_period=1)) for _ in range(2))
    resumed.fill(six[0], [0.9, 0.91, 0.92])
    assert not fresh.stops(six[1], 1, 0.5)
    assert resumed.stops(six[1], 1, 0.5)


def test_brackets_are_judged_first_after_grace_times_powers_of_the_reduction() -> None:
    asha = Judge(Pruning(grace_period=2, reduction_factor=3, brackets=4))
    assert [asha.milestones(50, bracket) for bracket in range(4)] == [[2, 6, 18], [6, 18], [18], []]


def test_brackets_get_hyperbands_shares() -> None:
    """Keras Tuner's Hyperband with 50 epochs and a factor of 3 starts 34, 15, 8 and 5 configurations."""
    shares = Asha(Pruning(grace_period=2, reduction_factor=3, brackets=4)).bracket_fractions(50)
    assert [round(62 * share) for share in shares] == [34, 15, 8, 5]
    assert sum(shares) == pytest.approx(1)


def test_more_brackets_than_the_budget_has_room_for_are_left_out() -> None:
    assert Asha(Pruning(grace_period=2, reduction_factor=3, brackets=9)).bracket_fractions(50) == Asha(
        Pruning(grace_period=2, reduction_factor=3, brackets=4)
    ).bracket_fractions(50)
    assert Asha(Pruning(grace_period=5, brackets=3)).bracket_fractions(5) == [1.0]


def test_a_configurations_bracket_is_drawn_once_and_for_all(
    suite_of: Callable[[str], Suite], trials_of: TrialsOf
) -> None:
    many = ", ".join(f"{rate / 1000}" for rate in range(1, 401))
    trials = trials_of(suite_of(f"grid: {{model: mlp, optimizer: {{name: sgd, lr: {{grid: [{many}]}}}}, epochs: 50}}"))
    rule = Pruning(grace_period=2, reduction_factor=3, brackets=4)
    drawn = [Asha(rule).bracket(trial) for trial in trials]
    assert drawn == [Asha(rule).bracket(trial) for trial in trials]
    assert drawn != [Asha(rule, sampling_seed=1).bracket(trial) for trial in trials]
    counts = [drawn.count(bracket) for bracket in range(4)]
    for count, share in zip(counts, Asha(rule).bracket_fractions(50), strict=True):
        assert count == pytest.approx(400 * share, abs=4 * (400 * share * (1 - share)) ** 0.5)


def test_brackets_are_judged_by_themselves(six: list[Trial]) -> None:
    rule = Pruning(grace_period=1, reduction_factor=3, brackets=2)
    several = (Judge(rule, sampling_seed) for sampling_seed in range(100))
    asha = next(asha for asha in several if 2 <= sum(map(asha.bracket, six)) <= 4)
    early = [trial for trial in six if asha.bracket(trial) == 0]
    late = [trial for trial in six if asha.bracket(trial) == 1]
    assert not asha.stops(early[0], 1, 0.9)
    assert asha.stops(early[1], 1, 0.1)
    assert not any(asha.stops(late[0], epoch, 0.1) for epoch in range(1, 10))
    assert asha.description(late[0])["bracket"] == 1
    assert [epoch for epoch in range(1, 10) if asha.rung(late[0], epoch)] == [3, 9]


def test_a_single_bracket_leaves_the_rule_as_it_was_before_there_were_several() -> None:
    assert rule(Pruning(brackets=1)) == {
        "method": "asha",
        "grace_period": None,
        "reduction_factor": 2,
        "group": ["model"],
    }
    assert rule(Pruning(brackets=2))["brackets"] == 2


def test_a_trial_that_goes_on_fills_the_rungs_it_passed(six: list[Trial]) -> None:
    asha = Judge(Pruning(grace_period=1, reduction_factor=3))
    asha.stops(six[0], 1, 0.9)
    asha.fill(six[1], [0.5, None, 0.6])
    assert asha.stops(six[2], 3, 0.55)


def test_a_trials_own_score_is_not_among_those_it_is_compared_with(six: list[Trial]) -> None:
    """So a run that goes on decides about a trial that an earlier run left as that run did."""
    asha = Judge(Pruning(grace_period=1, reduction_factor=3))
    asha.fill(six[0], [0.4])
    assert not asha.stops(six[0], 1, 0.4)
    asha.fill(six[1], [0.9])
    assert asha.stops(six[0], 1, 0.4)


def test_decisions_are_recorded_with_the_rule(six: list[Trial]) -> None:
    scheduler = Scheduler(six, {}, Asha(Pruning(grace_period=1, reduction_factor=3)))
    for trial in six:
        scheduler.start(trial, "")

    def progress(trial: Trial, epoch: int, score: float) -> str:
        return scheduler.progress(trial.key, Progress(epoch, 10, {"train_loss": 1.0, "val_accuracy": score}, 1.0))

    assert [progress(six[0], 1, 0.9), progress(six[0], 2, 0.9), progress(six[1], 1, 0.5)] == [
        "continue",
        "continue",
        "stop",
    ]
    rule = {"method": "asha", "grace_period": 1, "reduction_factor": 3, "group": ["model"]}
    assert [scheduler.decisions(trial) for trial in six[:3]] == [
        {"rule": rule, "decisions": [{"epoch": 1, "val_accuracy": 0.9, "decision": "continue"}]},
        {"rule": rule, "decisions": [{"epoch": 1, "val_accuracy": 0.5, "decision": "stop"}]},
        {"rule": rule, "decisions": []},
    ]


def test_left_out_the_first_rung_is_a_fifth_of_the_budget() -> None:
    budgets = {1: 1, 4: 1, 10: 2, 27: 5, 30: 6, 50: 10}
    assert {epochs: Pruning().first_rung(epochs) for epochs in budgets} == budgets
    assert Asha(Pruning()).milestones(30) == [6, 12, 24]
    assert Asha(Pruning(grace_period=3)).milestones(30) == [3, 6, 12, 24]


HALVING = Pruning(method="halving", grace_period=1, reduction_factor=2)


def reach(scheduler: Scheduler, trial: Trial, epoch: int, score: float) -> str:
    """Let a trial come to a rung; it is paused where that is decided."""
    if trial.key not in scheduler.running:
        scheduler.start(trial, "")
    metrics = {"train_loss": 1.0, "val_accuracy": score}
    for number in range(scheduler.running[trial.key].epoch + 1, epoch + 1):  # anew, if it was paused
        decision = scheduler.progress(trial.key, Progress(number, 10, metrics, 1.0))
    if decision == "pause":
        scheduler.pause(trial.key)
    return decision


def halving_of(trials: list[Trial], rule: Pruning = HALVING) -> Scheduler:
    return Scheduler(trials, {}, Halving(rule, 0, trials))


def test_a_rung_with_a_barrier_decides_when_the_last_one_has_come(six: list[Trial]) -> None:
    scheduler = halving_of(six)
    scores = [0.1, 0.5, 0.9, 0.4, 0.5]
    assert [reach(scheduler, t, 1, s) for t, s in zip(six, scores, strict=False)] == ["pause"] * 5
    assert scheduler.resolve_paused() == ([], [])
    assert reach(scheduler, six[5], 1, 0.3) == "stop"
    queued, stopped = scheduler.resolve_paused()
    best = {six[1].key, six[2].key, six[4].key}
    assert {trial.key for trial in queued} == best
    assert set(stopped) == {six[0].key, six[3].key}
    assert not scheduler.paused


def test_who_goes_on_does_not_depend_on_who_comes_first(six: list[Trial]) -> None:
    scores = {trial.key: score for trial, score in zip(six, (0.5, 0.5, 0.5, 0.5, 0.2, 0.1), strict=True)}
    outcomes = set()
    for order in (six, six[::-1], six[3:] + six[:3]):
        scheduler = halving_of(six)
        going_on = [trial.key for trial in order if reach(scheduler, trial, 1, scores[trial.key]) == "continue"]
        outcomes.add(frozenset([*going_on, *(trial.key for trial in scheduler.resolve_paused()[0])]))
    assert len(outcomes) == 1
    assert len(outcomes.pop()) == 3


def test_a_barrier_does_not_wait_for_what_has_ended(six: list[Trial]) -> None:
    """Failed and diverged trials are not waited for, at this rung or a later one."""
    scheduler = halving_of(six)
    for trial in six:
        scheduler.start(trial, "")
    scheduler.end(six[0].key, "failed")
    for trial, score in zip(six[1:5], (0.9, 0.8, 0.7, 0.6), strict=True):
        assert reach(scheduler, trial, 1, score) == "pause"
    scheduler.end(six[5].key, "diverged")
    queued, stopped = scheduler.resolve_paused()
    assert [trial.key for trial in queued] == [trial.key for trial in six[1:4]]
    assert stopped == [six[4].key]
    scheduler.end(six[4].key, "pruned")
    assert reach(scheduler, six[1], 2, 0.9) == "pause"
    assert reach(scheduler, six[2], 2, 0.95) == "pause"
    scheduler.start(six[3], "")
    scheduler.end(six[3].key, "failed")
    queued, stopped = scheduler.resolve_paused()
    assert ([trial.key for trial in queued], stopped) == ([six[2].key], [six[1].key])


def test_a_barrier_compares_the_means_of_seeds(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> None:
    """The best first seed is of a configuration whose mean is the third; a diverged seed counts as 0."""
    trials = trials_of(suite_of(GRID.replace("epochs: 10", "epochs: 10, seeds: 2")))
    groups = [trials[first : first + 2] for first in range(0, 12, 2)]
    assert all(a.config_key == b.config_key for a, b in groups)
    scheduler = halving_of(trials)
    scores = [(0.9, 0.3), (0.7, 0.7), (0.65, 0.65), (0.5, 0.8), (0.2, 0.2)]
    for group, pair in zip(groups, scores, strict=False):
        assert [reach(scheduler, trial, 1, score) for trial, score in zip(group, pair, strict=True)] == ["pause"] * 2
    assert reach(scheduler, groups[5][0], 1, 0.99) == "pause"
    scheduler.start(groups[5][1], "")
    scheduler.end(groups[5][1].key, "diverged")
    queued, stopped = scheduler.resolve_paused()
    going_on = {trial.key for number in (1, 2, 3) for trial in groups[number]}
    assert {trial.key for trial in queued} == going_on
    assert set(stopped) == {trial.key for trial in trials} - going_on - {groups[5][1].key}
    note = scheduler.decisions(groups[0][1])
    assert note is not None and note["rule"]["seeds"] == "all"


def test_seeds_that_asha_could_not_wait_for_are_refused() -> None:
    with pytest.raises(ValueError, match="method: asha waits for nobody; write method: halving"):
        Pruning(seeds="all")


def test_a_single_configuration_waits_for_nobody(six: list[Trial]) -> None:
    scheduler = halving_of(six[:1])
    assert [reach(scheduler, six[0], epoch, 0.1) for epoch in range(1, 11)] == ["continue"] * 10


def test_a_paused_trial_that_goes_on_is_judged_at_its_last_rung_only(six: list[Trial]) -> None:
    """As another driver, or a later run, takes it up from its checkpoint."""
    scheduler = halving_of(six[:2])
    curve: list[float | None] = [0.3]
    scheduler.start(six[0], "")
    resumed = Progress(1, 10, {}, 1.0, resumed={"train_loss": [1.0], "val_accuracy": curve})
    assert scheduler.progress(six[0].key, resumed) == "pause"
    scheduler.pause(six[0].key)
    assert reach(scheduler, six[1], 1, 0.2) == "stop"
    queued, _ = scheduler.resolve_paused()
    assert queued == [six[0]]
    scheduler.start(six[0], "")
    assert scheduler.progress(six[0].key, resumed) == "continue"
    note = scheduler.decisions(six[0])
    assert note is not None
    assert note["decisions"] == [{"epoch": 1, "val_accuracy": 0.3, "decision": "continue"}]


@pytest.mark.parametrize(
    ("grid", "rule", "epochs", "exact"),
    [
        # 6 configurations to 2, 3 to 4, 1 to 8, 1 to 10, all with three seeds or with two more of the last.
        ("seeds: 3", Pruning(method="halving"), 3 * (6 * 2 + 3 * 2 + 1 * 4 + 1 * 2), True),
        ("seeds: 3", Pruning(method="halving", seeds="first"), 6 * 2 + 3 * 2 + 1 * 4 + 1 * 2 + 2 * 10, True),
        ("seeds: 1", HALVING, 6 + 3 * 1 + 1 * 2 + 1 * 4 + 1 * 2, True),
        ("early_stopping: {patience: 2}", HALVING, 6 + 3 * 1 + 1 * 2 + 1 * 4 + 1 * 2, False),
        ("seeds: 2", Pruning(method="halving", grace_period=10), 6 * 2 * 10, True),
    ],
)
def test_the_cost_with_a_barrier_is_known_beforehand(
    grid: str, rule: Pruning, epochs: int, exact: bool, suite_of: Callable[[str], Suite], trials_of: TrialsOf
) -> None:
    trials = trials_of(suite_of(GRID.replace("epochs: 10", f"epochs: 10, {grid}")))
    assert halving_cost(rule, 0, trials) == (epochs, exact)
