"""`bench publish`: a site that any web server shows, the same bytes for the same ledger."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_ledger import L2, Ledger, config

from bench.ledger.record import RunInfo, external_config
from bench.verification.statuses import FORMAT

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def made() -> Ledger:
    """Two configurations of the suite `quick`, a third of another suite, and an imported row with an awkward name."""
    made = Ledger(images=1000)
    made.add(config(), [0.88, 0.882], config_key="aa" * 10)
    made.add(config(regularizer=L2), [0.871, 0.873], config_key="bb" * 10)
    made.add(config(epochs=9), [0.9], config_key="cc" * 10)
    made.add(config(), [0.6], config_key="dd" * 10)
    for number, record in enumerate(made.records):
        finished = RunInfo(**{**vars(record.run_info), "finished": f"2026-03-0{number + 1}T10:00:00+02:00"})
        made.records[number] = replace(record, run_info=finished)
    made.records[4] = replace(made.records[4], suite="longer")
    external = external_config("<script>alert(1)</script>", made.records[0].config["dataset"])
    made.records[5] = replace(made.records[5], config=external, suite="")
    return made


def texts(folder: Path) -> dict[str, bytes]:
    """The files by name. Vega and Altair number what they draw through all of a process: without these numbers."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: re.sub(rb"(clip|param_|view_|gradient_)\d+", rb"\1", content) for name, content in files.items()}


def test_a_site_has_a_page_for_everything_and_every_link_leads_to_a_file(
    made: Ledger, stored: Any, bench: Any, tmp_path: Path
) -> None:
    results, site = stored(made), tmp_path / "site"
    published = bench("publish", results, "--to", site, "--title", "Clothes")
    assert (published.code, published.err) == (0, ""), published
    assert "2 suites, 4 configurations, 1 data set" in published.out
    pages = {name: content.decode() for name, content in texts(site).items() if name.endswith("index.html")}
    assert {"index.html", "suites/quick/index.html", "suites/longer/index.html"} < set(pages)
    assert "datasets/fashion-mnist/index.html" in pages and f"configurations/{'aa' * 10}/index.html" in pages
    for name, text in pages.items():
        assert "<script" not in text, "names are escaped, and pages run no script"
        for link in re.findall(r'href="([^"#]+)', text):
            if not link.startswith(("https://", "data:")):
                assert (site / name).parent.joinpath(link).resolve().is_file(), (name, link)
    content = json.loads((site / "index.json").read_text())
    rows = {row["page"].split("/")[1]: row for row in content["configurations"]}
    assert rows["aa" * 10]["test_accuracy"] == pytest.approx(0.881) and rows["aa" * 10]["verified"] == "claimed"
    assert rows["dd" * 10]["imported"] and not rows["aa" * 10]["imported"]
    with (site / f"configurations/{'bb' * 10}/seeds.csv").open() as file:
        assert [float(seed["test"]) for seed in csv.DictReader(file)] == pytest.approx([0.871, 0.873])
    assert "Shake-Shake" in pages["datasets/fashion-mnist/index.html"], "published results"
    for page, up in (("index.html", ""), ("datasets/fashion-mnist/index.html", "../../")):
        row = re.search(rf"<tr>.*configurations/{'aa' * 10}/.*</tr>", pages[page])
        assert row and f'<a href="{up}suites/quick/index.html">' in row[0], (
            "two suites may have configurations of a name"
        )


def test_equal_ledgers_give_equal_bytes_and_a_site_replaces_only_a_site(
    made: Ledger, stored: Any, bench: Any, tmp_path: Path
) -> None:
    results = stored(made)
    for name in ("first", "second"):
        assert bench("publish", results, "--to", tmp_path / name).code == 0
    assert texts(tmp_path / "first") == texts(tmp_path / "second")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    refused = bench("publish", results, "--to", tmp_path / "mine")
    assert refused.code == 2 and "thesis.tex" in refused.err and (tmp_path / "mine" / "thesis.tex").is_file()
    assert "write it like https://" in bench("publish", results, "--to", tmp_path / "x", "--url", "example.org").err


def test_the_feed_has_the_newest_first_and_rows_say_how_far_they_were_verified(
    made: Ledger, stored: Any, bench: Any, tmp_path: Path
) -> None:
    results, site = stored(made), tmp_path / "site"
    names = {path.name.partition("-")[0]: path.name for path in results.rglob("*.npz")}
    verified = {
        names[record.key]: {
            "key": record.key,
            "checked": ["checksum", "metrics"],
            "unchecked": [],
            "repeated": "bit-identical" if record.config_key == "bb" * 10 else "",
        }
        for record in made.records
        if record.config_key != "cc" * 10
    }
    (tmp_path / "verified.json").write_text(json.dumps({"format": FORMAT, "entries": verified}))
    options = ("--verified", tmp_path / "verified.json", "--url", "https://example.org/board")
    assert bench("publish", results, "--to", site, *options).code == 0
    rows = json.loads((site / "index.json").read_text())["configurations"]
    states = {row["page"].split("/")[1][:2]: row["verified"] for row in rows}
    assert states == {"aa": "recomputed", "bb": "repeated here", "cc": "claimed", "dd": "recomputed"}
    feed = ElementTree.fromstring((site / "feed.xml").read_text())
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}updated") for entry in entries[:2]] == [
        "2026-03-06T08:00:00Z",
        "2026-03-05T08:00:00Z",
    ]
    assert feed.findtext(f"{ATOM}updated") == "2026-03-06T08:00:00Z"
    (link,) = entries[1].findall(f"{ATOM}link")
    assert link.get("href") == f"https://example.org/board/configurations/{'cc' * 10}/index.html"
