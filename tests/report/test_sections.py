from __future__ import annotations

from made_ledger import L2, Ledger, config

from bench.report.sections import sections


def test_datasets_and_protocols_never_share_a_section(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    ledger.add(config(dataset={"name": "mnist"}), [0.98])
    ledger.add(config(validation="none"), [0.89])
    ledger.add(config(weights="best"), [0.87])
    found = sections(ledger.records)
    assert [section.dataset for section in found] == ["fashion_mnist"] * 3 + ["mnist"]
    assert len({section.title for section in found}) == 4


def test_another_budget_is_another_section_unless_epochs_are_an_axis(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    ledger.add(config(regularizer=L2, epochs=9), [0.89])
    assert len(sections(ledger.records)) == 2
    ledger.add(config(epochs=9), [0.885])
    (section,) = sections(ledger.records)
    assert [one.label for one in section.configurations] == [
        "mlp · epochs=5",
        "mlp · epochs=9",
        "mlp · l2 · epochs=9",
    ]


def test_seeds_still_to_be_run_make_a_configuration_incomplete(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    assert sections(ledger.records)[0].configurations[0].complete
    planned = [(config(), seed) for seed in range(3)]
    assert not sections(ledger.records, planned)[0].configurations[0].complete


def test_a_trial_run_again_counts_once_and_the_complete_run_wins(ledger: Ledger) -> None:
    ledger.add_ended(config(), 0, "failed", 1)
    ledger.add(config(), [0.88])
    (configuration,) = sections(ledger.records)[0].configurations
    assert [record.status for record in configuration.records] == ["complete"]
