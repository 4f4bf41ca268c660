"""`bench import`: predictions of any framework become a row."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_ledger import L2, Ledger, config

from bench.data import Dataset
from bench.ledger import ledger as ledgers
from bench.ledger.record import is_external

FASHION_MNIST = ("--dataset", "fashion-mnist", "--results")


@pytest.fixture
def guesses(fashion_mnist: Dataset) -> Callable[[float, int], np.ndarray]:
    """Classes of the test images, so many of them wrong."""

    def guess(accuracy: float, seed: int = 0) -> np.ndarray:
        generator = np.random.default_rng(seed)
        said = fashion_mnist.test_labels.copy()
        wrong = generator.choice(len(said), round((1 - accuracy) * len(said)), replace=False)
        said[wrong] = (said[wrong] + generator.integers(1, 10, len(wrong))) % 10
        return said

    return guess


def probabilities(said: np.ndarray) -> np.ndarray:
    scores = np.full((len(said), 10), 0.02)
    scores[np.arange(len(said)), said] = 0.82
    return scores


def rows_of(text: str) -> dict[str, dict[str, Any]]:
    (section,) = json.loads(text)["comparisons"]
    return {row["label"]: row for row in section["leaderboard"]}


def test_classes_of_several_seeds_stand_in_the_leaderboard_with_the_same_statistics(
    guesses: Any, fashion_mnist: Dataset, bench: Any, stored: Any, tmp_path: Path
) -> None:
    made = Ledger(images=10_000)
    made.add(config(), [0.88, 0.882, 0.884])
    made.add(config(regularizer=L2), [0.871, 0.873, 0.872])
    for said in made.stored.values():  # the made predictions, of the real test images
        object.__setattr__(
            said, "predicted", ((said.predicted + fashion_mnist.test_labels - said.labels) % 10).astype("u1")
        )
        object.__setattr__(said, "labels", fashion_mnist.test_labels.astype("u1"))
    folder = stored(made)
    files = []
    for seed, accuracy in enumerate([0.93, 0.931, 0.932]):
        files.append(tmp_path / f"seed{seed}.npz")
        np.savez(files[-1], predicted=guesses(accuracy, seed), labels=fashion_mnist.test_labels)
    ran = bench("import", *files, "--name", "Keras CNN", *FASHION_MNIST, folder)
    assert ran.code == 0, ran.err
    assert "Keras CNN, seed 2: 93.20 %, wrote " in ran.out
    rows = rows_of(bench("report", "--json", "--out", "-", "--results", folder).out)
    row = rows["Keras CNN (imported)"]
    assert (row["kind"], row["seeds"], row["in_best_set"], row["selected"]) == ("imported", 3, True, False)
    assert row["test_mean"] == pytest.approx(0.931)
    assert row["new_low"] < row["test_mean"] < row["new_high"]
    assert "protocol unknown" in row["note"]
    assert (row["train_seconds"], row["validation_mean"], row["command"]) == (None, None, "")
    assert rows["mlp"]["selected"] or rows["mlp · l2"]["selected"]


def test_probabilities_bring_calibration_and_ranks(guesses: Any, bench: Any, tmp_path: Path) -> None:
    said = guesses(0.9)
    file = tmp_path / "predictions.csv"
    np.savetxt(file, probabilities(said), delimiter=",")
    assert bench("import", file, "--name", "svm", *FASHION_MNIST, tmp_path / "results").code == 0
    (record,) = ledgers.Ledger(tmp_path / "results").records()
    assert record.result.test is not None
    assert record.result.test["ece"] == pytest.approx(0.08, abs=1e-6)
    assert record.result.test["top_2_accuracy"] >= 0.9
    assert np.isfinite(record.result.test["log_loss"])


def test_classes_alone_have_no_confidences(guesses: Any, bench: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", predicted=guesses(0.9))
    bench("import", tmp_path / "predictions.npz", "--name", "svm", *FASHION_MNIST, tmp_path / "results")
    ledger = ledgers.Ledger(tmp_path / "results")
    (record,) = ledger.records()
    assert "ece" not in (record.result.test or {})
    assert np.isnan(ledger.predictions(record.key).confidence).all()
    ran = bench("report", "--html", "--markdown", "--out", tmp_path, "--results", tmp_path / "results")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("header", [["predicted"], None])
def test_a_csv_may_hold_the_classes_by_name(
    header: list[str] | None, guesses: Any, fashion_mnist: Dataset, bench: Any, tmp_path: Path
) -> None:
    lines = [*(header or []), *(fashion_mnist.classes[number] for number in guesses(0.9))]
    (tmp_path / "predictions.csv").write_text("\n".join(lines))
    ran = bench("import", tmp_path / "predictions.csv", "--name", "svm", *FASHION_MNIST, tmp_path / "results")
    assert (ran.code, "seed 0: 90.00 %" in ran.out) == (0, True)


def test_logits_become_probabilities(guesses: Any, bench: Any, tmp_path: Path) -> None:
    said = guesses(0.9)
    np.savez(tmp_path / "logits.npz", logits=np.log(probabilities(said)) + 5)
    np.savetxt(tmp_path / "plain.csv", probabilities(said), delimiter=",", header=",".join("0123456789"), comments="")
    for name in ("logits.npz", "plain.csv"):
        bench("import", tmp_path / name, "--name", name, *FASHION_MNIST, tmp_path / "results")
    ledger = ledgers.Ledger(tmp_path / "results")
    first, second = (asdict(ledger.predictions(record.key)) for record in ledger.records())
    for name in first:
        assert np.allclose(first[name], second[name], atol=1e-6), name


WRONG: dict[str, tuple[Callable[[np.ndarray], dict[str, np.ndarray]], str]] = {
    "too few": (lambda said: {"predicted": said[:-1]}, "predictions of 9,999 images, and the test part has 10,000"),
    "counted from one": (lambda said: {"predicted": said + 1}, "classes count from 0"),
    "no class": (lambda said: {"predicted": said + 0.5}, "which is no class number (0 to 9)"),
    "other labels": (
        lambda said: {"predicted": said, "labels": np.roll(said, 1)},
        "are not those of the test part",
    ),
    "no probabilities": (lambda said: {"probabilities": 2 * probabilities(said)}, "row 1 is no row of probabilities"),
    "too few columns": (lambda said: {"probabilities": probabilities(said)[:, :9]}, "expected (n, 10)"),
    "not finite": (lambda said: {"logits": np.log(np.eye(10)[said])}, "row 1 of logits holds a value that is not"),
    "another name": (lambda said: {"y": said}, "holds y; expected just one of predicted, probabilities, logits"),
    "no row": (
        lambda _: {"predicted": np.array(3)},
        "is of type int64 and shape (); expected class numbers",
    ),
    "numbered rows": (
        lambda said: {"probabilities": np.column_stack([np.arange(len(said)), probabilities(said)])},
        "if one column numbers the rows, leave it out",
    ),
    "pickled": (lambda said: {"predicted": said.astype(object)}, "Python objects are refused"),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("case", WRONG)
def test_files_that_are_no_predictions_store_nothing(case: str, guesses: Any, bench: Any, tmp_path: Path) -> None:
    arrays, words = WRONG[case]
    np.savez(tmp_path / "good.npz", predicted=guesses(0.9))
    np.savez(tmp_path / "predictions.npz", **arrays(guesses(0.9)))  # type: ignore[arg-type]
    ran = bench(
        "import",
        tmp_path / "good.npz",
        tmp_path / "predictions.npz",
        "--name",
        "svm",
        *FASHION_MNIST,
        tmp_path / "results",
    )
    assert ran.code == 2
    assert f"{tmp_path / 'predictions.npz'}: " in ran.err
    assert words in ran.err
    assert ledgers.Ledger(tmp_path / "results").records() == []


def squeezed(said: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, predicted=said)
    return file.getvalue()


def zipped(member: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, content)
    return file.getvalue()


HEADER = b"{'descr': '<i8', 'fortran_order': False, 'shape': (10000000000000,), }".ljust(117) + b"\n"
BYTES: dict[str, tuple[Callable[[np.ndarray], bytes], str]] = {
    "noise": (lambda _: np.random.default_rng(0).bytes(3_000), "neither a whole .npz nor text in UTF-8"),
    "cut off": (lambda said: squeezed(said)[:2_000], "neither a whole .npz nor text in UTF-8"),
    "changed on the way": (lambda said: squeezed(said)[:300] + b"\x37" * 600 + squeezed(said)[900:], "decompressing"),
    "no array": (lambda _: zipped("predicted.npy", b"hello"), "`predicted` is no NumPy array"),
    "larger than memory": (
        lambda _: zipped("predicted.npy", b"\x93NUMPY\x01\x00v\x00" + HEADER),
        "`predicted` is damaged: its header promises 80,000,000,000,000 bytes, 0 follow",
    ),
}


@pytest.mark.parametrize("case", BYTES)
def test_files_that_cannot_be_read_are_told(case: str, guesses: Any, bench: Any, tmp_path: Path) -> None:
    content, words = BYTES[case]
    (tmp_path / "predictions.npz").write_bytes(content(guesses(0.9)))
    ran = bench("import", tmp_path / "predictions.npz", "--name", "svm", *FASHION_MNIST, tmp_path / "results")
    assert (ran.code, words in ran.err, ran.err.startswith("error: ")) == (2, True, True), ran.err


def test_one_training_is_not_two_seeds(guesses: Any, bench: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "classes.npz", predicted=guesses(0.9))
    np.savez(tmp_path / "scores.npz", probabilities=probabilities(guesses(0.9)))
    arguments = ("--name", "svm", *FASHION_MNIST, tmp_path / "results")
    refused = bench("import", tmp_path / "classes.npz", tmp_path / "scores.npz", *arguments)
    assert (refused.code, "seed 1: the same predictions as seed 0" in refused.err) == (2, True)
    assert ledgers.Ledger(tmp_path / "results").records() == []
    assert bench("import", tmp_path / "classes.npz", *arguments).code == 0
    assert bench("import", tmp_path / "scores.npz", "--seed", 7, *arguments).code == 2


def test_predictions_in_another_order_are_warned_of(fashion_mnist: Dataset, bench: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", predicted=np.random.default_rng(0).permutation(fashion_mnist.test_labels))
    ran = bench("import", tmp_path / "predictions.npz", "--name", "svm", *FASHION_MNIST, tmp_path / "results")
    assert ran.code == 0
    assert "as by chance: are the predictions in the test file's own order" in ran.err


def test_a_name_and_seed_stand_once(guesses: Any, bench: Any, tmp_path: Path) -> None:
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"
    np.savez(one, predicted=guesses(0.9))
    np.savez(other, predicted=guesses(0.91))
    arguments = ("--name", "svm", *FASHION_MNIST, tmp_path / "results")
    assert bench("import", one, *arguments).code == 0
    assert "already stored" in bench("import", one, *arguments).out
    refused = bench("import", other, *arguments)
    assert (refused.code, "give another --seed or another --name" in refused.err) == (2, True)
    assert bench("import", other, "--seed", 1, *arguments).code == 0
    assert len(ledgers.Ledger(tmp_path / "results").records()) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.npz", "--name", "x", "--dataset", "mnist"), "none.npz: there is no such file"),
        (("none.npz", "--name", "x", "--dataset", "fashion-mnst"), "did you mean 'fashion_mnist'?"),
        (("a", "b", "--seed", "1", "--name", "x", "--dataset", "mnist"), "a different --seed for each FILE"),
        (("a", "--name", " ", "--dataset", "mnist"), "--name ' '"),
        (("a", "--name", "n" * 101, "--dataset", "mnist"), "of at most 100 characters"),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], words: str, bench: Any, tmp_path: Path) -> None:
    ran = bench("import", *arguments, "--results", tmp_path / "results")
    assert (ran.code, words in ran.err) == (2, True), ran.err


def test_an_added_row_is_in_every_protocol_of_its_dataset_and_in_no_effect(
    guesses: Any, fashion_mnist: Dataset, bench: Any, stored: Any, tmp_path: Path
) -> None:
    made = Ledger(images=10_000)
    for change in ({}, {"regularizer": L2}, {"epochs": 9, "batch_size": 64}):
        made.add(config(**change), [0.88, 0.882])
    folder = stored(made)
    np.savez(tmp_path / "predictions.npz", predicted=guesses(0.9))
    bench("import", tmp_path / "predictions.npz", "--name", "svm", *FASHION_MNIST, folder)
    told = json.loads(bench("report", "--json", "--out", "-", "--results", folder).out)
    labels = [[row["label"] for row in section["leaderboard"]] for section in told["comparisons"]]
    assert [sorted(each) for each in labels] == [["mlp", "mlp · l2", "svm (imported)"], ["mlp", "svm (imported)"]]
    added = [record for record in ledgers.Ledger(folder).records() if is_external(record.config)]
    assert len(added) == 1


def test_a_name_that_a_spreadsheet_would_run_is_text_in_every_csv(guesses: Any, bench: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", predicted=guesses(0.9))
    folder = tmp_path / "results"
    name = "=cmd|'/C calc'!A1"
    assert bench("import", tmp_path / "predictions.npz", "--name", name, *FASHION_MNIST, folder).code == 0
    said = bench("report", "--csv", "--out", "-", "--results", folder).out
    (row,) = csv.DictReader(io.StringIO(said))
    assert (row["label"], float(row["test_mean"])) == (f"'{name} (imported)", 0.9)
    assert rows_of(bench("report", "--json", "--out", "-", "--results", folder).out).keys() == {f"{name} (imported)"}
    page = bench("report", "--html", "--out", "-", "--results", folder).out
    exported = [line for line in page.splitlines() if "calc" in line and '"csv"' in line]
    assert exported
    assert not [line for line in exported if re.search(r"[\"\\,]=cmd", line)]
