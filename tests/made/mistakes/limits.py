"""Grids that are larger than the limit, and many mistakes at once."""

from __future__ import annotations

from mistakes.row import TOP, Row

VALUES = ", ".join(f"0.{i:02}" for i in range(1, 100))
ADVICE = "cut its axes, or raise `limit` at the top level of the file"
NEGATIVE = ", ".join(str(-rate) for rate in range(1000))

ROWS: dict[str, Row] = {
    "batch sizes times seeds": (
        TOP + "  batch_size: {grid: [1, 2, 3, 4]}\n  seeds: 3000\n",
        "suite.yaml:2: grid: expands to 12,000 trials, more than the limit of 10,000",
        ADVICE,
    ),
    "seeds": (TOP + "  seeds: 1000000000000\n", "grid: expands to 1,000,000,000,000 trials", ADVICE),
    "samples": (
        TOP + "  optimizer: {name: adam, lr: {uniform: [1, 2]}}\n  samples: 10001\n",
        "grid: expands to 10,001 trials",
        ADVICE,
    ),
    "an entry": (
        TOP + f"  optimizer: {{name: adam, lr: &a {{grid: [{VALUES}]}}, eps: *a, weight_decay: *a}}\n",
        "suite.yaml:4: grid.optimizer: this component alone has more values than the limit of 10,000",
        ADVICE,
    ),
    "an axis": (
        TOP + f"  optimizer: [&a {{name: adam, lr: {{grid: [{VALUES}]}}, eps: {{grid: [{VALUES}]}}}}, *a]\n",
        "suite.yaml:4: grid.optimizer: the axis `optimizer` alone has more values than the limit of 10,000",
        ADVICE,
    ),
    "a combination": (
        TOP
        + f"  regularizer: {{combine: [{{name: l1, strength: &a {{grid: [{VALUES}]}}}}, {{name: l2, strength: *a}},"
        + " {name: dropout, rate: *a}]}\n",
        "suite.yaml:4: grid.regularizer: this combination alone has more values than the limit of 10,000",
        ADVICE,
    ),
    "all sub-grids": (
        "name: t\nlimit: 5\ngrid: [{model: mlp, seeds: 3}, {model: cnn, seeds: 3}]\n",
        "suite.yaml:3: grid: its sub-grids together expand to more trials than the limit of 5",
        ADVICE,
    ),
    "a flood of mistakes": (
        TOP + f"  optimizer: {{name: adam, lr: {{grid: [{NEGATIVE}]}}}}\n",
        "suite.yaml:4: grid.optimizer.lr.grid[0]: 0 is out of range: it must be above 0",
        "... and 980 more problems",
    ),
}
