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


def test_what_is_wrong_in_one_part_hides_nothing_in_another(complaint: Callable[..., str]) -> None:
    message = complaint(
        """\
        name: my suite
        titel: x
        metrics: [acc]
        defaults: {validaton: none, epochs: 0}
        grid:
          - {model: mlp, optimizer: {name: adam, lr: 0}, regularizer: [null, dropout]}
          - {model: {name: mlp, dropout: 0.3}, regularizer: [dropout, stochastic_depth], epochs: 3}
          - {epochs: 1}
          - 5
        exclude: [{modle: mlp}, {model: cnn}]
        pruning: {grce: 1}
        references: [{id: a, mach: {}}]
        """
    )
    places = [line.split(": ")[:2] for line in message.splitlines() if not line.startswith(" ")]
    assert places == [
        ["suite.yaml:1", "name"],
        ["suite.yaml:2", "titel"],
        ["suite.yaml:3", "metrics[0]"],
        ["suite.yaml:4", "defaults.validaton"],
        ["suite.yaml:4", "defaults.epochs"],
        ["suite.yaml:6", "grid[0].optimizer.lr"],
        ["suite.yaml:6", "grid[0].regularizer[0]"],
        ["suite.yaml:7", "grid[1].regularizer[0]"],
        ["suite.yaml:7", "grid[1].regularizer[1]"],
        ["suite.yaml:8", "grid[2]"],
        ["suite.yaml:9", "grid[3]"],
        ["suite.yaml:10", "exclude[0].modle"],
        ["suite.yaml:11", "pruning.grce"],
        ["suite.yaml:12", "references[0].mach"],
    ]


def test_patterns_and_references_are_told_together(complaint: Callable[..., str]) -> None:
    message = complaint("""\
        name: t
        grid: {model: mlp}
        exclude: [{model: cnn}]
        references: [{id: lab-e-l2, match: {model: vgg}}]
        """)
    assert "suite.yaml:3: exclude[0]: matches no configuration" in message
    assert "suite.yaml:4: references[0].match: matches no configuration" in message


def test_a_choice_that_is_never_drawn_is_checked(complaint: Callable[..., str]) -> None:
    text = "name: t\ngrid: {model: mlp, optimizer: {name: adam, amsgrad: {choice: [true, no]}}, samples: 1}\n"
    assert "grid.optimizer.amsgrad: 'no' is not allowed here: it must be true or false" in complaint(text)
