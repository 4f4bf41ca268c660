"""What is in a network: kernels, parameters, operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrize import is_parametrized
from torch.utils import flop_counter
from torch.utils.flop_counter import FlopCounterMode

from bench import torch_compiler
from bench.components.optimization import Layers
from bench.models.layers import ColumnViews, Preprocessed, Shape


@dataclass(frozen=True)
class Kernel:
    """The weights of a dense or convolution layer; `layer` is the name it has in the network."""

    layer: str
    convolution: bool
    output: bool
    weight: nn.Parameter


def all_kernels(model: nn.Module, classes: int | None = None) -> list[Kernel]:
    """Weights of the dense and convolution layers: what Keras's kernel regularizers act on.

    The output layer is timm's ``get_classifier()`` where the network has one, otherwise the last dense or convolution
    layer with `classes` outputs (the last one whatever its width without), in the order the network lists its modules.
    A weight that layers share stands once, under its first name.
    """
    net = model.net if isinstance(model, Preprocessed) else model
    outputs = _output_weights(net, classes)
    kernels_by_id: dict[int, Kernel] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear | _ConvNd):
            weight = _weight(module)
            if weight is not None:
                kernel = Kernel(name, isinstance(module, _ConvNd), id(weight) in outputs, weight)
                kernels_by_id.setdefault(id(weight), kernel)
    return list(kernels_by_id.values())


def selected(kernels: Sequence[Kernel], layers: Layers) -> list[Kernel]:
    """Those that `layers` means: 'all', 'hidden' (all but the output's), 'conv', or patterns over layer names."""
    if isinstance(layers, str):
        if layers == "conv":
            return [kernel for kernel in kernels if kernel.convolution]
        return [kernel for kernel in kernels if layers == "all" or not kernel.output]
    return [kernel for kernel in kernels if any(fnmatchcase(kernel.layer, pattern) for pattern in layers)]


def kernels(model: nn.Module, layers: Layers, classes: int | None = None) -> list[nn.Parameter]:
    """The weights of `selected` among `all_kernels`, each once, in module order."""
    return [kernel.weight for kernel in selected(all_kernels(model, classes), layers)]


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """All and trainable parameters as Keras counts them.

    Keras counts the running mean and variance of batch normalisation as parameters that are not trained, and so the
    statistics of the layer that makes a channel of each column. The mean and deviation that standardise the input
    otherwise are preprocessing and are not counted.
    """
    parameters = list(model.parameters())
    running = sum(
        statistic.numel()
        for module in model.modules()
        if isinstance(module, _BatchNorm)
        for statistic in (module.running_mean, module.running_var)
        if statistic is not None
    )
    if isinstance(model, Preprocessed) and isinstance(model.preprocess, ColumnViews):
        statistics = model.preprocess
        running += statistics.mean.numel() + statistics.std.numel() + 1  # Keras also keeps the number of images
    trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return sum(parameter.numel() for parameter in parameters) + running, trainable


def forward_flops(model: nn.Module, input_shape: Shape) -> int:
    """Floating-point operations of one image's forward pass; a multiply-add counts as two.

    PyTorch counts matrix products and convolutions, which is nearly everything. Two images less one, so that what is
    done once for a batch does not count. The model is left as it was.
    """
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        of_one, of_two = (_flops(model, torch.zeros(count, *input_shape, device=device)) for count in (1, 2))
    finally:
        for module in training:
            module.training = True
    return of_two - of_one


def _flops(model: nn.Module, pixels: Tensor) -> int:
    torch_compiler.avoid_dynamo_import(getattr(flop_counter, "_FlopCounterMode", FlopCounterMode))
    # The plain form of attention: the counter does not know the fused one for CPUs.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(pixels)
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
    return {id(_weight(candidates[-1]))} if candidates else set()


def _weight(module: nn.Module) -> nn.Parameter | None:
    """The trained weight, also where the layer computes another from it; None where it has none of its own."""
    path = "parametrizations.weight.original" if is_parametrized(module, "weight") else "weight"
    try:
        return module.get_parameter(path)
    except AttributeError:
        return None


def _outputs(module: nn.Linear | _ConvNd) -> int:
    return module.out_features if isinstance(module, nn.Linear) else module.out_channels
