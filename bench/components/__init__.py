"""What may be named in a suite file? Without torch and Ray.

    base             what every component is; `register`, `AXES`
    datasets, data_questions, image_transforms, models, optimization
                     the components of each axis: names, parameters, bounds, defaults
    user_defined     the user's own code in any axis, classes of installed packages, names of torch and timm
    arguments        whether parameters fit a function that has no component class

Each class describes one component; its `implementation` is imported when a trial is built. Defaults never depend on the
device, since they are part of a trial's key. Where PyTorch has a default we take PyTorch's; Keras's conventions are
spelled out in the suites that need them.
"""

from __future__ import annotations

from bench.components.base import AXES, COMBINABLE, Component, register
from bench.components.data_questions import ImbalanceComponent, LabelNoiseComponent
from bench.components.datasets import DatasetComponent
from bench.components.image_transforms import Augmentation, Mixing, PreprocessingComponent
from bench.components.models import ModelComponent
from bench.components.optimization import (
    LossComponent,
    OptimizerComponent,
    RegularizerComponent,
    Schedule,
    StepComponent,
)
from bench.components.user_defined import LIBRARIES, component_class, is_user_defined, load_plugins, parse_component

__all__ = [
    "AXES",
    "COMBINABLE",
    "EXTENSIBLE_AXES",
    "Augmentation",
    "Component",
    "DatasetComponent",
    "ImbalanceComponent",
    "LabelNoiseComponent",
    "LossComponent",
    "Mixing",
    "ModelComponent",
    "OptimizerComponent",
    "PreprocessingComponent",
    "RegularizerComponent",
    "Schedule",
    "StepComponent",
    "component_class",
    "is_user_defined",
    "parse_component",
    "register",
]

EXTENSIBLE_AXES = tuple(LIBRARIES)
"""Axes that also take names which a library must answer for, with any parameters."""

load_plugins()
