"""`bench run --keep`: whose weights a run leaves in the ledger, also after a kill or on a full disk."""

from __future__ import annotations

import errno
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from bucket import Bucket, opened
from saved_network import SUITE, run_suite, weights_files, write_suite

from bench.execution.keep_weights import BestConfigurations
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.ledger.weights_files import list_weights, read_weights, weights_of
from bench.suite.suite import load_suite
from bench.suite.trial import Trial, trials


def records_of(results: Path) -> dict[int, list[Record]]:
    """Hidden units to the records of both seeds."""
    records: dict[int, list[Record]] = {}
    for record in Ledger(results).records():
        records.setdefault(record.config["model"]["hidden"][0], []).append(record)
    return records


def best_keys(results: Path) -> set[str]:
    """The keys of the configuration with the higher mean on validation."""

    def mean(records: list[Record]) -> float:
        return sum((record.result.validation or {})["accuracy"] for record in records) / len(records)

    return {record.key for record in max(records_of(results).values(), key=mean)}


def test_the_best_keeps_its_seeds_and_a_later_better_one_replaces_it(bench: Any, tmp_path: Path) -> None:
    one = write_suite(tmp_path, SUITE.replace(", {name: mlp, hidden: [32]}", ""))
    results = tmp_path / "results"
    ran = bench("run", one, "--no-ray", "--results", results, "--keep", "best")
    assert "weights (the best on validation): 2 trials" in ran.out
    first = weights_files(results)
    assert len(first) == 2
    assert all(name.endswith(".best.safetensors") for name in first)
    run_suite(bench, tmp_path, "--keep", "best")
    names = weights_files(results)
    assert {name.partition("-")[0] for name in names} == best_keys(results)
    assert not set(first) & set(names)


def test_all_keeps_all_and_a_run_without_it_drops_nothing(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path, "--keep", "all")
    names = weights_files(results)
    assert len(names) == 4
    key = names[0].partition("-")[0]
    assert f"weights: {results / 'entries' / key[:2] / names[0]}" in bench("show", key, "--results", results).out
    run_suite(bench, tmp_path)
    run_suite(bench, tmp_path, "--keep", "best")
    assert weights_files(results) == names, "what was saved with --keep all is no candidate"


def test_trials_that_were_trained_without_weights_are_named(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path)
    assert weights_files(results) == []
    path = tmp_path / "tiny.yaml"
    ran = bench("run", path, "--no-ray", "--results", results, "--keep", "all")
    assert "nothing to run" in ran.out
    assert "without weights: 4 trials" in ran.out
    assert f"--keep all --force AXIS=VALUE --results {results}" in ran.out


def test_what_an_interrupted_run_left_is_decided_by_the_next(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path, "--keep", "all")
    for path in results.glob("entries/*/*.safetensors"):  # as a run that was killed before its end leaves them
        path.rename(path.with_name(path.name.replace(".safetensors", ".best.safetensors")))
    ran = bench("run", tmp_path / "tiny.yaml", "--no-ray", "--results", results, "--keep", "best")
    assert "nothing to run" in ran.out
    assert {name.partition("-")[0] for name in weights_files(results)} == best_keys(results)
    bench("run", tmp_path / "tiny.yaml", "--no-ray", "--results", results, "--keep", "all")
    assert not any(".best." in name for name in weights_files(results)), "asked for all, they are no candidates"


def test_candidates_that_are_damaged_count_as_missing_where_all_are_asked_for(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path, "--keep", "best")
    first = next(results.glob("entries/*/*.best.safetensors"))
    first.write_bytes(b"half")
    ran = bench("run", tmp_path / "tiny.yaml", "--no-ray", "--results", results, "--keep", "all")
    assert (ran.code, ran.err) == (0, "")
    assert "weights (all): 1 trial in" in ran.out and "without weights: 3 trials" in ran.out


def test_weights_of_a_record_that_is_replaced_go_with_it(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path, "--keep", "all")
    before = weights_files(results)
    run_suite(bench, tmp_path, "--force", "model=mlp")
    assert weights_files(results) == []
    run_suite(bench, tmp_path, "--force", "model=mlp", "--keep", "all")
    assert len(weights_files(results)) == len(before)


