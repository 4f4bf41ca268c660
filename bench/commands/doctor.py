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
from typing import Any, Literal

import typer

from bench.characters import escaped_line
from bench.commands.library_probe import PROBES, ProbeError, ask
from bench.commands.options import RESULTS, AsJson, DataDir, Results
from bench.errors import UserError, plural
from bench.streams import reserve_stdout
from bench.system import cpu_count, cpu_limit, gpu_count, memory, memory_limit, temporary_folder, visible_cpus

GB = 1e9
LEAST_PYTHON = (3, 11)
LEAST_MEMORY = 2 * GB
"""Ray's own processes take about one, the driver and one small trial the other."""
LEAST_SHARED = 0.3 * GB
"""Ray's store is asked for 0.2 GB or three times the data sets, whichever is more."""
LEAST_RESULTS = 0.5 * GB
"""A record on 10,000 test images takes some 0.1 MB."""
LEAST_CACHE = 1.5 * GB
"""The largest download, EMNIST's, is 0.6 GB and unpacked aside."""
RAY_FULL = 0.95
"""Ray stops writing objects to a disk this full (its setting local_fs_capacity_threshold)."""


@dataclass(frozen=True)
class DoctorCheck:
    """One line: `found` is what was seen, `advice` what to do about a warning or a problem."""

    name: str
    level: Literal["ok", "warning", "problem"]
    found: str
    advice: str = ""


def checks(results: str, data_dir: Path | None) -> Iterator[DoctorCheck]:
    """All checks, the quick ones first; torch, timm and Ray are asked meanwhile.

    Raises
    ------
    UserError
        `data_dir` is not a folder.
    """
    folders = list(_given_folders(data_dir))
    with ThreadPoolExecutor(len(PROBES)) as threads:
        answers = {library: threads.submit(ask, library) for library in PROBES}
        yield _python()
        yield _cpus()
        yield _memory()
        yield _shared_memory()
        yield _results(results)
        yield _cache()
        yield _ray_folder()
        yield from folders
        yield from _datasets(data_dir)
        yield _torch(answers["torch"])
        yield _timm(answers["timm"])
        yield _ray(answers["ray"])


def _python() -> DoctorCheck:
    found = f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    if sys.version_info < LEAST_PYTHON:
        return DoctorCheck("python", "problem", found, "bench needs Python {}.{} or later".format(*LEAST_PYTHON))
    return DoctorCheck("python", "ok", found)


def _cpus() -> DoctorCheck:
    visible, limit = visible_cpus(), cpu_limit()
    quota = f", of which the container may use {limit:g} at a time" if limit is not None and limit < visible else ""
    return DoctorCheck("CPUs", "ok", f"{visible}{quota}; trials side by side: {cpu_count()}")


def _memory() -> DoctorCheck:
    size = memory()
    found = f"{_size(size)}{' (the limit of the container)' if memory_limit() else ''}"
    if size < LEAST_MEMORY:
        return DoctorCheck(
            "memory", "warning", found, "trials may be killed: train small models, with --jobs 1 or --no-ray"
        )
    return DoctorCheck("memory", "ok", found)


def _shared_memory() -> DoctorCheck:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return DoctorCheck("shared memory", "ok", "this system has no /dev/shm; Ray uses its temporary folder")
    free = shutil.disk_usage(folder).free
    found = f"{_size(free)} free in {folder}"
    if free < LEAST_SHARED:
        advice = "Ray will use the disk, slowly: give the container more (docker run --shm-size=2g), or free some"
        return DoctorCheck("shared memory", "warning", found, advice)
    return DoctorCheck("shared memory", "ok", found)


def _results(results: str) -> DoctorCheck:
    from bench.ledger.ledger import Ledger

    advice = "name another folder or URL with --results or BENCH_RESULTS"
    try:
        ledger = Ledger(results)
        damaged = ledger.damaged
        count = len(ledger.records())
        if isinstance(ledger.root, str):
            check = DoctorCheck("results", "ok", f"reached {ledger.root}")
        else:
            check = _disk("results", ledger.root, LEAST_RESULTS, advice, "problem")
        if check.level == "ok":
            ledger.check_writable()
    except UserError as error:
        return DoctorCheck("results", "problem", str(error), advice)
    if damaged and check.level == "ok":
        name = escaped_line(Path(damaged[0][0]).name)
        found = f"{len(damaged)} files in {ledger.root} are damaged and passed over, {name} for one"
        return DoctorCheck(
            "results", "warning", found, "their trials run again; `bench merge` mends them from a whole copy"
        )
    return DoctorCheck(check.name, check.level, f"{plural(count, 'trial')}, {check.found}", check.advice)


def _cache() -> DoctorCheck:
    from bench.data.search_paths import user_cache

    advice = "let XDG_CACHE_HOME name another folder, or put data sets where --data-dir or BENCH_DATA says"
    return _disk("download cache", user_cache(), LEAST_CACHE, advice, "warning")


def _ray_folder() -> DoctorCheck:
    advice = "name another with RAY_TMPDIR, or run with --no-ray"
    try:
        folder = temporary_folder()
    except UserError as error:
        return DoctorCheck("Ray's folder", "problem", " ".join(str(error).split()), advice)
    check = _disk("Ray's folder", folder, 0, advice, "problem")
    if check.level == "ok":
        disk = shutil.disk_usage(folder)
        if 1 - disk.free / disk.total > RAY_FULL:
            return DoctorCheck(
                check.name, "warning", check.found, f"Ray wants {1 - RAY_FULL:.0%} of a disk free: free some"
            )
    return check


