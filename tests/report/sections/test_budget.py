from __future__ import annotations

from made_ledger import L2, Ledger, config, planned

from bench.report import build
from bench.report.sections.budget import budget_frame, trained


def test_pruning_saves_the_rest_of_the_budget_and_the_seeds_never_begun(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.9, 0.9])
    ledger.add_ended(config(regularizer=L2), 0, "pruned", 2, pruning={"rule": {"grace_period": 2}, "decisions": []})
    asked = planned(config(), 3) + planned(config(regularizer=L2), 3)
    found = build(ledger.records, ledger.predictions, "title", planned=asked).comparisons[0]
    assert budget_frame(trained(found))[["status", "trials", "epochs", "saved_epochs"]].to_numpy().tolist() == [
        ["complete", 3, 15, 0],
        ["pruned", 1, 2, 3],
        ["skipped by pruning", 2, 0, 10],
    ]
    assert budget_frame(trained(found))["seconds"].iloc[0] == 3 * 12.34


def test_what_was_not_run_yet_is_no_saving(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    found = build(ledger.records, ledger.predictions, "title", planned=planned(config(), 3)).comparisons[0]
    assert budget_frame(trained(found)).iloc[-1].tolist() == ["not run", 2, 0, 0.0, 0]
