"""One wrong suite file per kind of mistake, and what a newcomer must be told about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

TOP = "name: t\ngrid:\n  model: mlp\n"
"""Three lines to which a mistake is added: inside `grid` when it starts with two spaces."""

MISTAKES: dict[str, tuple[str, ...]] = {
    # --- the top level ---
    "not a mapping": ("- model: mlp\n", "suite.yaml:1: is not a suite", "mapping, not [{model: mlp}]", "`grid: {model"),
    "one word": ("hello\n", "suite.yaml:1: is not a suite", "not 'hello'"),
    "no grid": ("name: t\n", "suite.yaml:1: suite lacks `grid`"),
    "no name": ("grid: {model: mlp}\n", "suite.yaml:1: suite lacks `name`"),
    "neither": ("title: t\n", "suite lacks `name`", "suite lacks `grid`"),
    "unknown top-level key": (
        TOP + "titel: x\n",
        "suite.yaml:4: titel: unknown key",
        "did you mean 'title'?",
        "allowed: ",
    ),
    "axis at the top level": (TOP + "model: mlp\n", "suite.yaml:4: model: ", "it belongs under `grid` or `defaults`"),
    "misspelt axis at the top level": (TOP + "modles: x\n", "did you mean 'model'?", "belongs under `grid`"),
    "parameter at the top level": (TOP + "lr: 0.1\n", "suite.yaml:4: lr: ", "optimizer: {name: ..., lr: ...}"),
    "name with a space": ("name: my suite\ngrid: {model: mlp}\n", "suite.yaml:1: name: 'my suite' is not a name"),
    "name with a slash": ("name: ../x\ngrid: {model: mlp}\n", "suite.yaml:1: name: '../x' is not a name", "letters"),
    "name that is a number": ("name: 5\ngrid: {model: mlp}\n", "name: 5 ", "must be text", "put it in quotes: '5'"),
    "name left empty": ("name:\ngrid: {model: mlp}\n", "name: an empty value is not allowed here"),
    "title that is a list": (TOP + "title: [a]\n", "suite.yaml:4: title: [a] is not allowed here: it must be text"),
    "references not a list": (
        TOP + "references: x\n",
        "suite.yaml:4: references: 'x'",
        "write it like ['lab-e-baseline'",
    ),
    "reference not a word": (TOP + "references: [1]\n", "suite.yaml:4: references[0]: 1 ", "it must be text"),
    "defaults left empty": (TOP + "defaults:\n", "suite.yaml:4: defaults: an empty value", "write it like {dataset:"),
    "limit of zero": (TOP + "limit: 0\n", "suite.yaml:4: limit: 0 is out of range: it must be above 0"),
    "limit without bound": (TOP + "limit: 1000001\n", "limit: 1000001 is out of range: it must be at most 1,000,000"),
    "negative sampling seed": (TOP + "sampling_seed: -1\n", "sampling_seed: -1 is out of range: it must be at least 0"),
    # --- sub-grids ---
    "grid left empty": ("name: t\ngrid:\n", "suite.yaml:2: grid: an empty value", "write it like {model: mlp}"),
    "grid an empty list": ("name: t\ngrid: []\n", "suite.yaml:2: grid: is empty", "give it a model"),
    "grid a word": ("name: t\ngrid: mlp\n", "suite.yaml:2: grid: 'mlp' is not allowed", "{model: mlp}"),
    "sub-grid a number": ("name: t\ngrid: [5]\n", "suite.yaml:2: grid[0]: 5 ", "it must be a mapping"),
    "no model": ("name: t\ngrid: {optimizer: adam}\n", "suite.yaml:2: grid: names no model", "`bench list models`"),
    "unknown axis": (TOP + "  optimiser: adam\n", "suite.yaml:4: grid.optimiser: unknown", "did you mean 'optimizer'?"),
    "unknown axis in defaults": (TOP + "defaults: {epoch: 1}\n", "suite.yaml:4: defaults.epoch: ", "'epochs'?"),
    "unknown axis in a list": (
        "name: t\ngrid:\n  - {model: mlp}\n  - {model: mlp, x: 1}\n",
        "suite.yaml:4: grid[1].x: unknown key 'x'",
    ),
    "top-level key in grid": (TOP + "  limit: 5\n", "grid.limit: unknown key", "belongs at the top level of the file"),
    "parameter as an axis": (TOP + "  momentum: 0.9\n", "grid.momentum: ", "optimizer: {name: ..., momentum: ...}"),
    "entry as an axis": (TOP + "  dropout: 0.5\n", "grid.dropout: ", "write `regularizer: dropout` under `grid`"),
    # --- axes and names ---
    "empty axis": (
        TOP + "  optimizer: []\n",
        "suite.yaml:4: grid.optimizer: the axis `optimizer` is empty",
        "at least one",
    ),
    "axis left empty": ("name: t\ngrid: {model: }\n", "suite.yaml:2: grid.model: the axis `model` is empty"),
    "unknown dataset": (TOP + "  dataset: fashion-mnist\n", "grid.dataset: there is no dataset", "'fashion_mnist'?"),
    "unknown preprocessing": (
        TOP + "  preprocessing: standardise\n",
        "no preprocessing",
        "'standardize'?",
        "allowed: unit",
    ),
    "unknown schedule": (TOP + "  schedule: cosin\n", "there is no schedule 'cosin'", "'cosine'?"),
    "unknown loss": (TOP + "  loss: crossentropy\n", "there is no loss", "'cross_entropy'?"),
    "unknown regularizer": (TOP + "  regularizer: [none, dropuot]\n", "grid.regularizer[1]: there is no", "'dropout'?"),
    "unknown augmentation": (TOP + "  augmentation: flp\n", "there is no augmentation 'flp'", "'flip'?", "crop"),
    "optimizer in capitals": (TOP + "  optimizer: Adam\n", "there is no optimizer 'Adam'", "did you mean 'adam'?"),
    "model in capitals": ("name: t\ngrid: {model: {name: MLP}}\n", "suite.yaml:2: grid.model.name: ", "'mlp'?"),
    "entry a number": (TOP + "  optimizer: 5\n", "5 is not an entry of `optimizer`", "write a name or a mapping"),
    "entry without a name": (
        TOP + "  optimizer: {lr: 1}\n",
        "{lr: 1} is not an entry of `optimizer`",
        "{name: sgd, ...}",
    ),
    "entry a list": ("name: t\ngrid: {model: [mlp, [cnn]]}\n", "grid.model[1]: [cnn] is not an entry of `model`"),
    "sweep over names": ("name: t\ngrid: {model: {name: {grid: [mlp]}}}\n", "is not an entry of `model`"),
    "parameters of none": (TOP + "  regularizer: {name: none, rate: 1}\n", "`none` takes no parameters"),
    # --- parameters ---
    "unknown parameter": (
        TOP + "  optimizer: {name: adam, lrr: 1}\n",
        "suite.yaml:4: grid.optimizer.lrr: unknown key 'lrr' of optimizer 'adam'",
        "did you mean 'lr'?",
        "allowed: lr, betas, eps",
    ),
    "zero learning rate": (
        TOP + "  optimizer: {name: adam, lr: 0}\n",
        "grid.optimizer.lr: 0 is out of range: it must be above 0",
    ),
    "negative learning rate": (
        TOP + "  optimizer: {name: adam, lr: -0.1}\n",
        "grid.optimizer.lr: -0.1 is out of range",
    ),
    "negative rate of a library's": (
        TOP + "  optimizer: {name: lamb, lr: -1}\n",
        "lr: a learning rate must be",
        "above 0",
    ),
    "learning rate in quotes": (
        TOP + "  optimizer: {name: adam, lr: '0.1'}\n",
        "must be a number",
        "without quotes: 0.1",
    ),
    "learning rate infinite": (
        TOP + "  optimizer: {name: adam, lr: .inf}\n",
        "'.inf' is not allowed here: it must be a number",
    ),
    "list of learning rates": (
        TOP + "  optimizer: {name: adam, lr: [1, 2]}\n",
        "for several values write {grid: [1, 2]}",
    ),
    "misspelt sweep": (
        TOP + "  optimizer: {name: adam, lr: {gird: [1]}}\n",
        "must be a number",
        "did you mean 'grid'?",
    ),
    "not a list": ("name: t\ngrid: {model: {name: mlp, hidden: 128}}\n", "hidden: 128", "a list", "like [128, 64]"),
    "list too short": (TOP + "  optimizer: {name: adam, betas: [0.9]}\n", "[0.9] is too short", "at least 2 entries"),
    "list too long": (
        TOP + "  optimizer: {name: adam, betas: [0.9, 0.9, 0.9]}\n",
        "is too long: it must have 2 entries",
    ),
    "list of other things": (TOP + "  optimizer: {name: adam, betas: 3}\n", "betas: 3", "a list", "[0.9, 0.999]"),
    "value inside a list": (
        TOP + "  optimizer: {name: adam, betas: [0.9, 1]}\n",
        "betas[1]: 1 is out of range: it must be below 1",
    ),
    "no filters": (
        "name: t\ngrid: {model: {name: cnn, filters: []}}\n",
        "filters: [] is too short",
        "at least 1 entry",
    ),
    "half a unit": ("name: t\ngrid: {model: {name: mlp, hidden: [1.5]}}\n", "hidden[0]: 1.5", "a whole number"),
    "yes for true": (
        "name: t\ngrid: {model: mlp, optimizer: {name: adam, amsgrad: yes}}\n",
        "'yes'",
        "it must be true or false",
    ),
    "unknown word": (
        "name: t\ngrid: {model: {name: mlp, activation: rleu}}\n",
        "grid.model.activation: 'rleu' is not allowed here",
        "did you mean 'relu'?",
        "allowed: relu, gelu",
    ),
    "pretrained without a tag": (
        "name: t\ngrid: {model: {name: resnet18, pretrained: true}}\n",
        "grid.model.pretrained: ",
        "resnet18.a1_in1k",
    ),
    "step with neither": (TOP + "  schedule: step\n", "grid.schedule: schedule 'step' needs either", "has neither"),
    "step with both": (
        TOP + "  schedule: {name: step, every: 2, milestones: [3]}\n",
        "has both",
        "{name: step, every: 10}",
    ),
    "nesterov without momentum": (
        TOP + "  optimizer: [adam, {name: sgd, nesterov: true}]\n",
        "suite.yaml:4: grid.optimizer[1]: optimizer 'sgd' with `nesterov: true` needs a momentum above 0",
        "{name: sgd, nesterov: true, momentum: 0.9}",
    ),
    "milestones unsorted": (TOP + "  schedule: {name: step, milestones: [3, 2]}\n", "milestones: [3, 2] must rise"),
    "milestones empty": (TOP + "  schedule: {name: step, milestones: []}\n", "milestones: [] is too short"),
    "milestones a number": (
        TOP + "  schedule: {name: step, milestones: 3}\n",
        "milestones: 3 ",
        "write it like [15, 25]",
    ),
    "area from high to low": (
        TOP + "  augmentation: {name: random_erasing, area: [0.4, 0.1]}\n",
        "area: [0.4, 0.1]",
        "[low, high]",
    ),
    "aspect from high to low": (TOP + "  augmentation: {name: random_erasing, aspect: [3, 1]}\n", "3 is above 1"),
    # --- epochs and batch size ---
    "zero epochs": (
        TOP + "  epochs: 0\n",
        "suite.yaml:4: grid.epochs: `epochs` must be a whole number of at least 1, not 0",
    ),
    "negative epochs": (TOP + "  epochs: [1, -3]\n", "grid.epochs[1]: ", "not -3"),
    "half an epoch": (TOP + "  epochs: 1.5\n", "whole number of at least 1, not 1.5"),
    "epochs a mapping": (TOP + "  epochs: {a: 1}\n", "whole number of at least 1, not {a: 1}"),
    "zero batch size": (TOP + "  batch_size: {grid: [0]}\n", "grid.batch_size.grid[0]: `batch_size` must be", "not 0"),
    "batch size true": (TOP + "  batch_size: true\n", "not true"),
    "epochs drawn evenly": (
        TOP + "  epochs: {uniform: [1, 9]}\n  samples: 2\n",
        "draws no whole numbers",
        "{choice: [...]}",
    ),
    # --- the protocol ---
    "validation a number": (
        TOP + "  validation: 0.2\n",
        "grid.validation: 0.2",
        "{stratified: 0.1} or {tail: 0.2} or none",
    ),
    "validation misspelt": (TOP + "  validation: non\n", "grid.validation: 'non'", "or {tail: 0.2} or none"),
    "validation empty": (TOP + "  validation:\n", "grid.validation: an empty value", "{stratified: 0.1}"),
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
        "grid.workers: a batch of 6 leaves each of 4 workers less than 2 pictures",
        "take at most 3 workers, or a `batch_size` of at least 8",
    ),
    "no validation but early stopping": (
        TOP + "  validation: none\n  early_stopping: {patience: 3}\n",
        "suite.yaml:5: grid.early_stopping: `early_stopping` needs validation pictures",
    ),
    "no validation but best weights": (TOP + "  validation: none\n  weights: best\n", "suite.yaml:5: grid.weights: "),
    "no validation but refit": (TOP + "  validation: none\n  refit: true\n", "suite.yaml:5: grid.refit: "),
    "no validation but pruning": (TOP + "  validation: none\npruning: asha\n", "suite.yaml:5: pruning: pruning needs"),
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
    "two sweeps": (TOP + "  optimizer: {name: adam, lr: {grid: [1], choice: [1]}}\n", "stands alone"),
    "sweep in a sweep": (
        TOP + "  optimizer: {name: adam, lr: {grid: [{uniform: [0, 1]}]}}\n",
        "cannot hold another sweep",
    ),
    "wrong value in a sweep": (
        TOP + "  optimizer: {name: adam, lr: {grid: [1, -1]}}\n",
        "grid.optimizer.lr.grid[1]: -1 ",
    ),
    # --- combinations and conflicts ---
    "dropout rates of too few layers": (
        "name: t\ngrid:\n  model: {name: residual_mlp, blocks: [8, 8], dropout: [0.1, 0.2]}\n",
        "suite.yaml:3: grid.model: model 'residual_mlp' with 2 blocks needs one dropout rate, or 3 (one per block",
        "and has 2",
    ),
    "combine a word": (
        TOP + "  augmentation: {combine: flip}\n",
        "`combine` takes one list",
        "{combine: [flip, shift]}",
    ),
    "combine nothing": (TOP + "  augmentation: {combine: []}\n", "`combine` takes one list"),
    "combine with more": (TOP + "  augmentation: {combine: [flip], p: 1}\n", "stands alone"),
    "combine a combination": (
        TOP + "  augmentation: {combine: [flip, {combine: [crop]}]}\n",
        "combine[1]: a combination cannot",
    ),
    "combine twice the same": (
        TOP + "  augmentation: {combine: [flip, flip]}\n",
        "combine[1]: the combination names augmentation",
    ),
    "combine models": ("name: t\ngrid: {model: {combine: [mlp, cnn]}}\n", "is not an entry of `model`"),
    "dropout twice": (
        "name: t\ngrid:\n  model: {name: mlp, dropout: 0.5}\n  regularizer: [none, dropout]\n",
        "suite.yaml:4: grid.regularizer[1]: dropout is set by the model and by the regularizer",
    ),
    "dropout of timm twice": (
        "name: t\ngrid:\n  model: {name: vgg11, drop_rate: 0.5}\n  regularizer: dropout\n",
        "suite.yaml:4: grid.regularizer: dropout is set by the model and by the regularizer",
    ),
    "weight decay twice": (
        TOP + "  optimizer: {name: adam, weight_decay: 0.1}\n  regularizer: weight_decay\n",
        "suite.yaml:5: grid.regularizer: weight decay is set by the optimizer and by the regularizer",
    ),
    "penalty on convolutions of an mlp": (
        TOP + "  regularizer: [none, {name: l2, layers: conv}]\n",
        "suite.yaml:4: grid.regularizer[1]: l2 with `layers: conv` regularises nothing: this mlp has no convolutions",
        "leave it out for this model",
    ),
    "stochastic depth twice": (
        "name: t\ngrid:\n  model: {name: resnet, drop_path: 0.1}\n  regularizer: [none, stochastic_depth]\n",
        "suite.yaml:4: grid.regularizer[1]: stochastic depth is set by the model and by the regularizer",
    ),
    "stochastic depth of timm twice": (
        "name: t\ngrid:\n  model: {name: resnet18, drop_path_rate: 0.1}\n  regularizer: stochastic_depth\n",
        "suite.yaml:4: grid.regularizer: stochastic depth is set by the model and by the regularizer",
    ),
    "stochastic depth without branches": (
        TOP + "  regularizer: stochastic_depth\n",
        "suite.yaml:4: grid.regularizer: stochastic_depth sets the model's parameter `drop_path`, and mlp has none",
        "take resnet,",
    ),
    "l1 beside an elastic net": (
        TOP + "  regularizer: {combine: [elastic_net, l1]}\n",
        "grid.regularizer.combine[1]: elastic_net has an l1 of its own; set that, and leave out l1",
    ),
    "max norm of an mlp's convolutions": (
        TOP + "  regularizer: {name: max_norm, layers: conv}\n",
        "grid.regularizer: max_norm with `layers: conv` regularises nothing: this mlp has no convolutions",
    ),
    "plateau without validation": (
        TOP + "  validation: none\n  schedule: [constant, plateau]\n",
        "suite.yaml:5: grid.schedule[1]: schedule 'plateau' needs validation pictures",
    ),
    "factors without milestones": (
        TOP + "  schedule: {name: step, every: 2, factors: [0.1]}\n",
        "suite.yaml:4: grid.schedule: schedule 'step' has `factors`, which need `milestones`, one for each",
    ),
    "one factor for two milestones": (
        TOP + "  schedule: {name: step, milestones: [2, 3], factors: [0.1]}\n",
        "suite.yaml:4: grid.schedule: schedule 'step' has 1 factor for 2 milestones",
    ),
    "validation augmented anew": (
        TOP + "  augmentation: {name: flip, validation_too: true}\n",
        "suite.yaml:4: grid.augmentation: `validation_too: true` needs `static: true`",
    ),
    "validation augmented without validation": (
        TOP + "  validation: none\n  augmentation: {name: flip, static: true, validation_too: true}\n",
        "suite.yaml:5: grid.augmentation: flip with `validation_too: true` needs validation pictures",
    ),
    "penalty on hidden layers of a linear model": (
        "name: t\ngrid:\n  model: {name: mlp, hidden: []}\n  regularizer: {combine: [dropout, l1]}\n",
        "grid.regularizer.combine[1]: l1 with `layers: hidden` regularises nothing: this mlp has no hidden layers",
        "`layers: all` is every kernel",
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
    "exclude everything": (TOP + "exclude: [{model: m*}]\n", "suite.yaml:4: exclude: leaves out every configuration"),
    "exclude by an empty pattern": (TOP + "exclude: [{}]\n", "exclude[0]: is empty and would leave out everything"),
    "unknown pruning": (
        TOP + "pruning: hyperband\n",
        "suite.yaml:4: pruning: 'hyperband'",
        "none or asha or {grace: 3",
    ),
    "pruning a number": (TOP + "pruning: 5\n", "pruning: 5 is not allowed here", "{grace: 3, reduction: 3}"),
    "unknown key of pruning": (TOP + "pruning: {grce: 1}\n", "pruning.grce: ", "did you mean 'grace'?"),
    "no grace": (TOP + "pruning: {grace: 0}\n", "pruning.grace: 0 is out of range: it must be above 0"),
    "no reduction": (TOP + "pruning: {reduction: 1}\n", "pruning.reduction: 1 is out of range: it must be at least 2"),
    "group by no axis": (TOP + "pruning: {group: [modle]}\n", "pruning.group[0]: 'modle'", "did you mean 'model'?"),
}

FOREIGN = ("Input", "validation error", "pydantic", "type=", "Field required", "Extra inputs", "ctx", "None", "should")
"""Words of pydantic's and of Python's that tell a newcomer nothing."""


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_place(case: str, complaint: Callable[..., str]) -> None:
    text, *expected = MISTAKES[case]
    message = complaint(text)
    assert [part for part in expected if part not in message] == [], message
    assert [word for word in FOREIGN if word in message] == [], message
    assert all(line.startswith(("suite.yaml:", "  ")) for line in message.splitlines()), message


def test_all_mistakes_are_shown_together_in_the_order_of_the_file(complaint: Callable[..., str]) -> None:
    message = complaint(
        """\
        name: t
        defaults: {epochs: 0, validation: {tail: 2}}
        grid:
          - model: {name: mlp, hidden: 3}
            optimizer: [{name: adam, lr: 0}, {name: sgd, momentun: 0.9}]
          - model: mlp
            loss: hinge
        """
    )
    places = [line.split(": ")[:2] for line in message.splitlines() if not line.startswith(" ")]
    assert places == [
        ["suite.yaml:2", "defaults.validation.tail"],
        ["suite.yaml:2", "defaults.epochs"],
        ["suite.yaml:4", "grid[0].model.hidden"],
        ["suite.yaml:5", "grid[0].optimizer[0].lr"],
        ["suite.yaml:5", "grid[0].optimizer[1].momentun"],
        ["suite.yaml:7", "grid[1].loss"],
    ]


def test_a_mistake_in_defaults_is_told_once(complaint: Callable[..., str]) -> None:
    message = complaint("name: t\ndefaults: {optimizer: {name: adam, lr: 0}}\ngrid: [{model: mlp}, {model: cnn}]\n")
    assert message.count("is out of range") == 1


def test_a_flood_of_mistakes_is_cut(complaint: Callable[..., str]) -> None:
    rates = ", ".join(str(-rate) for rate in range(1000))
    message = complaint(f"name: t\ngrid:\n  model: mlp\n  optimizer: {{name: adam, lr: {{grid: [{rates}]}}}}\n")
    assert message.endswith("... and 980 more problems")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "  batch_size: {grid: [1, 2, 3, 4]}\n  seeds: 3000\n",
            "grid: expands to 12,000 trials, more than the limit of 10,000",
        ),
        ("  seeds: 1000000000000\n", "grid: expands to 1,000,000,000,000 trials"),
        ("  optimizer: {name: adam, lr: {uniform: [1, 2]}}\n  samples: 10001\n", "grid: expands to 10,001 trials"),
        (
            "  optimizer: {name: adam, lr: &a {grid: [LONG]}, eps: *a, weight_decay: *a}\n",
            "grid.optimizer: this entry alone",
        ),
        ("  optimizer: [&a {name: adam, lr: {grid: [LONG]}, eps: {grid: [LONG]}}, *a]\n", "the axis `optimizer` alone"),
        (
            "  regularizer: {combine: [{name: l1, strength: &a {grid: [LONG]}}, {name: l2, strength: *a},"
            " {name: dropout, rate: *a}]}\n",
            "grid.regularizer: this combination alone",
        ),
    ],
)
def test_an_explosion_is_refused_before_it_happens(text: str, expected: str, complaint: Callable[..., str]) -> None:
    values = ", ".join(f"0.{i:02}" for i in range(1, 100))
    message = complaint(TOP + text.replace("LONG", values))
    assert expected in message
    assert "raise `limit` at the top level" in message


def test_the_limit_counts_all_sub_grids_together(complaint: Callable[..., str]) -> None:
    message = complaint("name: t\nlimit: 5\ngrid: [{model: mlp, seeds: 3}, {model: cnn, seeds: 3}]\n")
    assert message.startswith("suite.yaml:3: grid: its sub-grids together expand to more trials than the limit of 5\n")
