"""Ray Tune, on this machine or a cluster: trials side by side in reused worker processes.

Tune asks `QueueSearcher` for trials one at a time, so a list of any length costs the same per trial, and the later
seeds of a configuration can be added while the run goes on. `DelegatingScheduler` hands each report to the coordinator,
which decides whether the trial stops. Results leave Tune at once, so the driver's memory does not grow with their
number.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.execution.ray_cluster import set_environment

set_environment()  # before Ray is imported

# isort: split
import ray
from ray import tune
from ray.air._internal import usage
from ray.tune.execution import class_cache
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from bench.data import Dataset
from bench.execution.checkpoints import RemoteCheckpointStore, checkpoint_path
from bench.execution.coordinator import Coordinator
from bench.execution.forkserver import train
from bench.execution.logs import log_path, new_log, save_log
from bench.execution.messages import (
    RunOptions,
    TrialFailure,
    TrialReport,
    TrialResult,
    TrialStoppedError,
    TrialTask,
    WorkerResources,
)
from bench.execution.ray_cluster import cluster_ray, is_one_machine, local_ray, started_ray
from bench.execution.resource_limits import JOIN_SECONDS, ResourceLimits, check_resources
from bench.execution.signals import stop_on_signals
from bench.execution.worker import ReportPace, module_differences, module_files
from bench.jsonutil import canonical
from bench.suite.trial import NetworkOrigin, Trial, TrialConfig
from bench.user_code.read_code import installed_packages

# For usage statistics, which are off, Tune would import MLflow and W&B where there are: two seconds.
usage.tag_callbacks = lambda callbacks: True  # noqa: ARG005
# Tune would give workers the driver's AWS credentials in their runtime environment, which Ray writes into its logs.
class_cache.ENV_VARS_TO_PROPAGATE -= {name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")}

POLL_SECONDS = 2.0
UNLIMITED = 1_000_000
MAX_REASON = 200
"""Characters of a worker failure's line."""


def run_on_ray(coordinator: Coordinator, datasets: Mapping[str, Dataset], options: RunOptions) -> None:
    """Run the coordinator's trials on Ray Tune until none is left, here or with other drivers.

    On the Ray that the options name a connection to, that this process has started already, or its own.
    """
    connection = options.connection
    if ray.is_initialized() and not connection:
        ray_context = started_ray(options)
    elif connection:
        packages = installed_packages(trial.code for trial in coordinator.waiting)
        ray_context = cluster_ray(options, connection, packages)
    else:
        data_bytes = sum(data.nbytes for data in datasets.values())
        ray_context = local_ray(options, data_bytes)
    with ray_context as limits, stop_on_signals():
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # the coordinator reports a worker's death
        wait_seconds = JOIN_SECONDS if connection else 0.0
        check_resources(coordinator.waiting, limits, options.cpus_per_trial, wait_seconds)
        elsewhere = connection is not None or not is_one_machine()
        codes = {code.identity: code for trial in coordinator.waiting if (code := trial.code)}
        parameters = {
            "data_refs": {name: ray.put(data) for name, data in datasets.items()},
            "code_refs": {identity: ray.put(code) for identity, code in codes.items()},
            "checkpoint_store": RemoteCheckpointStore.start() if elsewhere else None,
            "modules": None if elsewhere else module_files(),  # on other machines they lie elsewhere
        }
        while coordinator.waiting or coordinator.leased_elsewhere or coordinator.paused:
            if coordinator.waiting:
                _tuner(coordinator, options, limits, parameters).fit()
            if coordinator.leased_elsewhere or coordinator.paused:
                time.sleep(POLL_SECONDS)
                coordinator.poll_other_drivers()


