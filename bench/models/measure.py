"""What is in a network: kernels, parameters, operations."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils.flop_counter import FlopCounterMode

from bench.models.create import Standardized
from bench.models.registry import Shape
from bench.suite.components import Layers


def kernels(model: nn.Module, layers: Layers, classes: int | None = None) -> list[nn.Parameter]:
    """Weights of the dense and convolution layers: what Keras's kernel regularizers act on.

    Parameters
    ----------
    layers : {'hidden', 'all', 'conv'}
        'hidden' leaves out the output layer: timm's ``get_classifier()`` where the network has one, otherwise the
        last dense or convolution layer with `classes` outputs, in the order the network lists its modules.
        'conv' is every convolution.
    classes : int, optional
        Without it the output layer is the last layer whatever its width, which is right for ours and timm's.

    Returns
    -------
    list of nn.Parameter
        Each once, in module order, also where layers share it.
    """
    net = model.net if isinstance(model, Standardized) else model
    kinds = _ConvNd if layers == "conv" else (nn.Linear, _ConvNd)
    left_out = _output_weights(net, classes) if layers == "hidden" else set()
    weights = [module.weight for module in net.modules() if isinstance(module, kinds)]
    found = {id(weight): weight for weight in weights if isinstance(weight, nn.Parameter)}
    return [weight for key, weight in found.items() if key not in left_out]


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """All and trainable parameters as Keras counts them.

    Keras counts the running mean and variance of batch normalisation as parameters that are not trained. The mean
    and deviation that standardise the input are preprocessing and are not counted.
    """
    parameters = list(model.parameters())
    running = sum(
        statistic.numel()
        for module in model.modules()
        if isinstance(module, _BatchNorm)
        for statistic in (module.running_mean, module.running_var)
        if statistic is not None
    )
    trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return sum(parameter.numel() for parameter in parameters) + running, trainable


def forward_flops(model: nn.Module, input_shape: Shape) -> int:
    """Floating-point operations of one picture's forward pass; a multiply-add counts as two.

    PyTorch counts matrix products and convolutions, which is nearly everything. The model is left as it was.
    """
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        # The plain form of attention: the counter does not know the fused one for CPUs.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, *input_shape, device=device))
    finally:
        for module in training:
            module.training = True
    return int(counter.get_total_flops())


def _output_weights(net: nn.Module, classes: int | None) -> set[int]:
    get_classifier = getattr(net, "get_classifier", None)
    if callable(get_classifier):
        heads = get_classifier()  # distilled ViTs have two
        heads = heads if isinstance(heads, tuple | list) else (heads,)
        return {id(parameter) for head in heads for parameter in head.parameters()}
    candidates = [
        module
        for module in net.modules()
        if isinstance(module, nn.Linear | _ConvNd) and classes in (None, _outputs(module))
    ]
    return {id(candidates[-1].weight)} if candidates else set()


def _outputs(module: nn.Linear | _ConvNd) -> int:
    return module.out_features if isinstance(module, nn.Linear) else module.out_channels
