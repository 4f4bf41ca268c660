"""Trials at TensorBoard, MLflow and Weights & Biases: while a run goes on, when it goes on later, and from a ledger."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.data import Dataset
from bench.errors import UserError
from bench.execution.messages import RunOptions
from bench.execution.progress import PlainProgress, ProgressStats
from bench.execution.run_trials import run_trials
from bench.execution.trackers import tracking
from bench.execution.trackers.tracker import Destination, destinations
from bench.execution.trackers.tracking import export_records
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.suite.trial import Trial

START_SECONDS = 400


@dataclass
class Tracked:
    """A trial as a tracker has it."""

    epochs: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    final: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    status: str = ""


class MLflowServer:
    """A real server on a free port, with its database in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        options = ("--host", "127.0.0.1", "--port", self.port, "--workers", 1)
        store = ("--backend-store-uri", f"sqlite:///{self.folder}/runs.db", "--artifacts-destination", self.folder)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *map(str, (*options, *store))],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
                # The first request that asks for anything sets up the database.
                experiments = f"{self.url}/api/2.0/mlflow/experiments/search?max_results=1"
                urllib.request.urlopen(experiments, timeout=START_SECONDS).close()
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(self.url)

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflowServer]:
    running = MLflowServer(tmp_path_factory.mktemp("mlflow"))
    yield running
    running.stop()


def read_tensorboard(folder: Path) -> dict[str, Tracked]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    trials = {}
    (suite,) = folder.iterdir()
    for path in suite.iterdir():
        events = EventAccumulator(str(path)).Reload()
        tags = events.Tags()
        values = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
        start = HParamsPluginData.FromString(
            events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        ).session_start_info
        trials[path.name.rpartition("-")[2]] = Tracked(
            {tag.removeprefix("epoch/"): points for tag, points in values.items() if tag.startswith("epoch/")},
            {tag: points[-1][1] for tag, points in values.items() if not tag.startswith("epoch/")},
            {name: str(value.string_value or value.number_value) for name, value in start.hparams.items()},
            events.Tensors("status")[-1].tensor_proto.string_val[0].decode() if "status" in tags["tensors"] else "",
        )
    return trials


