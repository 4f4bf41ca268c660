"""Training steps: how a batch is trained on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.components.base import Component, Ratio, register


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
