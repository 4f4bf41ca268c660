"""The suite's own networks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bench.components.base import (
    MOST_LAYERS,
    Activation,
    BatchNorm,
    Component,
    Init,
    Positive,
    Rate,
    Ratio,
    Widths,
    few_layers,
    register,
)

Pair = Annotated[list[Positive], Field(min_length=2, max_length=2)]


class ModelComponent(Component):
    """A network: ``implementation(input_shape, classes, **parameters)`` returns an nn.Module."""

    axis = "model"


@register
class Mlp(ModelComponent):
    """Dense layers on the flattened image."""

    implementation = "bench.models.mlp_and_cnn:mlp"
    name: Literal["mlp"] = "mlp"
    hidden: Widths = Field([128, 64], description="Units of each hidden layer; [] is a linear classifier.")
    activation: Activation = "relu"
    batch_norm: BatchNorm = Field(
        "none", description="In each hidden layer, before its activation, after it, or between two of them."
    )
    dropout: Rate = Field(0.0, description="Dropout after each hidden layer.")
    init: Init = "torch"


@register
class Cnn(ModelComponent):
    """Convolution blocks (convolution, activation, max pooling, dropout), then dense layers."""

    implementation = "bench.models.mlp_and_cnn:cnn"
    name: Literal["cnn"] = "cnn"
    channels: Widths = Field([32], min_length=1, description="Output channels of each convolution block.")
    kernel: Positive = 5
    padding: Literal["valid", "same"] = "valid"
    pool: Positive = Field(2, description="Max pooling window and stride of each block; 1 for none.")
    hidden: Widths = Field([128], description="Units of each dense layer before the output.")
    activation: Activation = "relu"
    batch_norm: BatchNorm = Field(
        "none", description="With each convolution, before its activation, after it, or between two of them."
    )
    dropout: Rate = Field(0.0, description="Dropout after each pooling.")
    init: Init = "torch"


@register
class Vgg(ModelComponent):
    """Blocks of 3 x 3 convolutions, each with activation and batch normalisation, and max pooling; then dense layers.

    After Simonyan and Zisserman 2015 (arXiv 1409.1556); the defaults are a small one for 28 x 28.
    """

    implementation = "bench.models.mlp_and_cnn:vgg"
    name: Literal["vgg"] = "vgg"
    blocks: Annotated[list[Pair], AfterValidator(few_layers)] = Field(
        [[2, 32], [2, 64], [3, 128], [3, 256]],
        min_length=1,
        description="Convolutions and output channels of each block.",
    )
    hidden: Widths = Field([256], description="Units of each dense layer before the output.")
    activation: Activation = "relu"
    batch_norm: BatchNorm = Field(
        "before", description="With each convolution, before its activation, after it, or between two of them."
    )
    dropout: Rate = Field(0.3, description="Dropout after each dense layer.")
    init: Init = "torch"


@register
class ResNet(ModelComponent):
    """A stem (7 x 7 convolution, max pooling), residual blocks of two 3 x 3 convolutions, average pooling, output.

    After He et al. 2016 (arXiv 1512.03385). Strides pad as TensorFlow's 'same' does. Each group after the first halves
    the image with its first block, whose shortcut is a 1 x 1 convolution without normalisation.
    """

    implementation = "bench.models.resnets:resnet"
    name: Literal["resnet"] = "resnet"
    blocks: Annotated[list[Pair], AfterValidator(few_layers)] = Field(
        [[1, 64], [1, 128], [1, 256], [1, 512]],
        min_length=1,
        description="Residual blocks and channels of each group; the first group's are the stem's too.",
    )
    stem_padding: Annotated[int, Field(ge=0)] = Field(3, description="Rows and columns of zeros around the input.")
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a block's convolutions.")
    init: Init = "torch"


@register
class ResidualMlp(ModelComponent):
    """Dense residual blocks: dense, norm, activation, dropout, dense, norm, plus the shortcut, activation."""

    implementation = "bench.models.mlp_and_cnn:residual_mlp"
    name: Literal["residual_mlp"] = "residual_mlp"
    stem: Positive = Field(1024, description="Units of the dense layer before the blocks.")
    blocks: Widths = Field(
        [1024, 512, 512, 256, 256, 128],
        min_length=1,
        description="Units of each block; its shortcut is a dense layer where the width changes.",
    )
    dropout: Rate | list[Rate] = Field(
        0.0, description="Within each block: one rate, or one per block and one for before the output."
    )
    hidden: Positive = Field(64, description="Units of the dense layer after the blocks.")
    activation: Activation = "relu"
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a block's dense layers.")
    init: Init = "torch"

    @model_validator(mode="after")
    def _one_rate_each(self) -> Self:
        if isinstance(self.dropout, list) and len(self.dropout) != len(self.blocks) + 1:
            raise ValueError(
                f"model 'residual_mlp' with {len(self.blocks)} blocks needs one dropout rate, or "
                f"{len(self.blocks) + 1} (one per block and one for before the output), and has {len(self.dropout)}"
            )
        return self


@register
class SkipMlp(ModelComponent):
    """Dense layers of one width, then stacks of dense, norm, activation and dropout, with or without their input added.

    With `per_pixel` every dense layer works on the channels of each pixel, as a Keras Dense on an image does.
    """

    implementation = "bench.models.mlp_and_cnn:skip_mlp"
    name: Literal["skip_mlp"] = "skip_mlp"
    width: Positive = 128
    stem: Annotated[int, Field(gt=0, le=MOST_LAYERS)] = Field(2, description="Plain dense layers before the stacks.")
    stacks: Annotated[list[Positive], AfterValidator(few_layers)] = Field(
        [2] * 9, description="Dense layers of each stack."
    )
    skip: bool = Field(True, description="Add the input of each stack to its output.")
    hidden: Widths = Field([128], description="Units of each dense layer after the stacks.")
    activation: Activation = "relu"
    dropout: Rate = Field(0.5, description="After each layer of a stack and each dense layer after the stacks.")
    per_pixel: bool = False
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a stack; needs `skip`.")
    init: Init = "torch"


@register
class PreactResNet(ModelComponent):
    """A stem, residual blocks of two 3 x 3 convolutions with norm and activation before each, average pooling, output.

    After He et al. 2016 (arXiv 1603.05027); the defaults are PreAct ResNet-18 for small images. Each group after the
    first halves the image.
    """

    implementation = "bench.models.resnets:preact_resnet"
    name: Literal["preact_resnet"] = "preact_resnet"
    blocks: Annotated[list[Pair], AfterValidator(few_layers)] = Field(
        [[2, 64], [2, 128], [2, 256], [2, 512]],
        min_length=1,
        description="Residual blocks and channels of each group.",
    )
    stem: Positive = Field(64, description="Output channels of the first convolution.")
    stem_stride: Literal[1, 2] = Field(1, description="2 halves the image at once, with a 4 x 4 convolution.")
    dropout: Rate = Field(0.0, description="Dropout between the two convolutions of a block.")
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a block's convolutions.")
    init: Init = "he_normal"


@register
class WideResNet(ModelComponent):
    """A pre-activation residual network of three groups, with 16, 32 and 64 channels times `width_multiplier`.

    After Zagoruyko and Komodakis 2016 (arXiv 1605.07146): WRN-16-4, and with ``depth: 28, width_multiplier: 10``
    WRN-28-10.
    """

    implementation = "bench.models.resnets:wide_resnet"
    name: Literal["wide_resnet"] = "wide_resnet"
    depth: Annotated[int, Field(ge=10, le=MOST_LAYERS)] = Field(
        16, description="6n + 4 for n blocks a group: 10, 16, ..."
    )
    width_multiplier: Positive = Field(4, description="What the channels are multiplied by.")
    dropout: Rate = Field(0.0, description="Dropout between the two convolutions of a block.")
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a block's convolutions.")
    init: Init = "he_normal"

    @model_validator(mode="after")
    def _whole_blocks(self) -> Self:
        if self.depth % 6 != 4:
            below = self.depth - (self.depth - 4) % 6
            raise ValueError(f"a wide_resnet's `depth` is 6n + 4, such as {below} or {below + 6}, not {self.depth}")
        return self


@register
class ResNet9(ModelComponent):
    """A convolution for each of `channels`, pooled in all but the first; residual blocks after some; pooling, output.

    Page's network for fast training on CIFAR-10 (2018, "How to train your ResNet").
    """

    implementation = "bench.models.resnets:resnet9"
    name: Literal["resnet9"] = "resnet9"
    channels: Widths = Field([64, 128, 256, 512], min_length=1, description="Output channels of each group.")
    residual: list[Positive] = Field([2, 4], description="Groups that end with a residual block, counted from 1.")
    stem_stride: Literal[1, 2] = Field(1, description="2 halves the image at once, with a 4 x 4 convolution.")
    scale: Ratio = Field(0.125, description="What the logits are multiplied by.")
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a block's convolutions.")
    init: Init = "torch"


@register
class ConvNext(ModelComponent):
    """Depthwise convolutions and dense layers over each pixel's channels, in as many stages as `dims` has numbers.

    After Liu et al. 2022, "A ConvNet for the 2020s" (arXiv 2201.03545), with defaults for small images and CPUs.
    """

    implementation = "bench.models.mlp_and_cnn:convnext"
    name: Literal["convnext"] = "convnext"
    dims: Widths = Field([48, 128], min_length=1, description="Channels of each stage.")
    depths: Annotated[list[Positive], AfterValidator(few_layers)] = Field(
        [1, 3], min_length=1, description="Blocks of each stage, as many numbers as `dims`."
    )
    patch: Positive = Field(2, description="Pixels on a side of the patches that the first convolution takes.")
    kernel: Positive = Field(3, description="Pixels on a side of the depthwise convolutions' windows.")
    expansion: Positive = Field(2, description="Times as many channels between a block's two dense layers.")
    activation: Activation = "relu"
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a block.")
    init: Init = "torch"

    @model_validator(mode="after")
    def _a_depth_for_each_stage(self) -> Self:
        if len(self.depths) != len(self.dims):
            raise ValueError(
                f"a convnext's `depths` has a number for each of `dims`: {len(self.dims)}, not {len(self.depths)}"
            )
        return self
