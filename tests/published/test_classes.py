from __future__ import annotations

from bench.data import DATASETS
from bench.published import find
from bench.published.reference_data import class_metrics

(LAB_B,) = class_metrics(["lab-b-hyperband-vgg"])


def test_the_classes_are_the_data_sets() -> None:
    assert LAB_B.classes == DATASETS[LAB_B.dataset].classes


def test_every_printed_row_of_the_matrix_adds_up_to_its_class() -> None:
    printed = [(row, size) for row, size in zip(LAB_B.confusion, LAB_B.support, strict=True) if row]
    assert len(printed) == 9
    assert [sum(row) for row, _ in printed] == [size for _, size in printed]


def test_the_matrix_agrees_with_the_printed_recall() -> None:
    for number, row in enumerate(LAB_B.confusion[:-1]):
        assert row is not None
        assert round(row[number] / 1000, 2) == LAB_B.recall[number]


def test_the_matrix_agrees_with_the_printed_precision_for_some_number_of_boots_in_the_cut_off_row() -> None:
    for number, row in enumerate(LAB_B.confusion[:-1]):
        assert row is not None
        called = sum(other[number] for other in LAB_B.confusion if other)
        possible = {round(row[number] / (called + boots), 2) for boots in range(33)}
        assert LAB_B.precision[number] in possible


def test_the_diagonal_with_what_is_left_for_the_cut_off_row_is_the_quoted_accuracy() -> None:
    (reference,) = find([LAB_B.reference])
    diagonal = sum(row[number] for number, row in enumerate(LAB_B.confusion) if row)
    assert reference.value is not None
    assert round(10_000 * reference.value) - diagonal == 968
    assert LAB_B.recall[-1] == round(0.968, 2)


def test_repetitions_of_the_same_network_stand_beside_it_and_others_do_not() -> None:
    assert class_metrics(["lab-b-vgg"]) == (LAB_B,)
    assert class_metrics(["lab-b-resnet", "lab-e-l2"]) == ()
    known = {one.id for one in find(LAB_B.repeated_by)}
    assert known == set(LAB_B.repeated_by)