def _tuner(
    coordinator: Coordinator, options: RunOptions, limits: ResourceLimits, parameters: dict[str, Any]
) -> tune.Tuner:
    cpus, threads = options.cpus_per_trial, options.threads
    device = options.device or ("cuda" if limits.gpus_per_trial else "cpu")
    variables = options.connection.variables if options.connection else {}

    def resources(workers: int, alone: bool) -> WorkerResources:
        return WorkerResources(workers, cpus, limits.gpus_per_worker(workers, alone), device, threads, variables)

    def placement(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        if config["workers"] > 1:  # Ray Train reserves for them; a bundle cannot be empty, so it takes a byte
            return tune.PlacementGroupFactory([{"memory": 1}])
        gpus = limits.gpus_per_worker(1, config["alone"])
        return tune.PlacementGroupFactory([{"CPU": cpus, **({"GPU": gpus} if gpus else {})}])

    function = tune.with_parameters(
        _train,
        resources=resources,
        every_epoch=options.max_minutes is not None,
        checkpoint_after=options.checkpoint_after,
        **parameters,
    )
    return tune.Tuner(
        tune.with_resources(function, placement),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=QueueSearcher(coordinator, limits, options.jobs or UNLIMITED),
            scheduler=DelegatingScheduler(coordinator),
            max_concurrent_trials=UNLIMITED,  # the searcher knows when a trial fits
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=f"run-{time.time_ns()}",
            storage_path=f"{limits.folder}/tune",
            verbose=0,
            callbacks=[ResultCallback(coordinator)],
            # The coordinator counts failures and retries. Nodes that leave as announced count nowhere.
            failure_config=tune.FailureConfig(max_failures=0),
        ),
    )


# --- in a worker process ------------------------------------------------------------------------


def _train(
    config: dict[str, Any],
    data_refs: Mapping[str, Any],
    code_refs: Mapping[str, Any],
    resources: Callable[[int, bool], WorkerResources],
    every_epoch: bool,
    checkpoint_after: float,
    checkpoint_store: RemoteCheckpointStore | None,
    modules: dict[str, str | None] | None,
) -> None:
    """The trainable: reports progress, and the result with the last report."""
    if modules and (message := module_differences(modules)):
        _report(TrialReport(end=TrialFailure("OtherModules", message)))
        return
    trial = json.loads(config["trial"])
    task = TrialTask(
        config=TrialConfig.from_json(trial["config"]),
        seed=trial["seed"],
        data=data_refs[canonical(trial["config"]["dataset"])],
        code=code_refs[trial["code"]] if trial["code"] else None,
        resources=resources(config["workers"], config["alone"]),
        checkpoint=Path(trial["checkpoint"]),
        log=Path(trial["log"]),
        every_epoch=every_epoch,
        rung_epochs=tuple(trial["rung_epochs"]),
        checkpoint_after=checkpoint_after,
        checkpoint_store=checkpoint_store,
        network_origin=NetworkOrigin(**trial["network_origin"]) if trial["network_origin"] else None,
        pause_after=tuple(trial["pause_after"]),
    )
    os.environ.update(task.resources.variables)
    try:
        if task.resources.workers > 1:
            from bench.execution.multi_worker import train_together  # imports torch, which no driver needs

            end = train_together(task, _report)
        else:
            end = _train_single(task, _report)
    except TrialStoppedError:
        sys.exit(0)  # as Tune did
    _report(TrialReport(end=end))


def _report(report: TrialReport) -> None:
    """Tune stops a trial by SystemExit out of `tune.report`; any other SystemExit is the user's own code."""
    try:
        tune.report({"report": report})
    except SystemExit as stop:
        raise TrialStoppedError from stop


def _train_single(task: TrialTask, send: Callable[[TrialReport], None]) -> TrialResult | TrialFailure:
    """Train a trial of one worker, in this process unless it runs user code."""
    pace = ReportPace()
    unsent = TrialReport()

    def report(progress: Any) -> None:
        nonlocal unsent
        unsent.progress.append(progress)
        if task.is_at_rung(progress) or pace.is_due():
            with pace.sending():
                send(unsent)
            unsent = TrialReport()

    end = train(
        task.code and ray.get(task.code),
        task.config,
        task.seed,
        ray.get(task.data),
        task.resources.device,
        task.resources.threads,
        report,
        passed_on=(TrialStoppedError,),
        checkpoint=task.checkpoint,
        checkpoint_after=task.checkpoint_after,
        note=lambda text: unsent.notes.append(text),
        files=task.checkpoint_store and task.checkpoint_store.unless_local(),
        data_id=task.data.hex(),
        network_origin=task.network_origin,
        pause_after=task.pause_after,
        gpu_fraction=task.resources.gpus or 1.0,
        log=task.log,
    )
    if unsent.progress or unsent.notes:
        send(unsent)
    return end


# --- in the driver ------------------------------------------------------------------------------


class TuneAdapter:
    """Base of what Tune copies and saves for a restore, which bench never does: the coordinator is left out."""

    coordinator: Coordinator

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


