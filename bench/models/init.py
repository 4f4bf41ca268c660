"""Start values and batch normalisation as PyTorch or as Keras has them."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal cut off at -2 and 2; Keras's VarianceScaling divides by it."""


def initialise(net: nn.Module, init: str) -> nn.Module:
    """Set kernels, biases and batch normalisation of `net` in place, and return it.

    Parameters
    ----------
    init : {'torch', 'keras', 'he_normal'}
        'torch' changes nothing. 'keras' is what a Keras layer does unless told otherwise: Glorot uniform kernels
        (limit ``sqrt(6 / (fan_in + fan_out))``), zero biases, layer normalisation with eps 1e-3, and batch
        normalisation with that and momentum 0.99, which is 0.01 in PyTorch's sense. 'he_normal' is Keras's
        initializer of that name, a normal distribution cut off at two standard deviations and widened so that what
        is left has the standard deviation ``sqrt(2 / fan_in)``, with zero biases; it names an initializer only, so
        batch normalisation stays PyTorch's.
    """
    if init not in ("torch", "keras", "he_normal"):
        raise ValueError(f"init is {init!r}; allowed: torch, keras, he_normal")
    if init == "torch":
        return net
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            if init == "keras":
                nn.init.xavier_uniform_(module.weight)
            else:
                _he_normal(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _BatchNorm) and init == "keras":
            module.momentum, module.eps = 0.01, 1e-3
        elif isinstance(module, nn.LayerNorm) and init == "keras":
            module.eps = 1e-3
    return net


def _he_normal(weight: Tensor) -> None:
    fan_in = weight[0].numel()
    width = math.sqrt(2 / fan_in) / TRUNCATED_STD
    nn.init.trunc_normal_(weight, std=width, a=-2 * width, b=2 * width)
