"""Pieces that several of our networks are built from."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
}


def activated(layer: nn.Module, norm: nn.Module | None, activation: str, batch_norm: str) -> list[nn.Module]:
    """A layer with its activation, and batch normalisation ``before`` it, ``after`` it, ``between`` two, or ``none``.

    The layer keeps its bias where normalisation makes it idle, because Keras's does and parameter counts are compared.
    """
    if norm is None or batch_norm == "none":
        return [layer, ACTIVATIONS[activation]()]
    if batch_norm == "before":
        return [layer, norm, ACTIVATIONS[activation]()]
    last = [ACTIVATIONS[activation]()] if batch_norm == "between" else []
    return [layer, ACTIVATIONS[activation](), norm, *last]


class Residual(nn.Module):
    """``branch(x) + shortcut(x)``, with the activation after the sum where there is one.

    With `drop_path` above 0 each picture's branch is left out with that chance (stochastic depth, Huang et al. 2016,
    arXiv 1603.09382).
    """

    def __init__(
        self,
        branch: nn.Module,
        shortcut: nn.Module | None = None,
        activation: str | None = None,
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut or nn.Identity()
        self.activation = ACTIVATIONS[activation]() if activation else nn.Identity()
        self.drop_path = drop_path_layer(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.drop_path(self.branch(x)) + self.shortcut(x))
        return out


def drop_path_layer(rate: float) -> nn.Module:
    """Leaves out a branch of a picture with this chance while training, and makes up for it in the others."""
    from timm.layers import DropPath  # type: ignore[attr-defined]  # timm takes seconds to import

    layer: nn.Module = DropPath(rate)
    return layer


class SamePad(nn.Module):
    """Pads as TensorFlow's 'same' does before a window of `kernel` at `stride`: odd rows and columns go to the end.

    The output has ceil(size / stride) rows; PyTorch's own padding is the same on both sides. Source:
    https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    """

    def __init__(self, kernel: int, stride: int = 1, value: float = 0.0):
        super().__init__()
        self.kernel, self.stride, self.value = kernel, stride, value

    def forward(self, x: Tensor) -> Tensor:
        height, width = (self._missing(size) for size in x.shape[-2:])
        if not height and not width:
            return x
        return F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2), value=self.value)

    def _missing(self, size: int) -> int:
        windows = -(-size // self.stride)
        return max((windows - 1) * self.stride + self.kernel - size, 0)
