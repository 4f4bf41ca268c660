"""Components that are valid by themselves and cannot be combined."""

from __future__ import annotations

from mistakes.row import TOP, Row

ROWS: dict[str, Row] = {
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
    "combine with more": (TOP + "  augmentation: {combine: [flip], p: 1}\n", "no other key"),
    "combine a combination": (
        TOP + "  augmentation: {combine: [flip, {combine: [crop]}]}\n",
        "combine[1]: a combination cannot",
    ),
    "combine twice the same": (
        TOP + "  augmentation: {combine: [flip, flip]}\n",
        "combine[1]: the combination names augmentation",
    ),
    "combine models": ("name: t\ngrid: {model: {combine: [mlp, cnn]}}\n", "is not a component of `model`"),
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
    "warmup longer than training": (
        TOP + "  epochs: [5, 3]\n  schedule: [constant, {name: cosine, warmup: 4}]\n",
        "suite.yaml:5: grid.schedule[1]: a warmup of 4 epochs never ends in a training of 3 epochs; lower `warmup`, or "
        "raise `epochs`",
    ),
    "batches of one with batch normalisation": (
        "name: t\ngrid:\n  model: {name: mlp, batch_norm: before}\n  batch_size: [1, 2]\n",
        "suite.yaml:4: grid.batch_size[0]: batch normalisation has no variance of one image; take a `batch_size` of "
        "at least 2, or `batch_norm: none`",
    ),
    "plateau without validation": (
        TOP + "  validation: none\n  schedule: [constant, plateau]\n",
        "suite.yaml:5: grid.schedule[1]: schedule 'plateau' needs validation images",
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
        "suite.yaml:5: grid.augmentation: flip with `validation_too: true` needs validation images",
    ),
    "penalty on hidden layers of a linear model": (
        "name: t\ngrid:\n  model: {name: mlp, hidden: []}\n  regularizer: {combine: [dropout, l1]}\n",
        "grid.regularizer.combine[1]: l1 with `layers: hidden` regularises nothing: this mlp has no hidden layers",
        "`layers: all` is every kernel",
    ),
}