def read_mlflow(url: str, suite: str) -> dict[str, Tracked]:
    from mlflow import MlflowClient

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name(os.environ["MLFLOW_EXPERIMENT_NAME"])
    assert experiment
    place = [experiment.experiment_id]
    (parent,) = client.search_runs(place, f"tags.`bench.suite` = '{suite}' and tags.`bench.kind` = 'suite'")
    trials: dict[str, Tracked] = {}
    for run in client.search_runs(place, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"):
        key = run.data.tags["bench.key"]
        assert key not in trials, "a trial twice"
        names = [name for name in run.data.metrics if "/" not in name]
        history = {name: client.get_metric_history(run.info.run_id, name) for name in names}
        trials[key] = Tracked(
            {name: [(point.step, point.value) for point in points] for name, points in history.items()},
            {name: value for name, value in run.data.metrics.items() if "/" in name},
            run.data.params,
            run.data.tags.get("bench.status", ""),
        )
        assert run.info.status == ("FINISHED" if trials[key].status == "complete" else "KILLED")
    return trials


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline file: a log as LevelDB has it, of blocks with a checksum, a length and a kind each."""
    from wandb.proto.wandb_internal_pb2 import Record as WandbRecord

    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # the whole of a record, or the last part of one
            yield WandbRecord.FromString(parts)
            parts = b""


def read_wandb(folder: Path) -> dict[str, Tracked]:
    trials: dict[str, Tracked] = {}
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime):
        trial = trials.setdefault(path.stem.removeprefix("run-"), Tracked())
        for record in wandb_records(path):
            if record.HasField("run"):
                trial.parameters |= {item.key: item.value_json.strip('"') for item in record.run.config.update}
                assert record.run.run_group == "made"
            elif record.HasField("history"):
                values = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
                for name, value in values.items():
                    if name != "epoch" and not name.startswith("_"):
                        trial.epochs.setdefault(name, []).append((values["epoch"], value))
            elif record.HasField("summary"):
                values = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.summary.update}
                trial.final |= {name: value for name, value in values.items() if "/" in name}
                trial.status = values.get("status", trial.status)
    return trials


@pytest.fixture(params=["tensorboard", "mlflow", "wandb"])
def tracker(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Destination, Callable[[], dict[str, Tracked]]]:
    """Where to log to, and how to read what is there; on a busy machine a library may take long to be imported."""
    monkeypatch.setattr(tracking, "STOPPED_SECONDS", 300.0)
    monkeypatch.setattr(tracking, "QUIET_SECONDS", 300.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
    if request.param == "tensorboard":
        folder = tmp_path / "board"
        return Destination("tensorboard", str(folder)), lambda: read_tensorboard(folder)
    if request.param == "mlflow":
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", request.node.name)
        server: MLflowServer = request.getfixturevalue("server")
        return Destination("mlflow", server.url), lambda: read_mlflow(server.url, "made")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    return Destination("wandb", "bench"), lambda: read_wandb(tmp_path)


class StopsInEpoch(PlainProgress):
    """A run that is stopped, as by Ctrl-C, after an epoch of its second trial."""

    def __init__(self, stats: ProgressStats, console: Console, epoch: int):
        super().__init__(stats, console)
        self.epoch = epoch

    def trial_progressed(self, running: Any) -> None:
        if running.trial.seed == 1 and running.epoch > self.epoch:
            raise KeyboardInterrupt


def run(
    trials: list[Trial], data: dict[str, Dataset], folder: Path, destination: Destination, stop_after: int | None = None
) -> str:
    """Run trials in this process; what was printed."""
    options = RunOptions(suite="made", use_ray=False, checkpoint_after=0.0, trackers=(destination,))
    out = io.StringIO()
    console = Console(file=out, width=200)
    display = (lambda stats: StopsInEpoch(stats, console, stop_after)) if stop_after else None
    try:
        run_trials(trials, data, Ledger(folder), console, options, display)
    except KeyboardInterrupt:
        assert stop_after
    return out.getvalue()


def check(tracked: dict[str, Tracked], records: list[Record]) -> None:
    """Each trial is there once, with every epoch once, its final metrics and its configuration."""
    assert tracked.keys() == {record.key for record in records}
    for record in records:
        trial = tracked[record.key]
        for name, curve in record.result.curves.items():
            expected = [(epoch, pytest.approx(value, rel=1e-6)) for epoch, value in enumerate(curve, 1)]
            assert trial.epochs[name] == expected, (name, trial.epochs[name])
        assert record.result.test
        assert trial.final["test/accuracy"] == pytest.approx(record.result.test["accuracy"])
        assert (trial.status, trial.parameters["model"]) == ("complete", "mlp")
        assert float(trial.parameters["optimizer.lr"]) == pytest.approx(0.001)


GRID = "grid: {model: {name: mlp, hidden: [8]}, seeds: 2, batch_size: 50, epochs: 4}"


def test_a_run_its_continuation_and_an_export_have_each_trial_and_epoch_once(
    tracker: tuple[Destination, Callable[[], dict[str, Tracked]]],
    tmp_path: Path,
    few_pictures: dict[str, Dataset],
    suite_of: Any,
    trials_of: Any,
) -> None:
    destination, read = tracker
    trials = trials_of(suite_of(GRID))
    folder = tmp_path / "results"
    run(trials, few_pictures, folder, destination, stop_after=2)
    (first,) = Ledger(folder).records()
    stopped = read()
    assert stopped.keys() == {trial.key for trial in trials}
    assert stopped[first.key].status == "complete"
    (other,) = stopped.keys() - {first.key}
    assert [epoch for epoch, _ in stopped[other].epochs["val_accuracy"]] == [1, 2]
    # After epoch 1 or 2: checkpoints take a twentieth of a trial's time, so short epochs skip some.
    assert "seed 1: resumed after epoch " in run(trials, few_pictures, folder, destination)
    records = Ledger(folder).records()
    check(read(), records)
    run(trials, few_pictures, folder, destination)  # there is nothing to do
    assert export_records(records, destination) == (0, 2)
    check(read(), records)


def test_tensorboard_reads_the_files_of_a_trial_in_the_order_they_were_written(
    tmp_path: Path, suite_of: Any, trials_of: Any
) -> None:
    """Its reader orders them by name, in which one second's file number 10 comes before number 9."""
    from bench.execution.trackers import tensorboard_files, tracker

    (trial,) = trials_of(suite_of(GRID.replace("seeds: 2", "seeds: 1")))
    tracked = tracker.of_trial(trial, "made")
    seconds = []
    for _ in range(2):
        files = tensorboard_files.TensorBoardFiles(tmp_path, "made")
        files.begin(tracked, anew=False)
        files.end(tracked, None)
        seconds.append(max(int(path.name.split(".")[3]) for path in tmp_path.glob("made/*/events*")))
    assert len(list(tmp_path.glob("made/*/events*"))) == 2
    assert seconds[0] < seconds[1]


def test_an_export_alone_has_the_same(
    tracker: tuple[Destination, Callable[[], dict[str, Tracked]]],
    tmp_path: Path,
    few_pictures: dict[str, Dataset],
    suite_of: Any,
    trials_of: Any,
) -> None:
    destination, read = tracker
    console, options = Console(file=io.StringIO()), RunOptions(suite="made", use_ray=False)
    run_trials(trials_of(suite_of(GRID)), few_pictures, Ledger(tmp_path / "results"), console, options)
    records = Ledger(tmp_path / "results").records()
    assert export_records(records, destination) == (2, 0)
    assert export_records(records, destination) == (0, 2)
    check(read(), records)


def test_a_tracker_that_hangs_keeps_no_run_waiting(
    tmp_path: Path, few_pictures: Any, suite_of: Any, trials_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "QUIET_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # connects, and never answers
        destination = Destination("mlflow", f"http://user:secret@127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        out = run(trials_of(suite_of(GRID)), few_pictures, tmp_path / "results", destination)
        assert time.monotonic() - start < 60
    assert [record.status for record in Ledger(tmp_path / "results").records()] == ["complete"] * 2
    assert "lacks 2 trials, or part of them; once it answers, `bench export --log mlflow=http://127.0.0.1" in out
    assert "secret" not in out


def test_parameters_that_were_lost_with_their_server_are_written_by_the_next_export(
    server: MLflowServer,
    tmp_path: Path,
    few_pictures: Any,
    suite_of: Any,
    trials_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "lost")
    console = Console(file=io.StringIO())
    options = RunOptions(suite="made", use_ray=False)
    run_trials(trials_of(suite_of(GRID)), few_pictures, Ledger(tmp_path / "results"), console, options)
    records, destination = Ledger(tmp_path / "results").records(), Destination("mlflow", server.url)

    def dies(*_: Any, **__: Any) -> None:
        raise ConnectionError("the server is gone")

    with monkeypatch.context() as patch, pytest.raises(UserError):
        patch.setattr("mlflow.MlflowClient.log_batch", dies)  # after the run was made
        export_records(records, destination)
    export_records(records, destination)
    check(read_mlflow(server.url, "made"), records)


def test_a_server_that_dies_in_the_middle_is_told_once_and_an_export_brings_the_rest(
    server: MLflowServer,
    tmp_path: Path,
    few_pictures: Any,
    suite_of: Any,
    trials_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "dying")
    monkeypatch.setattr(tracking, "RETRY_SECONDS", 0.1)
    destination, folder = Destination("mlflow", server.url), tmp_path / "results"
    trials = trials_of(suite_of(GRID))

    class KillsServer(PlainProgress):
        def trial_progressed(self, running: Any) -> None:
            if running.trial.seed == 1 and running.epoch == 2 and server.process.poll() is None:
                server.stop()

    out = io.StringIO()
    console = Console(file=out, width=200)
    options = RunOptions(suite="made", use_ray=False, trackers=(destination,))
    try:
        run_trials(trials, few_pictures, Ledger(folder), console, options, lambda stats: KillsServer(stats, console))
        records = Ledger(folder).records()
        assert [record.status for record in records] == ["complete"] * 2
        assert out.getvalue().count("the run goes on, and tries it again") == 1
        assert "`bench export --log mlflow=http://127.0.0.1" in out.getvalue()
        with pytest.raises(UserError, match="the same command goes on from there"):
            export_records(records, destination)
    finally:
        server.start()
    written, present = export_records(records, destination)
    assert written + present == 2 and written >= 1
    assert export_records(records, destination) == (0, 2)
    check(read_mlflow(server.url, "made"), records)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tensorbord", "did you mean 'tensorboard'"),
        ("mlflow", "where is its server"),
        ("mlflow=localhost", "is no URL"),
        ("wandb=a b", "write a project"),
        ("wandb", "there is no API key"),
        ("tensorboard=/dev/null", "is a file"),
        ("tensorboard=/proc/nowhere", "cannot write"),
    ],
)
def test_a_wrong_destination_is_told_before_anything_runs(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(UserError, match=message):
        destinations([text], tmp_path)


def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'benchgrid\[mlflow\]'"):
        destinations(["mlflow=http://127.0.0.1:1"], tmp_path)


def test_destinations_are_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    monkeypatch.setenv("WANDB_MODE", "offline")
    found = destinations(["mlflow", "tensorboard", "wandb", "wandb"], tmp_path)
    assert [str(destination) for destination in found] == [
        "mlflow=http://127.0.0.1:5000", f"tensorboard={tmp_path / 'tensorboard'}", "wandb=bench",
    ]  # fmt: skip
