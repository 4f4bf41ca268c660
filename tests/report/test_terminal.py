"""The leaderboard fits the terminal it is printed in."""

from __future__ import annotations

import io

import pytest
from made_ledger import FLIP, L2, Ledger, config
from rich.console import Console

from bench.published import find
from bench.report import build, print_terminal


def printed(ledger: Ledger, width: int, *references: str, top: int | None = None) -> list[str]:
    report = build(ledger.records, ledger.predictions, "Quick suite", references=find(references))
    stream = io.StringIO()
    print_terminal(report, Console(file=stream, width=width), top)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 130])
def test_no_line_is_wider_than_the_terminal(full: Ledger, width: int) -> None:
    assert max(map(len, printed(full, width, "lab-e-dropout"))) <= width


@pytest.mark.parametrize(("width", "absent"), [(70, {"Gap", "Params"}), (80, {"Params"}), (130, set())])
def test_a_label_stays_whole_and_less_important_columns_go(full: Ledger, width: int, absent: set[str]) -> None:
    lines = printed(full, width)
    assert any(line.startswith("mlp · adam lr=0.001 · l2 · flip ") for line in lines)
    head = next(line for line in lines if line.startswith("Configuration"))
    assert "Val" in head and "Seeds" in head
    assert not absent & set(head.split())
    assert any(line.startswith("Left out for lack of width") for line in lines) == bool(absent)


def test_a_long_label_is_broken_before_a_separator(ledger: Ledger) -> None:
    static = {"name": "random_erasing", "static": False, "p": 0.5, "area": [0.1, 0.2]}
    ledger.add(config(augmentation=FLIP), [0.88])
    ledger.add(config(augmentation=[*FLIP, static], regularizer=L2, batch_size=64, epochs=5), [0.9])
    lines = printed(ledger, 60)
    assert any(line.startswith("mlp · l2 · flip+random_erasing ") for line in lines)
    assert any(line.rstrip() == "  · batch_size=64" for line in lines)


def test_a_word_is_never_broken(ledger: Ledger) -> None:
    path = "src/my_models/networks.py:TinyConvolutionalTransformer"
    ledger.add(config(model={"name": path}), [0.9])
    assert any(line.startswith(path) for line in printed(ledger, 80))


def test_a_heading_is_never_broken(full: Ledger) -> None:
    for width in range(30, 100):
        head = next(line for line in printed(full, width) if line.startswith("Config"))
        assert head.split()[0] in ("Configuration", "Config."), width


def test_the_legend_is_broken_between_entries(ledger: Ledger) -> None:
    models = [{"name": f"my.module:{kind}net", "width": 64, "depth": 10} for kind in ("tiny", "small", "large")]
    for model in models:
        ledger.add(config(model=model), [0.9])
    lines = printed(ledger, 60)
    place = lines.index("label settings: my.module:tinynet: depth=10 width=64;")
    assert lines[place + 1 : place + 3] == [
        "  my.module:smallnet: depth=10 width=64;",
        "  my.module:largenet: depth=10 width=64",
    ]


def test_trials_apart_are_counted_and_the_first_few_named(ledger: Ledger) -> None:
    for number in range(30):
        ledger.add_ended(config(batch_size=number + 1), 0, "pruned", 2)
    text = "\n".join(printed(ledger, 100))
    assert "30 pruned trials of 30 configurations, stopped early and never ranked." in text
    assert text.count("mlp · batch_size=") == 10
    assert "20 more rows are not displayed" in text
