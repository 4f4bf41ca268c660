"""The page as text: one file, nothing asked for, nothing run but what its policy names."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from made_ledger import FLIP, L2, Ledger, config

from bench.published import find
from bench.report import Report, build, to_csv, to_html
from bench.report.csv_json import tables_csv
from bench.report.html import Script, data, policy, script


class Tags(HTMLParser):
    """Collects tags, every address a page could load, its policy, and its scripts by type."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.policy = ""
        self.scripts: list[tuple[str, str]] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.names.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if known.get("http-equiv") == "Content-Security-Policy":
            self.policy = known["content"] or ""
        if tag == "script":
            self.scripts.append((known.get("type") or "", ""))

    def handle_data(self, text: str) -> None:
        if self.lasttag == "script" and self.scripts:
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + text)

    def handle_endtag(self, _tag: str) -> None:
        self.lasttag = ""


def report_of(ledger: Ledger, title: str = "Quick suite") -> Report:
    references = find(["lab-e-baseline"])
    return build(ledger.records, ledger.predictions, title, "quick", references, "bench report quick")


def page_of(ledger: Ledger) -> str:
    return to_html(build(ledger.records, ledger.predictions, "title"))


def test_the_page_asks_for_nothing(full: Ledger) -> None:
    tags = Tags(to_html(report_of(full)))
    assert {address for address in tags.addresses if not address.startswith("#")} == {"data:,"}
    assert not tags.names & {"iframe", "object", "embed", "base"}
    assert tags.handlers == []
    assert tags.policy.startswith("default-src 'none'; ")


def test_the_policy_names_every_script_and_no_other(full: Ledger) -> None:
    tags = Tags(to_html(report_of(full)))
    run = {kind: [text for of_kind, text in tags.scripts if of_kind == kind] for kind, _ in tags.scripts}
    assert run.keys() == {"module", "application/gzip", "application/json", "application/json+gzip"}
    libraries = [gzip.decompress(base64.b64decode(text)).decode() for text in run["application/gzip"]]
    assert len(run["module"]) >= 3 and len(libraries) == 2
    before, allowed = tags.policy.split("script-src ")
    assert policy([]).startswith(before)
    assert set(allowed.split()) == {Script(text).source for text in (*run["module"], *libraries)}


def test_the_libraries_are_a_third_of_the_limit_of_a_page(full: Ledger) -> None:
    page = to_html(report_of(full))
    packed = [text for kind, text in Tags(page).scripts if kind == "application/gzip"]
    assert sum(map(len, packed)) < 2**21 / 3


def test_a_page_without_results_has_no_library(ledger: Ledger) -> None:
    tags = Tags(to_html(build([], ledger.predictions, "title")))
    assert "application/gzip" not in {kind for kind, _ in tags.scripts}


def test_hostile_names_are_shown_not_obeyed(full: Ledger) -> None:
    before = [text for kind, text in Tags(to_html(report_of(full))).scripts if "json" not in kind]
    full.records.clear()
    model = {"name": "<script>alert(1)</script>"}
    full.add(config(model=model), [0.9], classes=["<img src=x>", *"abcdefghi"])
    full.add(config(model={"name": "</script><script>alert(2)</script>"}), [0.8])
    page = to_html(report_of(full, title="</title><script>"))
    tags = Tags(page)
    assert [text for kind, text in tags.scripts if "json" not in kind] == before
    assert "img" not in tags.names
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page.split('<script type="module">')[0]


def test_an_end_tag_within_a_script_or_its_data_does_not_end_it() -> None:
    assert script("x = '</script>'").tag == "<script type=\"module\">x = '<\\/script>'</script>"
    assert json.loads(str(data({"a": "</script>"}, "id")).split(">", 1)[1].rsplit("</script>", 1)[0]) == {
        "a": "</script>"
    }


def test_the_leaderboard_carries_the_reports_own_csv(full: Ledger) -> None:
    report = report_of(full)
    tags = Tags(to_html(report))
    (carried,) = (json.loads(text) for kind, text in tags.scripts if "csv" in text and kind == "application/json")
    rows = list(csv.DictReader(io.StringIO("\n".join(carried["csv"]))))
    expected = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert rows == [{name: value for name, value in row.items() if name != "config"} for row in expected]


