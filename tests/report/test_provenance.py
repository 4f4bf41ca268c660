from __future__ import annotations

from dataclasses import replace

from made_ledger import Ledger, config, planned, provenance_of

from bench.data import fingerprint
from bench.report import build


def told(ledger: Ledger, **options) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return provenance_of(build(ledger.records, ledger.predictions, "title", **options))


def test_it_names_suite_file_and_command(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    found = told(ledger, suite="quick", suite_file="suites/quick.yaml", command="bench run quick")
    assert (found["Suite"], found["Suite file"], found["Command"]) == ("quick", "suites/quick.yaml", "bench run quick")


def test_data_are_known_by_the_catalogues_checksum(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    assert told(ledger)["Data checksums (SHA-256)"] == f"fashion_mnist {fingerprint('fashion_mnist')}"


def test_own_data_are_known_by_the_checksum_that_the_trials_were_planned_with(ledger: Ledger) -> None:
    mine = config(dataset={"name": "npz", "path": "mine.npz"})
    ledger.add(mine, [0.9])
    asked = [replace(trial, contents="c0ffee") for trial in planned(mine, 1)]
    assert told(ledger, planned=asked)["Data checksums (SHA-256)"].endswith(" c0ffee")
    assert "Data checksums (SHA-256)" not in told(ledger)


def test_the_test_labels_have_a_checksum(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    ledger.add(config(batch_size=7), [0.8])
    assert len(told(ledger)["Test labels (SHA-256)"]) == 64
