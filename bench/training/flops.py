"""How many floating-point operations does a trial take? Counted on the meta device, before anything is trained."""

from __future__ import annotations

from bench.suite.schema import validation_fraction
from bench.suite.trial_config import TrialConfig

Shape = tuple[int, int, int]

PASSES = 3
"""A step's operations over those of its forward pass: the backward pass takes two products for each of the forward's.

(Kaplan et al. 2020, arXiv 2001.08361, section 2.1.)"""


def flops_per_image(config: TrialConfig, shape: Shape, classes: int) -> int:
    """Forward floating-point operations for one image, as records have them; errors as in `bench.models.check_fit`."""
    # A plan that knows its networks' operations already does without torch.
    import numpy as np
    import torch

    from bench.models.check_fit import check as build
    from bench.models.count_operations import forward_flops
    from bench.models.inputs import behind
    from bench.training.preprocessors import fit, network_input_shape

    input_shape = network_input_shape(config.preprocessing, shape)
    net = build(config.model, input_shape, classes)
    if input_shape != shape:  # the only preprocessing that changes what the first layer computes
        device = next((tensor.device for tensor in net.parameters()), torch.device("cpu"))
        net = behind(fit(config.preprocessing, np.zeros((2, *shape), np.uint8)).to(device), net)
    return forward_flops(net, shape)


def images_seen(config: TrialConfig, train_size: int, epochs: int, refit_epochs: int = 0) -> int:
    """Training images that go through a network in so many epochs, and in those of a refit on all of them."""
    return round(train_size * (1 - validation_fraction(config.validation))) * epochs + train_size * refit_epochs


def training_flops(config: TrialConfig, forward: int, train_size: int) -> int:
    """Floating-point operations of a trial's whole budget, evaluation left out; a refit counts at its longest."""
    return PASSES * forward * images_seen(config, train_size, config.epochs, config.epochs if config.refit else 0)
