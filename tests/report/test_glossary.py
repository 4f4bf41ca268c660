"""What stands at the end of a page: the words explained, and how it is cited."""

from __future__ import annotations

import re

from made_ledger import Ledger, config

from bench.report import build, to_html, to_markdown
from bench.report.comparison import Origin
from bench.report.number_format import points_range, seconds
from bench.report.sections.citation import bibtex
from bench.report.terms import TERMS, anchor_of, term_of, terms_in


def test_a_term_is_found_as_a_word() -> None:
    assert term_of("ECE % if calibrated") == "ECE"
    assert term_of("95 % on new images") == "on new images"
    assert term_of("Seeds") == "seed"
    assert term_of("Pullover") == ""
    assert terms_in(["Its Brier scores.", "Recalled."]) == ["Brier score"]


def test_each_term_is_a_sentence_and_has_its_own_place() -> None:
    assert all(sentence.endswith(".") for sentence in TERMS.values())
    assert len({anchor_of(term) for term in TERMS}) == len(TERMS)


def test_every_button_of_a_page_has_its_meaning(full: Ledger) -> None:
    page = to_html(build(full.records, full.predictions, "title"))
    named = set(re.findall(r'popovertarget="([^"]+)"', page))
    assert {"term-ece", "term-p", "term-recall"} <= named
    assert named <= set(re.findall(r'popover id="([^"]+)"', page))


def test_a_report_is_cited_by_its_trials(full: Ledger) -> None:
    report = build(full.records, full.predictions, "50 % & more", "quick")
    entry = bibtex(report.comparisons, Origin("quick", title="50 % & more"))
    assert entry.startswith("@misc{quick-2025-01-01,\n") and "title        = {50 \\% \\& more}" in entry
    assert f"{len(full.records)} trials, keys SHA-256 " in entry and "commit 0123456789ab" in entry
    assert "```\n@misc{quick-2025-01-01,\n" in to_markdown(report)
    full.add(config(batch_size=7), [0.9])
    more = build(full.records, full.predictions, "title", "quick")
    assert bibtex(more.comparisons, Origin("quick")).split("SHA-256")[1] != entry.split("SHA-256")[1]


def test_small_numbers_keep_their_digits_and_zero_has_no_sign() -> None:
    assert [seconds(value) for value in (0.01234, 0.5, 1.26, 250.0)] == ["0.0123", "0.5", "1.3", "250"]
    assert points_range(-0.00001, 0.0215) == "0.00 to 2.15"
    assert points_range(-0.0007, 0) == "−0.07 to 0.00"
