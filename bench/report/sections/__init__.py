"""The sections of a report, in the order of every output. A new one is a file and a line here.

Each is a function from a `Comparison` to a `Section`, or from all comparisons and their `Origin`: computed, worded and
drawn in its own file. Renderers know what sections are made of, and none by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.report.comparison import Comparison, Origin
from bench.report.document import Section
from bench.report.sections.budget import budget
from bench.report.sections.calibration import calibration
from bench.report.sections.changed_labels import imbalance, label_noise
from bench.report.sections.checks import checks
from bench.report.sections.citation import citation
from bench.report.sections.classes import classes
from bench.report.sections.cost import cost
from bench.report.sections.differences import differences
from bench.report.sections.effects import effects
from bench.report.sections.ensembles import ensembles
from bench.report.sections.gallery import gallery
from bench.report.sections.glossary import glossary
from bench.report.sections.leaderboard import leaderboard
from bench.report.sections.not_ranked import not_ranked
from bench.report.sections.provenance import provenance
from bench.report.sections.published_results import published_results
from bench.report.sections.robustness import robustness
from bench.report.sections.search import search
from bench.report.sections.training_curves import training_curves
from bench.report.sections.training_size import training_size
from bench.report.sections.tuning import tuning

OfComparison = Callable[[Comparison], Section]
OfReport = Callable[[Sequence[Comparison], Origin], Section]

SECTIONS: tuple[OfComparison, ...] = (
    leaderboard,
    published_results,
    cost,
    effects,
    training_size,
    label_noise,
    imbalance,
    robustness,
    search,
    tuning,
    training_curves,
    classes,
    gallery,
    calibration,
    ensembles,
    differences,
    budget,
    not_ranked,
)

CLOSING_SECTIONS: tuple[OfReport, ...] = (provenance, checks, glossary, citation)
"""Those on the whole report."""
