"""Optimizers by name: that they step, their defaults, and what a mistake is answered."""

from __future__ import annotations

import copy
import inspect
import json
import shutil
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from by_name import check_optimizer as check
from by_name import create_optimizer as create
from timm.optim import get_optimizer_class, muon
from torch import nn

from bench.components import AXES, user_defined
from bench.errors import UserError
from bench.jsonutil import canonical
from bench.training.optimizer_factory import NOT_SETTINGS, defaults_of, names, parameter_groups, resolved

CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}
NOT_OURS = {"dampening", "decoupled_weight_decay"}


@pytest.mark.parametrize("name", AXES["optimizer"])
def test_our_defaults_are_torchs(name: str) -> None:
    fields = AXES["optimizer"][name].model_fields
    schema = {key: tuple(f.default) if isinstance(f.default, list) else f.default for key, f in fields.items()}
    torchs = {p.name: p.default for p in inspect.signature(CLASSES[name]).parameters.values()}
    assert schema == {"name": name} | {k: v for k, v in torchs.items() if k not in NOT_SETTINGS | NOT_OURS}


@pytest.mark.parametrize("name", [*AXES["optimizer"], "adamw", "NAdam", "adagrad", "lion", "rmsproptf", "muon"])
def test_every_parameter_moves_downhill(name: str) -> None:
    assert steps(name) is None


def small_net() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Kernels and biases of a convolution and two dense layers, with images and labels."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 4 * 4, 5), nn.Tanh(), nn.Linear(5, 3))
    return model, torch.rand(12, 1, 6, 6), torch.arange(12) % 3


NESTEROV = {"csgdc", "csgdp", "csgdw", "nesterovw", "nlarc", "nlars", "sgdc", "sgdp", "sgdw"}
"""Classes that cannot do without a momentum, and have none by default."""

OTHER_PACKAGES = ("bnb", "fused")
"""timm wraps these from apex and bitsandbytes, which need CUDA and are not installed with this package."""

COMPILED = {"kron", "kronc", "kronw"}
"""They compile code for half a minute before their first step."""


def steps(name: str) -> str | None:
    """What goes wrong when an optimizer takes ten steps; None when all parameters move and the loss comes down."""
    model, images, labels = small_net()
    entry = {"name": name, "lr": 0.01} | ({"momentum": 0.9} if name in NESTEROV else {})
    optimizer = create(entry, parameter_groups(model, None, False))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    if any(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)):
        return f"{name} leaves a parameter as it was"
    return None if losses[-1] < losses[0] else f"{name} goes uphill: {losses}"


def test_every_optimizer_we_name_takes_steps_on_kernels_and_biases() -> None:
    chosen = [name for name in names() if not name.startswith(OTHER_PACKAGES) and name not in COMPILED]
    assert len(chosen) > 70
    assert [problem for name in chosen if (problem := steps(name))] == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="kron compiles its steps")
@pytest.mark.parametrize("name", sorted(COMPILED))
def test_an_optimizer_that_compiles_its_steps_takes_them_too(name: str) -> None:
    assert steps(name) is None


@pytest.mark.parametrize("name", ["bnbadam", "fusedlamb"])
def test_what_another_package_would_have_to_bring_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' cannot be used on this machine: "):
        check({"name": name})


@pytest.mark.parametrize(
    ("name", "kind"),
    [("AdamW", "torch.optim"), ("sgd", "torch.optim"), ("lion", "timm.optim"), ("muon", "timm.optim")],
)
def test_torchs_comes_before_timms_but_for_muon(name: str, kind: str) -> None:
    optimizer = create({"name": name, "lr": 0.1}, [{"params": [nn.Parameter(torch.ones(2, 2))]}])
    library_class = next(class_ for class_ in type(optimizer).__mro__ if not class_.__module__.startswith("bench."))
    assert library_class.__module__.startswith(kind)


