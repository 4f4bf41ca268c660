"""How weights are trained: optimizers, learning-rate schedules, losses, training steps and regularizers.

Optimizers whose parameters are written out; torch's and timm's others go by their own names.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from bench.components.base import (
    Component,
    Fraction,
    LearningRate,
    NotNegative,
    Positive,
    Probability,
    Rate,
    Ratio,
    register,
    rising,
)


class LossComponent(Component):
    """``implementation(label_smoothing=..., **parameters)`` returns ``loss(logits, targets)``."""

    axis = "loss"


@register
class CrossEntropy(LossComponent):
    """Cross-entropy of the softmax of the logits."""

    implementation = "bench.training.objective:cross_entropy"
    name: Literal["cross_entropy"] = "cross_entropy"


@register
class BinaryCrossEntropy(LossComponent):
    """A yes or no for each class, on one-hot labels: the mean over the classes."""

    implementation = "bench.training.objective:binary_cross_entropy"
    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    outputs: Literal["softmax", "sigmoid"] = Field(
        "softmax",
        description="What makes probabilities of the logits, in the loss alone; Keras's takes sigmoid always.",
    )


@register
class MeanSquaredError(LossComponent):
    """Squared difference between softmax outputs and one-hot labels: the mean over the classes."""

    implementation = "bench.training.objective:mean_squared_error"
    name: Literal["mean_squared_error"] = "mean_squared_error"


class OptimizerComponent(Component):
    """``implementation(parameter_groups, **parameters)`` returns a torch.optim.Optimizer."""

    axis = "optimizer"


@register
class Sgd(OptimizerComponent):
    """torch.optim.SGD."""

    implementation = "torch.optim:SGD"
    name: Literal["sgd"] = "sgd"
    lr: LearningRate = 1e-3
    momentum: Rate = 0.0
    nesterov: bool = Field(False, description="Needs a momentum above 0.")
    weight_decay: NotNegative = 0.0

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError(
                "optimizer 'sgd' with `nesterov: true` needs a momentum above 0: "
                "write {name: sgd, nesterov: true, momentum: 0.9}"
            )
        return self


@register
class Adam(OptimizerComponent):
    """torch.optim.Adam."""

    implementation = "torch.optim:Adam"
    name: Literal["adam"] = "adam"
    lr: LearningRate = 1e-3
    betas: list[Rate] = Field([0.9, 0.999], min_length=2, max_length=2)
    eps: NotNegative = 1e-8
    amsgrad: bool = False
    weight_decay: NotNegative = 0.0


@register
class RmsProp(OptimizerComponent):
    """torch.optim.RMSprop."""

    implementation = "torch.optim:RMSprop"
    name: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 1e-2
    alpha: Rate = 0.99
    eps: NotNegative = 1e-8
    momentum: Rate = 0.0
    centered: bool = False
    weight_decay: NotNegative = 0.0


class Schedule(Component):
    """``implementation(context, **parameters)`` returns the factor on the learning rate at a step, or None for none."""

    axis = "schedule"
    handled: ClassVar[tuple[str, ...]] = ("warmup",)
    warmup: NotNegative = Field(
        0.0, description="Epochs of linear rise from 0 to the schedule's own rate, from which it then goes on."
    )


@register
class Constant(Schedule):
    """The optimizer's learning rate throughout."""

    implementation = "bench.training.lr_schedules:constant"
    name: Literal["constant"] = "constant"


@register
class Cosine(Schedule):
    """Half a cosine from the learning rate to `final_factor` times it, moved every step."""

    implementation = "bench.training.lr_schedules:cosine"
    name: Literal["cosine"] = "cosine"
    final_factor: Probability = 0.0


@register
class Step(Schedule):
    """Multiplies the learning rate by `gamma` every `every` epochs, or after the epochs in `milestones`."""

    implementation = "bench.training.lr_schedules:step"
    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["every"]}, {"required": ["milestones"]}]},
    )

    name: Literal["step"] = "step"
    every: Positive | None = Field(None, examples=[10])
    milestones: Annotated[list[Positive], Field(min_length=1), AfterValidator(rising)] | None = Field(
        None, examples=[[15, 25]]
    )
    gamma: Ratio = 0.1
    factors: Annotated[list[Ratio], Field(min_length=1)] | None = Field(
        None,
        description="With `milestones`: the factor on the learning rate after each, instead of powers of gamma.",
        examples=[[0.1, 0.05]],
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.every is None) == (self.milestones is None):
            given = "neither" if self.every is None else "both"
            raise ValueError(
                f"schedule 'step' needs either `every` or `milestones`, and has {given}: "
                "write {name: step, every: 10} or {name: step, milestones: [15, 25]}"
            )
        if self.factors is not None and self.milestones is None:
            raise ValueError(
                "schedule 'step' has `factors`, which need `milestones`, one for each: "
                "write {name: step, milestones: [15, 25], factors: [0.1, 0.05]}, or leave the factors out"
            )
        if self.factors is not None and self.milestones is not None and len(self.factors) != len(self.milestones):
            given = " for ".join(
                f"{len(values)} {noun}{'' if len(values) == 1 else 's'}"
                for noun, values in (("factor", self.factors), ("milestone", self.milestones))
            )
            raise ValueError(f"schedule 'step' has {given}: write as many of one as of the other")
        return self


