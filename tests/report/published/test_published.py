"""Published results next to what was measured: what is compared, and the reason where nothing is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from made_ledger import FLIP, L2, Ledger, config
from made_page import LONG, MNIST, group, request, row

from bench.published import find
from bench.report.published.match_published import compare_published
from bench.report.published.published_text import PublishedPage, to_json, to_markdown
from bench.suite.select import ReferenceMatch
from bench.suite.trial import Trial, TrialConfig


def test_a_validation_figure_is_held_against_validation(ledger: Ledger) -> None:
    settings = config(**LONG)
    ledger.add(settings, [0.9, 0.9, 0.9], validation=[0.9255, 0.926, 0.9265])
    found = row(ledger, "lab-b-vgg", settings, seeds=3)
    assert found.full_run and found.full_run.measured.mean == pytest.approx(0.926)
    assert found.verdict == "within"


def test_precision_at_half_is_held_against_the_precision_they_print(ledger: Ledger) -> None:
    settings = config(**MNIST, epochs=10)
    ledger.add(settings, [0.9, 0.9, 0.9])
    for place, value in enumerate((0.934, 0.9355, 0.937)):
        result = ledger.records[place].result
        figures = {**(result.validation or {}), "precision_at_half": value}
        ledger.records[place] = replace(ledger.records[place], result=replace(result, validation=figures))
    found = row(ledger, "lab-c-sgd-binary", settings, seeds=3)
    assert found.full_run and found.full_run.measured.mean == pytest.approx(0.9355)
    assert found.verdict == "within"


def test_what_was_not_run_says_so_with_the_reason(ledger: Ledger) -> None:
    (found, built) = group(
        ledger, ("lab-e-baseline", config(epochs=30)), ("lab-c-untrained", None), note="hours on two cores"
    ).rows
    assert (found.verdict, found.notes) == ("not run", ("hours on two cores",))
    assert (built.verdict, built.notes) == ("not repeated", ("hours on two cores",))


def test_of_a_search_the_configuration_that_validation_chose_stands_for_all(ledger: Ledger) -> None:
    rates = [config(epochs=50, optimizer={"name": "sgd", "lr": lr}) for lr in (0.1, 0.01, 0.001)]
    ledger.add(rates[0], [0.94], validation=[0.93])
    ledger.add(rates[1], [0.93], validation=[0.94])
    ledger.add_ended(rates[2], 0, "pruned", 3, pruning={"rule": {}, "decisions": []})
    suite = request(ledger, *(("lab-b-hyperband-vgg", rate) for rate in rates), seeds=1)
    search = ReferenceMatch("lab-b-hyperband-vgg", tuple(rates), "")
    suite = replace(suite, references=[(search, find(["lab-b-hyperband-vgg"])[0])])
    (found,) = compare_published([suite], ledger.records, ledger.predictions)[0].rows
    assert found.config == rates[1]
    assert found.full_run and found.full_run.measured.mean == pytest.approx(0.93)
    assert found.notes == ("selected on validation from 2 complete configurations, by these networks",)
    (before,) = compare_published([suite], [], ledger.predictions)[0].rows
    assert (before.verdict, before.n_planned) == ("not run", 3)


def test_a_shorter_run_is_shown_without_a_published_curve(ledger: Ledger) -> None:
    ledger.add(config(epochs=2), [0.82])
    found = group(ledger, ("lab-e-baseline", config(epochs=30)))
    assert (found.rows[0].verdict, found.rows[0].equal_epochs) == ("not compared", None)
    assert found.rows[0].notes == ("2 epochs measured, 30 published, and no published curve",)
    text = to_markdown(PublishedPage((found,), ()))
    assert "| 88.35 | 2 epochs: 82.00 |" in text
    assert json.loads(to_json(PublishedPage((found,), ())))["suites"][0]["rows"][0]["shorter_run"][
        "mean"
    ] == pytest.approx(0.82)


def test_a_shorter_run_without_validation_is_shown_too(ledger: Ledger) -> None:
    ledger.add(config(epochs=2, validation="none"), [0.82])
    found = row(ledger, "lab-e-baseline", config(epochs=30, validation="none"))
    assert found.shorter_run and found.shorter_run.epochs == 2
    assert found.notes == ("2 epochs measured, 30 published, and no curve was measured",)


def own(path: str, **changes: Any) -> dict[str, Any]:
    return config(**changes, dataset={"name": "image_folder", "path": path})


def test_own_data_are_the_same_wherever_they_lie(ledger: Ledger) -> None:
    """The record names its folder whole, two suites by paths of their own; a third has other images."""
    ledger.add(own("/data/images", epochs=20), [0.43, 0.44, 0.45])
    ledger.add(own("/data/images", epochs=3), [0.3])
    ledger.add(own("/data/others", epochs=20), [0.1, 0.2, 0.3])
    spelled = [own(path, epochs=20) for path in ("../images", "images", "others")]
    suites = []
    for name, settings, first in zip("abc", spelled, (0, 0, 4), strict=True):
        suite = request(ledger, ("lab-d-cifar10-sequential", settings), name=name)
        contents = "d1" if first == 0 else "d2"
        keys = [record.key for record in ledger.records[first : first + 3]]
        trials = [
            Trial(key, "", TrialConfig.from_json(settings), seed, 0, contents=contents) for seed, key in enumerate(keys)
        ]
        suites.append(replace(suite, trials=trials))
    shorter = {ledger.records[3].key: "d1"}
    a, b, c = compare_published(suites, ledger.records, ledger.predictions, shorter)
    for found, mean, degrees in ((a, 0.44, 2), (b, 0.44, 2), (c, 0.2, 2)):
        whole = found.rows[0].full_run
        assert whole and whole.measured.mean == pytest.approx(mean)
        assert [noise.degrees for noise in found.noise.values()] == [degrees]


def test_a_shorter_run_counts_for_the_data_it_saw_only(ledger: Ledger) -> None:
    ledger.add(own("/data/images", epochs=3), [0.3])
    suites = [request(ledger, ("lab-d-cifar10-sequential", own("images", epochs=20)), seeds=1)]
    for checksum, verdict in (("d1", "not compared"), ("d2", "not run")):
        trials = [replace(trial, contents=checksum) for trial in suites[0].trials]
        contents = {ledger.records[0].key: "d1"}
        (found,) = compare_published([replace(suites[0], trials=trials)], ledger.records, ledger.predictions, contents)
        assert found.rows[0].verdict == verdict


def test_what_options_removed_is_not_compared(ledger: Ledger) -> None:
    (reference,) = find(["lab-e-baseline"])
    suite = request(ledger, ("lab-e-l2", config(epochs=30)))
    changed = ReferenceMatch("lab-e-baseline", (), "", removed=True)
    left_out = ReferenceMatch("lab-e-baseline", (config(epochs=31),), "as there")
    pairs = [(changed, reference), (left_out, reference)]
    (found,) = compare_published([replace(suite, references=pairs, options=" --set epochs=5")], [], ledger.predictions)
    assert [row.verdict for row in found.rows] == ["not compared"] * 2
    assert [row.notes for row in found.rows] == [
        ("changed by --set epochs=5",),
        ("as there", "changed by --set epochs=5"),
    ]


@pytest.fixture
def page(ledger: Ledger) -> PublishedPage:
    good, bad, unfinished = config(epochs=30), config(epochs=30, regularizer=L2), config(epochs=30, augmentation=FLIP)
    ledger.add(good, [0.882, 0.883, 0.884])
    ledger.add(bad, [0.851, 0.852, 0.853])
    ledger.add(unfinished, [0.88])
    pairs = (("lab-e-baseline", good), ("lab-e-l2", bad), ("lab-e-dropout", unfinished), ("lab-a-reference", good))
    found = group(ledger, *pairs, note="a | note")
    return PublishedPage((found,), (("Command", "bench published labs"),))


def test_the_page_has_a_row_per_reference_and_lists_what_is_outside(page: PublishedPage) -> None:
    text = to_markdown(page)
    lines = {line.split("(lab-")[1].split(")")[0]: line for line in text.splitlines() if line.startswith("| lab ")}
    assert "| test accuracy | 88.35 | 88.30 | " in lines["e-baseline"]
    assert "| 3 | 5 of 30 (published 30) |" not in text
    assert "| within (−0.05 ± 0." in lines["e-baseline"]
    assert "| **below** (−2.10 ± 0." in lines["e-l2"]
    assert "| 1 of 3 |" in lines["e-dropout"]
    assert "| .87 to .88 | 88.30 | " in lines["a-reference"] and "not compared" in lines["a-reference"]
    assert text.startswith("# Published systems, reproduced\n\n4 published results: 2 within, 1 below, 1 not compared.")
    outside = text.split("## Outside the noise")[1].split("##")[0]
    assert "measured 85.20 %, published 87.30 %" in outside and "a \\| note" in outside
    assert "lab-e-baseline" not in outside


def test_tables_keep_their_columns(page: PublishedPage) -> None:
    text = to_markdown(page).partition("## Outside the noise")[0]
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {10}


def test_json_holds_the_same_rows_as_fractions(page: PublishedPage) -> None:
    (suite,) = json.loads(to_json(page))["suites"]
    first = suite["rows"][0]
    assert (first["reference"], first["verdict"], first["published"]) == ("lab-e-baseline", "within", 0.8835)
    assert first["full_run"]["mean"] == pytest.approx(0.883)
    assert first["full_run"]["noise_source"] == "suite"
    assert len(first["keys"]) == 3
    assert suite["noise"]["test accuracy, mlp, fashion_mnist"]["degrees"] == 4


def test_parameters_are_compared_with_the_published_ones(ledger: Ledger) -> None:
    settings = config(epochs=20)
    ledger.add(settings, [0.97])
    found = group(ledger, ("lab-d-mnist-sequential", settings), ("lab-e-baseline", settings), seeds=1)
    text = to_markdown(PublishedPage((found,), ()))
    assert "109,386 (published 59,210)" in text
    assert "| 109,386 |" in text
