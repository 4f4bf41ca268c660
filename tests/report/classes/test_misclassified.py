from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from made_ledger import L2, Ledger, config
from PIL import Image

from bench.data import Dataset, local_files
from bench.metrics import Predictions
from bench.report import build, to_html, to_json
from bench.report.classes.details import SeedPredictions
from bench.report.classes.misclassified import (
    MAX_SPRITE_BYTES,
    MOST_CONFIDENT,
    OTHER_TEST_PART,
    PER_PAIR,
    Gallery,
    LocalData,
    build_gallery,
    cached_finder,
)
from bench.report.sections.gallery import (
    agreement,
    duplicates_table,
    gallery_data,
    label_issues_table,
    mistakes_table,
    sensitivity_table,
)

CLASSES = ("sock", "hat", "glove")


def data(images: int = 60, shape: tuple[int, int, int] = (1, 8, 8)) -> Dataset:
    """Images of noise, whose classes take turns."""
    generator = np.random.default_rng(0)
    train = generator.integers(0, 256, (20, *shape), dtype=np.uint8)
    test = generator.integers(0, 256, (images, *shape), dtype=np.uint8)
    labels = np.arange(images) % 3
    return Dataset("noise", CLASSES, train, np.arange(20) % 3, test, labels, "00", Path("there"))


def predictions(images: int, *wrong: dict[int, tuple[int, float]]) -> SeedPredictions:
    """A seed per mapping from its misclassified images to the predicted class and its confidence."""
    labels = (np.arange(images) % 3).astype(np.uint8)
    predicted = np.tile(labels, (len(wrong), 1))
    confidence = np.full(predicted.shape, 0.9, dtype=np.float32)
    true = confidence.copy()
    for seed, mistakes_of_seed in enumerate(wrong):
        for image, (label, confidence_of_label) in mistakes_of_seed.items():
            predicted[seed, image], confidence[seed, image], true[seed, image] = (
                label,
                confidence_of_label,
                (1 - confidence_of_label) / 2,
            )
    return SeedPredictions(labels, predicted, confidence, true)


def gallery_of(
    mistakes_of_seed: dict[str, SeedPredictions],
    dataset: Dataset | None,
    top: tuple[str, ...] = (),
    max_bytes: int = MAX_SPRITE_BYTES,
) -> Gallery:
    found = build_gallery(
        CLASSES, mistakes_of_seed, top, lambda _: LocalData(dataset, "" if dataset else "No images."), max_bytes
    )
    assert found is not None
    return found


def sensitivity_columns(gallery: Gallery) -> dict[str, list[str]]:
    table = sensitivity_table(gallery)
    return {column.heading: [cell.text for cell in table.cells[column.name]] for column in table.columns}


def test_the_most_confident_mistakes_come_first() -> None:
    found = gallery_of({"one": predictions(60, {4: (0, 0.6), 7: (2, 0.99), 2: (1, 0.8)})}, data())
    assert [(m.image, m.label, m.predicted) for m in found.mistakes[0].displayed] == [(7, 1, 2), (2, 2, 1), (4, 1, 0)]
    cells = mistakes_table(found).cells
    assert [cells[name][0].full for name in ("image", "label", "predicted")] == [
        "7",
        "hat (0.5\u00a0%)",
        "glove (99.0\u00a0%)",
    ]


def test_a_mistake_is_that_of_most_seeds_and_its_confidence_is_their_mean() -> None:
    one = predictions(60, {4: (0, 0.6), 7: (2, 0.99)}, {4: (0, 0.8)}, {})
    (mistakes,) = gallery_of({"one": one}, data()).mistakes
    (mistake,) = mistakes.displayed
    assert (mistake.image, mistake.seeds, mistakes.total) == (4, 2, 1)
    assert mistake.confidence == pytest.approx(0.7)


def test_every_frequent_pair_has_images_however_low_the_confidence() -> None:
    confident = dict.fromkeys(range(0, 300, 3), (1, 0.95))
    unconfident = dict.fromkeys(range(1, 60, 3), (2, 0.5))
    (mistakes,) = gallery_of({"one": predictions(300, confident | unconfident)}, data(300)).mistakes
    assert mistakes.first == MOST_CONFIDENT
    assert {m.predicted for m in mistakes.displayed[:MOST_CONFIDENT]} == {1}
    assert [m.predicted for m in mistakes.displayed[MOST_CONFIDENT:]] == [2] * PER_PAIR
    assert mistakes.pairs == {(0, 1): 100, (1, 2): 20}


def test_the_sprite_holds_the_very_pixels() -> None:
    dataset = data(shape=(3, 8, 6))
    found = gallery_of({"one": predictions(60, {4: (0, 0.6), 7: (2, 0.99)})}, dataset)
    assert found.sprite is not None
    sheet = np.asarray(Image.open(io.BytesIO(found.sprite.png)))
    table = mistakes_table(found)
    for row, cell in zip(table.rows, table.cells["image"], strict=True):
        column, line = (int(part.partition(":")[2]) for part in cell.css.split(";"))
        x, y = column * 6, line * 8
        expected = dataset.test_images[row["image"]].transpose(1, 2, 0)
        np.testing.assert_array_equal(sheet[y : y + 8, x : x + 6], expected)


def test_large_images_are_scaled_down_with_their_proportions() -> None:
    found = gallery_of({"one": predictions(3, {0: (1, 0.6)})}, data(3, shape=(3, 200, 100)))
    assert found.sprite is not None
    assert (found.sprite.width, found.sprite.height, found.sprite.scale) == (32, 64, 1)