@register
class OneCycle(Schedule):
    """Up to the learning rate and down to nearly nothing on half cosines, moved every step (torch's OneCycleLR)."""

    implementation = "bench.training.lr_schedules:one_cycle"
    name: Literal["one_cycle"] = "one_cycle"
    pct_start: Probability = Field(0.3, description="Fraction of all steps that rise.")
    div_factor: Ratio = Field(25.0, description="The first step's rate is the learning rate over this.")
    final_div_factor: Ratio = Field(1e4, description="The last step's rate is the first one's over this.")


@register
class TimeDecay(Schedule):
    """The learning rate over 1 + decay * step: the argument `decay` of Keras's older optimizers."""

    implementation = "bench.training.lr_schedules:time_decay"
    name: Literal["time_decay"] = "time_decay"
    decay: NotNegative = 1e-6


@register
class Plateau(Schedule):
    """Multiplies the learning rate by `factor` when validation stops improving (Keras's ReduceLROnPlateau)."""

    implementation = "bench.training.lr_schedules:plateau"
    name: Literal["plateau"] = "plateau"
    factor: Fraction = 0.1
    patience: Positive = Field(10, description="Epochs without an improvement before the rate falls.")
    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    min_delta: NotNegative = Field(1e-4, description="What counts as an improvement is larger than this.")
    min_lr: NotNegative = Field(0.0, description="The learning rate does not fall below it.")


class StepComponent(Component):
    """``implementation(batch, **parameters)`` trains on one `bench.training.step_functions.Batch`."""

    axis = "step"


@register
class StandardStep(StepComponent):
    """The gradient of the batch, and one step of the optimizer."""

    implementation = "bench.training.step_functions:standard"
    name: Literal["standard"] = "standard"


@register
class ClipStep(StepComponent):
    """Scales the gradient down to this Euclidean norm, over all parameters together, before the optimizer's step."""

    implementation = "bench.training.step_functions:clip"
    name: Literal["clip"] = "clip"
    max_norm: Ratio = Field(1.0, description="Of the gradient with penalties, after the mean over workers.")


@register
class SamStep(StepComponent):
    """Takes the gradient at the worst point near the weights (SAM, Foret et al. 2021, arXiv 2010.01412)."""

    implementation = "bench.training.step_functions:sam"
    name: Literal["sam"] = "sam"
    rho: Ratio = Field(0.05, description="Distance of that point from the weights, along the gradient.")


Layers = Literal["hidden", "all", "conv"] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
"""Which kernels a penalty counts: a group of them, or patterns over the names of layers, as in ``["*.conv1"]``."""

LAYERS: Any = Field(
    "hidden",
    description="Kernels it counts: all but the output layer's, all, convolutions', or patterns of layer names: "
    "['*.conv1'].",
)


class RegularizerComponent(Component):
    """``implementation(**parameters)`` returns a `bench.training.objective.RegularizerSpec`."""

    axis = "regularizer"


@register
class L1(RegularizerComponent):
    """Adds strength * sum(|w|) over kernels to the loss (Keras's sense)."""

    implementation = "bench.training.objective:l1"
    name: Literal["l1"] = "l1"
    strength: NotNegative = 1e-4
    layers: Layers = LAYERS


@register
class L2(RegularizerComponent):
    """Adds strength * sum(w^2) over kernels to the loss (Keras's sense: the gradient is 2 * strength * w)."""

    implementation = "bench.training.objective:l2"
    name: Literal["l2"] = "l2"
    strength: NotNegative = 1e-4
    layers: Layers = LAYERS


@register
class ElasticNet(RegularizerComponent):
    """Adds l1 * sum(|w|) + l2 * sum(w^2) over kernels to the loss (Keras's `l1_l2`)."""

    implementation = "bench.training.objective:elastic_net"
    name: Literal["elastic_net"] = "elastic_net"
    l1: NotNegative = 1e-4
    l2: NotNegative = 1e-4
    layers: Layers = LAYERS


@register
class MaxNorm(RegularizerComponent):
    """Scales each unit's incoming weights down to this Euclidean length after every step (Keras's MaxNorm)."""

    implementation = "bench.training.objective:max_norm"
    name: Literal["max_norm"] = "max_norm"
    max_value: Ratio = Field(
        2.0, description="Of a convolution, the length over all inputs and positions of an output channel."
    )
    layers: Layers = LAYERS


@register
class WeightDecay(RegularizerComponent):
    """The optimizer's own weight decay (PyTorch's sense)."""

    implementation = "bench.training.objective:weight_decay"
    name: Literal["weight_decay"] = "weight_decay"
    strength: NotNegative = 5e-4
    kernels_only: bool = Field(False, description="Leave out biases and normalisation parameters.")


@register
class Dropout(RegularizerComponent):
    """Sets the model's own `dropout` parameter."""

    implementation = "bench.training.objective:dropout"
    name: Literal["dropout"] = "dropout"
    rate: Rate = 0.5


@register
class StochasticDepth(RegularizerComponent):
    """Sets the model's own `drop_path` (timm: `drop_path_rate`): the chance to leave out a residual branch."""

    implementation = "bench.training.objective:stochastic_depth"
    name: Literal["stochastic_depth"] = "stochastic_depth"
    rate: Rate = 0.1


@register
class LabelSmoothing(RegularizerComponent):
    """Moves this fraction of each label's weight to a uniform distribution over the classes."""

    implementation = "bench.training.objective:label_smoothing"
    name: Literal["label_smoothing"] = "label_smoothing"
    amount: Rate = 0.1
