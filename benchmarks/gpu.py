"""What does a GPU change? ``python benchmarks/gpu.py OUT [--sections NAME,...] [--only TEXT] [--device cpu --small]``.

Sections, each of which stands alone:

correctness      the same trial on a CPU and on the device, for every kind of component: curves within a tolerance;
                 `deterministic: true` repeats to the bit there; a trial goes on from its checkpoint to the same bits
synchronization  no call inside an epoch waits for the device, by PyTorch's own sync debug mode
throughput       images per second of the labs' and the frontier's networks: against loops a practitioner would write
                 instead, then in float32, TF32 and bfloat16, channels last or first, compiled or not; and their share
                 of the device's matrix throughput
sharing          1, 2, 4 and 8 trials at once on one device, none of them with more than its fraction of the memory
frontier         suites/frontier.yaml: accuracy, seconds and PFLOP, and which of four accuracies that reaches
labs             the lab documents' suites, then both searches of 90 trials, by several drivers of one ledger

A section runs in a process of its own under its own limit of seconds, and --seconds is the limit of them all, of which
the last one has what is left. Its rows are in OUT/SECTION.json as soon as they are measured, and in OUT/tables.md when
it ends, so that a section which is broken off leaves what it has. --only keeps the rows whose name has TEXT in it.
--work keeps ledgers: the sections frontier and labs go on with what lies there, and OUT/ledgers.tar.gz holds it, but
for checkpoints, so that `bench report` and `bench published` can read it elsewhere. Exit code 1: a claim of a row does
not hold, or a section failed (one that reached its limit has not).

``--device cpu --small`` tries the sections on a few images, for no figure's sake. A machine without a network is
prepared by `gpu_bare_machine.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Measure = Callable[[str, bool, str, Path], Iterator[Row]]
"""Device, whether small, the part of a name that rows are wanted of, a folder for ledgers; the rows as they come."""


@dataclass(frozen=True)
class Section:
    """Where a section's function is, what its table is called, and how many seconds it may take."""

    module: str
    title: str
    seconds: float

    def measure(self, name: str) -> Measure:
        found: Measure = getattr(importlib.import_module(self.module), name)
        return found


SECTIONS = {
    "correctness": Section("gpu_checks", "The device against a CPU, and against itself", 150),
    "synchronization": Section("gpu_checks", "Calls inside an epoch that wait for the device", 60),
    "throughput": Section("gpu_speed", "Images per second", 300),
    "sharing": Section("gpu_runs", "Several trials at once on one device", 120),
    "frontier": Section("gpu_runs", "The frontier's recipes to their accuracies", 560),
    "labs": Section("gpu_runs", "The lab documents' suites", 560),
}
HOLDS = "holds"
"""The column that says ``NO`` where a claim does not hold."""

LEDGERS = ("frontier", "labs")
GRACE = 10.0
"""Seconds that a section has for its end after its limit."""


def write_json(path: Path, value: Row) -> None:
    """At once or not at all, since the process may be ended at any time."""
    half = path.with_suffix(".half")
    half.write_text(json.dumps(value, indent=1) + "\n")
    half.rename(path)


def described(device: str) -> str:
    """The processor, the versions and the device in one line."""
    from figures import machine

    if device == "cpu":
        return machine()
    import torch

    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU on this machine; `--device cpu --small` tries the sections on a CPU")
    seen = torch.cuda.get_device_properties(device)
    return f"{seen.name}, {seen.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}; {machine()}"


def measured(name: str, device: str, small: bool, only: str, out: Path, work: Path) -> Row:
    """Run a section in this process; its rows and how it ended, in a file after every row."""
    start, path = time.perf_counter(), out / f"{name}.json"
    result: Row = {"section": name, "status": "running", "machine": described(device), "small": small, "rows": []}
    try:
        for row in SECTIONS[name].measure(name)(device, small, only, work):
            result["rows"].append(row)
            result["seconds"] = round(time.perf_counter() - start, 1)
            write_json(path, result)
            print(f"{name} {result['seconds']:.0f} s: " + ", ".join(map(as_text, row.values())), flush=True)
        result["status"] = "complete"
    except Exception as error:
        traceback.print_exc()
        result["status"] = f"failed: {type(error).__name__}: {error}"
    result["seconds"] = round(time.perf_counter() - start, 1)
    write_json(path, result)
    return result


