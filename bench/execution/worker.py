"""One trial in one process: from a trial's configuration to what a record needs, exceptions included."""

from __future__ import annotations

import gc
import importlib.util
import platform
import traceback
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from bench.characters import escaped, escaped_line
from bench.execution.checkpoints import AFTER_SECONDS, Checkpoint, CheckpointFiles
from bench.ledger.record import Predictions, Result, RunInfo

Message = dict[str, Any]
"""What a worker sends home at the end: `status` with `result`, `measured` and `predictions`, or `failure`."""
NO_GPU = (
    "this trial was given a GPU on {}, and PyTorch finds none there; "
    "install a build of PyTorch for that GPU, or train on CPUs with --gpus-per-trial 0"
)


class Options(TypedDict, total=False):
    """What `run_trial` may be given of a trial of one worker, see there."""

    passed_on: tuple[type[BaseException], ...]
    checkpoint: Path | None
    checkpoint_after: float
    note: Callable[[str], None]
    files: CheckpointFiles | None


def run_trial(
    config: dict[str, Any],
    seed: int,
    data: Any,
    device: str,
    threads: int,
    report: Callable[[Any], None],
    passed_on: tuple[type[BaseException], ...] = (),
    checkpoint: Path | None = None,
    checkpoint_after: float = AFTER_SECONDS,
    note: Callable[[str], None] = lambda _: None,
    rank: int = 0,
    workers: int = 1,
    files: CheckpointFiles | None = None,
) -> Message:
    """Train one trial; an exception becomes a `failure` unless its type is in `passed_on`.

    So does sys.exit, which ends a trial and not the run; KeyboardInterrupt is passed on always.

    `data` is a `bench.data.Dataset`, `report` is called with a `bench.training.fit.Progress` every epoch. The trial
    goes on from the file `checkpoint` if it can, and keeps its state there once it has trained `checkpoint_after`
    seconds; `files` is where that file lies, this machine's disk if not given. `note` is told what a person should know
    of that.

    Of a trial of several `workers` this is the process of one `rank`, in a process group that is there; `checkpoint` is
    rank 0's. The memory's peak is that of the worker with the largest. An exception that only says that another worker
    is gone is no failure of the trial, and passed on.
    """
    import torch

    from bench.training.distributed import DistributedContext, is_lost_peer
    from bench.training.runtime import device_name, peak_memory, reset_peak_memory, versions
    from bench.training.train_trial import train_trial

    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    _forget_the_trial_before()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    torch.set_num_threads(threads)
    target = torch.device(device)
    if target.type == "cuda" and not torch.cuda.is_available():
        return {"failure": {"kind": "NoGpu", "message": NO_GPU.format(platform.node()), "traceback": ""}}
    reset_peak_memory(target)
    ranks = DistributedContext(rank, workers)
    # Ray decides where a trial runs, not what it finds.
    packages = {name: text for name, text in versions().items() if name != "ray"}
    about = {"device": device_name(target), "threads": threads, "versions": packages}
    checkpointer = Checkpoint(checkpoint, about, checkpoint_after, note, files) if checkpoint else None
    try:
        outcome = train_trial(config, seed, data, target, report, checkpointer, ranks)
        peak = max(ranks.all_gather(peak_memory(target)))
    except passed_on:
        raise
    except (Exception, SystemExit) as error:
        if ranks.is_distributed and is_lost_peer(error):
            raise
        return {"failure": failure(error)}
    predicted = outcome.predicted
    return {
        "status": outcome.status,
        "result": Result(
            curves=outcome.curves,
            epochs_run=outcome.epochs_run,
            best_epoch=outcome.best_epoch,
            train=outcome.train,
            validation=outcome.validation,
            test=outcome.test,
            classes=outcome.classes,
        ),
        "run_info": RunInfo(
            parameters=outcome.parameters,
            parameters_trainable=outcome.parameters_trainable,
            flops=outcome.flops,
            train_seconds=outcome.train_seconds,
            evaluation_seconds=outcome.evaluation_seconds,
            peak_memory_bytes=peak,
            device=device_name(target),
            threads=threads,
            versions=versions(),
        ),
        "predictions": Predictions(**predicted.__dict__) if predicted else None,
    }


@cache
def module_files() -> dict[str, str | None]:
    """Where this process has the modules that train: the file of each, without importing it."""
    specs = {name: importlib.util.find_spec(name) for name in ("bench", "numpy", "torch", "torchvision", "timm")}
    return {name: spec.origin if spec else None for name, spec in specs.items()}


def other_modules(expected: dict[str, str | None]) -> str | None:
    """Why no trial can run here: this process imports other modules than the driver, whose `module_files` are given."""
    other = [
        f"{name} from {here}, not from {expected[name]}"
        for name, here in module_files().items()
        if here != expected[name]
    ]
    return f"a worker process imports {'; '.join(other)}: another code than the driver's" if other else None


def _forget_the_trial_before() -> None:
    """Free what the trial before this one left in a reused process.

    What is still there afterwards stays for long: imported modules, a driver's records. No later collection looks
    through it again, or those of a run of thousands of trials would take longer than its training.
    """
    # The first optimizer imports both, and they are the most there is.
    import timm.optim  # noqa: F401
    import torch._dynamo  # noqa: F401

    gc.collect()
    gc.freeze()


def failure(error: BaseException) -> dict[str, str]:
    """Kind, message and traceback of an exception, as a record holds them."""
    try:
        message = str(error)
    except Exception as fault:  # the user's own class of exception
        message = f"its message cannot be had: {type(fault).__name__}"
    return {
        "kind": escaped_line(type(error).__name__),
        "message": escaped(message),
        "traceback": escaped("".join(traceback.format_exception(error))),
    }
