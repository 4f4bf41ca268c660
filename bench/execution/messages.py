"""The typed messages of a run: what it may vary, what a worker is to do, and what is reported of a trial.

`Coordinator.receive` takes all that executors report: `bench.training.epoch_progress.Progress` after every epoch,
`TrialResult` or `TrialFailure` at the end. Ray's workers send them in `TrialReport`s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.ledger.record import Result, RunInfo
from bench.metrics import LabelledProbabilities, Predictions
from bench.suite.schema import Pruning
from bench.suite.trial import NetworkOrigin, TrialConfig
from bench.training.epoch_progress import Progress

if TYPE_CHECKING:
    from bench.execution.checkpoints import RemoteCheckpointStore
    from bench.execution.trackers.tracker import Destination


@dataclass(frozen=True)
class Connection:
    """A running Ray: `address` is host:port, or "auto" on one of its nodes.

    `autoscaling`: an autoscaler adds nodes when trials wait. `prepared`: the driver's Ray job has installed this
    package and its settings on every node; otherwise the connection takes them along. `variables` are environment
    variables for workers, which Ray must not write into its logs.
    """

    address: str
    autoscaling: bool = False
    prepared: bool = False
    variables: dict[str, str] = field(default_factory=dict, repr=False)


Keep = Literal["none", "best", "all"]
"""Whose weights a run saves: nobody's, those of the configuration that validation selected, or everybody's."""


@dataclass(frozen=True)
class RunOptions:
    """All that a run may vary besides its trials; none of it but `pruning` changes a trial's result.

    Parameters
    ----------
    suite, git_commit
        For the records.
    pruning, sampling_seed
        The suite's rule, and the seed by which configurations are assigned to its brackets.
    max_minutes
        Of training, after which a trial ends as timed out.
    max_hours
        After which the run stops as by a signal.
    forced
        Keys of trials that are trained anew; their new records replace those that the ledger has.
    cpus_per_trial, gpus_per_trial
        For each worker of a trial. None: one GPU where there are any.
    jobs
        Trials side by side at most; None: as many as fit.
    device
        Where trials compute; None: on a GPU where they get one, else on CPUs.
    checkpoint_after
        Seconds that a trial trains before its first checkpoint.
    retries
        How often a trial whose worker process died is started again in this run.
    retry_alone
        Start a trial that ran out of its fraction of a GPU's memory once more, with a GPU to itself.
    use_ray
        False trains in this process, one trial at a time.
    connection
        A Ray cluster to run on; None starts a Ray on this machine.
    trackers
        Where trials are logged while they run.
    keep, rank_by
        Whose weights are saved, and the metric by which validation selects the best (`bench.execution.keep_weights`).
    """

    suite: str = ""
    git_commit: str | None = None
    pruning: Pruning | None = None
    sampling_seed: int = 0
    max_minutes: float | None = None
    max_hours: float | None = None
    forced: tuple[str, ...] = ()
    cpus_per_trial: float = 1
    gpus_per_trial: float | None = None
    jobs: int | None = None
    device: Literal["cpu", "cuda"] | None = None
    checkpoint_after: float = 60.0
    retries: int = 2
    retry_alone: bool = False
    use_ray: bool = True
    connection: Connection | None = None
    trackers: tuple[Destination, ...] = ()
    keep: Keep = "none"
    rank_by: str = "accuracy"

    @property
    def threads(self) -> int:
        """CPU threads of each worker."""
        return max(1, int(self.cpus_per_trial))


@dataclass(frozen=True)
class TrialResult:
    """A trial that ran to its end; `printed` is the end of what it printed, `weights` a safetensors file.

    `node` is the name of the machine that trained it.
    """

    status: Literal["complete", "diverged"]
    result: Result
    run_info: RunInfo
    predictions: Predictions | None = None
    validation: LabelledProbabilities | None = None
    printed: str = ""
    weights: bytes | None = field(default=None, repr=False)
    node: str = ""


@dataclass(frozen=True)
class TrialFailure:
    """A trial that could not be trained: the kind, message and traceback of its exception."""

    kind: str
    message: str
    traceback: str = ""
    printed: str = ""


@dataclass
class TrialReport:
    """What a Ray worker sends the driver: all epochs and notes since the last report, and the end of the trial."""

    progress: list[Progress] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    end: TrialResult | TrialFailure | None = None


class TrialStoppedError(Exception):
    """The driver has stopped the trial that reports to it."""


@dataclass(frozen=True)
class WorkerResources:
    """What each worker of a trial gets; `variables` are environment variables."""

    workers: int
    cpus: float
    gpus: float
    device: str
    threads: int
    variables: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class TrialTask:
    """What a Ray worker is to train; paths are the driver's.

    `data` is a reference to a `bench.data.Dataset`, `code` one to the user's own code (`bench.suite.trial.UserCode`)
    or None. `rung_epochs`: the driver may stop or pause the trial after these, so they are reported at once.
    `every_epoch`: it may do so after any, and several workers have to hear of it together.
    `checkpoint_store` is for workers on other nodes than the driver's. `network_origin` and `pause_after`: as in
    `bench.training.train_trial`.
    """

    config: TrialConfig
    seed: int
    data: Any
    code: Any
    resources: WorkerResources
    checkpoint: Path
    log: Path
    every_epoch: bool
    rung_epochs: tuple[int, ...]
    checkpoint_after: float
    checkpoint_store: RemoteCheckpointStore | None
    network_origin: NetworkOrigin | None
    pause_after: tuple[int, ...] = ()

    def is_at_rung(self, progress: Progress) -> bool:
        """Whether the driver compares the trial with others by this progress."""
        return progress.epoch in self.rung_epochs and not progress.refit
