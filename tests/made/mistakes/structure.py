"""Keys: at the top level, in sub-grids, and the names in their axes."""

from __future__ import annotations

from mistakes.row import TOP, Row

ROWS: dict[str, Row] = {
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
    "another tool's word at the top level": (
        TOP + "learning_rate: 0.1\n",
        "suite.yaml:4: learning_rate: unknown key",
        "'lr' is a parameter: write it inside its optimizer, optimizer: {name: ..., lr: ...}",
    ),
    "another tool's word in the grid": (TOP + "  val_split: 0.1\n", "grid.val_split: ", "did you mean 'validation'?"),
    "device": (
        TOP + "  device: cuda\n",
        "suite.yaml:4: grid.device: unknown key 'device'",
        "this is an option of the command, not part of a suite: trials train on the GPUs that are there, and on "
        "CPUs with `bench run --gpus-per-trial 0`",
    ),
    "number of jobs": (TOP + "n_jobs: 4\n", "suite.yaml:4: n_jobs: ", "not part of a suite: `bench run --jobs N`"),
    "threads": (TOP + "threads: 4\n", "suite.yaml:4: threads: ", "`bench run --cpus-per-trial N`"),
    "output folder": (TOP + "output_dir: r\n", "suite.yaml:4: output_dir: ", "`bench run --results DIR`"),
    "data folder": (TOP + "  data_dir: d\n", "suite.yaml:4: grid.data_dir: ", "`bench run --data-dir DIR`"),
    "axis at the top level": (TOP + "model: mlp\n", "suite.yaml:4: model: ", "it belongs under `grid` or `defaults`"),
    "misspelt axis at the top level": (TOP + "modles: x\n", "did you mean 'model'?", "belongs under `grid`"),
    "parameter at the top level": (TOP + "lr: 0.1\n", "suite.yaml:4: lr: ", "optimizer: {name: ..., lr: ...}"),
    "name with a space": ("name: my suite\ngrid: {model: mlp}\n", "suite.yaml:1: name: 'my suite' is not a name"),
    "name with a slash": ("name: ../x\ngrid: {model: mlp}\n", "suite.yaml:1: name: '../x' is not a name", "letters"),
    "name that is a number": ("name: 5\ngrid: {model: mlp}\n", "name: 5 ", "must be text", "put it in quotes: '5'"),
    "name left empty": ("name:\ngrid: {model: mlp}\n", "name: an empty value is not allowed here"),
    "title that is a list": (TOP + "title: [a]\n", "suite.yaml:4: title: [a] is not allowed here: it must be text"),
    "defaults left empty": (TOP + "defaults:\n", "suite.yaml:4: defaults: an empty value", "write it like {dataset:"),
    "limit of zero": (TOP + "limit: 0\n", "suite.yaml:4: limit: 0 is out of range: it must be above 0"),
    "limit without bound": (TOP + "limit: 1000001\n", "limit: 1000001 is out of range: it must be at most 1,000,000"),
    "no minutes": (TOP + "max_minutes: 0\n", "suite.yaml:4: max_minutes: 0 is out of range: it must be above 0"),
    "minutes as text": (TOP + "max_minutes: 5m\n", "suite.yaml:4: max_minutes: '5m' is not allowed here"),
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
    "empty entry": (
        TOP + "  regularizer: [null, dropout]\n",
        "suite.yaml:4: grid.regularizer[0]: an empty value is not allowed in `regularizer`",
        "write `none` for a configuration without regularizer, or remove it",
    ),
    "nothing but an empty entry": (
        TOP + "  regularizer:\n    -\n",
        "suite.yaml:5: grid.regularizer[0]: an empty value",
    ),
    "tilde for an axis": (TOP + "  augmentation: ~\n", "the axis `augmentation` is empty\n  write `none` for"),
    "empty entry of a plain axis": (
        TOP + "  epochs: [5, null]\n",
        "suite.yaml:4: grid.epochs[1]: an empty value is not allowed in `epochs`",
        "give at least one value, or remove it",
    ),
    "empty part of a combination": (
        TOP + "  augmentation: {combine: [flip, ~]}\n",
        "suite.yaml:4: grid.augmentation.combine[1]: an empty value is not allowed in `augmentation`",
    ),
    "unknown dataset": (TOP + "  dataset: fashin_mnist\n", "grid.dataset: there is no dataset", "'fashion_mnist'?"),
    "data set of one's own": (
        TOP + "  dataset: pets\n",
        "suite.yaml:4: grid.dataset: there is no dataset 'pets'",
        "your own images are {name: image_folder, path: 'pets'}: docs/data.md",
    ),
    "file of one's own": (TOP + "  dataset: data/pets.npz\n", "your own images are {name: npz, path: 'data/pets.npz'}"),
    "no preprocessing": (TOP + "  preprocessing: none\n", "there is no preprocessing 'none'", "did you mean 'unit'?"),
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
    "entry a number": (TOP + "  optimizer: 5\n", "5 is not a component of `optimizer`", "write a name or a mapping"),
    "entry without a name": (
        TOP + "  optimizer: {lr: 1}\n",
        "{lr: 1} is not a component of `optimizer`",
        "{name: sgd, ...}",
    ),
    "entry named by its key": (
        TOP + "  optimizer: {adam: {lr: 1}}\n",
        "{adam: {lr: 1}} is not a component of `optimizer`",
        "write it like {name: adam, lr: 1}",
    ),
    "entry that is false": (
        TOP + "  regularizer: false\n",
        "false is not a component of `regularizer`",
        "write `none`",
    ),
    "entry a list": ("name: t\ngrid: {model: [mlp, [cnn]]}\n", "grid.model[1]: [cnn] is not a component of `model`"),
    "sweep over names": ("name: t\ngrid: {model: {name: {grid: [mlp]}}}\n", "is not a component of `model`"),
    "parameters of none": (TOP + "  regularizer: {name: none, rate: 1}\n", "`none` takes no parameters"),
}
