"""Models of the user's own, in files and modules beside the suite."""

from __future__ import annotations

from pathlib import Path

from mistakes.row import Mistake

NETS = """\
from typing import Literal

import torch
from torch import nn

number = 3

def good(input_shape, classes, width=8):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.LazyLinear(classes))

def wide(input_shape, classes):
    return good(input_shape, classes + 1)

def whole(input_shape, classes):
    class Whole(nn.Module):
        def forward(self, pixels):
            return torch.zeros(len(pixels), classes, dtype=torch.int64)
    return Whole()

def twofold(input_shape, classes):
    class Twofold(nn.Module):
        def forward(self, pixels):
            return pixels, pixels
    return Twofold()

def small(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3, classes))

def no_net(input_shape, classes):
    return classes

def typed(input_shape, classes, use_bias=True, steps: int = 3, rate=0.1, pair=(0.9, 0.9), flags=(True, True),
          depths: tuple[int, ...] = (1,), word="relu", block={}, kind=None, mode: Literal["a", "b"] = "a",
          nothing: None = None):
    return good(input_shape, classes)

def broken(input_shape, classes):
    return nn.Linear(1 // 0, classes)

def convolution(in_channels, num_classes):
    return nn.Conv2d(in_channels, num_classes, 3)

class Net(nn.Module):
    def __init__(self, hidden=64, dropout=0.1):
        super().__init__()

ready = nn.Linear(784, 10)

def late(width=8):
    return good((1, 28, 28), 10, width)

def reads(input_shape, classes):
    return torch.load("prior.pt")

kept = good((1, 28, 28), 10)
generator = torch.Generator().manual_seed(0)

def cached(input_shape, classes):
    return kept

def drawn(input_shape, classes):
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, classes))
    nn.init.normal_(net[1].weight, generator=generator)
    return net

def lazy(input_shape, classes):
    net = good(input_shape, classes)
    net.forward = lambda pixels: net[2](net[1](net[0](pixels)))
    net.unused = nn.LazyLinear(3)
    return net

def uneven(input_shape, classes, lengths=[]):
    lengths.append(0)
    return nn.Sequential(nn.Flatten(), *[nn.Linear(784, 784, bias=False) for _ in lengths], nn.Linear(784, classes))
"""
READS = NETS[: NETS.index("prior.pt")].count("\n") + 1
"""The line of the statement that reads a file."""


def nets(folder: Path) -> None:
    (folder / "nets.py").write_text(NETS)


