"""References to published results, and metrics."""

from __future__ import annotations

from mistakes.row import TOP, Row

GRID = """\
name: t
grid:
  model: [{name: mlp, hidden: [32]}, {name: mlp, hidden: [64]}]
  regularizer: [none, {name: l2, strength: 1e-3}]
references:
"""

ROWS: dict[str, Row] = {
    "not a list": (TOP + "references: x\n", "suite.yaml:4: references: 'x'", "write it like ['lab-e-baseline'"),
    "not a word": (TOP + "references: [1]\n", "suite.yaml:4: references[0]: 1 ", "it must be text"),
    "unknown": (
        TOP + "references: [lab-e-basline, nobody]\n",
        "suite.yaml:4: references[0]: no published result 'lab-e-basline'; did you mean 'lab-e-baseline'?",
        "suite.yaml:4: references[1]: no published result 'nobody'; the ids are in labs.yaml",
    ),
    "matches nothing": (
        GRID + "  - {id: lab-e-l2, match: {model: {name: mlp, hidden: [128]}}}\n",
        "suite.yaml:6: references[0].match: matches no configuration",
        "model.hidden is there: [32], [64]",
        "correct the pattern, or leave it out and say why in `note`",
    ),
    "matches several": (
        GRID + "  - {id: lab-e-l2, match: {model: {hidden: [32]}}}\n",
        "suite.yaml:6: references[0].match: matches 2 configurations",
        "  mlp · l2\n",
        "say more in the pattern, until one is left",
    ),
    "matches many": (
        GRID.replace("1e-3", "{grid: [1, 2, 3]}") + "  - {id: lab-e-l2, match: {model: mlp}}\n",
        "matches 8 configurations",
        "... and 3 more",
    ),
    "unknown axis": (
        GRID + "  - {id: lab-e-l2, match: {modle: mlp}}\n",
        "suite.yaml:6: references[0].match.modle: unknown key 'modle'",
        "did you mean 'model'?",
    ),
    "unknown key": (
        GRID + "  - b\n  - {id: lab-e-l2, mach: {model: mlp}}\n",
        "suite.yaml:7: references[1].mach: unknown key 'mach' of a reference",
        "'match'?",
        "allowed: id, match, chosen, note",
    ),
    "no id": (GRID + "  - {match: {model: mlp}}\n", "suite.yaml:6: references[0]: a reference lacks `id`"),
    "empty match": (
        GRID + "  - {id: a, match: {}}\n",
        "references[0].match: {} is too short",
        "at least 1 item",
        "write it like {model: ",
    ),
    "match is no mapping": (GRID + "  - {id: a, match: mlp}\n", "references[0].match: 'mlp' is not allowed here"),
    "unknown metric": (
        TOP + "metrics: [accuracy, f1]\n",
        "suite.yaml:4: metrics[1]: 'f1' is not allowed here",
        "allowed: accuracy, loss,",
    ),
    "metrics a word": (TOP + "metrics: accuracy\n", "metrics: 'accuracy' is not allowed here", "it must be a list"),
    "metric twice": (TOP + "metrics: [ece, ece]\n", "metrics: ece, ece names a metric twice"),
    "no metric": (TOP + "metrics: []\n", "metrics: [] is too short"),
    "unknown ranking": (
        TOP + "rank_by: acuracy\n",
        "suite.yaml:4: rank_by: 'acuracy' is not allowed",
        "did you mean 'accuracy'?",
    ),
    "ranking by a metric of the user's own": (
        TOP + 'rank_by: "mine.py:kappa"\n',
        "suite.yaml:4: rank_by: 'mine.py:kappa' cannot rank: your own metric has no validation value to select by",
        "name it under `metrics`, which displays it",
    ),
}
