"""The example of docs/in_and_out.md on questions about data, run as it stands, and what the page says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import bench

from bench.components import AXES
from bench.components.data_questions import CORRUPTIONS
from bench.ledger.ledger import Ledger

PAGE = (Path(__file__).parents[1] / "docs/in_and_out.md").read_text("utf-8")
SECTION = PAGE.partition("## In: questions about data")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the example leaves."""
    folder = tmp_path_factory.mktemp("questions")
    (example,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    (folder / "questions.yaml").write_text(example)
    code, _, err = bench("run", folder / "questions.yaml", "--no-ray", "--results", folder / "results")
    assert code == 0, err
    return folder


def test_the_example_runs_and_its_records_say_on_what_they_were_trained(results: Path) -> None:
    records = Ledger(results / "results").records()
    assert {record.status for record in records} == {"complete"} and len(records) == 14  # one is in two sub-grids
    by_fraction = {
        record.run_info.train_images
        for record in records
        if not {"imbalance", "label_noise", "robustness"} & record.config.keys()
    }
    assert by_fraction == {540, 1080, 2700, 5400}
    wrong = {record.run_info.wrong_labels for record in records if "label_noise" not in record.config}
    assert wrong == {0}
    (tested,) = [record for record in records if "robustness" in record.config]
    assert tested.result.robustness and set(tested.result.robustness) == {"gaussian_noise", "fog", "rotate"}


def test_its_report_answers_each_question(results: Path) -> None:
    arguments = ("--markdown", "--out", "-", "--results", results / "results")
    code, text, err = bench("report", results / "questions.yaml", *arguments)
    assert code == 0, err
    for heading in ("Fitted power laws", "### Wrong training labels", "### Long tails", "#### Mean corruption error"):
        assert heading in text


def test_the_page_names_every_corruption_and_value() -> None:
    named = set(re.findall(r"`(\w+)`", SECTION)) | set(re.findall(r"name: (\w+)", SECTION))
    assert named >= CORRUPTIONS.keys() | AXES["imbalance"].keys() | AXES["label_noise"].keys()
