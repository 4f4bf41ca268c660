"""What does more cost? ``python benchmarks/scale.py [--only trials,classes,images,seeds,runs] [--most N]``.

Made-up ledgers (`made.py`: 30 epochs of curves, predictions for 10,000 images) of 100 to 10,000 trials, 3 seeds a
configuration; of 10 to 100 classes, of images of 28 to 64 pixels, and of 1 to 30 seeds, at 100 configurations; and
`bench run --no-ray` of trivial trials. Each command is a process of its own, start-up included. The exponent is the
slope of log CPU seconds (or MB, libraries among them) against log trials over the sizes from a tenth of the largest on:
1 is linear, and what starts up alone lies below. Bounds at 10,000 trials: plan 3 s, frames 5 s, page 60 s and 10 MB.
The ledger of 10,000 trials takes 0.9 GB in the temporary folder.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from figures import Cost, cost_of, exponent, load_now, show, verdict, write_suite

TRIALS, SEEDS = (100, 300, 1_000, 3_000, 10_000), (1, 3, 10, 30)
CLASSES, PICTURES = (10, 26, 47, 100), ((28, 1), (32, 3), (64, 3))
RUNS = TRIALS
BOUNDS = {"plan": 3.0, "frames": 5.0, "page": 60.0}
LARGEST_PAGE = 10.0
FRAMES = "import bench; found = bench.load({!r}); assert len(found.trials) == {} and len(found.curves)"
PARTS = ("trials", "classes", "images", "seeds", "runs")


def made(folder: Path, trials: int, seeds: int = 3, classes: int = 10, side: int = 28, channels: int = 1) -> Path:
    """A folder with a suite and its ledger, filled by a process of its own: this one is to stay small."""
    process = get_context("spawn").Process(target=_fill, args=(folder, trials, seeds, classes, side, channels))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"a ledger of {trials} trials could not be made")
    return folder


def _fill(folder: Path, trials: int, seeds: int, classes: int, side: int, channels: int) -> None:
    from made import Size, fill

    fill(folder, Size(math.ceil(trials / seeds), seeds, classes, side, channels))


def measured(folder: Path) -> tuple[dict[str, Cost], float]:
    """What plan, frames and page cost in this folder, and the page's MB."""
    count = sum(1 for _ in (folder / "results" / "entries").glob("*/*.npz"))
    bench = [sys.executable, "-m", "bench"]
    commands = {
        "plan": [*bench, "plan", "made.yaml"],
        "frames": [sys.executable, "-c", FRAMES.format("results", count)],
        "page": [*bench, "report", "made.yaml", "--html", "--out", "out"],
    }
    found = {name: cost_of(command, folder) for name, command in commands.items()}
    return found, (folder / "out" / "made.html").stat().st_size / 1e6


def row(name: str, found: dict[str, Cost], size: float) -> list[str]:
    """``seconds (CPU), MiB`` of each command, and the page's size."""
    costs = [f"{one.seconds:.1f} ({one.cpu:.1f}), {one.peak:.0f}" for one in found.values()]
    return [name, *costs, f"{size:.2f}"]


def growth(sizes: Sequence[int], found: Sequence[dict[str, Cost]], pages: Sequence[float]) -> list[str]:
    """The exponents by CPU seconds, and that of the page's size, over the upper decade of sizes."""
    late = [place for place, size in enumerate(sizes) if 10 * size >= sizes[-1]]
    upper = [sizes[place] for place in late]
    costs = [f"{exponent(upper, [found[place][name].cpu for place in late]):.2f}" for name in BOUNDS]
    return ["exponent", *costs, f"{exponent(upper, [pages[place] for place in late]):.2f}"]


def kept(found: dict[str, Cost], page: float) -> list[str]:
    """Whether the bounds hold, by seconds and, where other work slowed them, by CPU seconds."""
    cells = []
    for name, bound in BOUNDS.items():
        by_clock, by_cpu = (verdict(value, bound, False) for value in (found[name].seconds, found[name].cpu))
        cells.append(f"<= {bound:.0f} s: {by_clock} (CPU: {by_cpu})")
    return ["bound", *cells, f"<= {LARGEST_PAGE:.0f} MB: {verdict(page, LARGEST_PAGE, False)}"]


