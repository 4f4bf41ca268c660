"""Optimizers whose parameters are written out; torch's and timm's others go by their own names."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from bench.components.base import Component, LearningRate, NotNegative, Rate, register


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