def file(name: str, text: str) -> object:
    """Puts one file beside the suite."""

    def beside(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return beside


def suite(model: str) -> str:
    return f"name: t\ngrid:\n  model: {model}\n"


PLACE = "suite.yaml:3: grid.model: model "

ROWS: dict[str, Mistake] = {
    "no factory": Mistake(
        suite("'nets.py:'"), (f"{PLACE}'nets.py:': expected 'package.module:factory' or 'path/to/file.py:factory'",)
    ),
    "no file": Mistake(
        suite("nets.py:net"),
        (f"{PLACE}'nets.py:net': cannot read", "No such file", "write the path from the suite file's own folder"),
    ),
    "a folder": Mistake(
        suite("nets/:net"),
        (f"{PLACE}'nets/:net': cannot read", "Is a directory"),
        beside=lambda folder: (folder / "nets").mkdir(),
    ),
    "no module": Mistake(
        suite("'no_such_nets:net'"),
        (f"{PLACE}'no_such_nets:net': module 'no_such_nets' was not found\n", "put its folder on PYTHONPATH"),
    ),
    "no package": Mistake(
        suite("'no_such_package.nets:net'"),
        (f"{PLACE}'no_such_package.nets:net': module 'no_such_package.nets' was not found\n", "PYTHONPATH"),
    ),
    "no source": Mistake(
        suite("'math:sin'"), (f"{PLACE}'math:sin': module 'math' is no Python source file (found ", "); name one")
    ),
    "does not import": Mistake(
        suite("nets.py:net"),
        (
            f"{PLACE}'nets.py:net' does not import: ZeroDivisionError",
            "nets.py, line 1)",
            "correct the file and try again",
        ),
        beside=file("nets.py", "width = 1 / 0\n"),
    ),
    "is no Python": Mistake(
        suite("nets.py:net"),
        (f"{PLACE}'nets.py:net' does not import: SyntaxError: ", "nets.py, line 2)"),
        beside=file("nets.py", "\ndef net(:\n"),
    ),
    "is not UTF-8": Mistake(
        suite("nets.py:net"),
        (f"{PLACE}'nets.py:net' does not import: SyntaxError: ",),
        beside=lambda folder: (folder / "nets.py").write_bytes(b"x = '\xff'\n"),
    ),
    "leaves Python": Mistake(
        suite("nets.py:net"),
        (f"{PLACE}'nets.py:net' does not import: SystemExit: 3", "nets.py, line 1)"),
        beside=file("nets.py", "raise SystemExit(3)\n"),
    ),
    "not in the file": Mistake(
        suite("nets.py:goood"),
        ("nets.py has no 'goood'; it has good, wide, ", "did you mean 'good'?"),
        beside=nets,
    ),
    "an empty file": Mistake(
        suite("nets.py:net"), ("has no 'net'; it defines no function or class",), beside=file("nets.py", "")
    ),
    "not a function": Mistake(
        suite("nets.py:number"),
        ("'number' in ", "nets.py is of type int and cannot be called", "expected a function (input_shape, classes"),
        beside=nets,
    ),
    "unknown parameter": Mistake(
        suite("{name: 'nets.py:good', widht: 3}"),
        ("unexpected keyword argument 'widht'; its parameters are width", "did you mean 'width'?"),
        beside=nets,
    ),
    "a parameter of the data's": Mistake(
        suite("{name: 'nets.py:wide', classes: 3}"),
        ("multiple values for argument 'classes'; its parameters are none",),
        beside=nets,
    ),
    "no dropout of its own": Mistake(
        suite("nets.py:good\n  regularizer: dropout"),
        (
            f"{PLACE}'nets.py:good' takes no dropout, which the regularizer dropout sets",
            "give its factory a parameter 'dropout' or leave the regularizer out",
        ),
        beside=nets,
    ),
    "values of other types": Mistake(
        suite(
            "{name: 'nets.py:typed', use_bias: no, steps: 1e3, rate: true, pair: [0.9], flags: [1], depths: [a], "
            "word: 3, block: 3, kind: 'off', mode: c, nothing: 3}"
        ),
        (
            f"{PLACE}'nets.py:typed': `use_bias` must be true or false, not 'no'; "
            "`steps` must be a whole number, not 1000.0; `rate` must be a number, not true; "
            "`pair` must be a list of 2 numbers, not [0.9]; `flags` must be a list of 2 true or false, not [1]; "
            "`depths` must be a list of whole numbers, not [a]; `word` must be text, not 3; "
            "`block` must be a mapping, not 3; `kind` holds text where a boolean or a number seems meant: 'off'; "
            "`mode` must be one of 'a', 'b', not 'c'; `nothing` must be left out, not 3\n",
            "write it as a whole number: 1000\n",
            "the parameter's annotation in the factory, else its default, says what it takes",
        ),
        beside=nets,
    ),
    "parameters before the shape": Mistake(
        suite("nets.py:Net"),
        (
            f"{PLACE}'nets.py:Net': its first two parameters must take the images' shape, (1, 28, 28) here, and the "
            "number of classes, 10; it has (hidden=64, dropout=0.1)\n"
            "  write def __init__(self, input_shape, classes, ...)",
        ),
        beside=nets,
    ),
    "function without the shape": Mistake(
        suite("{name: 'nets.py:late', width: 3}"),
        ("it has (width=8)\n  write (input_shape, classes, ...)",),
        beside=nets,
    ),
    "channels instead of the shape": Mistake(
        suite("nets.py:convolution"),
        (f"{PLACE}'nets.py:convolution' cannot be built: TypeError: ", "it was called with ((1, 28, 28), 10, ...)"),
        beside=nets,
    ),
    "built already": Mistake(
        suite("nets.py:ready"),
        (f"{PLACE}'nets.py:ready' is a network that is built already; name the function or class that builds it",),
        beside=nets,
    ),
    "cannot be built": Mistake(
        suite("nets.py:broken"),
        (f"{PLACE}'nets.py:broken' cannot be built: ZeroDivisionError: ", "nets.py, line 38)"),
        beside=nets,
    ),
    "no network": Mistake(
        suite("nets.py:no_net"), ("its factory returned int, expected a torch.nn.Module",), beside=nets
    ),
    "too many logits": Mistake(
        suite("nets.py:wide"),
        ("returns shape (2, 11) for 2 images, expected (2, 10): one logit for each image and class",),
        beside=nets,
    ),
    "several answers": Mistake(
        suite("nets.py:twofold"), ("returns tuple, expected one tensor of logits",), beside=nets
    ),
    "whole numbers": Mistake(
        suite("nets.py:whole"), ("returns torch.int64, expected floating-point logits",), beside=nets
    ),
    "other images": Mistake(
        suite("nets.py:small"),
        ("cannot take images of 1 x 28 x 28 (channels, height, width): RuntimeError: mat1 and mat2",),
        beside=nets,
    ),
    "a file that it does not name": Mistake(
        suite("nets.py:reads"),
        (
            f"{PLACE}'nets.py:reads' cannot be built: FileNotFoundError: ",
            f"nets.py, line {READS})\n  its code has the files that its key holds: the modules that it imports by "
            "import statements, and what the component names: {name: 'nets.py:reads', files: [...]}",
        ),
        beside=nets,
    ),
    "a module that it does not import by a statement": Mistake(
        suite("nets.py:net"),
        (
            f"{PLACE}'nets.py:net' does not import: ModuleNotFoundError: No module named 'helpers'",
            "nets.py, line 1)\n  its code has the files that its key holds",
        ),
        beside=lambda folder: [
            (folder / "helpers.py").write_text(""),
            (folder / "nets.py").write_text("__import__('helpers')\n"),
        ],
    ),
    "files that are no list": Mistake(
        suite("{name: 'nets.py:good', files: prior.pt}"),
        (f"{PLACE}'nets.py:good': `files` lists the files that its code reads: files: [prior.pt]",),
        beside=nets,
    ),
    "a file that is not there": Mistake(
        suite("{name: 'nets.py:good', files: [net.py]}"),
        (
            f"{PLACE}'nets.py:good': cannot read net.py: No such file",
            "`files` names files from the suite file's own folder\n  did you mean 'nets.py'?",
        ),
        beside=nets,
    ),
    "relative imports of a file that is no module": Mistake(
        suite("my-nets.py:net"),
        ("my-nets.py imports relatively, and cannot be imported as a module itself: give it and its folder names",),
        beside=file("my-nets.py", "from . import helpers\n"),
    ),
    "the same network twice": Mistake(
        suite("nets.py:cached"),
        (
            f"{PLACE}'nets.py:cached' does not give a new network each time: 1.weight is shared with the network",
            "build all layers in the factory, or copy.deepcopy what it starts from",
        ),
        beside=nets,
    ),
    "a generator of its own": Mistake(
        suite("nets.py:drawn"),
        (
            f"{PLACE}'nets.py:drawn' is not the same network when it is built twice with one seed: 1.weight differs",
            "draw from these, in the factory, and leave none of its tensors empty",
        ),
        beside=nets,
    ),
    "a lazy layer that is not used": Mistake(
        suite("nets.py:lazy"),
        (f"{PLACE}'nets.py:lazy' has a lazy layer that no image passes through, so that unused.weight has no shape",),
        beside=nets,
    ),
    "a layer more each time": Mistake(
        suite("nets.py:uneven"),
        ("is not the same network when it is built twice with one seed: ",),
        beside=nets,
    ),
    "refused": Mistake(
        suite("nets.py:good"),
        (
            "suite.yaml:3: grid.model: 'nets.py:good' is a model of the user's own, and --no-user-code runs none",
            "leave the option out where you trust that code, or take another component",
        ),
        beside=nets,
        options=("--no-user-code",),
    ),
}