@pytest.mark.parametrize("name", ["muon", "nmuon", "adamuon", "nadamuon"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_muon_multiplies_in_the_type_it_is_given(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared with timm's own step in that type, also after a copy; timm's function is restored."""
    torch.manual_seed(0)
    start, gradient = torch.randn(2, 8, 12)

    def stepped(optimizer_of: Callable[[list[nn.Parameter]], torch.optim.Optimizer]) -> torch.Tensor:
        parameter = nn.Parameter(start.clone())
        parameter, optimizer = copy.deepcopy((parameter, optimizer_of([parameter])))
        parameter.grad = gradient.clone()
        optimizer.step()
        return parameter.detach()

    written = {} if dtype == "float32" else {"ns_dtype": dtype}
    actual = stepped(lambda parameters: create({"name": name, **written}, [{"params": parameters}]))
    original = muon.zeropower_via_newtonschulz
    assert original.__module__ == "timm.optim.muon"
    monkeypatch.setattr(muon, "zeropower_via_newtonschulz", partial(original, dtype=getattr(torch, dtype)))
    assert torch.equal(actual, stepped(get_optimizer_class(name)))
    other = {"float32": torch.bfloat16, "bfloat16": torch.float32}[dtype]
    monkeypatch.setattr(muon, "zeropower_via_newtonschulz", partial(original, dtype=other))
    assert not torch.equal(actual, stepped(get_optimizer_class(name)))


def test_timms_have_the_defaults_of_their_class() -> None:
    # timm's own factory would set a momentum of 0.9; Keras's RMSprop, which this one follows, has none.
    optimizer = create({"name": "rmsproptf"}, [{"params": [nn.Parameter(torch.ones(2, 2))]}])
    assert (optimizer.defaults["momentum"], optimizer.defaults["alpha"]) == (0.0, 0.9)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad"])
def test_the_fused_kernel_is_used_where_torch_has_one(name: str) -> None:
    assert create({"name": name}, [{"params": [nn.Parameter(torch.ones(2, 2))]}]).defaults["fused"] is True


def test_lists_become_the_tuples_torch_takes() -> None:
    optimizer = create({"name": "adam", "betas": [0.8, 0.9]}, [{"params": [nn.Parameter(torch.ones(2))]}])
    assert optimizer.defaults["betas"] == (0.8, 0.9)


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Linear(2, 2)
    model.bias.requires_grad = False
    assert [group["params"] for group in parameter_groups(model, 0.1, kernels_only=True)] == [[model.weight], []]


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"name": "adamm"}, r"there is no optimizer 'adamm' in torch or timm\n  did you mean 'adam"),
    ({"name": "adamw", "learning_rate": 1.0}, "unknown parameter 'learning_rate', allowed: lr, betas, eps,"),
    ({"name": "adamw", "beta": [0.9, 0.9]}, "unknown parameter 'beta'.*\n  did you mean 'betas'?"),
    ({"name": "lion", "momentum": 0.9}, "unknown parameter 'momentum', allowed: lr, betas, weight_decay"),
    ({"name": "adamw", "maximize": True}, "unknown parameter 'maximize'"),
    ({"name": "adamw", "fused": False}, "unknown parameter 'fused'"),
    ({"name": "adamw", "lr": -1.0}, "'adamw' does not accept .*Invalid learning rate"),
    ({"name": "adamw", "eps": -1.0}, "'adamw' does not accept .*Invalid epsilon"),
    ({"name": "adamw", "betas": 0.9}, "'adamw': `betas` must be a list of 2 numbers, not 0.9"),
    ({"name": "adamw", "betas": [0.9, 0.99, 0.999]}, "'adamw': `betas` must be a list of 2 numbers"),
    ({"name": "adan", "betas": [0.9, 0.99]}, "'adan': `betas` must be a list of 3 numbers"),
    ({"name": "adamw", "weight_decay": True}, "'adamw': `weight_decay` must be a number, not true"),
    (
        {"name": "nadam", "decoupled_weight_decay": "no"},
        "`decoupled_weight_decay` must be true or false.*\n.* write false",
    ),
    (
        {"name": "lion", "caution": "false"},
        "`caution` must be true or false, not 'false'\n  write it without quotes: false",
    ),
    ({"name": "cadamw", "corrected_weight_decay": 1}, "`corrected_weight_decay` must be true or false, not 1"),
    ({"name": "muon", "adjust_lr_fn": "oringinal"}, "'muon' cannot take a step: .*oringinal"),
    ({"name": "muon", "ns_dtype": "float16"}, "`ns_dtype` must be one of 'float32', 'bfloat16', not 'float16'"),
    ({"name": "muon", "ns_coefficients": "quintik"}, "'muon' cannot take a step: .*quintik"),
    ({"name": "sgdp"}, "'sgdp' does not accept"),
    ({"name": "LBFGS"}, "'LBFGS' cannot be used here: it evaluates the loss several times"),
    ({"name": "adahessian"}, "it needs second derivatives"),
    ({"name": "momentum"}, "it is sgd; write {name: sgd, momentum: 0.9}"),
    ({"name": "cadafactor"}, "would set its learning rate by itself.*{name: cadafactor, lr: 0.01}"),
]


@pytest.mark.parametrize(("entry", "message"), MISTAKES)
def test_a_mistake_is_named_with_what_is_allowed(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(entry)


def test_weight_decay_for_an_optimizer_without_one_is_refused_rather_than_ignored() -> None:
    check({"name": "rprop"})
    with pytest.raises(UserError, match="'rprop' has no weight decay"):
        check({"name": "rprop"}, decay=0.1)


def test_a_check_leaves_the_global_random_state() -> None:
    before = torch.get_rng_state()
    check({"name": "adam"})
    assert torch.equal(torch.get_rng_state(), before)


def test_names_are_sorted_and_leave_out_what_cannot_serve() -> None:
    found = names()
    assert found == sorted(found)
    assert {"adam", "adamw", "lion", "lamb", "sgd", "muon"} <= set(found)
    assert not {"lbfgs", "sparseadam", "adahessian"} & set(found)


@pytest.mark.parametrize(
    "entries",
    [
        [{"name": "adamw"}, {"name": "AdamW"}, {"name": "adamw", "lr": 1e-3}, {"name": "adamw", "betas": [0.9, 0.999]}],
        [{"name": "lion"}, {"name": "Lion", "weight_decay": 0}],
        [{"name": "rprop", "lr": 1}, {"name": "rprop", "etas": [0.5, 1.2], "lr": 1.0}],
        [{"name": "adafactor", "lr": 1}, {"name": "adafactor", "lr": 1.0}],
    ],
)
def test_equal_optimizers_are_equal_entries(entries: list[dict[str, Any]]) -> None:
    first, *others = (canonical(resolved(entry)) for entry in entries)
    assert all(other == first for other in others)
    assert resolved(resolved(entries[0])) == resolved(entries[0])


def test_unequal_optimizers_stay_unequal_and_mistakes_stay_in() -> None:
    assert resolved({"name": "adamw", "lr": 0.1}) != resolved({"name": "adamw"})
    assert resolved({"name": "adamw", "momentum": 0.9})["momentum"] == 0.9
    with pytest.raises(UserError, match="there is no optimizer 'adamm'"):
        resolved({"name": "adamm"})


def test_our_own_entries_are_complete_already() -> None:
    assert resolved({"name": "sgd", "lr": 0.1}) == {"name": "sgd", "lr": 0.1}


def test_every_resolved_entry_builds_the_same_optimizer() -> None:
    for name in names():
        try:
            plain = create({"name": name, "lr": 0.01}, [{"params": [nn.Parameter(torch.ones(2, 2))]}])
        except UserError:
            continue  # needs a parameter that has no default, or another machine
        entry = json.loads(json.dumps(resolved({"name": name, "lr": 0.01}), allow_nan=False))
        full = create(entry, [{"params": [nn.Parameter(torch.ones(2, 2))]}])
        assert type(full) is type(plain)
        assert full.defaults == plain.defaults, name


def test_an_optimizer_that_compiles_its_step_is_checked_without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes many seconds, and needs a compiler, whose absence is told as before."""
    from torch._dynamo.utils import counters
    from torch._inductor import config

    before = counters["frames"]["total"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check({"name": "kron"})
    assert counters["frames"]["total"] == before
    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    with pytest.raises(UserError, match=r"'kron' cannot take a step: (.|\n)*[Cc]ompiler"):
        check({"name": "kron"})


def test_the_defaults_that_bench_knows_are_the_libraries() -> None:
    """Where this fails, torch or timm are other versions than bench was tested with: `make optimizer-defaults`."""
    table = json.loads(user_defined.FILE.read_text())
    assert table["versions"] == user_defined.versions()
    assert {"nadam", "muon", "kron", "lion"} <= table["defaults"].keys() <= set(names())
    assert table["defaults"] == {name: json.loads(json.dumps(defaults_of(name))) for name in table["defaults"]}


def test_of_other_versions_only_the_libraries_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_defined.known_defaults("NAdam") == defaults_of("nadam")
    monkeypatch.setattr(user_defined, "versions", lambda: {"torch": "2.6.0", "timm": "1.0.31"})
    monkeypatch.setattr(user_defined, "_table", user_defined._table.__wrapped__)
    assert user_defined.known_defaults("NAdam") is None