class QueueSearcher(TuneAdapter, Searcher):
    """Gives Tune the coordinator's trials, one whenever one fits."""

    def __init__(self, coordinator: Coordinator, limits: ResourceLimits, jobs: int):
        super().__init__(metric="_", mode="max")
        self.coordinator = coordinator
        self.limits = limits
        self.jobs = jobs

    def suggest(self, trial_id: str) -> Any:
        if len(self.coordinator.running) >= self.jobs:
            return None
        trial = self.coordinator.next_trial(self._fits)
        if trial is None:
            return None if self.coordinator.running else Searcher.FINISHED
        folder = self.coordinator.local_folder
        # One string instead of a tree: Tune flattens, copies and compares every leaf with every result.
        text = json.dumps(
            {
                "config": trial.run_config.to_json(),
                "seed": trial.seed,
                "checkpoint": str(checkpoint_path(folder, trial.key)),
                "log": str(new_log(folder, trial.key)),
                "code": trial.code and trial.code.identity,
                "network_origin": asdict(origin) if (origin := self.coordinator.network_origin(trial)) else None,
                "rung_epochs": self.coordinator.rung_epochs(trial),
                "pause_after": self.coordinator.pause_after(trial),
            }
        )
        alone = trial.key in self.coordinator.alone
        return {"key": trial.key, "workers": trial.config.workers, "alone": alone, "trial": text}

    def _fits(self, trial: Trial) -> bool:
        running = [running.trial for running in self.coordinator.running.values()]
        return self.limits.fits(trial, running, self.coordinator.alone)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None: ...

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


class DelegatingScheduler(TuneAdapter, FIFOScheduler):
    """Hands progress to the coordinator, and stops the trials that it has pruned or paused."""

    def __init__(self, coordinator: Coordinator):
        super().__init__()  # type: ignore[no-untyped-call]
        self.coordinator = coordinator

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        report: TrialReport | None = result.get("report")
        if report is None:
            return str(self.CONTINUE)
        for note in report.notes:
            self.coordinator.listener.note(note)
        key = trial.config["key"]
        for progress in report.progress:
            if key in self.coordinator.running and self.coordinator.receive(key, progress):
                return str(self.STOP)
        return str(self.CONTINUE)


class ResultCallback(TuneAdapter, TrialProgressCallback):
    """Takes finished trials out of Tune's hands as soon as they arrive.

    It replaces Tune's own progress printer, which prints a line per trial and keeps every result.
    """

    def __init__(self, coordinator: Coordinator):
        super().__init__()
        self.coordinator = coordinator
        self.ended_trials: list[Any] = []
        self.common: dict[str, Any] = {}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        key = trial.config["key"]
        report: TrialReport | None = result.pop("report", None)
        if report is not None and report.end is not None and key in self.coordinator.running:
            save_log(report.end.printed, log_path(self.coordinator.local_folder, key))
            self.coordinator.receive(key, report.end)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.ended_trials.append(trial)

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        """Tune keeps every trial until the run ends, some 30 kB each: those that are over share the first one's state.

        Measured by benchmarks/memory.py: the driver grows by a third over 2,000 trials without this.
        """
        for trial in self.ended_trials:
            self.common = self.common or vars(trial)
            trial.__dict__ = {**self.common, "trial_id": trial.trial_id, "status": trial.status}
        self.ended_trials.clear()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        key = trial.config["key"]
        if key in self.coordinator.running:
            text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace") if trial.error_file else ""
            self.coordinator.worker_died(key, worker_failure(text), text)


def worker_failure(text: str) -> str:
    """A line for people, from the error that Ray gives when a trial's process, or a worker's of it, ends."""
    memory = re.search(r"Memory on the node.*? was ([\d.]+ ?GB / [\d.]+ ?GB)", text, re.DOTALL)
    if memory or "OutOfMemoryError" in text or "running low on memory" in text:
        return f"Ray ended it because its node ran short of memory{f' ({memory[1]})' if memory else ''}"
    addresses = re.findall(r"^\s*ip: (\S+)", text, re.MULTILINE)
    on = f" on {addresses[-1]}" if addresses else ""
    if re.search(r"node (has died|was terminated|is dead)|NodeDiedError|was preempted", text):
        return f"its node is gone{on.replace(' on ', ', ')}"
    process = re.findall(r"^\s*pid: (\d+)", text, re.MULTILINE)
    if process and re.search(r"worker process has died|Worker unexpectedly exits|The actor died", text):
        return f"process {process[-1]}{on} was killed or crashed, perhaps for want of memory"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:MAX_REASON] if lines else "Ray gives no reason"
