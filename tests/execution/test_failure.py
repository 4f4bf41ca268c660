"""What a record holds of an exception: text that any terminal can show, whatever a user's own code raised."""

from __future__ import annotations

from bench.errors import control_character
from bench.execution.worker import trial_failure


class MuteError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def test_the_text_of_an_exception_is_escaped_as_it_enters() -> None:
    try:
        raise RuntimeError("\x1b[2J\x1b]0;owned\x07 caf\udce9\nsecond line")
    except RuntimeError as error:
        found = trial_failure(error)
    assert found.message == "\\x1b[2J\\x1b]0;owned\\x07 caf\\udce9\nsecond line"
    assert "test_failure.py" in found.traceback
    assert not any(map(control_character, vars(found).values()))


def test_an_exception_whose_message_cannot_be_had_is_a_failure_like_any_other() -> None:
    found = trial_failure(MuteError())
    assert (found.kind, found.message) == ("MuteError", "its message cannot be read: ValueError")
