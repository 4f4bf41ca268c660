"""All that is wrong with a run's configurations is said at once, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.errors import UserError
from bench.training.preflight import check

SHAPES = {'{"name":"fashion_mnist"}': ((1, 28, 28), 10)}


def test_good_configurations_pass(configured: Any) -> None:
    configs = [
        configured(),
        configured(model={"name": "cnn"}, optimizer={"name": "lion"}, regularizer=[{"name": "dropout"}]),
        configured(regularizer=[{"name": "weight_decay", "kernels_only": True}]),
    ]
    check(configs, SHAPES)


def test_every_wrong_entry_is_reported_once(configured: Any) -> None:
    too_deep = {"name": "cnn", "channels": [8, 8, 8, 8]}
    wrong = [
        configured(model=too_deep),
        configured(model=too_deep, optimizer={"name": "no_such"}),
        configured(optimizer={"name": "adamw", "momentum": 0.9}),
        configured(optimizer={"name": "adamw", "momentum": 0.9}, epochs=5),
        configured(),
    ]
    with pytest.raises(UserError) as error:
        check(wrong, SHAPES)
    message = str(error.value)
    assert message.count("model 'cnn': block 3") == 1
    assert message.count("there is no optimizer 'no_such'") == 1
    assert message.count("optimizer 'adamw': unknown parameter 'momentum'") == 1


def test_a_regularizer_that_the_optimizer_or_the_model_cannot_serve_is_reported(configured: Any) -> None:
    decay = configured(optimizer={"name": "rprop"}, regularizer=[{"name": "weight_decay"}])
    with pytest.raises(UserError, match="'rprop' has no weight decay"):
        check([configured(optimizer={"name": "rprop"}), decay], SHAPES)
    unknown = configured(model={"name": "efficientnet_x"}, regularizer=[{"name": "dropout"}])
    with pytest.raises(UserError, match="unknown model 'efficientnet_x'"):
        check([unknown], SHAPES)


def test_an_augmentation_that_does_not_fit_the_pictures_is_reported(configured: Any) -> None:
    for static in (False, True):
        crop = {"name": "crop", "padding": 28, "mode": "reflect", "static": static}
        with pytest.raises(UserError, match="augmentation crop: padding 28 with mode reflect needs images larger"):
            check([configured(augmentation=[{"name": "flip"}, crop])], SHAPES)
    check([configured(augmentation=[crop | {"padding": 27}])], SHAPES)


def test_a_fraction_or_a_long_tail_for_large_classes_is_not_held_against_the_user_s_code(
    configured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "def keep(sizes): return sizes // 200\ndef swap(labels, classes, random): return labels[::-1]\n"
    )
    monkeypatch.chdir(tmp_path)
    keep, swap = ({"name": f"mine.py:{name}"} for name in ("keep", "swap"))
    long_tail = {"name": "exponential", "ratio": 1000.0}
    check(
        [
            configured(fraction=0.001, label_noise=swap),
            configured(imbalance=long_tail, label_noise=swap),
            configured(imbalance=keep),
        ],
        SHAPES,
    )


@pytest.mark.parametrize(
    ("model", "layers", "others"),
    [
        ({"name": "mlp"}, "conv", "`layers: hidden` or `layers: all`"),
        ({"name": "mlp", "hidden": []}, "hidden", "`layers: all`"),
    ],
)
def test_a_penalty_without_kernels_is_reported(
    model: dict[str, Any], layers: str, others: str, configured: Any
) -> None:
    for name in ("l1", "l2"):
        config = configured(model=model, regularizer=[{"name": name, "layers": layers}])
        with pytest.raises(UserError) as error:
            check([config, config], SHAPES)
        assert str(error.value) == (
            f"regularizer {name!r} with `layers: {layers}` regularises nothing: model 'mlp' has no such kernels; "
            f"take {others}, or leave it out for this model"
        )


@pytest.mark.parametrize("layers", ["hidden", "all", "conv"])
def test_a_penalty_that_finds_kernels_passes(layers: str, configured: Any) -> None:
    regularizer = [{"name": "l2", "layers": layers}]
    check([configured(model={"name": name}, regularizer=regularizer) for name in ("cnn", "resnet18")], SHAPES)
