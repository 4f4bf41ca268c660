"""Several mistakes in one suite file; every single one is in `tests/test_mistakes.py`."""

from __future__ import annotations

from collections.abc import Callable


def test_all_mistakes_are_shown_together_in_the_order_of_the_file(complaint: Callable[..., str]) -> None:
    message = complaint(
        """\
        name: t
        defaults: {epochs: 0, validation: {tail: 2}}
        grid:
          - model: {name: mlp, hidden: 3}
            optimizer: [{name: adam, lr: 0}, {name: sgd, momentun: 0.9}]
          - model: mlp
            loss: hinge
        """
    )
    places = [line.split(": ")[:2] for line in message.splitlines() if not line.startswith(" ")]
    assert places == [
        ["suite.yaml:2", "defaults.validation.tail"],
        ["suite.yaml:2", "defaults.epochs"],
        ["suite.yaml:4", "grid[0].model.hidden"],
        ["suite.yaml:5", "grid[0].optimizer[0].lr"],
        ["suite.yaml:5", "grid[0].optimizer[1].momentun"],
        ["suite.yaml:7", "grid[1].loss"],
    ]


def test_a_mistake_in_defaults_is_told_once(complaint: Callable[..., str]) -> None:
    message = complaint("name: t\ndefaults: {optimizer: {name: adam, lr: 0}}\ngrid: [{model: mlp}, {model: cnn}]\n")
    assert message.count("is out of range") == 1
