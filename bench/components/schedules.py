"""Learning-rate schedules."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from bench.components.base import Component, Fraction, NotNegative, Positive, Probability, Ratio, register, rising


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
