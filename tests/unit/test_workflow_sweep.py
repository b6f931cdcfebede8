"""A sweep repeats the paper's attack with other steps, and trains models of a small copy with other noise levels."""

from __future__ import annotations

from made_study import DEFAULT, GIVEN, job, made_study, of_models

from robustness.workflow import inputs, specs
from robustness.workflow.sweep import small_entry, sweep_of, trained_at

MNIST = DEFAULT["datasets"]["mnist"]
CIFAR = DEFAULT["datasets"]["cifar"]
SIGMA = {"train_images": 3000, "values": [0.5, 0.1]}


def test_the_configured_value_is_among_the_swept_ones_once_and_in_order() -> None:
    sweep = sweep_of({"attacked_images": 100, "alpha": [0.01, 0.0025], "sigma": SIGMA}, MNIST)
    assert sweep.values == {"alpha": [0.0025, 0.005, 0.01], "sigma": [0.1, 0.5, 0.91]}
    assert sweep.configured == {"alpha": 0.005, "sigma": 0.91}
    again = sweep_of({"attacked_images": 100, "alpha": [0.005, 0.01], "sigma": None}, MNIST)
    assert again.values == {"alpha": [0.005, 0.01]}


def test_no_more_images_are_swept_than_there_are() -> None:
    sweep = sweep_of({"attacked_images": 1000, "alpha": [1], "sigma": SIGMA | {"train_images": 99999}}, MNIST)
    assert (sweep.images, sweep.train_images) == (MNIST["attacked_images"], MNIST["split"]["train"])


def test_nothing_is_swept_where_nothing_is_asked_for() -> None:
    assert sweep_of({}, MNIST).values == {}
    assert sweep_of({"attacked_images": 5, "alpha": None, "sigma": None}, MNIST).values == {}


def test_noise_without_a_level_has_no_configured_one() -> None:
    assert sweep_of({}, CIFAR).configured == {"alpha": 0.001}


def test_the_small_copy_has_each_noisy_model_once_for_each_level_and_a_clean_one_once() -> None:
    sweep = sweep_of({"attacked_images": 100, "sigma": SIGMA}, MNIST)
    small = small_entry(MNIST, sweep)
    noisy = [f"{model}-noisy-sigma={level}" for model in ("basic", "resnet") for level in (0.1, 0.5, 0.91)]
    assert set(small["models"]) == {"basic-clean", "resnet-clean", *noisy}
    for name, model in small["models"].items():
        if "sigma" in name:
            assert name.endswith(f"={model['augmentation']['sigma']}")
    assert small["attacked_images"] == small["split"]["test"] == 100
    assert small["split"]["train"] == 3000
    assert small["split"]["validation"] == MNIST["split"]["validation"]


def test_the_name_of_a_model_at_a_level_tells_the_level_where_it_matters() -> None:
    assert trained_at("resnet-noisy", {"data": "noisy"}, 0.25) == "resnet-noisy-sigma=0.25"
    assert trained_at("resnet-clean", {"data": "clean"}, 0.25) == "resnet-clean"
    assert trained_at("mine", GIVEN, 0.25) == "mine"


def test_each_model_of_the_small_copy_is_trained_with_its_level() -> None:
    study = made_study()
    for name in study.datasets["mnist-noise-levels"].models:
        found = specs.training(study, job("mnist-noise-levels", model=name))["augmentation"]
        assert (found is None) == ("sigma" not in name)
        assert found is None or f"sigma={found['sigma']}" in name


def test_the_configured_step_is_the_attack_that_is_there_anyway() -> None:
    mnist = made_study().datasets["mnist"]
    assert mnist.with_alpha(0.005).name == "original"
    assert mnist.with_alpha(0.01).name == "original-alpha=0.01"
    assert [attack.name for attack in mnist.swept_attacks] == [
        "original-alpha=0.0025",
        "original",
        "original-alpha=0.01",
    ]


def test_what_is_judged_at_a_step_was_attacked_with_that_step() -> None:
    study = made_study(results="out", seeds=[7, 8])
    for value, attack in (("0.005", "original"), ("0.01", "original-alpha=0.01")):
        found = inputs.swept_measures(study, job(parameter="alpha", value=value))
        folder = f"out/mnist/attacks/{attack}"
        assert found == [f"{folder}/{model}/seed7/measures.parquet" for model in study.datasets["mnist"].models]


def test_what_is_judged_at_a_level_was_trained_with_that_level() -> None:
    study = made_study(results="out")
    found = inputs.swept_measures(study, job(parameter="sigma", value="0.25"))
    names = ["basic-clean", "basic-noisy-sigma=0.25", "resnet-clean", "resnet-noisy-sigma=0.25"]
    assert found == [f"out/mnist-noise-levels/attacks/original/{name}/seed0/measures.parquet" for name in names]
    assert set(names) <= set(study.datasets["mnist-noise-levels"].models)


def test_there_is_a_verdict_for_each_value_of_each_parameter() -> None:
    study = made_study(results="out", sensitivity={"mnist": {"alpha": [0.01], "sigma": {"values": [0.1]}}})
    folder = "out/mnist/sensitivity/verdicts"
    values = ["alpha=0.005", "alpha=0.01", "sigma=0.1", "sigma=0.91"]
    assert inputs.swept_verdicts(study, job()) == [f"{folder}/{value}.csv" for value in values]


def test_an_attack_with_another_step_goes_over_the_swept_images_alone() -> None:
    study = made_study(shard_images=60)
    swept = inputs.attack_records(study, job(attack="original-alpha=0.01"))
    assert [path.split("/")[-1] for path in swept] == ["0-60.parquet", "60-100.parquet"]
    assert len(inputs.attack_records(study, job())) == 7


def test_a_dataset_of_given_models_has_the_same_models_in_its_small_copy() -> None:
    study = of_models({"mine": GIVEN})
    assert study.datasets["mnist-noise-levels"].models == ["mine"]
