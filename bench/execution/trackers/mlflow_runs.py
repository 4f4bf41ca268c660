"""MLflow's runs: one for a suite, and below it one for each of its trials."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

# A server that is away is to be noticed within seconds, and usage is reported by those who ask for it.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

# isort: split
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from bench.execution.trackers.tracker import EpochRow, TrackedState, TrackedTrial, description, final_metrics
from bench.ledger.record import Record

logging.getLogger("mlflow").setLevel(logging.WARNING)

EXPERIMENT = "bench"
"""Where the environment names none by MLFLOW_EXPERIMENT_NAME."""
KIND, SUITE, KEY, STATUS, EPOCHS = "bench.kind", "bench.suite", "bench.key", "bench.status", "bench.epochs_run"
PARENT = "mlflow.parentRunId"
MAX_METRICS, MAX_PARAMETERS, MAX_TEXT = 1000, 100, 6000
"""MLflow's limits of a request, and of a parameter's or tag's characters."""
PAGE = 1000
ENDS = {"complete": "FINISHED", "failed": "FAILED", "diverged": "FAILED"}


class MLflowRuns:
    """See `bench.execution.trackers.tracker.Tracker`; tags say which suite and which trial a run is of."""

    def __init__(self, uri: str, suite: str):
        self.client = MlflowClient(tracking_uri=uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        experiment = self.client.get_experiment_by_name(name)
        self.experiment = experiment.experiment_id if experiment else self.client.create_experiment(name)
        title = suite or "trials"
        parents = self._search(f"tags.`{KIND}` = 'suite' and tags.`{SUITE}` = {_quoted(title)}")
        parent = next(parents, None) or self._create(title, {KIND: "suite", SUITE: title})
        self.parent = parent.info.run_id
        self.client.update_run(self.parent, status="RUNNING")
        children = self._search(f"tags.`{PARENT}` = '{self.parent}'")
        self.runs = {child.data.tags[KEY]: child for child in children if KEY in child.data.tags}

    def find(self, trial: TrackedTrial) -> TrackedState:
        run = self.runs.get(trial.key)
        if run is None:
            return TrackedState()
        if status := run.data.tags.get(STATUS, ""):
            return TrackedState(int(run.data.tags.get(EPOCHS) or 0), status)
        names = [name for name in run.data.metrics if "/" not in name]
        steps = (point.step for name in names for point in self.client.get_metric_history(run.info.run_id, name))
        return TrackedState(max(steps, default=0))

    def begin(self, trial: TrackedTrial, *, anew: bool) -> None:
        run = self.runs.get(trial.key)
        if run is not None and not anew:
            self.client.update_run(run.info.run_id, status="RUNNING")
            self.client.set_tag(run.info.run_id, STATUS, "")
        else:
            if run is not None:
                self.client.delete_run(run.info.run_id)
            tags = {PARENT: self.parent, KIND: "trial", KEY: trial.key, SUITE: trial.suite}
            run = self.runs[trial.key] = self._create(trial.name, tags)
        # A server that died when the run had just been made has none or some of them.
        missing = {name: value for name, value in trial.parameters.items() if name not in run.data.params}
        parameters = iter([Param(name, str(value)[:MAX_TEXT]) for name, value in missing.items()])
        while batch := list(islice(parameters, MAX_PARAMETERS)):
            self.client.log_batch(run.info.run_id, params=batch)

    def epochs(self, trial: TrackedTrial, rows: Sequence[EpochRow]) -> None:
        now = _milliseconds()
        points = iter([Metric(name, value, now, epoch) for epoch, row in rows for name, value in row.items()])
        while batch := list(islice(points, MAX_METRICS)):
            self.client.log_batch(self._id(trial), metrics=batch)

    def end(self, trial: TrackedTrial, record: Record | None) -> None:
        if record is None:
            self.client.set_terminated(self._id(trial), "KILLED")
            return
        now, step = _milliseconds(), record.result.epochs_run
        metrics = [Metric(name, value, now, step) for name, value in final_metrics(record).items()]
        texts = {f"bench.{name}": text[:MAX_TEXT] for name, text in description(record).items()}
        self.client.log_batch(self._id(trial), metrics=metrics, tags=[RunTag(*pair) for pair in texts.items()])
        self.client.set_terminated(self._id(trial), ENDS.get(record.status, "KILLED"), _finished(record))

    def close(self) -> None:
        self.client.set_terminated(self.parent, "FINISHED")

    def _id(self, trial: TrackedTrial) -> str:
        return str(self.runs[trial.key].info.run_id)

    def _create(self, name: str, tags: dict[str, str]) -> Run:
        return self.client.create_run(self.experiment, run_name=name, tags={**tags, "mlflow.source.name": "bench"})

    def _search(self, condition: str) -> Iterator[Run]:
        token = None
        while True:
            page = self.client.search_runs([self.experiment], condition, max_results=PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "_") + "'"


def _milliseconds() -> int:
    return int(time.time() * 1000)


def _finished(record: Record) -> int | None:
    try:
        return int(datetime.fromisoformat(record.run_info.finished).timestamp() * 1000)
    except ValueError:
        return None
