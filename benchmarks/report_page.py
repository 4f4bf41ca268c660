"""How long the page of a large suite takes, and how large it is: ``python benchmarks/report_page.py [--repeats N]``.

A made-up ledger (`made.py`) of 333 configurations with 3 seeds each: 30 epochs of five curves, predictions for 10,000
images of which the hard ones are hard for all, and the images for the gallery. `bench report --html` reads it as a
process of its own, start-up included. The page's size is told with and without the libraries in it (DataTables, Vega),
which are the same in every page. Bounds: 20 s, and 3 MB beside the libraries.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from figures import cost_of, median_and_spread, show, verdict


def beside_libraries(text: str) -> int:
    """Bytes of a page without the libraries in it."""
    libraries = re.findall(r'<script type="application/gzip".*?</script>', text)
    return len(text.encode()) - sum(map(len, libraries))


def main() -> None:
    from made import Size, fill

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats, size = parser.parse_args().repeats, Size()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        fill(folder, size)
        command = [sys.executable, "-m", "bench", "report", "made.yaml", "--html", "--out", "out"]
        runs = [cost_of(command, folder) for _ in range(repeats)]
        page = (folder / "out" / "made.html").read_text("utf-8")
    seconds = [one.seconds for one in runs]
    beside = beside_libraries(page) / 1e6
    show(
        f"The page of {size.trials:,} trials",
        ("what", "measured", "bound", "kept"),
        [
            ("seconds", median_and_spread(seconds), "20", verdict(max(seconds), 20, at_least=False)),
            ("CPU seconds", median_and_spread([one.cpu for one in runs]), "", ""),
            ("peak memory, MiB", median_and_spread([one.peak for one in runs], ".0f"), "", ""),
            ("MB in all", f"{len(page.encode()) / 1e6:.2f}", "", ""),
            ("MB beside the libraries", f"{beside:.2f}", "3", verdict(beside, 3, at_least=False)),
        ],
    )


if __name__ == "__main__":
    main()
