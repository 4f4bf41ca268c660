"""Parameters of an entry, epochs and batch sizes."""

from __future__ import annotations

from mistakes.row import TOP, Row

ROWS: dict[str, Row] = {
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
    "another tool's parameter": (
        TOP + "  optimizer: {name: adam, learning_rate: 0.1}\n",
        "unknown key 'learning_rate' of optimizer 'adam'\n  did you mean 'lr'?",
    ),
    "learning rate in quotes": (
        TOP + "  optimizer: {name: adam, lr: '0.1'}\n",
        "must be a number",
        "without quotes: 0.1",
    ),
    "learning rate infinite": (
        TOP + "  optimizer: {name: adam, lr: .inf}\n",
        "'.inf' is not allowed here: it must be a number\n  a number here must be finite",
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
    "list too short": (TOP + "  optimizer: {name: adam, betas: [0.9]}\n", "[0.9] is too short", "at least 2 items"),
    "list too long": (
        TOP + "  optimizer: {name: adam, betas: [0.9, 0.9, 0.9]}\n",
        "is too long: it may have 2 items",
    ),
    "list of other things": (TOP + "  optimizer: {name: adam, betas: 3}\n", "betas: 3", "a list", "[0.9, 0.999]"),
    "value inside a list": (
        TOP + "  optimizer: {name: adam, betas: [0.9, 1]}\n",
        "betas[1]: 1 is out of range: it must be below 1",
    ),
    "no channels": (
        "name: t\ngrid: {model: {name: cnn, channels: []}}\n",
        "channels: [] is too short",
        "at least 1 item",
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
    "more layers than can be built": (
        "name: t\ngrid:\n"
        "  model: [{name: vgg, blocks: [[900, 8], [900, 8]]}, {name: convnext, dims: [8], depths: [5000]}]\n",
        "suite.yaml:3: grid.model[0].blocks: [[900, 8], [900, 8]] stands for 1,800 layers: at most 1,000",
        "suite.yaml:3: grid.model[1].depths: [5000] stands for 5,000 layers: at most 1,000",
    ),
    "half a block": (
        "name: t\ngrid: {model: {name: wide_resnet, depth: 11}}\n",
        "suite.yaml:2: grid.model: a wide_resnet's `depth` is 6n + 4, such as 10 or 16, not 11",
    ),
    "stages without depths": (
        "name: t\ngrid: {model: {name: convnext, dims: [8, 8, 8]}}\n",
        "suite.yaml:2: grid.model: a convnext's `depths` has a number for each of `dims`: 3, not 2",
    ),
    "pretrained without a tag": (
        "name: t\ngrid: {model: {name: resnet18, pretrained: true}}\n",
        "grid.model.pretrained: ",
        "resnet18.a1_in1k",
    ),
    "pretrained a word": (
        "name: t\ngrid: {model: {name: resnet18, pretrained: no}}\n",
        "suite.yaml:2: grid.model.pretrained: `pretrained` must be true or false, not 'no'\n",
        "`no` is text in YAML 1.2: write false",
    ),
    "boolean a word": (
        TOP + "  optimizer: {name: adam, amsgrad: yes}\n",
        "amsgrad: 'yes' is not allowed here: it must be true or false\n  `yes` is text in YAML 1.2: write true",
    ),
    "boolean in quotes": (
        TOP + "  optimizer: {name: adam, amsgrad: 'true'}\n",
        "amsgrad: 'true' is not allowed here: it must be true or false\n  write it without quotes: true",
    ),
    "learning rate with underscores": (
        TOP + "  optimizer: {name: adam, lr: 1_000e-6}\n",
        "lr: '1_000e-6' is not allowed here: it must be a number\n  write it without underscores: 1000e-6",
    ),
    "learning rate with a comma": (
        TOP + "  optimizer:\n    name: adam\n    lr: 0,001\n",
        "suite.yaml:6: grid.optimizer.lr: '0,001' is not allowed here",
        "a number has a decimal point, not a comma: 0.001",
    ),
    "rate in percent": (TOP + "  regularizer: {name: dropout, rate: 20%}\n", "write it as a fraction of 1: 0.2"),
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
    "fraction of nothing": (
        TOP + "  fraction: [0.1, 0]\n",
        "grid.fraction[1]: `fraction` must be a number above 0 and at most 1, not 0",
        "1 % is `fraction: 0.01`",
    ),
    "fraction above everything": (TOP + "  fraction: 1.5\n", "grid.fraction: `fraction` must be", "not 1.5"),
    "fraction in words": (TOP + "  fraction: tenth\n", "grid.fraction: `fraction` must be", "not 'tenth'"),
    "fraction that leaves a class empty": (
        TOP + "  fraction: 0.00001\n",
        "suite.yaml:4: grid.fraction: fraction: 1e-05 leaves class 0 none of its 5,400 training images",
        "and 9 more classes none; each class needs one at least: take a larger fraction or a smaller ratio",
    ),
    "tail without end": (
        TOP + "  fraction: 0.01\n  imbalance: {name: exponential, ratio: 150}\n",
        "suite.yaml:5: grid.imbalance: imbalance leaves class 9 none of its 54 training images",
    ),
    "ratio of one": (
        TOP + "  imbalance: {name: exponential, ratio: 1}\n",
        "ratio: 1 is out of range: it must be above 1",
    ),
    "unknown imbalance": (TOP + "  imbalance: exponentail\n", "did you mean 'exponential'?"),
    "noise without rate": (TOP + "  label_noise: symmetric\n", "label_noise 'symmetric' lacks `rate`"),
    "all labels wrong": (
        TOP + "  label_noise: {name: asymmetric, rate: 1}\n",
        "rate: 1 is out of range: it must be below 1",
    ),
    "unknown corruption": (
        TOP + "  robustness: [fog, gausian_noise]\n",
        "grid.robustness[1]: 'gausian_noise' is not allowed here",
        "did you mean 'gaussian_noise'?",
    ),
    "corruption twice": (TOP + "  robustness: [fog, fog]\n", "grid.robustness: fog, fog names a corruption twice"),
    "zero batch size": (TOP + "  batch_size: {grid: [0]}\n", "grid.batch_size.grid[0]: `batch_size` must be", "not 0"),
    "batch size true": (TOP + "  batch_size: true\n", "not true"),
    "epochs drawn evenly": (
        TOP + "  epochs: {uniform: [1, 9]}\n  samples: 2\n",
        "`uniform` draws no values of `epochs`",
        "{choice: [...]}",
    ),
}