def test_weights_of_another_suite_are_not_dropped(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path, "--keep", "best", text=SUITE.replace(", {name: mlp, hidden: [32]}", ""))
    small = weights_files(results)
    run_suite(bench, tmp_path, "--keep", "best", text=SUITE.replace("name: tiny", "name: other"))
    assert set(small) <= set(weights_files(results))


def test_keys_and_results_are_the_same_with_and_without_weights(bench: Any, tmp_path: Path) -> None:
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    kept = Ledger(run_suite(bench, tmp_path / "with", "--keep", "all")).records()
    plain = Ledger(run_suite(bench, tmp_path / "without")).records()
    assert [(record.key, record.result) for record in kept] == [(record.key, record.result) for record in plain]
    assert all(record.run_info.images_per_second > 100 for record in plain)  # type: ignore[operator]


def test_merge_copies_weights_and_mends_damaged_ones(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path, "--keep", "all")
    ran = bench("merge", results, "--results", tmp_path / "all")
    assert "4 copied, 0 there already, and weights of 4 runs" in ran.out
    assert weights_files(tmp_path / "all") == weights_files(results)
    half = next((tmp_path / "all").glob("entries/*/*.safetensors"))
    half.write_bytes(half.read_bytes()[:100])
    key = half.name.partition("-")[0]
    ran = bench("predict", key, tmp_path / "data.npz", "--results", tmp_path / "all")
    assert (ran.code, "truncated or changed" in ran.err, "bench merge" in ran.err) == (2, True, True)
    assert "weights of 1 run" in bench("merge", results, "--results", tmp_path / "all").out
    assert read_weights(Ledger(tmp_path / "all"), key)[0].key == key
    other = next(results.glob(f"entries/*/{key}*.safetensors"))
    other.write_bytes(b"half")
    ran = bench("merge", results, "--results", tmp_path / "new")
    assert "weights that are damaged" in ran.err
    assert len(weights_files(tmp_path / "new")) == 3


def test_best_is_refused_without_validation(bench: Any, tmp_path: Path) -> None:
    path = write_suite(tmp_path, SUITE.replace("{tail: 0.2}", "none"))
    ran = bench("run", path, "--no-ray", "--results", tmp_path / "results", "--keep", "best")
    assert (ran.code, "`validation: none`" in ran.err, "--keep all" in ran.err) == (2, True, True)
    assert not (tmp_path / "results").exists()


def test_a_disk_without_room_for_weights_costs_no_record(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.ledger import file_store

    write = file_store.write_atomically

    def full(data: bytes, target: Path, **options: Any) -> None:
        if target.suffix == ".safetensors":
            raise file_store.cannot_write(target, OSError(errno.ENOSPC, "No space left on device"))
        write(data, target, **options)

    monkeypatch.setattr(file_store, "write_atomically", full)
    path = write_suite(tmp_path)
    ran = bench("run", path, "--no-ray", "--results", tmp_path / "results", "--keep", "all")
    assert ran.code == 1
    assert ran.out.count("weights are not saved, records are: cannot write") == 1
    assert "The disk is full" in ran.out
    assert len(Ledger(tmp_path / "results").records()) == 4
    assert weights_files(tmp_path / "results") == []


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    made: Bucket = opened(monkeypatch, tmp_path / "state")
    yield made
    made.go_away()


def test_weights_go_to_a_bucket_and_come_from_it(bench: Any, tmp_path: Path, bucket: Bucket) -> None:
    path = write_suite(tmp_path)
    ran = bench("run", path, "--no-ray", "--results", bucket.url, "--keep", "best")
    assert (ran.code, ran.err) == (0, "")
    ledger = Ledger(bucket.url)
    files = list_weights(ledger.store)
    assert len(files) == 2
    key = files[0].key
    assert weights_of(ledger, key) == files[:1]
    tensors = safetensors.torch.load(read_weights(ledger, key)[1])
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())
    ran = bench("merge", bucket.url, "--results", tmp_path / "here")
    assert "weights of 2 runs" in ran.out
    ran = bench("predict", key, tmp_path / "data.npz", "--results", bucket.url, "--json")
    assert len(json.loads(ran.out)["predictions"]) == 100


