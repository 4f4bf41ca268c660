"""What a network that cannot be trained is answered, before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from by_name import check_model as check

from bench.errors import UserError

GREY = (1, 28, 28)


def write(folder: Path, body: str) -> Path:
    file = folder / "mine.py"
    file.write_text("import torch\nfrom torch import nn\n" + body)
    return file


@pytest.mark.parametrize("name", ["mlp", "cnn", "test_resnet"])
def test_a_good_entry_passes(name: str) -> None:
    check({"name": name}, GREY, 10)


def test_the_users_good_factory_passes(tmp_path: Path) -> None:
    file = write(tmp_path, "def net(shape, classes): return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))\n")
    check({"name": f"{file}:net"}, GREY, 10)


def test_a_network_of_lazy_layers_passes(tmp_path: Path) -> None:
    file = write(tmp_path, "def net(shape, classes): return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))\n")
    check({"name": f"{file}:net"}, GREY, 10)


def test_a_class_is_a_factory_too(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "class Net(nn.Module):\n"
        "    def __init__(self, shape, classes, units=3):\n"
        "        super().__init__()\n"
        "        self.out = nn.Linear(784, classes)\n"
        "    def forward(self, x):\n"
        "        return self.out(x.flatten(1))\n",
    )
    check({"name": f"{file}:Net", "units": 5}, GREY, 10)


def test_the_global_random_state_is_left_as_it_was(tmp_path: Path) -> None:
    file = write(tmp_path, "def net(shape, classes): return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))\n")
    before = torch.get_rng_state()
    check({"name": f"{file}:net"}, GREY, 10)
    check({"name": "test_resnet"}, GREY, 10)
    assert torch.equal(torch.get_rng_state(), before)


FORWARD = """
class Net(nn.Module):
    def forward(self, x):
        {line}
def net(shape, classes): return Net()
"""

BAD = {
    "syntax": ("def net(:\n", r"does not import: SyntaxError: invalid syntax \(.*mine\.py, line 3\)"),
    "import": (
        "import absent_thing\n",
        r"does not import: ModuleNotFoundError: .*absent_thing' \(.*mine\.py, line 3\)",
    ),
    "exit": ("raise SystemExit(3)\n", r"does not import: SystemExit: 3 \(.*mine\.py, line 3\)"),
    "absent": ("def nte(shape, classes): pass\n", r"has no 'net'; it has nte\n  did you mean 'nte'\?"),
    "empty": ("", r"mine\.py has no 'net'; it defines no function or class"),
    "not callable": ("net = 3\n", r"'net' in .*mine\.py is of type int and cannot be called"),
    "no module": ("def net(shape, classes): return 3\n", r"its factory returned int, expected a torch\.nn\.Module"),
    "too few": (
        "def net(shape): pass\n",
        r"its first two parameters must take the images' shape, .* and the number of classes, 10; it has \(shape\)",
    ),
    "required": ("def net(shape, classes, units): pass\n", r"missing a required argument: 'units'; .*are units"),
    "raises": (
        "def net(shape, classes):\n    raise ValueError('too\\nwide')\n",
        r"cannot be built: ValueError: too wide \(.*mine\.py, line 4\)",
    ),
    "forward": (
        FORWARD.format(line="return x @ torch.ones(3, 3)"),
        r"cannot take images of 1 x 28 x 28 .*RuntimeError: .*\(.*mine\.py, line 6\)",
    ),
    "shape": (
        FORWARD.format(line="return x.flatten(1)"),
        r"returns shape \(2, 784\) for 2 images, expected \(2, 10\)",
    ),
    "tuple": (FORWARD.format(line="return x, x"), r"returns tuple, expected one tensor of logits"),
    "dtype": (
        FORWARD.format(line="return x.flatten(1)[:, :10].long()"),
        r"returns torch\.int64, expected floating-point logits",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_the_users_mistake_is_named(kind: str, tmp_path: Path) -> None:
    body, message = BAD[kind]
    with pytest.raises(UserError, match=message):
        check({"name": f"{write(tmp_path, body)}:net"}, GREY, 10)


def test_an_unknown_parameter_of_the_users_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    file = write(tmp_path, "def net(shape, classes, *, width=3): pass\n")
    with pytest.raises(UserError, match=r"argument 'widht'; its parameters are width\n  did you mean 'width'\?"):
        check({"name": f"{file}:net", "widht": 5}, GREY, 10)


def test_dropout_needs_a_parameter_of_that_name(tmp_path: Path) -> None:
    file = write(tmp_path, "def net(shape, classes, **params): pass\n")
    with pytest.raises(UserError, match="takes no dropout, which the regularizer dropout sets"):
        check({"name": f"{file}:net"}, GREY, 10, overrides={"dropout": 0.5})
    with pytest.raises(UserError, match="takes no drop_path, which the regularizer stochastic_depth sets"):
        check({"name": f"{file}:net"}, GREY, 10, overrides={"drop_path": 0.5})


def test_a_module_on_the_path_names_the_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_nets_b.py").write_text("\n1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"ZeroDivisionError: division by zero \(.*my_nets_b\.py, line 2\)"):
        check({"name": "my_nets_b:net"}, GREY, 10)


def test_a_package_that_passes_its_factory_on_names_the_line_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "my_package_c"
    package.mkdir()
    (package / "__init__.py").write_text("from my_package_c.nets import net\n")
    (package / "nets.py").write_text("def net(shape, classes):\n    return 1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"ZeroDivisionError: division by zero \(.*nets\.py, line 2\)"):
        check({"name": "my_package_c:net"}, GREY, 10)


def test_a_partial_is_a_factory_too(tmp_path: Path) -> None:
    body = "from functools import partial\ndef build(shape, classes, width): raise OSError(width)\n"
    file = write(tmp_path, body + "net = partial(build, width=7)\n")
    with pytest.raises(UserError, match=r"cannot be built: OSError: 7 \(.*mine\.py, line 4\)"):
        check({"name": f"{file}:net"}, GREY, 10)
