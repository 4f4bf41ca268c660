"""One trial again, from its record alone: rebuilt, checked to be the same trial, and trained in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.components import AXES, is_user_defined
from bench.data import fingerprint
from bench.errors import UserError
from bench.execution.forkserver import ProcessDiedError
from bench.execution.forkserver import train as train_in_process
from bench.execution.messages import TrialFailure, TrialResult
from bench.jsonutil import JsonObject
from bench.ledger.record import Record, check_runnable
from bench.suite.trial import Codes, Trial, TrialConfig, data_source, trial_key
from bench.user_code.read_code import read_component, weights_files

if TYPE_CHECKING:
    from bench.data.dataset import Dataset


def rebuild_trial(record: Record, folder: Path) -> Trial:
    """The trial that a record is of.

    Parameters
    ----------
    folder
        Where relative paths of the user's own model and data start: the folder of the suite file, which the record
        does not know.

    Raises
    ------
    UserError
        The record is of no trial that could be run to its end; or the data, the user's own code or training itself
        have changed since, so that it would be another trial.
    """
    check_runnable(record)
    if record.status in ("failed", "timed_out", "pruned"):
        reason = (
            "there are no results to agree with; run its suite again, which tries failed trials again"
            if record.status == "failed"
            else "it was stopped before its end; run its suite again with a higher `max_minutes`"
            if record.status == "timed_out"
            else "pruning depends on the other trials of its run; name a trial that ran to its end"
        )
        raise UserError(f"{record.key}: the trial was not finished ({record.status}): {reason}")
    config = record.config
    if differences := _schema_differences(config):
        raise UserError(
            f"{record.key}: was made by another version of bench ({record.run_info.versions.get('bench', 'unknown')}), "
            f"whose configurations had another form: {'; '.join(differences)}\n"
            "  go back to that version, or run its suite again for a record of this one"
        )
    try:
        typed = TrialConfig.from_json(config)
        codes = Codes(lambda *_: record.key, lambda component: read_component(component, folder))
        path, contents, data_code = data_source(folder / "suite.yaml", typed.dataset, fingerprint, codes)
        code = codes.of(typed)
        checksum = code.checksum if code else None
    except UserError as error:
        raise UserError(f"{error}\n  --from names the folder of the suite file, where paths start") from error
    if trial_key(config, record.seed, contents, checksum) != record.key:
        raise UserError(f"{record.key}: this would be another trial today: {_change_reasons(record, path is not None)}")
    configuration = trial_key(config, None, contents, checksum)
    return Trial(record.key, configuration, typed, record.seed, 0, code, data_code, path, contents)


def train(
    trial: Trial, data: Dataset, threads: int, recorded: str, device: str | None, report: Callable[[Any], None]
) -> tuple[TrialResult, bool]:
    """The trial's result, and whether it ran on a CPU.

    Without `device` (``cpu`` or ``cuda``) it runs on the device of the name `recorded`, else as `bench run` would.

    Raises
    ------
    UserError
        There is no GPU although `device` names one; or the trial failed.
    """
    if (workers := trial.config.workers) > 1:
        raise UserError(
            f"{trial.key}: {workers} workers trained it together, and this is one process\n"
            "  run its suite into a new ledger: bench run SUITE --only ... --results DIR"
        )
    import torch

    from bench.training.runtime import device_name

    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise UserError("--device cuda: PyTorch finds no GPU on this machine; leave the option out")
    on_cpu = not has_gpu or device_name(torch.device("cpu")) == recorded if device is None else device == "cpu"
    target = "cpu" if on_cpu else "cuda"
    try:
        end = train_in_process(trial.code, trial.run_config, trial.seed, data, target, threads, report)
    except ProcessDiedError as error:
        raise UserError(f"{trial.key}: the trial failed: {error}") from error
    if isinstance(end, TrialFailure):
        raise UserError(f"{trial.key}: could not be trained: {end.kind}: {end.message}")
    return end, on_cpu


def _schema_differences(config: JsonObject) -> list[str]:
    """How the components of a config differ from those that suite files of this version expand to."""
    differences = []
    for axis, known in AXES.items():
        for component in _components(config.get(axis, [])):
            if component["name"] not in known:
                continue
            try:
                current = known[component["name"]].model_validate(component).model_dump(exclude_none=True)
            except ValueError as error:
                differences.append(f"{axis} {component['name']}: {str(error).splitlines()[1]}")
                continue
            missing = ", ".join(sorted(current.keys() - component.keys()))
            differences += [f"{axis} {component['name']} has no {missing}"] if missing else []
    return differences


def _components(value: Any) -> list[JsonObject]:
    return value if isinstance(value, list) else [value]


def _change_reasons(record: Record, user_data: bool) -> str:
    components = [component for axis in AXES for component in _components(record.config.get(axis, []))]
    names = ", ".join(component["name"] for component in components if is_user_defined(component["name"]))
    parts = [f"the source of {names}, or of what it imports or reads,"] if names else []
    parts += ["the file of its weights"] if weights_files(record.config["model"]) else []
    parts += ["the contents of its data"] if user_data else []
    parts.append("the data set's release or how bench trains")
    version = f", bench {record.run_info.versions['bench']}" if "bench" in record.run_info.versions else ""
    commit = f", commit {record.run_info.git_commit[:12]}" if record.run_info.git_commit else ""
    time = record.run_info.finished or "at an unknown time"
    return (
        f"{' or '.join(parts)} changed since it ran ({time}{version}{commit})\n"
        "  go back to what it was, or run its suite again for a new record"
    )
