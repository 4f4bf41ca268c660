"""How many floating-point operations does a trial take? Counted on the meta device, before anything is trained."""

from __future__ import annotations

from typing import Any

Shape = tuple[int, int, int]

PASSES = 3
"""A step's operations over those of its forward pass: the backward pass takes two products for each of the forward's.

(Kaplan et al. 2020, arXiv 2001.08361, section 2.1.)"""


def flops_per_image(config: dict[str, Any], shape: Shape, classes: int) -> int:
    """Forward floating-point operations for one image, as records have them; errors as in `bench.models.check_fit`."""
    # A plan that knows its networks' operations already does without torch.
    import numpy as np
    import torch

    from bench.models.check_fit import check as build
    from bench.models.count_operations import forward_flops
    from bench.models.inputs import behind, seen_shape

    seen = seen_shape(config["preprocessing"], shape)
    net = build(config["model"], seen, classes)
    if seen != shape:  # the only preprocessing that changes what the first layer computes
        device = next((tensor.device for tensor in net.parameters()), torch.device("cpu"))
        with torch.device(device):
            net = behind(config["preprocessing"], net, (np.zeros(seen[0]), np.ones(seen[0])), shape)
    return forward_flops(net, shape)


def images_seen(config: dict[str, Any], train_size: int, epochs: int, refit_epochs: int = 0) -> int:
    """Training images that go through a network in so many epochs, and in those of a refit on all of them."""
    validation = config["validation"]
    held_out = 0.0 if validation == "none" else next(iter(validation.values()))
    return round(train_size * (1 - held_out)) * epochs + train_size * refit_epochs


def training_flops(config: dict[str, Any], forward: int, train_size: int) -> int:
    """Floating-point operations of a trial's whole budget, evaluation left out; a refit counts at its longest."""
    epochs = config["epochs"]
    return PASSES * forward * images_seen(config, train_size, epochs, epochs if config["refit"] else 0)
