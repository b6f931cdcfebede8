"""Files that say who they are: lists in any order, and lists with a file too few, too many or twice."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from robustness.errors import UserError
from robustness.storage.atomic import write_json
from robustness.storage.grouping import (
    check_alike,
    check_made_from,
    check_rows,
    common_identity,
    grouped,
    identity_of,
    one_for_each,
)
from robustness.storage.identity import Identity, contents
from robustness.storage.records import write_records
from robustness.storage.tensors import write_tensors

MODELS = ["basic-clean", "resnet-noisy-sigma=0.25"]


def measures(folder: Path, model: str, seed: int, attack: str = "original", dataset: str = "mnist") -> Path:
    path = folder / f"{dataset}-{attack}-{model}-{seed}.parquet".replace("/", "-")
    write_records(path, {"image": [0, 1]}, Identity(dataset, model, attack, seed).header({"format": 2}))
    return path


def made(path: Path, identity: Identity, **inputs: Path) -> Path:
    write_records(path, {"image": [0, 1]}, identity.header({}, contents(**inputs)))
    return path


def shard(folder: Path, model: str, start: int, levels: tuple[float, ...] = (0.0, 0.9)) -> tuple[Path, Path]:
    """The records and the images of two test images."""
    columns = {"image": np.arange(start, start + 2).repeat(len(levels)), "required_confidence": np.tile(levels, 2)}
    header = Identity("mnist", model, "original", 0).header({})
    records, images = (folder / f"{model}-{start}.{suffix}" for suffix in ("parquet", "safetensors"))
    write_records(records, columns, header)
    write_tensors(images, columns, header)
    return records, images


@pytest.mark.parametrize(
    "identity",
    [
        Identity("mnist-noise-levels", "resnet-noisy-sigma=0.25", "original-alpha=0.005", 3),
        Identity("mnist", "basic-clean", seed=0),
        Identity("mnist"),
    ],
    ids=str,
)
def test_a_file_says_who_it_is_whatever_its_kind(tmp_path: Path, identity: Identity) -> None:
    header = identity.header({"format": 2})
    write_records(tmp_path / "records", {"image": [0]}, header)
    write_tensors(tmp_path / "tensors", {"image": np.zeros(1)}, header)
    write_json(tmp_path / "card.json", {"summary": {}} | header)
    for name in ("records", "tensors", "card.json"):
        assert identity_of(tmp_path / name) == identity


def test_a_file_that_does_not_say_who_it_is_is_named(tmp_path: Path) -> None:
    write_records(tmp_path / "records", {"image": [0]}, {"provenance": {"format": 2}})
    write_tensors(tmp_path / "tensors", {"image": np.zeros(1)}, {"identity": {"colour": "red"}})
    for name in ("records", "tensors"):
        with pytest.raises(UserError, match=f"{name} does not say which dataset and model it belongs to: delete it"):
            identity_of(tmp_path / name)
    with pytest.raises(UserError, match="missing does not exist"):
        identity_of(tmp_path / "missing")
    (tmp_path / "damaged").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="damaged is damaged"):
        identity_of(tmp_path / "damaged")


def test_files_are_grouped_by_who_they_are_whatever_their_order(tmp_path: Path) -> None:
    paths = [measures(tmp_path, model, seed) for model, seed in product(MODELS, (1, 0))]
    expected = {model: [paths[2 * place], paths[2 * place + 1]] for place, model in enumerate(MODELS)}
    for order in permutations(paths):
        found = grouped(order, "model", expected=MODELS)
        assert list(found) == MODELS
        assert {model: set(files) for model, files in found.items()} == {m: set(f) for m, f in expected.items()}
        seeds = [[identity_of(path).seed for path in files] for files in found.values()]
        assert seeds[0] == seeds[1], "the files at one place have one seed"
    assert grouped(paths, "model", expected=MODELS) == expected


def test_keys_of_several_names_are_tuples_in_the_order_that_is_expected(tmp_path: Path) -> None:
    names = [(attack, dataset, MODELS[0]) for attack in ("strong", "original") for dataset in ("mnist", "cifar")]
    paths = {key: measures(tmp_path, key[2], 0, key[0], key[1]) for key in reversed(names)}
    found = grouped(list(paths.values()), "attack", "dataset", "model", expected=names)
    assert list(found) == names
    assert {key: files[0] for key, files in found.items()} == paths
    assert one_for_each(list(paths.values()), "attack", "dataset", "model", expected=names) == paths


def test_keys_from_json_which_are_lists_are_tuples(tmp_path: Path) -> None:
    path = measures(tmp_path, MODELS[0], 4)
    assert grouped([path], "model", "seed", expected=[[MODELS[0], 4]]) == {(MODELS[0], 4): [path]}


def test_of_nothing_expected_and_nothing_given_there_is_no_group() -> None:
    assert grouped([], "model", expected=[]) == {}


def test_a_missing_file_is_named_by_what_it_would_hold(tmp_path: Path) -> None:
    paths = [measures(tmp_path, model, seed) for model, seed in product(MODELS, (0, 1))]
    with pytest.raises(
        UserError, match="no file of model basic-clean, dataset mnist, attack original, seed 1 is given"
    ):
        grouped([paths[0], *paths[2:]], "model", expected=MODELS)
    with pytest.raises(
        UserError, match="no file of model basic-clean, dataset mnist, attack original, seed 0 is given"
    ):
        grouped(paths[2:], "model", expected=MODELS)
    with pytest.raises(UserError, match="no file of model basic-clean is given"):
        grouped([], "model", expected=MODELS)


def test_a_file_that_is_given_twice_is_named(tmp_path: Path) -> None:
    path = measures(tmp_path, MODELS[0], 0)
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(UserError, match=r"copy.parquet holds dataset mnist, .* give each file once"):
        grouped([path, copy], "model", expected=MODELS[:1])


def test_a_file_of_another_model_or_dataset_is_named(tmp_path: Path) -> None:
    paths = [measures(tmp_path, model, 0) for model in MODELS]
    with pytest.raises(UserError, match=r"sigma=0.25-0.parquet holds .* not expected here: expected is model basic-cl"):
        grouped(paths, "model", expected=MODELS[:1])
    with pytest.raises(UserError, match="not expected here: expected is no file at all"):
        grouped(paths, "model", expected=[])
    other = measures(tmp_path, MODELS[1], 0, dataset="cifar")
    with pytest.raises(UserError, match="no file of model"):
        grouped([paths[0], other], "model", expected=MODELS)


def test_where_one_file_is_expected_for_each_key_two_are_refused(tmp_path: Path) -> None:
    paths = [measures(tmp_path, MODELS[0], seed) for seed in (0, 1)]
    with pytest.raises(UserError, match="both hold model basic-clean: give one of them"):
        one_for_each(paths, "model", expected=MODELS[:1])


def test_shards_of_a_key_differ_in_their_images(tmp_path: Path) -> None:
    pairs = {(model, start): shard(tmp_path, model, start) for model, start in product(MODELS, (8, 10))}
    for kind in range(2):
        paths = [pair[kind] for pair in pairs.values()]
        found = grouped(paths[::-1], "model", expected=MODELS, shards=True)
        assert found == {model: [pairs[model, start][kind] for start in (10, 8)] for model in MODELS}
        with pytest.raises(UserError, match="give each file once"):
            grouped([*paths, paths[0]], "model", expected=MODELS, shards=True)
        with pytest.raises(UserError, match=r"no file of model .*, seed 0 images 10 to 11 is given"):
            grouped(paths[:3], "model", expected=MODELS, shards=True)


def test_records_and_images_of_a_shard_belong_together_in_every_row(tmp_path: Path) -> None:
    records, images = shard(tmp_path, MODELS[0], 8)
    check_rows(records, images)
    other_images = shard(tmp_path, MODELS[0], 10)[1]
    (tmp_path / "levels").mkdir()
    other_levels = shard(tmp_path / "levels", MODELS[0], 8, (0.0, 0.8))[1]
    (tmp_path / "fewer").mkdir()
    fewer = shard(tmp_path / "fewer", MODELS[0], 8, (0.0,))[1]
    for wrong in (other_images, other_levels, fewer):
        with pytest.raises(UserError, match="hold other images, or these in another order: delete them"):
            check_rows(records, wrong)
    with pytest.raises(UserError, match=r"sigma=0\.25, attack original, seed 0, but"):
        check_rows(records, shard(tmp_path, MODELS[1], 8)[1])


def test_files_have_one_identity_or_the_first_other_one_is_named(tmp_path: Path) -> None:
    ours = [shard(tmp_path, MODELS[0], start)[0] for start in (0, 2)]
    assert common_identity(ours) == Identity("mnist", MODELS[0], "original", 0)
    with pytest.raises(UserError, match=r"sigma=0.25-4.parquet holds .* give files of only one of them"):
        common_identity([*ours, shard(tmp_path, MODELS[1], 4)[0]])


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """Weights and test images, and others of each."""
    paths = {name: tmp_path / name for name in ("weights", "weights_now", "test", "test_now")}
    for number, path in enumerate(paths.values()):
        write_tensors(path, {"values": np.full(3, number)}, Identity("mnist").header({}))
    return paths


def test_a_content_is_known_by_its_values_not_by_where_and_when_they_were_written(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    write_tensors(tmp_path / "again", {"values": np.zeros(3, np.int64)}, {"provenance": {"device": "a GPU"}})
    assert contents(weights=tmp_path / "again") == contents(weights=inputs["weights"])
    assert contents(weights=inputs["weights_now"]) != contents(weights=inputs["weights"])


def test_a_file_made_from_what_is_no_longer_there_is_named(tmp_path: Path, inputs: dict[str, Path]) -> None:
    weights, test = inputs["weights"], inputs["test"]
    path = made(tmp_path / "records", Identity("mnist", "a", "original", 0), weights=weights, test=test)
    check_made_from(contents(weights=weights, test=test), path)
    check_made_from(contents(test=test), path)
    with pytest.raises(UserError, match="records was made from other weights than those that are there now: delete it"):
        check_made_from(contents(weights=inputs["weights_now"], test=test), path)
    with pytest.raises(UserError, match="records was made from other test images than those that are there now"):
        check_made_from(contents(test=inputs["test_now"]), path)
    silent = measures(tmp_path, "a", 0)
    with pytest.raises(UserError, match=r"0\.parquet does not say which weights and test images it was made from"):
        check_made_from(contents(test=test), silent)


def test_files_of_a_network_made_from_two_trainings_of_it_are_named(tmp_path: Path, inputs: dict[str, Path]) -> None:
    of_network = {"weights": inputs["weights"], "test": inputs["test"]}
    first = made(tmp_path / "first", Identity("mnist", "a", "original", 0), **of_network)
    strong = made(tmp_path / "strong", Identity("mnist", "a", "strong", 0), **of_network)
    other_seed = made(
        tmp_path / "seed 1", Identity("mnist", "a", "original", 1), **{**of_network, "weights": inputs["weights_now"]}
    )
    check_alike([first, strong, other_seed, inputs["weights"]])
    older = made(
        tmp_path / "older", Identity("mnist", "a", "strong", 0), **{**of_network, "weights": inputs["weights_now"]}
    )
    sentence = (
        "first and .*older were made from different weights of dataset mnist, model a, seed 0: delete both and run the "
        "workflow again"
    )
    with pytest.raises(UserError, match=sentence):
        check_alike([first, older])
    with pytest.raises(UserError, match=sentence):
        grouped([first, older], "attack", expected=["original", "strong"])
    again = made(tmp_path / "again", Identity("mnist", "a", "original", 0), test=inputs["test_now"])
    with pytest.raises(UserError, match=r"first and .*again were made from different test images of dataset mnist"):
        common_identity([first, again])
    with pytest.raises(UserError, match="different test images of dataset mnist"):
        check_alike([made(tmp_path / "b", Identity("mnist", "b", "original", 1), test=inputs["test"]), again])
