"""`bench doctor`: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Literal

import typer

from bench.commands.library_probe import PROBES, Facts, ProbeError, probe
from bench.commands.options import RESULTS, AsJson, DataDir, Results
from bench.data import DATASETS
from bench.data.file_formats import verify
from bench.data.local_files import locate, search_paths, user_cache
from bench.errors import UserError, escaped_line, plural
from bench.ledger.ledger import Ledger
from bench.streams import reserve_stdout
from bench.system import cpu_count, cpu_limit, gpu_count, memory, memory_limit, temporary_folder, visible_cpus

GB = 1e9
MIN_PYTHON = (3, 11)
MIN_MEMORY = 2 * GB
"""Ray's own processes take about one, the driver and one small trial the other."""
MIN_SHARED = 0.3 * GB
"""Ray's store is asked for 0.2 GB or three times the data sets, whichever is more."""
MIN_RESULTS = 0.5 * GB
"""A record on 10,000 test images takes some 0.1 MB."""
MIN_CACHE = 1.5 * GB
"""The largest download, EMNIST's, is 0.6 GB and unpacked aside."""
RAY_FULL = 0.95
"""Ray stops writing objects to a disk this full (its setting local_fs_capacity_threshold)."""


@dataclass(frozen=True)
class DoctorCheck:
    """One line: `message` is the state, `advice` what to do about a warning or a problem."""

    name: str
    status: Literal["ok", "warning", "problem"]
    message: str
    advice: str = ""


def checks(results: str, data_dir: Path | None) -> Iterator[DoctorCheck]:
    """All checks, the quick ones first; torch, timm and Ray are probed meanwhile.

    Raises
    ------
    UserError
        `data_dir` is not a folder.
    """
    folders = list(_missing_folders(data_dir))
    with ThreadPoolExecutor(len(PROBES)) as threads:
        probes = {library: threads.submit(probe, library) for library in PROBES}
        yield _python()
        yield _cpus()
        yield _memory()
        yield _shared_memory()
        yield _results(results)
        yield _cache()
        yield _ray_folder()
        yield from folders
        yield from _datasets(data_dir)
        yield _torch(probes["torch"])
        yield from _bfloat16(probes["torch"])
        yield _timm(probes["timm"])
        yield _ray(probes["ray"])


def _python() -> DoctorCheck:
    message = f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    if sys.version_info < MIN_PYTHON:
        return DoctorCheck("python", "problem", message, "bench needs Python {}.{} or later".format(*MIN_PYTHON))
    return DoctorCheck("python", "ok", message)


def _cpus() -> DoctorCheck:
    visible, limit = visible_cpus(), cpu_limit()
    quota = f", of which the container may use {limit:g} at a time" if limit is not None and limit < visible else ""
    return DoctorCheck("CPUs", "ok", f"{visible}{quota}; trials side by side: {cpu_count()}")


def _memory() -> DoctorCheck:
    size = memory()
    message = f"{_size(size)}{' (the limit of the container)' if memory_limit() else ''}"
    if size < MIN_MEMORY:
        return DoctorCheck(
            "memory", "warning", message, "trials may be killed: train small models, with --jobs 1 or --no-ray"
        )
    return DoctorCheck("memory", "ok", message)


def _shared_memory() -> DoctorCheck:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return DoctorCheck("shared memory", "ok", "this system has no /dev/shm; Ray uses its temporary folder")
    free = shutil.disk_usage(folder).free
    message = f"{_size(free)} free in {folder}"
    if free < MIN_SHARED:
        advice = "Ray will use the disk, slowly: give the container more (docker run --shm-size=2g), or free some"
        return DoctorCheck("shared memory", "warning", message, advice)
    return DoctorCheck("shared memory", "ok", message)