def test_rows_name_their_value_on_every_axis_that_varies(full: Ledger) -> None:
    report = report_of(full)
    carried = next(json.loads(text) for kind, text in Tags(to_html(report)).scripts if text.startswith('{"csv"'))
    axes = {axis["name"]: axis for axis in carried["axes"]}
    assert set(axes) == {"regularizer", "augmentation"}
    by_row = [None if place is None else axes["regularizer"]["values"][place] for place in axes["regularizer"]["rows"]]
    assert [value is None for value in by_row] == (report.frame["kind"] == "published").tolist()
    assert set(by_row) == {None, "none", "l2"}


def test_the_page_draws_intervals_curves_and_the_matrix(full: Ledger) -> None:
    page = to_html(report_of(full))
    assert page.count('style="--a:') == 5
    assert re.search(r'<svg [^>]*aria-label="Learning curves"', page)
    assert page.count('class="finding matrix"') == 4
    assert "Pooled predictions of 3 seeds" in page


def test_best_and_worst_are_shaded_among_our_complete_rows(ledger: Ledger) -> None:
    for batch, accuracy in enumerate((0.9, 0.88, 0.86), 1):
        ledger.add(config(batch_size=batch), [accuracy, accuracy])
    page = to_html(build(ledger.records, ledger.predictions, "title", references=find(["lab-e-baseline"])))
    assert page.count('class="number best"') == page.count('class="number worst"') == 2
    assert re.search(r'class="number best"[^>]*>90\.00 ±', page)


def test_a_gap_below_theorys_noise_is_faint(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.9])
    ledger.add(config(regularizer=L2), [0.898, 0.898])
    ledger.add(config(augmentation=FLIP), [0.8, 0.8])
    table = build(ledger.records, ledger.predictions, "title").sections[0][0].tables[0]
    gaps = [(cell.text, cell.style) for cell in table.cells["gap_to_best"]]
    assert gaps == [("0.00", ""), ("0.20", "faint"), ("10.00", "")]


def test_a_page_without_rows_offers_no_command(ledger: Ledger) -> None:
    ledger.add_ended(config(), 0, "failed", 2)
    page = page_of(ledger)
    assert "Commands that reproduce each row" not in page
    ledger.add(config(regularizer=L2), [0.9])
    assert "Commands that reproduce each row" in page_of(ledger)


def test_a_long_legend_is_folded(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    ledger.add(config(regularizer=L2), [0.9])
    fold = "Display them"
    assert "strength=0.001" in page_of(ledger) and fold not in page_of(ledger)
    long = [{"name": "l2", "strength": 0.001, "layers": "x" * 600}]
    ledger.records[-1] = replace(ledger.records[-1], config=config(regularizer=long))
    assert fold in page_of(ledger)


def test_many_pruned_trials_are_folded(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    for seed in range(30):
        ledger.add_ended(config(regularizer=L2), seed, "pruned", 2)
    assert "<summary>Pruned: " not in page_of(ledger)
    ledger.add_ended(config(regularizer=L2), 30, "pruned", 2)
    assert "<summary>Pruned: 31 rows</summary>" in page_of(ledger)


def test_two_different_values_are_not_shaded(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.9])
    ledger.add(config(regularizer=L2), [0.8, 0.8])
    assert 'class="number best"' not in to_html(report_of(ledger))


def test_the_contents_have_every_section_and_those_on_the_whole_report(full: Ledger) -> None:
    page = to_html(report_of(full))
    sections = page.split('<section class="topic')[1:]
    titles = [(re.search(r'id="([^"]*)"', text), re.search(r"<h[23]>(.*?)</h[23]>", text)) for text in sections]
    contents = page.split('<nav class="contents"')[1].split("</nav>")[0]
    expected = [(anchor[1], title[1]) for anchor, title in titles if anchor and title]
    assert re.findall(r'<a href="#([^"]*)">(.*?)</a>', contents) == expected
    assert len(expected) == len(sections) > 7


def test_a_caption_has_two_sentences_and_the_others_explain(full: Ledger) -> None:
    page = to_html(report_of(full))
    first, explained = page.split("How this is computed", 1)
    assert "Next to each mean is its 95 % interval" in first
    assert "FLOPs are of one image" not in first and "FLOPs are of one image" in explained.split("</details>")[0]


def test_a_reader_may_save_every_table_as_the_report_writes_it(full: Ledger) -> None:
    report = report_of(full)
    packed = next(text for kind, text in Tags(to_html(report)).scripts if kind == "application/json+gzip")
    carried = json.loads(gzip.decompress(base64.b64decode(packed)))["tables"]
    assert carried["part-1-pairs"]["csv"] == tables_csv(report)["pairs"]
    assert "\\toprule" in carried["part-1-leaderboard"]["tex"]