def as_text(value: Any) -> str:
    """A cell of a table."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(result: Row) -> str:
    """A section as Markdown: its title, how it ended, and a table for every set of columns its rows have."""
    from figures import markdown

    ended = f"{result['status']}, {result.get('seconds', 0):.0f} s{', small' if result['small'] else ''}"
    lines = ["", f"## {SECTIONS[result['section']].title}", "", f"{ended}. {result['machine']}"]
    by_columns: dict[tuple[str, ...], list[Row]] = {}
    for row in result["rows"]:
        by_columns.setdefault(tuple(row), []).append(row)
    for columns, rows in by_columns.items():
        lines += ["", *markdown(columns, [[as_text(value) for value in row.values()] for row in rows])]
    return "\n".join(lines) + "\n"


def write_tables(out: Path) -> None:
    """OUT/tables.md from what the sections have written."""
    paths = [out / f"{name}.json" for name in SECTIONS]
    text = "\n".join(table(json.loads(path.read_text())) for path in paths if path.exists())
    (out / "tables.md").write_text("# What a GPU changes\n" + text)


def run_within(name: str, limit: float, arguments: Sequence[str], out: Path) -> str:
    """A section in a process of its own, ended with all its own processes at its limit; how it ended."""
    path = out / f"{name}.json"
    path.unlink(missing_ok=True)
    command = [sys.executable, __file__, str(out), "--sections", name, "--in-process", *arguments]
    process = subprocess.Popen(command, start_new_session=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(limit)
    ended = process.poll()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    if not path.exists():
        return (
            "failed: no row was measured" if ended is not None else f"out of time before its first row ({limit:.0f} s)"
        )
    result = json.loads(path.read_text())
    if result["status"] == "running":
        result["status"] = f"out of time ({limit:.0f} s)" if ended is None else f"failed: exit code {ended}"
        write_json(path, result)
    return str(result["status"])


def holds(out: Path, names: Sequence[str]) -> bool:
    """Whether no row of these sections has a claim that does not hold."""
    paths = [out / f"{name}.json" for name in names]
    rows = [row for path in paths if path.exists() for row in json.loads(path.read_text())["rows"]]
    return not any(str(row.get(HOLDS, "")).startswith("NO") for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sections", default=",".join(SECTIONS), help="of " + ", ".join(SECTIONS))
    parser.add_argument("--only", default="", help="rows whose name has this text in it")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="a few images, a few rows: whether it runs at all")
    parser.add_argument("--seconds", type=float, default=570, help="of all sections together")
    parser.add_argument("--work", type=Path, help="a folder for ledgers; without it a temporary one")
    parser.add_argument("--in-process", action="store_true", help="without limits, in this process")
    given = parser.parse_args()
    names = given.sections.split(",")
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"--sections {unknown[0]}: there are {', '.join(SECTIONS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        work = given.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work.mkdir(parents=True, exist_ok=True)
        ended = {}
        if given.in_process:
            for name in names:
                result = measured(name, given.device, given.small, given.only, given.out, work)
                ended[name] = result["status"]
        else:
            ended = within_limits(given, names, work)
    write_tables(given.out)
    failed = [name for name, status in ended.items() if status.startswith("failed")]
    sys.exit(1 if failed or not holds(given.out, names) else 0)


def within_limits(given: argparse.Namespace, names: Sequence[str], work: Path) -> dict[str, str]:
    """All sections one after the other, as long as there is time; how each ended."""
    arguments = ["--device", given.device, "--only", given.only, "--work", str(work), *["--small"] * given.small]
    deadline, ended = time.monotonic() + given.seconds, {}
    for name in names:
        left = deadline - time.monotonic() - GRACE
        limit = left if name == names[-1] else min(SECTIONS[name].seconds, left)
        ended[name] = run_within(name, limit, arguments, given.out) if limit > 0 else "out of time before it began"
        print(f"{name}: {ended[name]}", flush=True)
        write_tables(given.out)
        if ledgers := [work / folder for folder in LEDGERS if (work / folder).is_dir()]:
            with tarfile.open(given.out / "ledgers.tar.gz", "w:gz") as archive:
                for path in ledgers:  # checkpoints are large
                    archive.add(path, path.name, filter=lambda one: None if "/checkpoints" in one.name else one)
    return ended


if __name__ == "__main__":
    main()
