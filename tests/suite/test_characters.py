"""What no name may hold, and how it is written out."""

from __future__ import annotations

import pytest

from bench.errors import control_character, escaped


@pytest.mark.parametrize("text", ["", "T-shirt/top", "Ω mega", "日本語", "two\n\tlines", "🙂", "a\u200db"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert control_character(text) is None
    assert escaped(text) == text


@pytest.mark.parametrize(
    ("text", "found", "written"),
    [
        ("\x1b[31mred", "\x1b", r"\x1b[31mred"),
        ("a\x00", "\x00", r"a\x00"),
        ("a\rb", "\r", r"a\rb"),
        ("a\x9b1m", "\x9b", r"a\x9b1m"),
        ("a\x7f", "\x7f", r"a\x7f"),
        ("a\u202eb", "\u202e", r"a\u202eb"),
        ("a\u2028b", "\u2028", r"a\u2028b"),
        ("a\uffffb", "\uffff", r"a\uffffb"),
        ("caf\udce9", "\udce9", r"caf\udce9"),
    ],
)
def test_what_a_terminal_or_a_chart_cannot_take_is_found_and_written_out(text: str, found: str, written: str) -> None:
    assert control_character(text) == found
    assert escaped(text) == written
    assert control_character(written) is None


@pytest.mark.parametrize("text", ["two\nlines", "a\tb", "a\x1bb"])
def test_a_name_has_one_line(text: str) -> None:
    assert control_character(text, one_line=True) in ("\n", "\t", "\x1b")