def test_the_sprite_keeps_to_its_size_by_showing_fewer_mistakes() -> None:
    wrong = {image: ((image + 1) % 3, 0.6 + image / 1000) for image in range(200)}
    dataset = data(200, shape=(3, 32, 32))
    small = gallery_of({"one": predictions(200, wrong)}, dataset, max_bytes=30_000)
    assert small.sprite is not None
    assert len(small.sprite.png) <= 30_000
    (mistakes,) = small.mistakes
    assert 0 < len(mistakes.displayed) < MOST_CONFIDENT
    assert mistakes.displayed[0].image == 199
    assert mistakes.total == 200


def test_label_issues_are_what_every_seed_of_every_top_configuration_contradicts() -> None:
    one = predictions(60, {4: (0, 0.6), 7: (2, 0.99)}, {4: (0, 0.8), 7: (2, 0.9)})
    two = predictions(60, {4: (0, 0.7), 7: (0, 0.9)})
    found = gallery_of({"one": one, "two": two}, data(), ("one", "two"))
    assert found.label_issues is not None
    assert [s.image for s in found.label_issues.images] == [4]
    assert agreement(found).startswith("All 3 networks of 2 top configurations")
    # Without the contradicted labels accuracy can only rise: nothing to print.
    assert sensitivity_columns(found) == {"Configuration": [], "All images": []}


def test_two_networks_that_agree_make_no_label_issue() -> None:
    found = gallery_of({"one": predictions(60, {4: (0, 0.6)}, {4: (0, 0.8)})}, data(), ("one",))
    assert label_issues_table(found).rows == []
    assert "are too few" in agreement(found)


def test_duplicates_are_shown_with_all_labels_and_left_out_of_the_sensitivity_analysis() -> None:
    dataset = data()
    dataset.test_images[4] = dataset.train_images[2]
    found = gallery_of({"one": predictions(60, {4: (0, 0.6)})}, dataset, ("one",))
    table = duplicates_table(found)
    assert [table.cells[column.name][0].text for column in table.columns] == ["4", "hat", "2 (glove)"]
    columns = sensitivity_columns(found)
    assert columns == {
        "Configuration": ["one"],
        "All images": ["98.33"],
        "Without copies of training images": ["100.00"],
    }


def test_without_the_data_the_mistakes_stay_and_the_reason_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setattr(local_files, "SYSTEM_DATASETS", tmp_path / "datasets")
    labels = np.zeros(10_000, dtype=np.uint8)
    dataset = cached_finder()({"name": "fashion_mnist"}, labels)
    assert (dataset.data, dataset.duplicates) == (None, None)
    assert "bench data fetch fashion_mnist" in dataset.note
    found = gallery_of({"one": predictions(60, {4: (0, 0.6)})}, None, ("one",))
    assert found.sprite is None
    assert [cell.css for cell in mistakes_table(found).cells["image"]] == [""]


def test_another_test_part_than_the_networks_were_tested_on_is_not_shown(tmp_path: Path) -> None:
    assert cached_finder()({"name": "fashion_mnist"}, np.zeros(1000, dtype=np.uint8)) is OTHER_TEST_PART
    dataset = data()
    file = tmp_path / "own.npz"
    names = ("train_images", "train_labels", "test_images", "test_labels")
    np.savez(file, **{name: getattr(dataset, name) for name in names})
    find_data = cached_finder()
    entry = {"name": "npz", "path": str(file)}
    assert find_data(entry, np.zeros(60, dtype=np.uint8)) is OTHER_TEST_PART
    assert find_data(entry, dataset.test_labels.astype(np.uint8)).data is not None


def test_unknown_confidences_are_left_out_and_come_last() -> None:
    one = predictions(60, {4: (0, float("nan")), 7: (2, 0.5)})
    found = gallery_of({"one": one}, data())
    assert [m.image for m in found.mistakes[0].displayed] == [7, 4]
    assert mistakes_table(found).cells["predicted"][1].detail == ""
    assert gallery_data(found)["configurations"][0]["displayed"][1][4:] == [None, None]


def test_a_report_has_its_gallery_in_page_and_json(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.9, 0.9])
    ledger.add(config(regularizer=L2), [0.8])
    report = build(ledger.records, ledger.predictions, "title")
    page, exported = to_html(report), json.loads(to_json(report))["comparisons"][0]["gallery"]
    assert "No images: these networks were tested on another test part" in page
    assert [one["label"] for one in exported["mistakes"]] == ["mlp", "mlp · l2"]
    assert exported["duplicates"] is None


def test_hostile_class_names_are_escaped(ledger: Ledger) -> None:
    names = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", *"cdefghij"]
    ledger.add(config(), [0.5], classes=names)
    ledger.add(config(regularizer=L2), [0.6], classes=names)
    page = to_html(build(ledger.records, ledger.predictions, "title"))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_a_network_without_mistakes_has_an_empty_gallery(ledger: Ledger) -> None:
    ledger.add(config(), [1.0])
    old = ledger.stored[ledger.records[0].key]
    ledger.stored[ledger.records[0].key] = Predictions(**{**vars(old), "predicted": old.labels})
    page = to_html(build(ledger.records, ledger.predictions, "title"))
    assert "<li>0 misclassified images.</li>" in page
