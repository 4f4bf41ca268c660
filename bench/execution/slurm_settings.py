"""The file for `bench run --slurm`: what it may say, and its mistakes with their lines."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bench.errors import UserError, nearest

RESERVED = ("array", "error", "job-name", "open-mode", "output", "parsable", "requeue", "signal", "wait", "wrap")
"""Options of sbatch that are bench's."""


class SlurmSettings(BaseModel):
    """A file for `bench run --slurm`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: Annotated[int, Field(ge=1)] = 1
    """Drivers side by side: the tasks of the job array."""
    sbatch: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*$")], str | int | bool] = Field(
        default_factory=dict
    )
    """Options of sbatch by their long names, for each task: partition, account, time, cpus-per-task, mem, gres ...
    `true` stands for an option without a value."""
    setup: list[str] = Field(default_factory=list)
    """Lines of shell before the driver starts, such as `module load cuda`."""
    python: Annotated[str, StringConstraints(min_length=1)] = "python3"
    """The Python with bench's requirements, on the nodes, after `setup`."""
    lead_seconds: Annotated[int, Field(ge=10)] = 120
    """How long before its time limit a task gets SIGTERM: time for checkpoints."""
    max_requeues: Annotated[int, Field(ge=0)] = 100
    """How often one task may be queued again at its time limit."""
    folder: Path | None = None
    """A folder that all nodes see, for the run's script, events and logs; by default `slurm/` in the ledger."""


def read_settings(path: Path) -> SlurmSettings:
    """Read a SLURM file.

    Raises
    ------
    UserError
        It cannot be read, or has a mistake.
    """
    from bench.suite.yaml_loader import read

    if not path.is_file():
        raise UserError(f"--slurm {path}: there is no such file; docs/slurm.md says how to write one")
    document = read(path)
    try:
        settings = SlurmSettings.model_validate(document.data if document.data is not None else {})
    except ValidationError as error:
        raise UserError("\n".join(_mistake(path, document.line, mistake) for mistake in error.errors())) from error
    for option in settings.sbatch:
        if option in RESERVED:
            raise UserError(
                f"{path}:{document.line(('sbatch', option))}: sbatch.{option}: bench sets this option itself; remove it"
            )
    limit = time_limit(settings.sbatch.get("time", ""))
    if limit is not None and limit <= settings.lead_seconds:
        raise UserError(
            f"{path}:{document.line(('sbatch', 'time'))}: sbatch.time: {limit} s, of which the last "
            f"{settings.lead_seconds} are for stopping (`lead_seconds`): no time to train is left\n"
            "  raise `time`, or lower `lead_seconds`"
        )
    return settings


def time_limit(text: str | int) -> int | None:
    """Seconds of sbatch's `time`; None for no limit, or what SLURM itself will refuse.

    MINUTES, MINUTES:SECONDS, HOURS:MINUTES:SECONDS or DAYS-HOURS, with minutes and seconds after another colon each.
    SLURM rounds up to minutes.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", str(text))
    if match is None:
        return None
    days, *parts = match.groups()
    values = [int(part) for part in parts if part is not None]
    if days is None and len(values) < 3:
        values.insert(0, 0)  # no hours
    hours, minutes, seconds = [*values, 0, 0][:3]
    limit = 86_400 * int(days or 0) + 3_600 * hours + 60 * minutes + seconds
    return 60 * math.ceil(limit / 60) or None


def _mistake(path: Path, line: object, mistake: object) -> str:
    values = dict(mistake)  # type: ignore[call-overload]
    path_in_file = tuple(part for part in values["loc"] if part != "[key]")
    key = ".".join(map(str, path_in_file)) or "the file"
    where = f"{path}:{line(path_in_file)}" if path_in_file else str(path)  # type: ignore[operator]
    if values["type"] == "extra_forbidden":
        hint = nearest(str(path_in_file[-1]), list(SlurmSettings.model_fields))
        known = ", ".join(SlurmSettings.model_fields)
        return f"{where}: {key}: unknown; known are {known}" + (f"\n  {hint}" if hint else "")
    return f"{where}: {key}: {values['msg']}, found {values['input']!r}"
