"""What `bench plan` says of pruning: its rule, its cost, what it never stops, and whether seeds were better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.errors import plural
from bench.execution.pruning import Asha, halving_cost, n_uncompared
from bench.jsonutil import JsonObject

if TYPE_CHECKING:
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial

ADVISED_SEEDS = 3


def pruning_cost(suite: Suite, trials: list[Trial]) -> JsonObject:
    """First rungs, the epochs with pruning by `halving`, and those with more seeds where some have few."""
    costs: JsonObject = {"first_rungs": None, "uncompared": None, "halving": None, "halving_of_more_seeds": None}
    if suite.pruning is None:
        return costs
    costs["first_rungs"] = sorted({suite.pruning.first_rung(trial.config.epochs) for trial in trials})
    costs["uncompared"] = n_uncompared(suite.pruning, suite.sampling_seed, trials)
    if suite.pruning.method == "halving":
        cost = halving_cost(suite.pruning, suite.sampling_seed, trials)
        total = sum(trial.config.epochs for trial in trials)
        points = [trial.search for trial in trials if trial.search and trial.search.rule.is_adaptive]
        # How many configurations of a batch are compared is known once their values are.
        split = any(parameter.axis in suite.pruning.group for point in points for parameter in point.rule.parameters)
        costs["halving"] = {"epochs": cost.epochs, "of": total, "exact": cost.is_exact and not split}
    configurations = list({trial.group: trial for trial in trials}.values())
    if len(trials) < ADVISED_SEEDS * len(configurations):
        cost = halving_cost(suite.pruning, suite.sampling_seed, trials, ADVISED_SEEDS)
        one_seed = sum(trial.config.epochs for trial in configurations)
        costs["halving_of_more_seeds"] = {"seeds": ADVISED_SEEDS, "epochs": cost.epochs, "of_one_seed": one_seed}
    return costs


def pruning_lines(plan: JsonObject) -> list[str]:
    """The rule, what it costs where that is known, and whether more seeds would be the better use of epochs."""
    pruning, cost, more = plan["pruning"], plan["halving"], plan["halving_of_more_seeds"]
    first = " or ".join(map(str, plan["first_rungs"]))
    name = "ASHA"
    if cost:
        seeds = "the means of all seeds" if pruning["seeds"] == "all" else "first seeds"
        name = f"successive halving by {seeds},"
    within = f"within {' x '.join(pruning['group'])}" if pruning["group"] else "of all of a data set and budget"
    line = (
        f"pruning: {name} {within}, first after "
        f"{first} epoch{'s' * (first != '1')}, one in {pruning['reduction_factor']} goes on"
        + (f"; {_brackets_text(pruning['brackets'], plan['brackets'])}" if plan["brackets"] else "")
    )
    if cost is None:
        lines = [f"{line}; the estimate is without it"]
    else:
        percent = 100 * cost["epochs"] / cost["of"]
        lines = [
            line,
            f"  it trains {'exactly' if cost['exact'] else 'at most'} {cost['epochs']:,} of the suite's {cost['of']:,} "
            f"epochs ({percent:.0f} %), unless trials fail; the estimate is of all of them",
        ]
    if alone := plan["uncompared"]:
        has, its, it = ("has", "its", "it") if alone == 1 else ("have", "their", "them")
        lines.append(
            f"  {alone:,} of {plural(plan['configurations'], 'configuration')} {has} no other with {its} "
            f"{', '.join([*pruning['group'], 'data set'])} and budget: pruning never stops {it}"
        )
    if more:
        percent = 100 * more["epochs"] / more["of_one_seed"]
        lines.append(
            f"advice: seeds before pruning. A choice by few seeds is partly luck; `seeds: {more['seeds']}` with "
            f"`method: halving` trains {more['epochs']:,} epochs, {percent:.0f} % of this grid with 1 seed and without "
            "pruning"
        )
    return lines


def n_brackets(suite: Suite, trials: list[Trial]) -> dict[str, int] | None:
    """Budget in epochs to the number of brackets with it; None without several brackets."""
    if suite.pruning is None or suite.pruning.brackets == 1:
        return None
    asha = Asha(suite.pruning)
    return {
        str(epochs): len(asha.bracket_fractions(epochs)) for epochs in sorted({trial.config.epochs for trial in trials})
    }


def _brackets_text(brackets: int, by_budget: dict[str, int]) -> str:
    if set(by_budget.values()) == {brackets}:
        return f"in {brackets} brackets, as Hyperband"
    counts = [f"{count} for {plural(int(epochs), 'epoch')}" for epochs, count in by_budget.items()]
    return f"in brackets, as Hyperband: of {brackets}, the budget leaves {', '.join(counts)}"