def _disk(name: str, folder: Path, least: float, advice: str, unwritable: Literal["warning", "problem"]) -> DoctorCheck:
    """Whether a folder, which need not exist yet, can be written to and has some room."""
    try:
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return DoctorCheck(name, unwritable, f"{folder} cannot be written to: {error.strerror or error}", advice)
    found = f"{_size(free)} free in {folder}"
    if free < least:
        return DoctorCheck(name, "warning", found, f"may not be enough: free some, or {advice}")
    return DoctorCheck(name, "ok", found)


def _given_folders(data_dir: Path | None) -> Iterator[DoctorCheck]:
    """A word on each folder the user named that is none; raises UserError for --data-dir."""
    from bench.data import DATASETS
    from bench.data.search_paths import search_paths

    for place in search_paths(next(iter(DATASETS.values())), data_dir):
        if place.given and not place.root.is_dir():
            yield DoctorCheck(place.label, "warning", f"{place.root}: there is no such folder", "name one that exists")


def _datasets(data_dir: Path | None) -> Iterator[DoctorCheck]:
    """A line for each data set that is here, and one for all that are not: nobody needs every one."""
    from bench.data import DATASETS
    from bench.data.file_formats import verify
    from bench.data.search_paths import locate, search_paths

    here = {}
    for name, info in DATASETS.items():
        paths = next(filter(None, (locate(info, place)[0] for place in search_paths(info, data_dir))), None)
        if paths is None:
            continue
        try:
            for file, path in zip(info.files, paths, strict=True):
                verify(info, file, path)
        except UserError as error:
            found, _, advice = str(error).partition("\n")
            here[name] = paths, DoctorCheck(name, "problem", found, " ".join(advice.split()))
        else:
            here[name] = paths, DoctorCheck(name, "ok", f"verified in {paths[0].parent}")
    # Data sets share names of files: where BENCH_DATA is one's own folder, the others would be found there too.
    taken = {paths[0] for paths, check in here.values() if check.level == "ok"}
    told = [check for paths, check in here.values() if check.level == "ok" or paths[0] not in taken]
    yield from told
    absent = [name for name in DATASETS if name not in {check.name for check in told}]
    if absent:
        advice = f"`bench data fetch {' '.join(absent)}` gets them, and so does the first run that needs one"
        yield DoctorCheck("data", "warning", f"not on this machine: {', '.join(absent)}", advice)


def _torch(answer: Future[dict[str, Any]]) -> DoctorCheck:
    facts = _facts("torch", answer, "install a build for this machine, see https://pytorch.org/get-started/locally/")
    if isinstance(facts, DoctorCheck):
        return facts
    found = f"{facts['version']}, {facts['threads']} threads"
    if facts["devices"]:
        names = ", ".join(f"{device['name']} ({_size(device['memory'])})" for device in facts["devices"])
        return DoctorCheck("torch", "ok", f"{found}; trials train on {names}")
    if gpu_count():
        built = f"for CUDA {facts['cuda']}" if facts["cuda"] else "without CUDA"
        advice = (
            "install a build that fits the driver (`nvidia-smi` shows it): https://pytorch.org/get-started/locally/"
        )
        return DoctorCheck(
            "torch", "warning", f"{found}, built {built}: sees none of {gpu_count()} NVIDIA GPUs", advice
        )
    seen = "sees Apple's GPU, which bench does not use" if facts["mps"] else "sees no GPU"
    return DoctorCheck("torch", "ok", f"{found}; {seen}: trials train on CPUs")


def _timm(answer: Future[dict[str, Any]]) -> DoctorCheck:
    facts = _facts("timm", answer, "install torch, torchvision and timm again, together, so that they fit each other")
    if isinstance(facts, DoctorCheck):
        return facts
    return DoctorCheck(
        "timm", "ok", f"{facts['version']}, {facts['models']:,} models; torchvision {facts['torchvision']}"
    )


def _ray(answer: Future[dict[str, Any]]) -> DoctorCheck:
    facts = _facts("Ray", answer, "pip install 'ray[train,tune]'; until it works, run with --no-ray")
    if isinstance(facts, DoctorCheck):
        return facts
    return DoctorCheck("Ray", "ok", f"{facts['version']}, starts here and runs {facts['slots']} trials side by side")


def _facts(name: str, answer: Future[dict[str, Any]], advice: str) -> dict[str, Any] | DoctorCheck:
    try:
        return answer.result()
    except ProbeError as error:
        return DoctorCheck(name, "problem", f"does not work: {error}", advice)


def _size(bytes_: float) -> str:
    return f"{bytes_ / GB:,.1f} GB"


COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "problem": typer.colors.RED}


def doctor(results: Results = RESULTS, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check this machine: Python, torch, Ray, timm, devices, data, disks. Exit code 1 if something does not work."""
    out = reserve_stdout() if as_json else sys.stdout

    levels: Counter[str] = Counter()
    done = []
    for check in checks(results, data_dir):
        levels[check.level] += 1
        done.append(asdict(check))
        if not as_json:
            typer.secho(check.level.ljust(9), fg=COLOURS[check.level], nl=False)
            typer.echo(f"{check.name.ljust(15)}{check.found}")
            if check.advice:
                typer.echo(fill(check.advice, 100, initial_indent=" " * 24, subsequent_indent=" " * 24))
    if as_json:
        typer.echo(
            json.dumps({"problems": levels["problem"], "warnings": levels["warning"], "checks": done}, indent=2),
            file=out,
        )
    else:
        typer.echo(f"\n{_count(levels['problem'], 'problem')}, {_count(levels['warning'], 'warning')}")
    raise typer.Exit(1 if levels["problem"] else 0)


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
