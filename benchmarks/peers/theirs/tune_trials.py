"""Short trials under plain Ray Tune, with its defaults: ``tune_trials.py PICTURES.npz TRIALS FOLDER``.

FOLDER takes what Tune would leave in the home folder.
"""

import json
import sys
import time
from pathlib import Path

import ray
from ray import tune


def trainable(config):
    sys.path.insert(0, config["folder"])
    from short_trial import load_data, train

    validation, test = train(load_data(config["images"]), config["lr"])
    tune.report({"accuracy": validation, "test": test})


if __name__ == "__main__":
    images, count, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    ray.init()
    first = time.time()
    space = {
        "images": images,
        "folder": str(Path(__file__).resolve().parent),
        "lr": tune.grid_search([0.001 * (1 + number) for number in range(count)]),
    }
    results = tune.Tuner(trainable, param_space=space, run_config=tune.RunConfig(storage_path=folder)).fit()
    last = time.time()
    done = [result.metrics["accuracy"] for result in results if result.error is None]
    print(json.dumps({"first": first, "last": last, "trials": len(done), "best": max(done)}))