def series(
    title: str, unit: str, cases: Sequence[tuple[str, dict[str, int]]], root: Path, sizes: Sequence[int]
) -> None:
    """Measure one ledger after the other, each taken away before the next is made, and print their table."""
    before, found, pages, rows = load_now(), [], [], []
    for name, how in cases:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            costs, page = measured(made(Path(folder), **how))
        found.append(costs)
        pages.append(page)
        rows.append(row(name, costs, page))
        print(f"{title}, {unit} {name}: {', '.join(rows[-1][1:])}", file=sys.stderr, flush=True)
    if len(sizes) > 1:
        rows.append(growth(sizes, found, pages))
    if sizes and sizes[-1] == TRIALS[-1]:
        rows.append(kept(found[-1], pages[-1]))
    header = (unit, *(f"{name}: s (CPU s), MiB" for name in BOUNDS), "page, MB")
    show(title, header, rows, before)


def runs(root: Path, most: int) -> None:
    """`bench run --no-ray` of trials of one epoch on 40 images, in one process at a time."""
    before, sizes, costs = load_now(), [one for one in RUNS if one <= most], []
    for trials in sizes:
        with tempfile.TemporaryDirectory(dir=root) as text:
            folder = Path(text)
            process = get_context("spawn").Process(target=_few_pictures, args=(folder,))
            process.start()
            process.join()
            grid = {
                "model": {"name": "mlp", "hidden": [4]},
                "optimizer": {"name": "sgd", "lr": {"grid": _rates(trials)}},
            }
            defaults = {
                "dataset": {"name": "npz", "path": "few.npz"},
                "epochs": 1,
                "seeds": trials // len(_rates(trials)),
            }
            suite = write_suite(folder, grid, defaults)
            command = [sys.executable, "-m", "bench", "run", suite.name, "--no-ray", "--jobs", "1"]
            costs.append(cost_of(command, folder))
        print(f"run of {trials}: {costs[-1]}", file=sys.stderr, flush=True)
    rows = [
        [f"{n:,}", f"{one.seconds:.1f} ({one.cpu:.1f})", f"{1000 * one.cpu / n:.1f}", further, f"{one.peak:.0f}"]
        for n, one, further in zip(sizes, costs, _further(sizes, costs), strict=True)
    ]
    if len(sizes) > 1:
        upper = [place for place, size in enumerate(sizes) if 10 * size >= sizes[-1]]
        slope = exponent([sizes[place] for place in upper], [costs[place].cpu for place in upper])
        rows.append(["exponent", f"{slope:.2f}", "", "", ""])
    header = ("trials", "s (CPU s)", "CPU ms per trial, start-up included", "of each further trial", "peak MiB")
    show("Runs of trivial trials, --no-ray, one at a time", header, rows, before)


def _further(sizes: Sequence[int], costs: Sequence[Cost]) -> list[str]:
    """CPU ms of each trial that a size has more than the one before: without start-up, it would show faster growth."""
    pairs = zip(zip(sizes, costs, strict=True), zip(sizes[1:], costs[1:], strict=True), strict=False)
    return ["", *(f"{1000 * (more.cpu - one.cpu) / (size - before):.1f}" for (before, one), (size, more) in pairs)]


def _rates(trials: int) -> list[float]:
    return [round(0.001 * number, 4) for number in range(1, trials // 10 + 1)]


def _few_pictures(folder: Path) -> None:
    import numpy as np

    random, labels = np.random.default_rng(0), np.arange(40) % 2
    images = random.integers(0, 256, (40, 4, 4), dtype=np.uint8)
    arrays = {
        f"{part}_{what}": of for part in ("train", "test") for what, of in (("images", images), ("labels", labels))
    }
    np.savez(folder / "few.npz", allow_pickle=False, **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--most", type=int, default=TRIALS[-1], help="the largest ledger, and run, in trials")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"--only {', '.join(sorted(unknown))}: give some of {', '.join(PARTS)}")
    sizes = [one for one in TRIALS if one <= given.most]
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        if "trials" in wanted:
            series(
                "Against trials", "trials", [(f"{3 * math.ceil(n / 3):,}", {"trials": n}) for n in sizes], root, sizes
            )
        if "classes" in wanted:
            series("Against classes", "classes", [(f"{n}", {"trials": 300, "classes": n}) for n in CLASSES], root, ())
        if "images" in wanted:
            cases = [(f"{n} x {n} x {c}", {"trials": 300, "side": n, "channels": c}) for n, c in PICTURES]
            series("Against the size of images", "pixels", cases, root, ())
        if "seeds" in wanted:
            cases = [(f"{n}", {"trials": 100 * n, "seeds": n}) for n in SEEDS if 100 * n <= given.most]
            series("Against seeds, 100 configurations", "seeds", cases, root, [int(name) for name, _ in cases])
        if "runs" in wanted:
            runs(root, given.most)


if __name__ == "__main__":
    main()
