"""Settings, seeds, distributions, and what is left out or pruned."""

from __future__ import annotations

from mistakes.row import TOP, Row

ROWS: dict[str, Row] = {
    # --- the protocol ---
    "validation a number": (
        TOP + "  validation: 0.2\n",
        "grid.validation: 0.2",
        "{stratified: 0.1} or {tail: 0.2} or given or none",
    ),
    "validation misspelt": (TOP + "  validation: non\n", "grid.validation: 'non'", "or {tail: 0.2} or given or none"),
    "validation empty": (TOP + "  validation:\n", "grid.validation: an empty value", "{stratified: 0.1}"),
    "validation that comes with no data": (
        TOP + "  dataset: cifar10\n  validation: given\n",
        "grid.validation: `validation: given` is the validation part that comes with a data set, and cifar10 ",
    ),
    "fraction of one": (
        TOP + "  validation: {tail: 1}\n",
        "grid.validation.tail: 1 is out of range: it must be below 1",
    ),
    "fraction of zero": (
        TOP + "  validation: {stratified: 0}\n",
        "validation.stratified: 0 is out of range: it must be above 0",
    ),
    "fraction a word": (TOP + "  validation: {tail: a}\n", "grid.validation.tail: 'a' ", "it must be a number"),
    "unknown split": (
        TOP + "  validation: {tial: 0.2}\n",
        "grid.validation.tial: ",
        "did you mean 'tail'?",
        "tail, stratified",
    ),
    "two splits": (TOP + "  validation: {tail: 0.2, stratified: 0.1}\n", "`tail` and `stratified` exclude each other"),
    "early stopping a number": (TOP + "  early_stopping: 5\n", "grid.early_stopping: 5", "write it like {patience: 5}"),
    "early stopping none": (TOP + "  early_stopping: none\n", "'none' is not allowed here", "or leave it out"),
    "no patience": (TOP + "  early_stopping: {}\n", "`early_stopping` lacks `patience`"),
    "zero patience": (TOP + "  early_stopping: {patience: 0}\n", "early_stopping.patience: 0 is out of range"),
    "unknown monitor": (TOP + "  early_stopping: {patience: 1, monitor: loss}\n", "monitor: 'loss'", "'val_loss'?"),
    "unknown weights": (
        TOP + "  weights: bset\n",
        "grid.weights: 'bset'",
        "did you mean 'best'?",
        "allowed: last, best",
    ),
    "refit a number": (TOP + "  refit: 1\n", "grid.refit: 1 ", "it must be true or false"),
    "no workers": (TOP + "  workers: 0\n", "grid.workers: 0 is out of range: it must be above 0"),
    "workers a list": (
        TOP + "  workers: [1, 2]\n",
        "grid.workers: [1, 2] is not allowed here",
        "write it like 2 or {rules",
    ),
    "workers without rules": (TOP + "  workers: {default: 2}\n", "grid.workers: `workers` lacks `rules`"),
    "a rule of an unknown key": (
        TOP + "  workers: {rules: [{match: {modle: mlp}, workers: 2}]}\n",
        "grid.workers.rules[0].match.modle: unknown key 'modle'",
        "did you mean 'model'?",
    ),
    "a rule that fits nothing": (
        TOP + "  workers: {rules: [{match: {model: vgg}, workers: 2}]}\n",
        "grid.workers.rules[0]: fits no configuration that no rule before it fits",
        "model is there: 'mlp'",
    ),
    "more workers than a batch feeds": (
        TOP + "  batch_size: 6\n  workers: 4\n",
        "grid.workers: a batch of 6 leaves each of 4 workers less than 2 images",
        "take at most 3 workers, or a `batch_size` of at least 8",
    ),
    "no validation but early stopping": (
        TOP + "  validation: none\n  early_stopping: {patience: 3}\n",
        "suite.yaml:5: grid.early_stopping: `early_stopping` needs validation images",
    ),
    "no validation but best weights": (TOP + "  validation: none\n  weights: best\n", "suite.yaml:5: grid.weights: "),
    "no validation but refit": (TOP + "  validation: none\n  refit: true\n", "suite.yaml:5: grid.refit: "),
    "no validation but pruning": (TOP + "  validation: none\npruning: asha\n", "suite.yaml:5: pruning: pruning needs"),
    "no validation but confirm": (
        TOP + "  validation: none\n  seeds: 2\nconfirm: 3\n",
        "suite.yaml:6: confirm: confirm needs validation",
    ),
    "confirm of single seeds": (
        TOP + "confirm: 3\n",
        "suite.yaml:4: confirm: confirm needs at least 2 seeds",
        "`seeds: 2`",
    ),
    "confirm a list": (TOP + "  seeds: 2\nconfirm: [3]\n", "suite.yaml:5: confirm: [3]", "write it like 3"),
    "confirm nothing": (TOP + "  seeds: 2\nconfirm: 0\n", "suite.yaml:5: confirm: 0 is out of range"),
    # --- seeds, distributions ---
    "zero seeds": (TOP + "  seeds: 0\n", "grid.seeds: 0 is out of range: it must be above 0"),
    "no seeds": (TOP + "  seeds: []\n", "grid.seeds: [] is too short", "write it like 3 or [0, 1, 2]"),
    "seed twice": (TOP + "  seeds: [0, 1, 0]\n", "grid.seeds: [0, 1, 0] names a seed twice"),
    "seeds a mapping": (TOP + "  seeds: {a: 1}\n", "grid.seeds: {a: 1}", "write it like 3 or [0, 1, 2]"),
    "seeds a word": (TOP + "  seeds: [a]\n", "grid.seeds[0]: 'a'", "a whole number"),
    "negative seed": (TOP + "  seeds: [-1]\n", "grid.seeds[0]: -1 is out of range: it must be at least 0"),
    "distribution without samples": (
        TOP + "  optimizer: {name: adam, lr: {uniform: [1, 2]}}\n",
        "suite.yaml:2: grid: has a distribution but no `samples`",
        "`samples: 20`",
    ),
    "samples without a distribution": (TOP + "  samples: 3\n", "suite.yaml:4: grid.samples: there is no distribution"),
    "search without a distribution": (
        TOP + "  search: {trials: 20}\n",
        "suite.yaml:4: grid.search: there is no distribution",
        "or leave `search` out",
    ),
    "search by name": (TOP + "  search: tpe\n", "grid.search: 'tpe'", "{algorithm: tpe, trials: 60, startup: 15}"),
    "search by another sampler": (
        TOP + "  search: {algorithm: gp, trials: 20}\n",
        "grid.search.algorithm: 'gp' is not allowed here",
        "allowed: random, tpe",
    ),
    "search without trials": (TOP + "  search: {algorithm: tpe}\n", "`search` lacks `trials`"),
    "search that starts with more": (
        TOP + "  search: {trials: 20, startup: 30}\n",
        "grid.search: `startup: 30` is more than `trials: 20`; start with fewer, or run more trials",
    ),
    "search of fewer than it starts with": (
        TOP + "  search: {trials: 5}\n",
        "`startup: 10` (the default) is more than `trials: 5`",
    ),
    "random search in batches": (
        TOP + "  search: {algorithm: random, trials: 5, batch: 2}\n",
        "grid.search: `batch` is for algorithm tpe; remove it, or write `algorithm: tpe`",
    ),
    "search and samples": (
        TOP + "  optimizer: {name: adam, lr: {uniform: [0.1, 1]}}\n  search: {trials: 20}\n  samples: 20\n",
        "suite.yaml:5: grid.search: `search` and `samples` exclude each other",
        "keep one of the two",
    ),
    "search without validation": (
        TOP + "  optimizer: {name: adam, lr: {uniform: [0.1, 1]}}\n  search: {trials: 20}\n  validation: none\n",
        "grid.search: tpe needs validation images, and `validation: none` leaves none",
        "take `algorithm: random`",
    ),
    "search of data sets": (
        TOP + "  dataset: {name: npz, path: {choice: [a.npz, b.npz]}}\n  search: {trials: 20}\n",
        "suite.yaml:5: grid.search: tpe searches no data sets",
        "list them with `grid` instead: each has its own search",
    ),
    "search of a part of its space": (
        "name: t\ngrid:\n  model: {name: mlp, hidden: {choice: [[4], [8]]}}\n  search: {trials: 20}\n"
        "exclude: [{model: {name: mlp, hidden: [4]}}]\n",
        "suite.yaml:2: grid: `exclude` or `--only` leaves",
        "configurations that a search starts with, and it proposes by the results of all",
        "select by what all configurations of a search share",
    ),
    "end of a search's range": (
        TOP + "  optimizer: {name: sgd, momentum: {uniform: [0, 1]}}\n  search: {trials: 20}\n",
        "suite.yaml:4: grid.optimizer.momentum: 1 is out of range: it must be below 1",
    ),
    "zero samples": (TOP + "  samples: 0\n", "grid.samples: 0 is out of range"),
    "bounds from high to low": (
        TOP + "  optimizer: {name: adam, lr: {uniform: [2, 1]}}\n  samples: 2\n",
        "grid.optimizer.lr.uniform: `uniform` needs [low, high] with low < high, not [2, 1]",
    ),
    "logarithm of zero": (
        TOP + "  optimizer: {name: adam, lr: {log_uniform: [0, 1]}}\n  samples: 2\n",
        "0 < low < high",
    ),
    "one bound": (
        TOP + "  optimizer: {name: adam, lr: {uniform: [1]}}\n  samples: 2\n",
        "takes two numbers, low and high",
    ),
    "bounds out of range": (
        TOP + "  optimizer: {name: adam, lr: {uniform: [-2, -1]}}\n  samples: 2\n",
        "grid.optimizer.lr: -1.",
        "it must be above 0",
    ),
    "sweep of one number": (
        TOP + "  optimizer: {name: adam, lr: {grid: 1}}\n",
        "`grid` takes one list",
        "{grid: [1e-4",
    ),
    "empty sweep": (
        TOP + "  optimizer: {name: adam, lr: {grid: []}}\n",
        "`grid` takes one list with at least one value",
    ),
    "two sweeps": (TOP + "  optimizer: {name: adam, lr: {grid: [1], choice: [1]}}\n", "no other key"),
    "sweep in a sweep": (
        TOP + "  optimizer: {name: adam, lr: {grid: [{uniform: [0, 1]}]}}\n",
        "cannot hold another sweep",
    ),
    "wrong value in a sweep": (
        TOP + "  optimizer: {name: adam, lr: {grid: [1, -1]}}\n",
        "grid.optimizer.lr.grid[1]: -1 ",
    ),
    # --- exclude and pruning ---
    "exclude not a list": (
        TOP + "exclude: {model: mlp}\n",
        "suite.yaml:4: exclude: {model: mlp}",
        "like [{model: mlp}]",
    ),
    "exclude a word": (TOP + "exclude: [mlp]\n", "suite.yaml:4: exclude[0]: 'mlp' ", "it must be a mapping"),
    "exclude an unknown key": (
        TOP + "exclude: [{modle: mlp}]\n",
        "exclude[0].modle: unknown key",
        "did you mean 'model'?",
    ),
    "exclude seeds": (TOP + "exclude: [{seeds: 1}]\n", "exclude[0].seeds: unknown key 'seeds'"),
    "exclude nothing": (
        TOP + "exclude: [{model: cnn}]\n",
        "exclude[0]: matches no configuration",
        "model is there: 'mlp'",
    ),
    "exclude no such value": (TOP + "exclude: [{optimizer: {lr: 1}}]\n", "optimizer.lr is there: 0.001"),
    "exclude no such average": (
        TOP + "exclude: [{ema: 0.9}]\n",
        "exclude[0]: matches no configuration",
        "ema is there: ",
    ),
    "exclude no such flips": (TOP + "exclude: [{test_time: flip}]\n", "test_time is there: 'none'"),
    "exclude everything": (TOP + "exclude: [{model: m*}]\n", "suite.yaml:4: exclude: leaves out every configuration"),
    "exclude by an empty pattern": (TOP + "exclude: [{}]\n", "exclude[0]: is empty and would leave out everything"),
    "unknown pruning": (
        TOP + "pruning: hyperband\n",
        "suite.yaml:4: pruning: 'hyperband'",
        "none or asha or halving or {method: halving, grace_period: 3}",
    ),
    "pruning a number": (
        TOP + "pruning: 5\n",
        "pruning: 5 is not allowed here",
        "{method: halving, grace_period: 3}",
    ),
    "unknown key of pruning": (TOP + "pruning: {grace: 1}\n", "pruning.grace: ", "did you mean 'grace_period'?"),
    "seeds that ASHA does not wait for": (
        TOP + "pruning: {seeds: all}\n",
        "suite.yaml:4: pruning: seeds: all waits for all seeds of a configuration",
        "write method: halving, or leave seeds out",
    ),
    "no grace_period": (
        TOP + "pruning: {grace_period: 0}\n",
        "pruning.grace_period: 0 is out of range: it must be above 0",
    ),
    "no reduction": (
        TOP + "pruning: {reduction_factor: 1}\n",
        "pruning.reduction_factor: 1 is out of range: it must be at least 2",
    ),
    "group by no axis": (TOP + "pruning: {group: [modle]}\n", "pruning.group[0]: 'modle'", "did you mean 'model'?"),
}
