"""The sweep: which claims are judged at a value, on which images, and where their verdicts change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import judge_swept_value
import write_table
from robustness.claims import swept
from robustness.claims.sensitivity import over_values
from robustness.claims.stated import claims_of
from robustness.claims.swept import first_images
from robustness.config.validate import read_yaml
from robustness.products.tables import sensitivity
from robustness.storage.identity import Identity
from robustness.storage.records import write_records

ROOT = Path(__file__).parents[2]
PAPER = read_yaml(ROOT / "claims" / "paper.yaml")["claims"]
MODELS = {name: list(entry["models"]) for name, entry in read_yaml(ROOT / "config.yaml")["datasets"].items()}
IMAGES = 60


def judged(dataset: str, tables: dict[str, pandas.DataFrame]) -> pandas.DataFrame:
    """The verdicts on the paper's claims about one dataset."""
    return swept.judged(claims_of(PAPER), dataset, tables)


def measures(change: float, ended: str = "success", level: float = 0.9, images: int = IMAGES) -> pandas.DataFrame:
    """Measures of one model whose images need about that much change."""
    noise = np.random.default_rng(int(1000 * change)).uniform(0.9, 1.1, images)
    columns: dict[str, Any] = {"mean_change": change * noise, "pixels_changed": 1000 * change * noise}
    return pandas.DataFrame({"image": range(images), "required_confidence": level, "ended": ended, **columns})


def mnist(**changes: float) -> dict[str, pandas.DataFrame]:
    """Measures of the four MNIST models, in which all need 0.1 but for those given."""
    return {model: measures(changes.get(model.replace("-", "_"), 0.1)) for model in MODELS["mnist"]}


def verdicts(table: pandas.DataFrame) -> dict[int, str]:
    return dict(zip(table["claim"], table["weights_verdict"], strict=True))


def test_at_a_value_all_claims_are_judged_that_rest_on_attacks_on_the_dataset_alone() -> None:
    assert judged("mnist", mnist())["claim"].tolist() == [1, 2, 3, 4, 5]
    cifar = {model: measures(0.1) for model in MODELS["cifar"]}
    assert judged("cifar", cifar)["claim"].tolist() == [5, 8, 9]
    assert judged("pets", {"resnet-clean": measures(0.1)}).empty


def test_a_planted_difference_makes_a_claim_hold_and_its_reverse_makes_it_fail() -> None:
    assert verdicts(judged("mnist", mnist(basic_noisy=0.3)))[1] == "holds"
    assert verdicts(judged("mnist", mnist(basic_noisy=0.05)))[1] == "does not hold"
    assert verdicts(judged("mnist", mnist(basic_clean=0.3, basic_noisy=0.3)))[3] == "holds"
    assert verdicts(judged("mnist", mnist(resnet_noisy=0.4)))[4] == "does not hold"


def test_images_that_were_not_fooled_are_counted_and_need_more_than_any_other() -> None:
    tables = mnist() | {"basic-noisy": measures(0.01, "default_state")}
    table = judged("mnist", tables).set_index("claim")
    assert table.loc[1, "censored"] == IMAGES
    assert table.loc[1, "attacked"] == 4 * IMAGES
    assert table.loc[1, "weights_verdict"] == "holds"


def test_a_claim_about_a_model_that_is_not_there_is_left_to_what_is() -> None:
    tables = mnist(basic_noisy=0.05)
    del tables["resnet-noisy"]
    table = judged("mnist", tables)
    assert 4 not in set(table["claim"])
    assert verdicts(table)[1] == "does not hold"


def test_only_the_first_images_at_one_confidence_are_looked_at() -> None:
    both = pandas.concat([measures(0.1), measures(0.2, level=0.0)])
    chosen = first_images(both, 10, 0.9)
    assert chosen["image"].tolist() == list(range(10))
    assert set(chosen["required_confidence"]) == {0.9}


def at(parameter: str, value: float, *found: str) -> pandas.DataFrame:
    """The verdicts on claims 1, 2, … at one value."""
    return pandas.DataFrame(
        {"parameter": parameter, "value": value, "claim": range(1, len(found) + 1), "weights_verdict": found}
    )


def test_a_verdict_changes_where_it_is_the_opposite_of_the_last_one_that_was_decided() -> None:
    tables = [
        at("alpha", 0.02, "holds", "undecided", "does not hold", "holds"),
        at("alpha", 0.005, "holds", "holds", "holds", "undecided"),
    ]
    tables.append(at("alpha", 0.01, "does not hold", "holds", "undecided", "undecided"))
    table = over_values(tables, {"alpha": 0.01})
    by = {(row["claim"], row["value"]): row["changes"] for row in table.to_dict("records")}
    changing = {key for key, changes in by.items() if changes}
    assert changing == {(1, 0.01), (1, 0.02), (3, 0.02)}


def test_parameters_do_not_mix_and_the_configured_values_are_marked() -> None:
    tables = [at("sigma", 0.5, "does not hold"), at("alpha", 0.01, "holds"), at("sigma", 0.25, "does not hold")]
    table = over_values(tables, {"alpha": 0.01, "sigma": 0.5})
    assert table["parameter"].tolist() == ["alpha", "sigma", "sigma"]
    assert table["value"].tolist() == [0.01, 0.25, 0.5]
    assert table["configured"].tolist() == [True, False, True]
    assert not table["changes"].any()


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_tables_does_not_matter(seed: int) -> None:
    tables = [at(name, value, "holds", "undecided") for name in ("sigma", "alpha") for value in (0.1, 0.2, 0.3)]
    shuffled = [tables[index] for index in np.random.default_rng(seed).permutation(len(tables))]
    configured = {"alpha": 0.1, "sigma": 0.1}
    pandas.testing.assert_frame_equal(over_values(shuffled, configured), over_values(tables, configured))


def test_from_measures_to_the_table_every_claim_stands_there_at_every_value(tmp_path: Path) -> None:
    models = [[model, f"{model}-swept"] for model in mnist()]
    spec = {"dataset": "mnist", "parameter": "alpha", "models": models, "images": 40, "required_confidence": 0.9}
    spec["claims"] = PAPER
    for alpha, needed in ((0.01, 0.3), (0.02, 0.05)):
        paths = []
        for model, table in mnist(basic_noisy=needed).items():
            paths.append(str(tmp_path / f"{model}-{alpha}"))
            header = Identity("mnist", f"{model}-swept", f"original-alpha={alpha}", 0).header({})
            write_records(Path(paths[-1]), {name: table[name].to_numpy() for name in table}, header)
        flags = ["--spec", json.dumps(spec | {"value": alpha}), "--measures", *reversed(paths)]
        judge_swept_value.main(
            judge_swept_value.arguments().parse_args([*flags, "--verdicts", str(tmp_path / f"{alpha}.csv")])
        )
    verdicts = [str(tmp_path / f"{alpha}.csv") for alpha in (0.02, 0.01)]
    flags = ["--spec", json.dumps({"configured": {"alpha": 0.01}}), "--verdicts", *verdicts]
    flags += ["--table", str(tmp_path / "sensitivity.csv")]
    write_table.main(write_table.arguments(sensitivity).parse_args(flags))
    table = pandas.read_csv(tmp_path / "sensitivity.csv")
    assert table["claim"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    first = table[table["claim"] == 1]
    assert first["value"].tolist() == [0.01, 0.02]
    assert first["configured"].tolist() == [True, False]
    assert first["weights_verdict"].tolist() == ["holds", "does not hold"]
    assert first["changes"].tolist() == [False, True]
    assert set(table["attacked"]) <= {2 * 40, 4 * 40}