def planned(tmp_path: Path, *grids: str) -> list[Trial]:
    path = tmp_path / "suite.yaml"
    lines = [f"  - {{model: mlp, seeds: 2, {grid}}}\n" for grid in grids]
    path.write_text(f"name: planned\ngrid:\n{''.join(lines)}")
    return trials(load_suite(path), lambda _: "made", lambda _: None)


def ended(trial: Trial, accuracy: float | None, status: Any = "complete") -> Record:
    validation = None if accuracy is None else {"accuracy": accuracy}
    result = Result({}, 1, 1, validation=validation)
    return Record(trial.key, trial.config.to_json(), trial.seed, status, result, RunInfo(), trial.config_key)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_whatever_the_order_the_best_stays_and_the_others_are_dropped_once(tmp_path: Path, order: Any) -> None:
    planned_trials = planned(tmp_path, "batch_size: [16, 32, 64]")
    scores = [(0.7, 0.9), (0.9, 0.8), (0.6, 0.6)]  # means 0.8, 0.85, 0.6
    best = BestConfigurations(planned_trials, "accuracy")
    dropped: list[str] = []
    for number in order:
        for trial, score in zip(planned_trials[2 * number : 2 * number + 2], scores[number], strict=True):
            dropped += best.take(ended(trial, score))
    assert best.selected == [trial.key for trial in planned_trials[2:4]]
    assert sorted(dropped) == sorted(trial.key for trial in planned_trials[:2] + planned_trials[4:])


def test_comparisons_have_a_best_each_and_equals_are_all_kept(tmp_path: Path) -> None:
    several = planned(tmp_path, "batch_size: [16, 32]", "batch_size: [16, 32], test_time: flip")
    best = BestConfigurations(several, "accuracy")
    assert [key for trial in several for key in best.take(ended(trial, 0.5))] == []
    assert set(best.selected) == {trial.key for trial in several}


def test_what_cannot_be_complete_is_dropped_and_what_failed_waits(tmp_path: Path) -> None:
    first, second, *_ = several = planned(tmp_path, "batch_size: [16, 32]")
    best = BestConfigurations(several, "accuracy")
    assert best.take(ended(first, 0.9)) == []
    assert best.take(ended(second, None, "failed")) == []
    assert best.take(ended(second, None, "diverged")) == [first.key, second.key]
    assert best.selected == []


def test_the_smallest_value_is_the_best_of_a_loss(tmp_path: Path) -> None:
    several = planned(tmp_path, "batch_size: [16, 32]")
    best = BestConfigurations(several, "log_loss")
    for trial, value in zip(several, (0.5, 0.5, 0.4, 0.4), strict=True):
        record = ended(trial, None)
        best.take(Record(**{**vars(record), "result": Result({}, 1, 1, validation={"log_loss": value})}))
    assert best.selected == [trial.key for trial in several[2:]]


def test_a_kill_between_weights_and_record_leaves_no_weights_for_good(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path, "--keep", "best")
    name = weights_files(results)[0]
    key = name.partition("-")[0]
    orphan = results / "entries" / key[:2] / name.replace(name.split("-")[1], "0" * 12)
    shutil.copyfile(results / "entries" / key[:2] / name, orphan)
    bench("run", tmp_path / "tiny.yaml", "--no-ray", "--results", results, "--keep", "best")
    assert weights_of(Ledger(results), key)[0].name == name
    assert orphan.name not in weights_files(results)


def test_weights_are_those_that_were_tested(bench: Any, tmp_path: Path) -> None:
    from bench.inference.classifier import load_model

    text = SUITE.replace("  seeds: 2", "  seeds: 1\n  ema: 0.9\n  refit: true\n  weights: best\n  test_time: flip")
    results = run_suite(bench, tmp_path, "--keep", "all", text=text)
    ledger = Ledger(results)
    images = torch.from_numpy(np.load(tmp_path / "data.npz")["test_images"])
    for record in ledger.records():
        with torch.inference_mode():
            probabilities = load_model(record.key, results)(images).softmax(1).half().numpy()
        assert np.array_equal(probabilities, ledger.predictions(record.key).probabilities)
