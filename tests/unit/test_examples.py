"""The rule by which example images are chosen."""

from __future__ import annotations

import pandas
import pytest

from robustness.analysis.examples import median_example


def records(
    *ended: str, labels: tuple[int, ...] = (7, 1, 7, 7, 1), change: tuple[float, ...] = (0.1,) * 5
) -> pandas.DataFrame:
    words = {"+": "success", "c": "cap", "d": "default_state", "-": "skipped"}
    rows = range(100, 100 + len(labels))
    return pandas.DataFrame(
        {"image": rows, "label": labels, "ended": [words[end] for end in ended], "mean_change": change}
    )


def test_the_example_is_the_image_of_its_class_whose_change_is_nearest_the_median() -> None:
    easy, hard = (0.1, 0.2, 0.3, 9.0, 0.25), (0.5, 0.6, 0.9, 0.01, 0.7)
    assert median_example([records(*"+++++", change=easy)], 7) == 102  # the median is 0.25, of all classes
    assert median_example([records(*"+++++", change=easy), records(*"+++++", change=hard)], 7) == 102
    assert median_example([records(*"+++++", change=easy)], 1) == 104


def test_an_image_that_was_not_fooled_is_never_ordinary_where_most_were() -> None:
    change = (0.3, 0.2, 0.1, 0.4, 0.5)  # what was made of image 103 when its attack was given up
    assert median_example([records(*"+++c+", change=change)], 7) == 100
    assert median_example([records(*"+++++", change=change)], 7) == 100
    assert median_example([records(*"+-+c-", change=(0.3, 0.1, 0.1, 0.2, 0.1))], 7) == 100


def test_of_equally_ordinary_images_the_example_is_the_first_of_its_class_that_every_model_attacks() -> None:
    tables = [records(*"-++++"), records(*"++-++")]
    assert median_example(tables, 7) == 103
    assert median_example(tables, 1) == 101


def test_attacks_that_failed_are_attacks() -> None:
    assert median_example([records(*"++-+-"), records(*"cd---")], 7) == 100


def test_without_an_image_that_all_attack_the_most_attacked_one_is_chosen() -> None:
    assert median_example([records(*"-+-+-"), records(*"-++--"), records(*"-++--")], 7) == 102


def test_an_image_of_another_class_is_never_chosen() -> None:
    assert median_example([records(*"-+--+")], 7) == 100


def test_the_order_of_the_models_does_not_matter() -> None:
    tables = [records(*"-++++"), records(*"++-++"), records(*"+++-+")]
    assert median_example(tables, 7) == median_example(tables[::-1], 7)


def test_records_taken_out_of_those_of_several_levels_are_chosen_from_alike() -> None:
    tables = [records(*"-++++"), records(*"++-++")]
    for level, table in enumerate(tables):
        table.index = pandas.RangeIndex(level, level + 3 * len(table), 3)
    assert median_example(tables, 7) == 103


def test_a_class_without_an_attacked_image_is_an_error_with_numbers() -> None:
    with pytest.raises(ValueError, match="none of the 5 attacked test images has class number 9"):
        median_example([records(*"+++++")], 9)
