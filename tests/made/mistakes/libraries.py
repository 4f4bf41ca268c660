"""Networks and optimizers of timm's and torch's, and what only the images or the network can tell."""

from __future__ import annotations

from mistakes.row import TOP, Row


def model(entry: str, more: str = "") -> str:
    return f"name: t\ngrid:\n  model: {entry}\n{more}"


ROWS: dict[str, Row] = {
    # --- networks ---
    "unknown model": (
        model("resnet81"),
        "suite.yaml:3: grid.model: unknown model 'resnet81'; allowed: cnn, convnext, mlp, ",
        "any timm model, or your own 'FILE.py:factory'",
        "did you mean 'resnet1",
    ),
    "file without a factory": (
        model("nets.py"),
        "suite.yaml:3: grid.model: unknown model 'nets.py'",
        "name the factory in the file: 'nets.py:FACTORY'",
    ),
    "unknown parameter of timm's": (
        model("{name: test_resnet, foo: 1}"),
        "suite.yaml:3: grid.model: model 'test_resnet' does not take these parameters: ",
        "unexpected keyword argument 'foo'\n  parameters of timm's ResNet: ",
    ),
    "parameter that timm's name decides": (
        model("{name: tinynet_e, model_width: 2}"),
        "model 'tinynet_e' does not take these parameters: ",
        "this name of timm's decides that parameter itself: leave it out, or take another name",
    ),
    "parameter that the data decide": (
        model("{name: test_resnet, num_classes: 3}"),
        "suite.yaml:3: grid.model: model 'test_resnet': leave out num_classes; the data set decides it",
    ),
    "file that no key holds": (
        model("{name: test_resnet, checkpoint_path: w.pth}"),
        "suite.yaml:3: grid.model: model 'test_resnet': what is in the file of checkpoint_path would not be in the "
        "trials' keys; start from it by pretrained: true, pretrained_cfg_overlay: {file: ..., num_classes: as many as "
        "it has}, or load it in a model of your own, which names it in `files: [...]`",
    ),
    "folder that no key holds": (
        model("{name: test_resnet, cache_dir: w}"),
        "suite.yaml:3: grid.model: model 'test_resnet': leave out cache_dir, which is this machine's; HF_HOME and "
        "TORCH_HOME say where timm keeps weights",
    ),
    "weights of an address": (
        model("{name: test_resnet.r160_in1k, pretrained: true, pretrained_cfg_overlay: {hf_hub_id: me/mine}}"),
        "suite.yaml:3: grid.model: model 'test_resnet.r160_in1k': `hf_hub_id` of `pretrained_cfg_overlay` says where "
        "weights are that may change while the trials' keys stay the same\n  take weights that timm names "
        "(resnet18.a1_in1k), or download them and name the file: {name: resnet18, pretrained: true, "
        "pretrained_cfg_overlay: {file: weights.safetensors}}",
    ),
    "weights in a file that is not there": (
        model("{name: test_resnet, pretrained: true, pretrained_cfg: {file: w.pth}}"),
        "suite.yaml:3: grid.model: model 'test_resnet': cannot read ",
        "w.pth: No such file or directory\n  `file` names files from the suite file's own folder",
    ),
    "a name of another of timm's sources": (
        model("'local-dir:weights'"),
        "suite.yaml:3: grid.model: model 'local-dir:weights': what is there may change while the trials' keys stay",
    ),
    "value that timm refuses": (
        model("{name: test_vit, patch_size: 0}"),
        "suite.yaml:3: grid.model: model 'test_vit' cannot be built for images of 28 x 28: ZeroDivisionError: ",
    ),
    "stochastic depth of a network without": (
        model("vgg11", "  regularizer: stochastic_depth\n"),
        "suite.yaml:3: grid.model: model 'vgg11' does not take these parameters: ",
        "the stochastic_depth regularizer sets drop_path_rate: leave it out with this model",
    ),
    "values that timm would take for true": (
        model("{name: test_resnet, avg_down: no, drop_rate: true}"),
        "suite.yaml:3: grid.model: model 'test_resnet': `avg_down` must be true or false, not 'no'; `drop_rate` must "
        "be a number, not true\n  `no` is text in YAML 1.2: write false\n",
    ),
    "no pretrained weights": (
        model("{name: darknet17.none, pretrained: true}"),
        "suite.yaml:3: grid.model: model 'darknet17.none': timm has no pretrained weights for it; "
        "set pretrained: false, or take a model of timm.list_models(pretrained=True)",
    ),
    "patches that do not tile the image": (
        model("vit_tiny_patch16_224"),
        "suite.yaml:3: grid.model: model 'vit_tiny_patch16_224': patches of 16 do not tile an image of 28 pixels; "
        "set patch_size to one of 2, 4, 7, 14",
    ),
    "images too small": (
        model("vgg11"),
        "suite.yaml:3: grid.model: model 'vgg11' cannot take images of 1 x 28 x 28 (channels, height, width): ",
        "take an architecture for smaller images, or give this one smaller patches, windows or strides",
    ),
    "kernel larger than the image": (
        model("{name: cnn, kernel: 40}"),
        "suite.yaml:3: grid.model: model 'cnn': block 1 of 1 gets images of 28 x 28, too small for a 40 x 40 kernel "
        "(padding 'valid') and pooling by 2; use fewer blocks, a smaller kernel, padding 'same' or pool 1",
    ),
    "too many halves": (
        model("{name: vgg, blocks: [[1, 8], [1, 8], [1, 8], [1, 8], [1, 8]]}"),
        "suite.yaml:3: grid.model: model 'vgg': 5 blocks halve an image of 28 x 28 to nothing; use fewer blocks",
    ),
    "more groups than halves": (
        model("{name: resnet9, channels: [8, 8, 8, 8, 8, 8, 8]}"),
        "suite.yaml:3: grid.model: model 'resnet9': its 7 groups divide an image of 28 x 28 by ",
        "to nothing; give fewer `channels`",
    ),
    "residual blocks of no group": (
        model("{name: resnet9, channels: [8, 8], residual: [3]}"),
        "suite.yaml:3: grid.model: model 'resnet9': `residual` names group 3, and `channels` gives 2 groups; "
        "allowed: 1 to 2",
    ),
    "patches and stages larger than the image": (
        model("{name: convnext, patch: 8, dims: [8, 8, 8], depths: [1, 1, 1]}"),
        "suite.yaml:3: grid.model: model 'convnext': patches of 8 and 3 stages divide an image of 28 x 28 by 32, ",
        "to nothing; give a smaller `patch` or fewer stages",
    ),
    "network larger than can be counted": (
        model("{name: cnn, hidden: [99999999999, 99999999999]}"),
        "suite.yaml:3: grid.model: model 'cnn' cannot be built: ",
    ),
    "batches of one": (
        model("regnetx_002", "  batch_size: 1\n"),
        "suite.yaml:4: grid.batch_size: model 'regnetx_002' cannot be trained on batches of one image, of which "
        "batch normalisation has no variance; take a `batch_size` of at least 2",
    ),
    # --- optimizers ---
    "unknown optimizer": (
        TOP + "  optimizer: [adam, adamm]\n",
        "suite.yaml:4: grid.optimizer[1]: there is no optimizer 'adamm' in torch or timm",
        "did you mean 'adam",
        "`bench list optimizers` shows all",
    ),
    "unknown parameter of an optimizer": (
        TOP + "  optimizer: {name: adamw, beta: [0.9, 0.9]}\n",
        "suite.yaml:4: grid.optimizer: optimizer 'adamw': unknown parameter 'beta', allowed: lr, betas",
        "did you mean 'betas'?",
    ),
    "value that an optimizer refuses": (
        TOP + "  optimizer: {name: adamw, eps: -1}\n",
        "suite.yaml:4: grid.optimizer: optimizer 'adamw' does not accept {",
    ),
    "values of other types": (
        TOP + "  optimizer: {name: adamw, betas: [], weight_decay: true, amsgrad: 1}\n",
        "suite.yaml:4: grid.optimizer: optimizer 'adamw': `betas` must be a list of 2 numbers, not []; "
        "`weight_decay` must be a number, not true; `amsgrad` must be true or false, not 1\n  write true\n",
    ),
    "word that is no boolean": (
        TOP + "  optimizer: {name: nadam, decoupled_weight_decay: {grid: [false, no]}}\n",
        "suite.yaml:4: grid.optimizer: optimizer 'nadam': `decoupled_weight_decay` must be true or false, not 'no'\n"
        "  `no` is text in YAML 1.2: write false\n",
    ),
    "step that an optimizer cannot take": (
        TOP + "  optimizer: {name: muon, adjust_lr_fn: other}\n",
        "suite.yaml:4: grid.optimizer: optimizer 'muon' cannot take a step: ",
    ),
    "optimizer of other steps": (
        TOP + "  optimizer: lbfgs\n",
        "suite.yaml:4: grid.optimizer: optimizer 'lbfgs' cannot be used here: it evaluates the loss several times",
    ),
    "optimizer that needs another package": (
        TOP + "  optimizer: fusedsgd\n",
        "suite.yaml:4: grid.optimizer: optimizer 'fusedsgd' cannot be used on this machine: ",
    ),
    "optimizer without a learning rate": (
        TOP + "  optimizer: cadafactor\n",
        "suite.yaml:4: grid.optimizer: optimizer 'cadafactor' would set its learning rate by itself",
        "give it one: {name: cadafactor, lr: 0.01}",
    ),
    "weight decay without any": (
        TOP + "  optimizer: rprop\n  regularizer: weight_decay\n",
        "suite.yaml:4: grid.optimizer: optimizer 'rprop' has no weight decay: leave out that regularizer, or take l2",
    ),
    # --- what only the images, or the network's layers, can tell ---
    "columns of colour images": (
        TOP + "  dataset: cifar10\n  preprocessing: column_standardize\n",
        "suite.yaml:5: grid.preprocessing: ",
        "preprocessing 'column_standardize' makes a channel of each column of grey images, and these have 3 channels",
        "take standardize",
    ),
    "border wider than the image": (
        TOP + "  augmentation: {name: crop, padding: 28, mode: reflect}\n",
        "suite.yaml:4: grid.augmentation: ",
        "augmentation crop: padding 28 with mode reflect needs images larger than 28 pixels, these are 28 x 28; "
        "use a smaller padding or mode replicate",
    ),
    "border larger than any memory": (
        model("cnn", "  augmentation: {name: shift, vertical: 1000000000000000}\n"),
        "suite.yaml:4: grid.augmentation: an augmentation cannot be carried out on images of 28 x 28: ",
    ),
    "layers that are not there": (
        TOP + "  regularizer: {name: l2, layers: ['*.convv']}\n",
        "suite.yaml:4: grid.regularizer: ",
        "regularizer 'l2' with `layers: ['*.convv']` regularises nothing: model 'mlp' has no such kernels; take ",
        "patterns for its layers: ",
        "it out for this model",
    ),
    "no convolutions": (
        model("residual_mlp", "  regularizer: {name: l1, layers: conv}\n"),
        "suite.yaml:4: grid.regularizer: ",
        "regularizer 'l1' with `layers: conv` regularises nothing: model 'residual_mlp' has no such kernels; "
        "take `layers: hidden` or `layers: all`, or leave it out for this model",
    ),
}
