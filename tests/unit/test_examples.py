"""The rule by which example images are chosen."""

from __future__ import annotations

import pandas
import pytest

from robustness.analysis.examples import first_example


def records(*ended: str, labels: tuple[int, ...] = (7, 1, 7, 7, 1)) -> pandas.DataFrame:
    words = {"+": "success", "c": "cap", "d": "default_state", "-": "skipped"}
    rows = range(100, 100 + len(labels))
    return pandas.DataFrame({"image": rows, "label": labels, "ended": [words[end] for end in ended]})


def test_the_example_is_the_first_of_its_class_that_every_model_attacks() -> None:
    tables = [records(*"-++++"), records(*"++-++")]
    assert first_example(tables, 7) == 103
    assert first_example(tables, 1) == 101


def test_attacks_that_failed_are_attacks() -> None:
    assert first_example([records(*"+++++"), records(*"cd+++")], 7) == 100


def test_without_an_image_that_all_attack_the_most_attacked_one_is_chosen() -> None:
    assert first_example([records(*"-+-+-"), records(*"-++--"), records(*"-++--")], 7) == 102


def test_an_image_of_another_class_is_never_chosen() -> None:
    assert first_example([records(*"-+--+")], 7) == 100


def test_the_order_of_the_models_does_not_matter() -> None:
    tables = [records(*"-++++"), records(*"++-++"), records(*"+++-+")]
    assert first_example(tables, 7) == first_example(tables[::-1], 7)


def test_records_taken_out_of_those_of_several_levels_are_chosen_from_alike() -> None:
    tables = [records(*"-++++"), records(*"++-++")]
    for level, table in enumerate(tables):
        table.index = pandas.RangeIndex(level, level + 3 * len(table), 3)
    assert first_example(tables, 7) == 103


def test_a_class_without_an_attacked_image_is_an_error_with_numbers() -> None:
    with pytest.raises(ValueError, match="none of the 5 attacked test images has class number 9"):
        first_example([records(*"+++++")], 9)
