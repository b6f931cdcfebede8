"""The worked examples of docs/own-model.md: own images and own models, from nothing to figures.

The drawn shapes are run as they are printed there, Fashion-MNIST on small files of its format that the test makes.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from made_data import idx, sha256, write_tree
from PIL import Image
from running import ROOT, Copy, changed, copied, counts, fork_server

PAGE = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
SHAPES = "docs/examples/shapes/shapes.yaml"
FASHION = "docs/examples/fashion/fashion.yaml"
OUT = "results/shapes/shapes"
TRAINED, GIVEN = ["resnet18-clean", "resnet18-noisy"], ["small-cnn"]
MODELS = [*TRAINED, *GIVEN]
FIGURES = [
    "architecture",
    "believability",
    "differences_ring",
    "differences_star",
    "examples_ring",
    "examples_star",
    "mean_change",
    "pixels_changed",
    *(f"robustness_curves_{curves}" for curves in ("confidence", "l2", "linf", "mean_change")),
    *(f"targeted_{model}" for model in MODELS),
    "training_curves",
    "training_noise",
    "transfer",
]
TABLES = {
    *("accuracy", "believability", "models", "rank_agreement"),
    *("robustness", "targeted", "transfer", "trust"),
}
IMPORTED = {"import_model", "evaluate_model", "attack_shard", "measure_attack", "check_trust", "attack_targets"}


def blocks(language: str) -> list[str]:
    """The blocks of code of a language on the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the workflow in which each command of the page was given, in their order.

    Those that need a network or files in /data are run by `tests/unit/test_write_overlay.py`, on files that it makes.
    """
    copy = copied(tmp_path_factory.mktemp("worked"))
    shutil.copytree(ROOT / "docs" / "examples", copy.path("docs/examples"))
    programs = {"python": [sys.executable], "snakemake": [sys.executable, "-m", "snakemake"]}
    programs["make"] = [sys.executable, str(ROOT / "tools" / "write_overlay.py")]
    lines = "".join(blocks("sh")).splitlines()
    for line in (line for line in lines if "DATASET=" not in line and "=/data/" not in line):
        program, *arguments = shlex.split(line)
        if program == "make":  # a copy has no .venv: what make would run
            assert arguments.pop(0) == "overlay"
            arguments = [argument.partition("=")[2] for argument in arguments]
        ended = subprocess.run(
            [*programs[program], *arguments],
            cwd=copy.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | fork_server() | {"OMP_NUM_THREADS": "1"},
        )
        assert ended.returncode == 0, ended.stdout
    return copy


def table(copy: Copy, name: str) -> pd.DataFrame:
    return pd.read_csv(copy.path(f"{OUT}/tables/{name}.csv"))


def plan(copy: Copy, **overlay: object) -> dict[str, int]:
    return counts(copy.plan("results/shapes/shapes", config=SHAPES, overlay=overlay or None))


def test_the_overlay_that_is_written_for_a_folder_can_be_run(worked: Copy) -> None:
    overlay = yaml.safe_load(worked.path("drawn.yaml").read_text(encoding="utf-8"))
    assert overlay["datasets"]["drawn"]["split"] == {"train": 720, "validation": 80, "test": 200}
    worked.run("--dry-run", config="drawn.yaml").succeeded()


def test_the_page_prints_the_overlays_that_are_run() -> None:
    assert blocks("yaml") == [(ROOT / path).read_text(encoding="utf-8") for path in (SHAPES, FASHION)]


def test_every_figure_and_table_is_there(worked: Copy) -> None:
    found = sorted(path.name for path in worked.path(f"{OUT}/figures").iterdir())
    assert found == sorted(f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg"))
    for path in worked.path(f"{OUT}/figures").glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 100
    assert {path.stem for path in worked.path(f"{OUT}/tables").glob("*.csv")} == TABLES


def test_each_model_was_checked_and_none_is_under_suspicion(worked: Copy) -> None:
    checks = table(worked, "trust")
    assert set(checks["model"]) == set(MODELS)
    assert checks["passed"].all(), checks[~checks["passed"]].to_string()
    page = worked.path(f"{OUT}/trust.html").read_text(encoding="utf-8")
    assert all(title in page for title in ("ResNet-18, noisy", "Small CNN"))


def test_the_claims_that_are_stated_about_them_are_judged_and_none_of_the_paper(worked: Copy) -> None:
    claims = pd.read_csv(worked.path("results/shapes/claims.csv"))
    stated = yaml.safe_load((ROOT / SHAPES).read_text(encoding="utf-8"))["claims"]
    assert claims["sentence"].tolist() == [claim["sentence"] for claim in stated]
    assert claims["weights_p"].notna().all()
    page = worked.path("results/shapes/claims.html").read_text(encoding="utf-8")
    assert all(claim["sentence"] in page for claim in stated)
    assert "paper" not in page.lower()


def test_the_models_are_described_by_their_own_modules(worked: Copy) -> None:
    models = table(worked, "models").set_index("model")
    assert list(models.index) == MODELS
    assert (models.loc[TRAINED, "parameters"] == 11_181_642).all()  # ResNet-18 with ten classes
    assert models["skip_connections"].isna().all()


def test_models_trained_here_and_elsewhere_know_the_shapes(worked: Copy) -> None:
    accuracy = table(worked, "accuracy").set_index("model")["accuracy"]
    assert list(accuracy.index) == MODELS
    assert (accuracy > 0.5).all(), accuracy


def test_each_model_was_attacked_and_most_images_fooled_it(worked: Copy) -> None:
    images = yaml.safe_load((ROOT / SHAPES).read_text(encoding="utf-8"))["datasets"]["shapes"]["attacked_images"]
    rows = table(worked, "robustness").query("attack == 'original' and required_confidence == 0.0").set_index("model")
    assert list(rows.index) == MODELS
    assert (rows["attacked"] + rows["skipped"] == images).all()
    assert (rows["success"] > 0.5 * rows["attacked"]).all()
    assert (rows["mean_change"] > 0).all()


def test_a_model_with_weights_is_not_trained(worked: Copy) -> None:
    for model in MODELS:
        assert worked.path(f"{OUT}/models/{model}/seed0/history.csv").exists() == (model in TRAINED)
    curves = worked.path(f"{OUT}/figures/training_curves.svg").read_text(encoding="utf-8")
    assert "ResNet-18, noisy" in curves
    assert "Not trained here: small-cnn." in re.sub(r"\s*</text>\s*<text[^>]*>|\s+", " ", curves).replace("- ", "-")


def test_a_second_run_has_nothing_to_do(worked: Copy) -> None:
    assert plan(worked) == {}


def test_a_comment_in_the_network_changes_nothing(worked: Copy) -> None:
    with changed(worked.path("docs/examples/shapes/small_cnn.py"), "\n# a comment\n"):
        assert plan(worked) == {}


def test_a_network_that_does_something_else_is_taken_over_and_attacked_again(worked: Copy) -> None:
    with changed(worked.path("docs/examples/shapes/small_cnn.py")):
        jobs = worked.plan("results/shapes/shapes", config=SHAPES)
    assert counts(jobs).keys() >= IMPORTED
    assert "train_model" not in counts(jobs)
    assert {job.wildcards["model"] for job in jobs if job.rule in IMPORTED} == {"small-cnn"}


def test_other_weights_are_taken_over_and_attacked(worked: Copy) -> None:
    weights = worked.path("results/my-weights.pt")
    with changed(weights, "x"):
        os.utime(weights, (0, 0))  # an old file in place of a newer one
        jobs = worked.plan("results/shapes/shapes", config=SHAPES)
    assert {job.wildcards["model"] for job in jobs if job.rule in IMPORTED} == {"small-cnn"}
    assert "import_model" in counts(jobs)


def test_a_copy_of_the_weights_changes_nothing(worked: Copy) -> None:
    weights = worked.path("results/my-weights.pt")
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content)
    assert plan(worked) == {}


def test_other_arguments_train_the_models_that_have_them_again(worked: Copy) -> None:
    other = {"kwargs": {"zero_init_residual": True}, "title": "Another"}
    jobs = worked.plan(
        "results/shapes/shapes",
        config=SHAPES,
        overlay={"datasets": {"shapes": {"models": {"resnet18-noisy": other}}}},
    )
    assert {job.wildcards["model"] for job in jobs if job.rule == "train_model"} == {"resnet18-noisy"}
    assert "import_model" not in counts(jobs)


def test_a_model_with_weights_is_one_network_whatever_the_seeds_and_is_no_judge_of_itself(worked: Copy) -> None:
    jobs = worked.run("--dry-run", "--printshellcmds", OUT, config=SHAPES, overlay={"seeds": [0, 1]}).succeeded()
    judged = [line for line in jobs.said.splitlines() if "scripts/judge_attack.py" in line]
    found = {tuple(re.findall(r"--judged \S+/([\w-]+)/seed(\d)/", line)[0]): line for line in judged}
    assert found.keys() >= {("small-cnn", "1"), ("resnet18-clean", "1")}
    for model, seed in found:
        asked = re.findall(r"models/([\w-]+)/seed(\d)/weights", found[model, seed].partition("--weights")[2])
        assert len(asked) == len(set(asked)) == 4, asked
        assert ("small-cnn", "1") not in asked
        assert model != "small-cnn" or "small-cnn" not in dict(asked)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"weights": "results/none.pt"},
            "small-cnn.weights is results/none.pt, which does not exist: set it to the file",
        ),
        ({"factory": "nowhere:Net"}, "models.small-cnn: the factory 'nowhere:Net' names the module 'nowhere'"),
    ],
)
def test_what_cannot_be_found_is_said_before_any_job_runs(worked: Copy, changes: dict[str, str], sentence: str) -> None:
    overlay = {"datasets": {"shapes": {"models": {"small-cnn": changes}}}}
    answer = worked.run("--dry-run", "results/shapes/shapes", config=SHAPES, overlay=overlay)
    assert answer.code != 0
    assert sentence in " ".join(answer.said.split()), answer.said


def test_weights_that_do_not_fit_are_named_by_their_keys(worked: Copy, tmp_path: Path) -> None:
    copy = worked.duplicate(tmp_path)
    overlay = {"datasets": {"shapes": {"models": {"small-cnn": {"kwargs": {"classes": 10, "width": 8}}}}}}
    target = f"{OUT}/models/small-cnn/seed0/weights.safetensors"
    answer = copy.run(target, config=SHAPES, overlay=overlay)
    assert answer.code != 0
    assert "results/my-weights.pt does not fit the network: conv1.weight is 16×1×5×5 and must be 8×1×5×5" in answer.said


# --- Fashion-MNIST ---------------------------------------------------------------------------------------------------


def fashion_files(folder: Path) -> dict[str, dict[str, str]]:
    """Small files in the format of Fashion-MNIST's, a bar at another height in each class; gives their checksums."""
    random = np.random.RandomState(0)
    found = {}
    for role, name, count in (("train", "train", 140), ("test", "t10k", 20)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = random.randint(0, 40, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 3 : 2 * label + 7, 4:24] += 200
        for what, values in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx(values)
            write_tree(folder, {f"{name}-{what}-ubyte.gz": content})
            found[f"{role}_{what.partition('-')[0]}"] = {"sha256": sha256(content)}
    return found


def test_a_network_of_torchvision_on_files_like_those_of_fashion_mnist(tmp_path: Path) -> None:
    copy = copied(tmp_path / "copy")
    shutil.copytree(ROOT / "docs" / "examples", copy.path("docs/examples"))
    overlay = {
        "mirror": "made",
        "sources": {"fashion-idx": {"files": fashion_files(copy.path("made"))}},
        "targeted": {"images_per_class": 1, "max_iterations": 30},
        "trust": {"images": 5},
        "training": {"batch_size": 20},
        "datasets": {"fashion": {"split": {"train": 120, "validation": 20, "test": 20}, "attacked_images": 20}},
    }
    copy.run("results/fashion/fashion", config=FASHION, overlay=overlay).succeeded()
    out = copy.path("results/fashion/fashion")
    assert {path.stem for path in (out / "tables").glob("*.csv")} == TABLES - {"believability", "transfer"}
    names = ["architecture", "mean_change", "pixels_changed", "training_curves", "targeted_resnet18"]
    names += [f"{what}_{label}" for what in ("examples", "differences") for label in ("sandal", "bag")]
    names += [f"robustness_curves_{curves}" for curves in ("confidence", "l2", "linf", "mean_change")]
    assert {path.stem for path in (out / "figures").glob("*.png")} == set(names)
    ends = pd.read_csv(out / "tables" / "robustness.csv")[["success", "default_state", "cap", "skipped"]].sum(axis=1)
    assert (ends == 20).all()
