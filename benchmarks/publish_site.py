"""How long a site of a large ledger takes: ``python benchmarks/publish_site.py [--trials N] [--folder DIR]``.

A made-up ledger (`made.py`) of configurations with 3 seeds each. `bench publish` reads it as a process of its own,
start-up included, and every turn must write the same bytes. Bound: 2 minutes for 10,000 trials. A folder keeps the
ledger, 290 kB a trial, for the next time; else it is made in a temporary one.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
import tempfile
from pathlib import Path

from figures import cost_of, load_now, median_and_spread, show, verdict

BOUND = 120
"""Seconds for 10,000 trials."""


def digest(folder: Path) -> str:
    """Of the names and bytes of all files."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def main() -> None:
    from made import Size, fill

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_002)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    size = Size(configurations=arguments.trials // 3)
    load_before = load_now()
    kept = contextlib.nullcontext(arguments.folder) if arguments.folder else tempfile.TemporaryDirectory()
    with kept as location:
        folder = Path(location)
        if not (folder / "results").exists():
            fill(folder, size)
        command = [sys.executable, "-m", "bench", "publish", "results", "--to", "site"]
        runs, digests = [], set()
        for _ in range(arguments.repeats):
            runs.append(cost_of(command, folder))
            digests.add(digest(folder / "site"))
        files = [path for path in (folder / "site").rglob("*") if path.is_file()]
        megabytes = sum(path.stat().st_size for path in files) / 1e6
    bound = BOUND * size.trials / 10_000
    seconds = [run.seconds for run in runs]
    show(
        f"The site of {size.trials:,} trials",
        ("what", "measured", "bound", "held"),
        [
            ("seconds", median_and_spread(seconds), f"{bound:.0f}", verdict(max(seconds), bound, at_least=False)),
            ("CPU seconds", median_and_spread([run.cpu for run in runs]), "", ""),
            ("peak memory, MiB", median_and_spread([run.peak for run in runs], ".0f"), "", ""),
            ("files", f"{len(files):,}", "", ""),
            ("MB", f"{megabytes:.1f}", "", ""),
            ("different sites", f"{len(digests)}", "1", verdict(len(digests), 1, at_least=False)),
        ],
        load_before,
    )


if __name__ == "__main__":
    main()