def _results(results: str) -> DoctorCheck:
    advice = "name another folder or URL with --results or BENCH_RESULTS"
    try:
        ledger = Ledger(results)
        damaged = ledger.damaged
        count = len(ledger.records())
        if isinstance(ledger.root, str):
            check = DoctorCheck("results", "ok", f"reached {ledger.root}")
        else:
            check = _disk("results", ledger.root, MIN_RESULTS, advice, "problem")
        if check.status == "ok":
            ledger.check_writable()
    except UserError as error:
        return DoctorCheck("results", "problem", str(error), advice)
    if damaged and check.status == "ok":
        name = escaped_line(Path(damaged[0][0]).name)
        message = f"{len(damaged)} files in {ledger.root} are damaged and passed over, {name} for one"
        return DoctorCheck(
            "results", "warning", message, "their trials run again; `bench merge` mends them from a whole copy"
        )
    return DoctorCheck(check.name, check.status, f"{plural(count, 'trial')}, {check.message}", check.advice)


def _cache() -> DoctorCheck:
    advice = "let XDG_CACHE_HOME name another folder, or put data sets where --data-dir or BENCH_DATA says"
    return _disk("download cache", user_cache(), MIN_CACHE, advice, "warning")


def _ray_folder() -> DoctorCheck:
    advice = "name another with RAY_TMPDIR, or run with --no-ray"
    try:
        folder = temporary_folder()
    except UserError as error:
        return DoctorCheck("Ray's folder", "problem", " ".join(str(error).split()), advice)
    check = _disk("Ray's folder", folder, 0, advice, "problem")
    if check.status == "ok":
        disk = shutil.disk_usage(folder)
        if 1 - disk.free / disk.total > RAY_FULL:
            return DoctorCheck(
                check.name, "warning", check.message, f"Ray wants {1 - RAY_FULL:.0%} of a disk free: free some"
            )
    return check


def _disk(name: str, folder: Path, least: float, advice: str, unwritable: Literal["warning", "problem"]) -> DoctorCheck:
    """Whether a folder, which need not exist yet, can be written to and has enough free space."""
    try:
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free
    except OSError as error:
        return DoctorCheck(name, unwritable, f"{folder} cannot be written to: {error.strerror or error}", advice)
    message = f"{_size(free)} free in {folder}"
    if free < least:
        return DoctorCheck(name, "warning", message, f"may not be enough: free some, or {advice}")
    return DoctorCheck(name, "ok", message)


def _missing_folders(data_dir: Path | None) -> Iterator[DoctorCheck]:
    """A warning for each folder named by the user that does not exist; UserError for --data-dir."""
    for path in search_paths(next(iter(DATASETS.values())), data_dir):
        if path.given and not path.root.is_dir():
            yield DoctorCheck(path.label, "warning", f"{path.root}: there is no such folder", "name one that exists")


def _datasets(data_dir: Path | None) -> Iterator[DoctorCheck]:
    """A line for each data set on this machine, and one line for all others: nobody needs every one."""
    results = {}
    for name, info in DATASETS.items():
        paths = next(filter(None, (locate(info, location)[0] for location in search_paths(info, data_dir))), None)
        if paths is None:
            continue
        try:
            for file, path in zip(info.files, paths, strict=True):
                verify(info, file, path)
        except UserError as error:
            message, _, advice = str(error).partition("\n")
            results[name] = paths, DoctorCheck(name, "problem", message, " ".join(advice.split()))
        else:
            results[name] = paths, DoctorCheck(name, "ok", f"verified in {paths[0].parent}")
    # Data sets have files of the same names: in a folder of BENCH_DATA one data set's may be found for another.
    verified = {paths[0] for paths, check in results.values() if check.status == "ok"}
    checks_ = [check for paths, check in results.values() if check.status == "ok" or paths[0] not in verified]
    yield from checks_
    absent = [name for name in DATASETS if name not in {check.name for check in checks_}]
    if absent:
        advice = f"`bench data fetch {' '.join(absent)}` gets them, and so does the first run that needs one"
        yield DoctorCheck("data", "warning", f"not on this machine: {', '.join(absent)}", advice)


