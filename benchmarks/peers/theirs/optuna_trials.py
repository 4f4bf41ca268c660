"""Short trials in one process of Optuna, with its defaults: ``optuna_trials.py PICTURES.npz TRIALS``."""

import json
import sys
import time

import optuna
from short_trial import load_data, train

parts, count = load_data(sys.argv[1]), int(sys.argv[2])


def objective(trial):
    validation, test = train(parts, trial.suggest_float("lr", 1e-3, 1e-1, log=True))
    trial.set_user_attr("test", test)
    return validation


first = time.time()
study = optuna.create_study(direction="maximize")
study.optimize(objective, n_trials=count)
print(json.dumps({"first": first, "last": time.time(), "trials": len(study.trials), "best": study.best_value}))
