"""How long do corrupted test images take to make? Seconds per corruption for 10,000 images, and for ten of them.

`python benchmarks/corruptions.py [--colour]`: Fashion-MNIST's test images, or as many of 32 x 32 in colour.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bench.components.data_questions import CORRUPTIONS, SEVERITIES
from bench.data import load
from bench.data.corrupt import corrupt

TEN = [name for name in CORRUPTIONS if name not in ("shot_noise", "defocus_blur", "jpeg", "scale", "shear")]
"""Those of the suite robustness."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--colour", action="store_true", help="10,000 random images of 32 x 32 in colour")
    if parser.parse_args().colour:
        images = np.random.RandomState(0).randint(0, 256, (10_000, 3, 32, 32)).astype(np.uint8)
    else:
        images = load("fashion_mnist").test_images
    seconds = {}
    for name in CORRUPTIONS:
        start = time.process_time()
        for severity in SEVERITIES:
            corrupt(images, name, severity)
        seconds[name] = time.process_time() - start
        print(f"{name:16} {seconds[name]:5.1f} s")
    print(f"the ten of the suite robustness, five severities each: {sum(seconds[name] for name in TEN):.1f} s")
    print(f"all {len(seconds)}: {sum(seconds.values()):.1f} s")


if __name__ == "__main__":
    main()
