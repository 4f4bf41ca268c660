"""Weights & Biases' runs: one for each trial, with the trial's key as its id, in a group for its suite."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb

from bench.execution.trackers.tracker import EpochRow, TrackedState, TrackedTrial, description, final_metrics
from bench.ledger.record import Record

STATE = "bench.json"
"""In the folder of a run that was written offline: what it holds."""


class WandbRuns:
    """See `bench.execution.trackers.tracker.Tracker`. Offline a run's folder says what it holds, online its summary.

    Offline each session of a trial is a folder of its own, which `wandb sync --append` puts into one run. Online the
    curves of a run are never replaced: of a trial that is trained anew there are new final metrics only.
    """

    def __init__(self, project: str, suite: str):
        entity, _, self.project = project.rpartition("/")
        self.entity, self.suite = entity or None, suite or "trials"
        self.is_offline = os.environ.get("WANDB_MODE", "online") in ("offline", "dryrun")
        self.folder = Path(os.environ.get("WANDB_DIR") or ".")
        self._runs: Any = {}
        self._epochs: dict[str, int] = {}

    def find(self, trial: TrackedTrial) -> TrackedState:
        if self.is_offline:
            states = [json.loads((folder / STATE).read_text()) for folder in self._folders(trial)]
            return TrackedState(**max(states, key=lambda state: (state["epoch"], state["status"]), default={}))
        summary = self._open(trial).summary
        return TrackedState(int(summary.get("epoch") or 0), str(summary.get("status") or ""))

    def begin(self, trial: TrackedTrial, *, anew: bool) -> None:
        if anew and self.is_offline:
            for folder in self._folders(trial):
                shutil.rmtree(folder)
        self._epochs[trial.key] = 0 if anew else self.find(trial).epoch
        self._open(trial).summary["status"] = "running"
        self._save_state(trial, "")

    def epochs(self, trial: TrackedTrial, rows: Sequence[EpochRow]) -> None:
        run = self._open(trial)
        for epoch, metrics in rows:
            run.log({"epoch": epoch, **metrics})
            self._epochs[trial.key] = epoch
        self._save_state(trial, "")

    def end(self, trial: TrackedTrial, record: Record | None) -> None:
        run = self._open(trial)
        if record:
            run.summary.update({**final_metrics(record), **description(record)})
        run.finish(exit_code=int(record is None or record.status != "complete"))
        self._save_state(trial, record.status if record else "")
        del self._runs[trial.key]

    def close(self) -> None:
        for run in self._runs.values():
            run.finish(exit_code=1)
        self._runs.clear()

    def _open(self, trial: TrackedTrial) -> Any:
        """The trial's run, opened again where there is one."""
        if trial.key not in self._runs:
            settings = wandb.Settings(
                silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True
            )
            run = self._runs[trial.key] = wandb.init(
                entity=self.entity,
                project=self.project,
                dir=self.folder,
                group=self.suite,
                job_type="trial",
                id=trial.key,
                name=trial.name.removesuffix(f"-{trial.key}"),
                config=dict(trial.parameters),
                tags=[f"key {trial.key}"],
                resume=None if self.is_offline else "allow",
                reinit="create_new",
                settings=settings,
            )
            run.define_metric("epoch")
            run.define_metric("*", step_metric="epoch")
        return self._runs[trial.key]

    def _folders(self, trial: TrackedTrial) -> list[Path]:
        """The folders of the trial's earlier sessions on this machine; two of one second differ in a number."""
        return [path.parent for path in (self.folder / "wandb").glob(f"offline-run-*-{trial.key}*/{STATE}")]

    def _save_state(self, trial: TrackedTrial, status: str) -> None:
        if self.is_offline:
            file = Path(self._runs[trial.key].dir).parent / STATE
            file.write_text(json.dumps({"epoch": self._epochs[trial.key], "status": status}))
