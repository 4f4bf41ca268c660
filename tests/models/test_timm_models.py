"""timm models by name, on small images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import timm
import torch
from by_name import check_model as check
from by_name import create_model as create
from processes import imports_put_back
from timm.layers import DropPath
from timm.models import PretrainedCfg

from bench.errors import UserError
from bench.user_code.read_code import ELSEWHERE, read
from bench.user_code.run_code import running

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


@pytest.mark.parametrize("shape", [GREY, COLOUR])
@pytest.mark.parametrize("entry", [{"name": "test_resnet"}, {"name": "test_vit", "patch_size": 4}])
def test_a_timm_model_takes_small_pictures(entry: dict[str, object], shape: tuple[int, int, int]) -> None:
    assert create(entry, shape, 7)(torch.rand(2, *shape)).shape == (2, 7)


def test_a_swin_transformer_takes_small_pictures() -> None:
    check({"name": "swin_tiny_patch4_window7_224"}, GREY, 10)


def test_an_architecture_that_refuses_a_small_img_size_but_works_without_is_built_without() -> None:
    check({"name": "xcit_nano_12_p8_224"}, GREY, 10)


def test_dropout_becomes_drop_rate() -> None:
    assert create({"name": "test_resnet"}, GREY, 10, overrides={"dropout": 0.3}).drop_rate == 0.3


def test_stochastic_depth_becomes_drop_path_rate() -> None:
    net = create({"name": "test_resnet"}, GREY, 10, overrides={"drop_path": 0.3})
    assert max(module.drop_prob for module in net.modules() if isinstance(module, DropPath)) == 0.3
    with pytest.raises(UserError, match="the stochastic_depth regularizer sets drop_path_rate: leave it out"):
        create({"name": "vgg11"}, GREY, 10, overrides={"drop_path": 0.3})


def test_parameters_are_passed_on() -> None:
    net = create({"name": "test_vit", "patch_size": 7}, GREY, 10)
    assert net.patch_embed.patch_size == (7, 7)


def test_the_seed_decides_the_start_values() -> None:
    def start() -> list[torch.Tensor]:
        torch.manual_seed(3)
        return list(create({"name": "test_resnet"}, GREY, 10).parameters())

    assert all(torch.equal(a, b) for a, b in zip(start(), start(), strict=True))


def test_patches_that_do_not_tile_the_picture_are_refused() -> None:
    message = r"patches of 16 do not tile an image of 28 pixels; set patch_size to one of 2, 4, 7, 14"
    with pytest.raises(UserError, match=message):
        check({"name": "vit_tiny_patch16_224"}, GREY, 10)


def test_an_architecture_that_collapses_says_so() -> None:
    with pytest.raises(UserError, match=r"model 'vgg11' cannot take images of 1 x 28 x 28.*too small"):
        check({"name": "vgg11"}, GREY, 10)


def test_an_unknown_parameter_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        UserError, match=r"unexpected keyword argument 'foo'\n  parameters of timm's ResNet: .*drop_path"
    ):
        check({"name": "test_resnet", "foo": 1}, GREY, 10)


def test_what_the_data_set_decides_may_not_be_set() -> None:
    with pytest.raises(UserError, match="leave out num_classes; the data set decides it"):
        check({"name": "test_resnet", "num_classes": 3}, GREY, 10)


def test_pretrained_weights_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UserError, match="no pretrained weights"):
        check({"name": "darknet17", "pretrained": True}, GREY, 10)


def test_pretrained_weights_are_loaded(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    theirs = timm.create_model("test_resnet")
    torch.save(theirs.state_dict(), file)
    entry = {"name": "test_resnet", "pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}
    ours = create(entry, COLOUR, 10)
    assert torch.equal(ours.conv1[0].weight, theirs.conv1[0].weight)
    assert ours.get_classifier().out_features == 10


@pytest.mark.parametrize("parameter", ["pretrained_cfg", "pretrained_cfg_overlay"])
@pytest.mark.parametrize("absolute", [False, True])
def test_weights_of_a_file_are_those_of_the_key_whatever_becomes_of_the_file(
    parameter: str, absolute: bool, tmp_path: Path
) -> None:
    first, second = (timm.create_model("test_resnet").state_dict() for _ in range(2))
    file = tmp_path / "weights.pth"
    name = str(file) if absolute else file.name
    entry = {"name": "test_resnet", "pretrained": True, parameter: {"file": name, "num_classes": 1000}}
    torch.save(first, file)
    code = read(entry, tmp_path)
    torch.save(second, file)
    other = read(entry, tmp_path)
    assert code and other and code.checksum != other.checksum
    assert read({**entry, "pretrained": False}, tmp_path) == other
    file.unlink()
    with imports_put_back(), running(code):
        net = create(entry, COLOUR, 1000)
    found = net.state_dict()
    assert all(torch.equal(found[key], value) for key, value in first.items() if not key.startswith("fc."))


@pytest.mark.parametrize("parameter", ["pretrained_cfg", "pretrained_cfg_overlay"])
@pytest.mark.parametrize("key", ["url", "hf_hub_id", "hf_hub_filename", "source", "state_dict"])
def test_weights_that_no_key_can_vouch_for_are_refused(parameter: str, key: str) -> None:
    with pytest.raises(UserError, match=f"`{key}` of `{parameter}` says where weights are that may change"):
        read({"name": "test_resnet.r160_in1k", "pretrained": True, parameter: {key: "https://host/w.pth", "file": "w"}})
    fields = {field.name for field in dataclasses.fields(PretrainedCfg)}
    sources = {"url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source"}
    assert {"file", *ELSEWHERE} == sources <= fields
    about = {name for name in fields if {"url", "file", "id", "hub", "path", "dir", "source"} & set(name.split("_"))}
    assert about == sources - {"state_dict"} | {"origin_url"}  # a word on the paper


def test_weights_that_do_not_load_say_what_to_do(tmp_path: Path) -> None:
    overlay = {"file": str(tmp_path / "absent.pth")}
    entry = {"name": "test_resnet", "pretrained": True, "pretrained_cfg_overlay": overlay}
    check(entry, COLOUR, 10)  # a check loads nothing
    with pytest.raises(UserError, match=r"could not be loaded: FileNotFoundError.*\n  connect this machine"):
        create(entry, COLOUR, 10)