def _torch(facts_future: Future[Facts]) -> DoctorCheck:
    facts = _facts(
        "torch", facts_future, "install a build for this machine, see https://pytorch.org/get-started/locally/"
    )
    if isinstance(facts, DoctorCheck):
        return facts
    message = f"{facts['version']}, {facts['threads']} threads"
    if facts["devices"]:
        names = ", ".join(f"{device['name']} ({_size(device['memory'])})" for device in facts["devices"])
        return DoctorCheck("torch", "ok", f"{message}; trials train on {names}")
    if gpu_count():
        built = f"for CUDA {facts['cuda']}" if facts["cuda"] else "without CUDA"
        advice = (
            "install a build that fits the driver (`nvidia-smi` shows it): https://pytorch.org/get-started/locally/"
        )
        return DoctorCheck(
            "torch", "warning", f"{message}, built {built}: sees none of {gpu_count()} NVIDIA GPUs", advice
        )
    gpu = "sees Apple's GPU, which bench does not use" if facts["mps"] else "sees no GPU"
    return DoctorCheck("torch", "ok", f"{message}; {gpu}: trials train on CPUs")


def _bfloat16(facts_future: Future[Facts]) -> Iterator[DoctorCheck]:
    """What the precision costs on this machine's CPUs."""
    try:
        facts = facts_future.result()
    except ProbeError:
        return  # which torch's own line tells
    if facts["bfloat16_is_slower"]:
        advice = "leave `precision` at float32 for trials on CPUs; --set precision=float32 changes a suite's"
        yield DoctorCheck("bfloat16", "warning", f"emulated by this processor: {facts['bfloat16']}", advice)
    else:
        yield DoctorCheck("bfloat16", "ok", facts["bfloat16"])


def _timm(facts_future: Future[Facts]) -> DoctorCheck:
    facts = _facts(
        "timm", facts_future, "install torch, torchvision and timm again, together, so that they fit each other"
    )
    if isinstance(facts, DoctorCheck):
        return facts
    return DoctorCheck(
        "timm", "ok", f"{facts['version']}, {facts['models']:,} models; torchvision {facts['torchvision']}"
    )


def _ray(facts_future: Future[Facts]) -> DoctorCheck:
    facts = _facts("Ray", facts_future, "pip install 'ray[train,tune]'; until it works, run with --no-ray")
    if isinstance(facts, DoctorCheck):
        return facts
    return DoctorCheck("Ray", "ok", f"{facts['version']}, starts here and runs {facts['slots']} trials side by side")


def _facts(name: str, facts_future: Future[Facts], advice: str) -> Facts | DoctorCheck:
    try:
        return facts_future.result()
    except ProbeError as error:
        return DoctorCheck(name, "problem", f"does not work: {error}", advice)


def _size(bytes_: float) -> str:
    return f"{bytes_ / GB:,.1f} GB"


COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "problem": typer.colors.RED}


def doctor(results: Results = RESULTS, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check this machine: Python, torch, Ray, timm, devices, data, disks. Exit code 1 if something does not work."""
    output = reserve_stdout() if as_json else sys.stdout

    statuses: Counter[str] = Counter()
    finished = []
    for check in checks(results, data_dir):
        statuses[check.status] += 1
        finished.append(asdict(check))
        if not as_json:
            typer.secho(check.status.ljust(9), fg=COLOURS[check.status], nl=False)
            typer.echo(f"{check.name.ljust(15)}{check.message}")
            if check.advice:
                typer.echo(fill(check.advice, 100, initial_indent=" " * 24, subsequent_indent=" " * 24))
    if as_json:
        typer.echo(
            json.dumps(
                {"problems": statuses["problem"], "warnings": statuses["warning"], "checks": finished}, indent=2
            ),
            file=output,
        )
    else:
        typer.echo(f"\n{_count(statuses['problem'], 'problem')}, {_count(statuses['warning'], 'warning')}")
    raise typer.Exit(1 if statuses["problem"] else 0)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
