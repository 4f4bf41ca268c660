"""Names in charts: what is too long for its room is cut in the middle, and names that differ stay different."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.report.charts.lazy_altair import alt

CUT = "…"
NARROW, BROAD = frozenset("ijlI.,:;'|![]()ftr· /"), frozenset("mwMW%@")


def width(text: str) -> float:
    """About how many pixels a text is wide in the charts' type, Arial of 12 pixels: a little too many."""
    return sum(map(_pixels, text))


def _pixels(character: str) -> float:
    if character in NARROW:
        return 4.0
    if character in BROAD:
        return 11.0
    if unicodedata.east_asian_width(character) in "WF":
        return 13.0
    return 9.0 if character.isupper() else 7.0


def fitted(names: Iterable[str], pixels: float) -> dict[str, str]:
    """Each name as it is shown in so many pixels; one that is cut keeps what tells it from the others."""
    shown = {name: _middle(name, pixels) for name in names}
    for same in _clashing(shown):
        shown |= {name: _around(name, _first_difference(same), pixels) for name in same}
    # Others differ in several places, of which one was shown.
    for number, name in enumerate((name for same in _clashing(shown) for name in same), 1):
        mark = f" ({number})"
        shown[name] = _middle(name, pixels - width(mark)) + mark
    return shown


def label_expression(names: Sequence[str], pixels: float) -> Any:
    """A `labelExpr` for an axis or a legend of these names; `alt.Undefined` where all fit."""
    cut = {name: text for name, text in fitted(names, pixels).items() if name != text}
    return f"{json.dumps(cut)}[datum.label] || datum.label" if cut else alt.Undefined


def _clashing(shown: dict[str, str]) -> list[list[str]]:
    """The names that are shown alike."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, text in shown.items():
        found[text].append(name)
    return [names for names in found.values() if len(names) > 1]


def _first_difference(names: list[str]) -> int:
    columns = enumerate(zip(*names, strict=False))
    return next((place for place, characters in columns if len(set(characters)) > 1), min(map(len, names)))


def _middle(name: str, pixels: float) -> str:
    """The beginning and the end, equally long."""
    return _longest(name, pixels, lambda kept: f"{name[: kept - kept // 2]}{CUT}{name[len(name) - kept // 2 :]}")


def _around(name: str, place: int, pixels: float) -> str:
    """The beginning, what stands around a place, and the end; a third each."""

    def text(kept: int) -> str:
        third = kept // 3
        start = min(max(place - third // 3, third), max(len(name) - 2 * third, third))
        end = min(start + third, len(name) - third)
        gaps = (CUT if start > third else "", CUT if end < len(name) - third else "")
        return f"{name[:third]}{gaps[0]}{name[start:end]}{gaps[1]}{name[len(name) - third :]}"

    return _longest(name, pixels, text)


def _longest(name: str, pixels: float, text: Callable[[int], str]) -> str:
    """The name if it fits, else `text` with as many characters kept as fit."""
    if width(name) <= pixels:
        return name
    return next((text(kept) for kept in range(len(name) - 1, 3, -1) if width(text(kept)) <= pixels), text(3))
