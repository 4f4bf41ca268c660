"""One trial again, from its record alone: rebuilt, checked to be the same one, and trained in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.components import AXES
from bench.data import fingerprint
from bench.errors import UserError
from bench.execution.forkserver import ProcessDiedError
from bench.execution.forkserver import train as run_again
from bench.execution.worker import Message
from bench.ledger.external import check_runnable
from bench.ledger.record import Record
from bench.models.user_code import is_user, read, weights_files
from bench.suite.trial import Trial, data_path, trial_key

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
    if record.status in ("failed", "pruned"):
        why = (
            "there is no figure to agree with; run its suite again, which tries failed trials anew"
            if record.status == "failed"
            else "what was pruned depends on the trials beside it; name one that ran to its end"
        )
        raise UserError(f"{record.key}: the trial was not finished ({record.status}): {why}")
    config = record.config
    if odd := _of_another_form(config):
        raise UserError(
            f"{record.key}: was made by another version of bench ({record.run_info.versions.get('bench', 'unknown')}), "
            f"whose configurations had another form: {'; '.join(odd)}\n"
            "  go back to that version, or run its suite again for a record of this one"
        )
    try:
        path = data_path(config["dataset"], folder / "suite.yaml")
        contents = fingerprint({**config["dataset"], "path": str(path)} if path else config["dataset"])
        code = read(config["model"], folder)
        checksum = code.checksum if code else None
    except UserError as error:
        raise UserError(
            f"{record.key}: {error}\n  --from names the folder of the suite file, where paths start"
        ) from error
    if trial_key(config, record.seed, contents, checksum) != record.key:
        raise UserError(f"{record.key}: this would be another trial today: {_changed(record, path is not None)}")
    configuration = trial_key(config, None, contents, checksum)
    return Trial(record.key, configuration, config, record.seed, 0, code, path, contents)


def train(
    trial: Trial, data: Dataset, threads: int, recorded: str, device: str | None, report: Callable[[Any], None]
) -> tuple[Message, bool]:
    """What the trial comes to, and whether it ran on a CPU.

    Without `device` (``cpu`` or ``cuda``) it runs on what has the name that was `recorded`, else as `bench run` would.

    Raises
    ------
    UserError
        There is no GPU although one was asked for; or the trial failed.
    """
    if (workers := trial.config["workers"]) > 1:
        raise UserError(
            f"{trial.key}: {workers} workers trained it together, and this process is alone\n"
            "  run its suite into a new ledger: bench run SUITE --only ... --results DIR"
        )
    import torch

    from bench.training.runtime import device_name

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise UserError("--device cuda: PyTorch finds no GPU on this machine; leave the option out")
    on_cpu = not there or device_name(torch.device("cpu")) == recorded if device is None else device == "cpu"
    place = "cpu" if on_cpu else "cuda"
    try:
        message = run_again(trial.code, trial.run_config, trial.seed, data, place, threads, report)
    except ProcessDiedError as error:
        raise UserError(f"{trial.key}: the trial failed: {error}") from error
    if "failure" in message:
        failure = message["failure"]
        raise UserError(f"{trial.key}: could not be trained: {failure['kind']}: {failure['message']}")
    return message, on_cpu


def _of_another_form(config: dict[str, Any]) -> list[str]:
    """In what the entries of a config are none that today's suite files expand to, an axis each."""
    found = []
    for axis, known in AXES.items():
        value = config.get(axis, [])
        for entry in value if isinstance(value, list) else [value]:
            if entry["name"] not in known:
                continue
            try:
                today = known[entry["name"]].model_validate(entry).model_dump(exclude_none=True)
            except ValueError as error:
                found.append(f"{axis} {entry['name']}: {str(error).splitlines()[1]}")
                continue
            lacking = ", ".join(sorted(today.keys() - entry.keys()))
            found += [f"{axis} {entry['name']} has no {lacking}"] if lacking else []
    return found


def _changed(record: Record, own_data: bool) -> str:
    name = record.config["model"]["name"]
    parts = [f"the source of {name}, or of what it imports or reads,"] if is_user(name) else []
    parts += ["the file of its weights"] if weights_files(record.config["model"]) else []
    parts += ["the contents of its data"] if own_data else []
    parts.append("the data set's release or how bench trains")
    since = f", bench {record.run_info.versions['bench']}" if "bench" in record.run_info.versions else ""
    commit = f", commit {record.run_info.git_commit[:12]}" if record.run_info.git_commit else ""
    when = record.run_info.finished or "at an unknown time"
    return (
        f"{' or '.join(parts)} changed since it ran ({when}{since}{commit})\n"
        "  go back to what it was, or run its suite again for a record of how it is now"
    )
