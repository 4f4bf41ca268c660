"""One trial in one process: from its configuration to a `TrialResult` or `TrialFailure`."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import platform
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from bench.errors import escaped, escaped_line
from bench.execution.checkpoints import Checkpoint, CheckpointFiles
from bench.execution.messages import RunOptions, TrialFailure, TrialResult
from bench.ledger.record import Result, RunInfo
from bench.suite.trial import NetworkOrigin, TrialConfig
from bench.system import versions

if TYPE_CHECKING:
    from bench.training.train_trial import TrialOutcome

NO_GPU = (
    "this trial was given a GPU on {}, and PyTorch finds none there; "
    "install a build of PyTorch for that GPU, or train on CPUs with --gpus-per-trial 0"
)


REPORT_SECONDS = 0.5
"""Progress that the driver does not decide on is reported at most this often: every report waits for the driver."""
MAX_REPORT_FRACTION = 0.05
"""At most this fraction of a trial's time goes into such reports: where many trials report, each does so less often."""


class ReportPace:
    """When the next report of progress is due, by how long the last one has waited for the driver."""

    def __init__(self) -> None:
        self._not_before = time.monotonic() + REPORT_SECONDS

    def is_due(self) -> bool:
        return time.monotonic() > self._not_before

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        start = time.monotonic()
        yield
        now = time.monotonic()
        self._not_before = now + max(REPORT_SECONDS, (now - start) / MAX_REPORT_FRACTION)


class TrainingOptions(TypedDict, total=False):
    """Options of `run_trial` for a trial of one worker."""

    passed_on: tuple[type[BaseException], ...]
    checkpoint: Path | None
    checkpoint_after: float
    note: Callable[[str], None]
    files: CheckpointFiles | None
    network_origin: NetworkOrigin | None
    pause_after: tuple[int, ...]
    gpu_fraction: float


def run_trial(
    config: TrialConfig,
    seed: int,
    data: Any,
    device: str,
    threads: int,
    report: Callable[[Any], None],
    passed_on: tuple[type[BaseException], ...] = (),
    checkpoint: Path | None = None,
    checkpoint_after: float = RunOptions.checkpoint_after,
    note: Callable[[str], None] = lambda _: None,
    rank: int = 0,
    workers: int = 1,
    files: CheckpointFiles | None = None,
    network_origin: NetworkOrigin | None = None,
    pause_after: tuple[int, ...] = (),
    gpu_fraction: float = 1.0,
) -> TrialResult | TrialFailure:
    """Train one trial; an exception becomes a failure, unless its type is in `passed_on`.

    So does sys.exit, which ends a trial and not the run; KeyboardInterrupt is always passed on. Of a trial of several
    `workers` this is the process of one `rank`, in a process group that exists; an exception that only says that
    another worker is gone is passed on as well.

    Parameters
    ----------
    data
        A `bench.data.Dataset`.
    report
        Called with a `bench.training.epoch_progress.Progress` after every epoch.
    checkpoint
        The trial goes on from this file if it can, and saves its state there once it has trained `checkpoint_after`
        seconds; rank 0's only.
    note
        Called with what a person should know of checkpoints.
    files
        Where `checkpoint` is; this machine's disk if not given.
    network_origin
        Where this is given the result has the network's weights, and it with them.
    pause_after
        Epochs whose report may pause the trial: its state is saved before that.
    gpu_fraction
        How much of its GPU's memory the trial may take.
    """
    import torch

    from bench.training.distributed import DistributedContext, is_lost_peer
    from bench.training.runtime import device_name, gpu_memory_text, limit_gpu_memory, peak_memory, reset_peak_memory
    from bench.training.train_trial import train_trial

    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    _free_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    torch.set_num_threads(threads)
    target = torch.device(device)
    if target.type == "cuda" and not torch.cuda.is_available():
        return TrialFailure("NoGpu", NO_GPU.format(platform.node()))
    limit_gpu_memory(target, gpu_fraction)
    reset_peak_memory(target)
    ranks = DistributedContext(rank, workers)
    # Ray decides where a trial runs, and does not change its result.
    packages = {name: text for name, text in versions().items() if name != "ray"}
    conditions = {"device": device_name(target), "threads": threads, "versions": packages}
    checkpointer = Checkpoint(checkpoint, conditions, checkpoint_after, note, files) if checkpoint else None
    try:
        outcome = train_trial(config, seed, data, target, report, checkpointer, ranks, network_origin, pause_after)
        peak = max(ranks.all_gather(peak_memory(target)))
    except passed_on:
        raise
    except (Exception, SystemExit) as error:
        if ranks.is_distributed and is_lost_peer(error):
            raise
        failure = trial_failure(error)
        if not isinstance(error, torch.OutOfMemoryError):
            return failure
        return replace(failure, message=f"{gpu_memory_text(target, gpu_fraction)}. {failure.message}")
    info = RunInfo(peak_memory_bytes=peak, device=device_name(target), threads=threads, versions=versions())
    return _trial_result(outcome, info)


def _trial_result(outcome: TrialOutcome, info: RunInfo) -> TrialResult:
    """The message for a training that ended; `info` is where it ran."""
    return TrialResult(
        status=outcome.status,  # type: ignore[arg-type]
        node=platform.node(),
        result=Result(
            curves=outcome.curves,
            epochs_run=outcome.epochs_run,
            best_epoch=outcome.best_epoch,
            train=outcome.train,
            validation=outcome.validation,
            test=outcome.test,
            classes=outcome.classes,
            robustness=outcome.robustness,
        ),
        run_info=replace(
            info,
            parameters=outcome.parameters,
            parameters_trainable=outcome.parameters_trainable,
            flops=outcome.flops,
            train_images=outcome.train_images,
            wrong_labels=outcome.wrong_labels,
            train_seconds=outcome.train_seconds,
            evaluation_seconds=outcome.evaluation_seconds,
            images_per_second=outcome.images_per_second,
        ),
        predictions=outcome.predicted,
        validation=outcome.validation_predicted,
        weights=outcome.weights,
    )


def trial_failure(error: BaseException) -> TrialFailure:
    """Kind, message and traceback of an exception, without control characters."""
    try:
        message = str(error)
    except Exception as error_in_str:  # the user's own class of exception
        message = f"its message cannot be read: {type(error_in_str).__name__}"
    return TrialFailure(
        kind=escaped_line(type(error).__name__),
        message=escaped(message),
        traceback=escaped("".join(traceback.format_exception(error))),
    )


def _free_memory() -> None:
    """Free what the trial before this one left in a reused process.

    What is still there afterwards stays for long: imported modules, a driver's records. No later collection looks
    through it again, or those of a run of thousands of trials would take longer than its training.
    """
    gc.collect()
    gc.freeze()


@cache
def module_files() -> dict[str, str | None]:
    """Where this process would import the modules that train from: the file of each."""
    specs = {name: importlib.util.find_spec(name) for name in ("bench", "numpy", "torch", "torchvision", "timm")}
    return {name: spec.origin if spec else None for name, spec in specs.items()}


def module_differences(expected: dict[str, str | None]) -> str | None:
    """Why no trial can run in this process: its `module_files` are not those `expected`, the driver's."""
    differences = [
        f"{name} from {file}, not from {expected[name]}"
        for name, file in module_files().items()
        if file != expected[name]
    ]
    return f"a worker process imports {'; '.join(differences)}: other code than the driver's" if differences else None
