"""What a live chart answers to, beside figures under the pointer; a still image is as if nothing were done."""

from __future__ import annotations

import altair as alt

ON, OFF = alt.value(1), alt.value(0.12)
"""Opacity of what is picked, and of the rest."""


def pick(field: str) -> alt.Parameter:
    """Pick one in the legend, or several with the shift key; a double click picks all again."""
    return alt.selection_point(fields=[field], bind="legend")


def zoom() -> alt.Parameter:
    """The wheel with the shift key zooms, a double click resets.

    Without the key, or by dragging, a chart would stop a page from being scrolled past it.
    """
    return alt.selection_interval(bind="scales", translate=False, zoom="wheel![event.shiftKey]")
