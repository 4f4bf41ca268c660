"""Bring bench to a machine with a GPU and PyTorch but no network. ``python benchmarks/gpu_bare_machine.py``.

collect FOLDER [--python 3.12] [--data NAME ...]   here: the wheels that bench needs beside PyTorch, and the data sets
bootstrap FOLDER ENVIRONMENT                       there: an environment with them on top of that Python's packages

From the checkout's root, with FOLDER inside it:

    python benchmarks/gpu_bare_machine.py collect bare --data fashion_mnist
    # there:
    python3 benchmarks/gpu_bare_machine.py bootstrap bare /tmp/environment
    BENCH_DATA=bare/data /tmp/environment/bin/python benchmarks/gpu.py OUT

Wheels are pure Python, but for those of --binary (pydantic's core, which no such machine has). NumPy, SciPy, pandas,
scikit-learn and statsmodels are expected there, as timm and torchvision are; `bootstrap` names what it lacks. Ray is
not taken along: trials run with ``--no-ray``. The folder may have 64 MiB.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

PURE = (
    "annotated-doc", "annotated-types", "click", "fsspec", "jinja2", "markdown-it-py", "mdurl", "packaging",
    "platformdirs", "pooch", "pydantic", "pygments", "rich", "shellingham", "typer", "typing-extensions",
    "typing-inspection",
)  # fmt: skip
"""What `bench run --no-ray` and the benchmarks import beside PyTorch, with their needs; pip takes none by itself."""

BINARY = ("pydantic-core",)
PLATFORMS = ("manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64")

THERE = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "pandas",
    "sklearn",
    "statsmodels",
    "safetensors",
    "yaml",
    "PIL",
)
"""Modules that the other machine has to have."""

LIMIT = 64 * 2**20


def collect(folder: Path, python: str, data: Sequence[str]) -> None:
    """Download the wheels for a Python of that version on Linux, and copy the data sets' files."""
    wheels = folder / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(parents=True)
    pinned = core_version()
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(wheels),
    ]
    pip += ["--python-version", python, "--implementation", "cp"]
    subprocess.run([*pip, "--platform", "any", *(pinned.get(name, name) for name in PURE)], check=True)
    platforms = [text for platform in PLATFORMS for text in ("--platform", platform)]
    subprocess.run([*pip, *platforms, *(pinned.get(name, name) for name in BINARY)], check=True)
    for name in data:
        copy_data(name, folder / "data")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {len(list(wheels.iterdir()))} wheels, {size / 2**20:.1f} MiB in all")
    if size > LIMIT:
        sys.exit(f"{folder} is larger than {LIMIT / 2**20:.0f} MiB: name fewer data sets with --data")


def core_version() -> dict[str, str]:
    """pydantic and its core as they are here, since they go by pairs."""
    from importlib.metadata import version

    return {name: f"{name}=={version(name)}" for name in ("pydantic", "pydantic-core")}


def copy_data(name: str, into: Path) -> None:
    """The files of a data set, wherever on this machine they lie, in a folder of the same name."""
    from bench.data.dataset import fetch

    source = fetch(name)
    shutil.copytree(source, into / source.name, dirs_exist_ok=True)


def bootstrap(folder: Path, environment: Path) -> None:
    """An environment that has the wheels, this checkout, and all that the Python which runs this finds."""
    if missing := [name for name in THERE if importlib.util.find_spec(name) is None]:
        sys.exit(f"{sys.executable} has no {', '.join(missing)}: collect wheels of them too, or take another Python")
    venv.create(environment, system_site_packages=True, with_pip=False, clear=True)
    python = environment / "bin" / "python"
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", query], check=True, capture_output=True, text=True).stdout.strip())
    # This Python may be an environment's own, whose packages the other would not find by itself.
    packages = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    lines = [str(Path(__file__).resolve().parents[1]), *(f"import site; site.addsitedir({one!r})" for one in packages)]
    (site / "bench-environment.pth").write_text("\n".join(lines) + "\n")
    wheels = sorted(str(path) for path in (folder / "wheels").glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--ignore-installed", "--no-compile", *wheels], check=True)
    subprocess.run([python, "-m", "bench", "--help"], check=True, stdout=subprocess.DEVNULL)
    print(f"{python} runs bench")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    here = steps.add_parser("collect")
    here.add_argument("folder", type=Path)
    here.add_argument("--python", default="3.12")
    here.add_argument("--data", nargs="*", default=[])
    there = steps.add_parser("bootstrap")
    there.add_argument("folder", type=Path)
    there.add_argument("environment", type=Path)
    given = parser.parse_args()
    if given.step == "collect":
        collect(given.folder, given.python, given.data)
    else:
        bootstrap(given.folder, given.environment)


if __name__ == "__main__":
    main()
