"""How a configuration is read: keys given twice, numbers of YAML 1.1, what null removes, and what --config gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from made_study import DEFAULT, GIVEN, ROOT, made_study, merged

from robustness.config.command_line import with_given
from robustness.config.removals import without_removed
from robustness.config.validate import check, read_yaml
from robustness.config.yaml_text import check_files
from robustness.errors import UserError
from robustness.workflow import targets
from robustness.workflow.study import Study, in_order

SCHEMA = read_yaml(ROOT / "schemas" / "config.schema.yaml")


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# ---- the text of a file ---------------------------------------------------------------------------------------------

TWICE = """
datasets:
  own:
    models:
      small: { data: clean }
      large: { data: clean }
      small: { data: noisy }
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TWICE, "o.yaml, lines 5 and 7: the key 'small' in datasets.own.models is given twice, and only the last"),
        ("a: 1\nb: 2\na: 3\n", "o.yaml, lines 1 and 3: the key 'a' is given twice"),
        ("a: 1\na: 2\na: 3\n", "o.yaml, lines 1, 2 and 3: the key 'a' is given 3 times"),
        ("study:\n  - { x: 1, x: 2 }\n", "lines 2 and 2: the key 'x' in study[0] is given twice"),
        ('{"a": 1, "a": 2}', "lines 1 and 1: the key 'a' is given twice"),
        ("classes: [0300]\n", 'line 1: 0300 is read as 192, an octal number: write 300, or "0300" in quotes'),
        ("a: 0\nb: -017\n", 'line 2: -017 is read as -15, an octal number: write -17, or "-017" in quotes'),
        ("a: 1:30\n", 'line 1: 1:30 is read as a number in base 60: write the number, or "1:30" in quotes'),
        ("a: 1:30.5\n", "line 1: 1:30.5 is read as a number in base 60"),
        ("010: x\n", "line 1: 010 is read as 8"),
    ],
)
def test_what_would_be_lost_or_read_otherwise_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        check_files([written(tmp_path / "o.yaml", text)])
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x { b: 1 }\nc: { <<: *x, b: 2 }\nd: *x\n",
        "a: 300\nb: 0\nc: 0.30\nd: 0x1f\ne: '0300'\nf: \"1:30\"\ng: 2026-01-30\nh: 08\ni: 1_000\n",
        "",
        "a: [unclosed",
    ],
    ids=["merged", "numbers", "empty", "broken, which Snakemake says"],
)
def test_what_is_meant_as_it_is_read_passes(tmp_path: Path, text: str) -> None:
    check_files([written(tmp_path / "o.yaml", text)])


def test_all_files_of_the_repository_pass() -> None:
    check_files([ROOT / "config.yaml", *(ROOT / "scales").glob("*.yaml"), *(ROOT / "docs").rglob("*.yaml")])


# ---- null -----------------------------------------------------------------------------------------------------------


def studied(overlay: dict[str, Any]) -> Study:
    config = without_removed(merged(DEFAULT, overlay))
    assert check(config, SCHEMA) == []
    return Study(in_order(config, DEFAULT), ROOT)


OWN_ON_CIFAR: dict[str, Any] = {
    "study": ["cifar"],
    "datasets": {"cifar": {"models": {**dict.fromkeys(DEFAULT["datasets"]["cifar"]["models"]), "mine": GIVEN}}},
    "targeted": None,
    "sensitivity": None,
}


def test_null_removes_the_models_that_an_overlay_inherits() -> None:
    study = studied(OWN_ON_CIFAR)
    cifar = study.datasets["cifar"]
    assert cifar.models == ["mine"]
    assert not [path for path in targets.everything(study, cifar) if "targeted" in path or "sensitivity" in path]


def test_null_removes_an_attack_a_threat_model_and_an_augmentation() -> None:
    models = {"models": {name: None for name in DEFAULT["datasets"]["mnist"]["models"] if "noisy" in name}}
    overlay = {
        "attacks": {"strong": None},
        "targeted": {"attack": "original"},
        "datasets": {"mnist": {"threat_models": {"linf": None, "l2": [0.5]}, "augmentation": None, **models}},
        "sensitivity": None,
    }
    study = studied(overlay)
    assert study.own_attacks == ["original"]
    assert study.datasets["mnist"].budgets == {"l2": [0.5]}
    assert "augmentation" not in study.datasets["mnist"].entry
    overlay = {"datasets": {"mnist": {"threat_models": None}}}
    assert studied(overlay).datasets["mnist"].budgets == {}


def test_null_removes_a_models_key_and_leaves_a_null_that_means_something() -> None:
    model = {"resnet-clean": {"published_accuracy": None, "training": {"epochs": None}}, "mine": GIVEN}
    models = studied({"datasets": {"mnist": {"models": model}}}).datasets["mnist"].entries
    assert models["resnet-clean"] == {"architecture": "resnet", "data": "clean", "training": {}}
    assert models["mine"]["normalisation"] is None


def test_what_needs_a_removed_entry_is_said() -> None:
    problems = check(without_removed(merged(DEFAULT, {"attacks": {"strong": None, "original": None}})), SCHEMA)
    assert any("attacks lacks the key 'original'" in problem for problem in problems)
    problems = check(without_removed(merged(DEFAULT, {"attacks": {"strong": None}})), SCHEMA)
    assert problems == ["targeted.attack names the attack 'strong', which is not in attacks; attacks has original"]


def test_a_targeted_attack_that_is_left_out_is_said_when_it_is_asked_for() -> None:
    with pytest.raises(UserError, match="targeted is null"):
        _ = made_study(targeted=None).targeted


def test_null_removes_a_sweep_together_with_its_dataset_and_every_threat_model() -> None:
    overlay = {"study": ["mnist"], "datasets": {"cifar": None}, "sensitivity": {"cifar": None}, "claims": []}
    assert check(without_removed(merged(DEFAULT, overlay)), SCHEMA) == []
    nothing = {"datasets": {"mnist": {"threat_models": {"linf": None, "l2": None}}}}
    assert check(without_removed(merged(DEFAULT, nothing)), SCHEMA) == []


def test_null_where_it_removes_nothing_is_still_a_mistake() -> None:
    problems = check(without_removed(merged(DEFAULT, {"datasets": {"mnist": {"alpha": None}}})), SCHEMA)
    assert problems == ["datasets.mnist.alpha is empty (null), but must be a number above 0 and at most 1, or auto"]


# ---- --config -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"attacks": {"original": {"confidence": "0.95"}}}, {"attacks": {"original": {"confidence": 0.95}}}),
        ({"seeds": ["0", "1"]}, {"seeds": [0, 1]}),
        ({"datasets": {"cifar": {"models": {"resnet-clean": "null"}}}},) * 2,
        ({"targeted": "null"}, {"targeted": None}),
        ({"results": "2026-01-30"}, {"results": "2026-01-30"}),
        ({"study": ["mnist"]}, {"study": ["mnist"]}),
        ({"shard_images": 10}, {"shard_images": 10}),
        ({"datasets": {"mnist": {"example_classes": ["3"]}}},) * 2,
        ({"attacks": {"original": {"target": "3"}}},) * 2,
        ({"attacks": {"original": {"target": "null"}}}, {"attacks": {"original": {"target": None}}}),
    ],
)
def test_values_of_the_command_line_are_what_they_would_be_in_a_file(
    given: dict[str, Any], read: dict[str, Any]
) -> None:
    if given is read:
        read = yaml.safe_load(yaml.safe_dump(given).replace("'null'", "null"))
    assert with_given(merged(DEFAULT, given), given) == merged(DEFAULT, read)
