"""Which images are misclassified? A gallery, and possible label errors."""

from __future__ import annotations

from bench.report.classes import gallery_view
from bench.report.classes.class_json import gallery_json
from bench.report.comparison import Comparison
from bench.report.document import Section


def gallery(comparison: Comparison) -> Section:
    """The page's gallery; other outputs have its numbers in JSON alone."""
    return Section(
        "gallery",
        "Misclassified images",
        data=lambda: {"gallery": gallery_json(comparison.gallery)},
        template="gallery.html.j2" if comparison.gallery else "",
        context=lambda: {"gallery": comparison.gallery, "gallery_view": gallery_view},
    )
