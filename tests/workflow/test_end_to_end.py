"""The tiny experiment from images to figures: what comes out is complete, adds up, and does not depend on the jobs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from running import DIGITS, TINY, Copy, changed, counts

from robustness.storage.grouping import identity_of, made_from
from robustness.storage.identity import contents

MODELS = ["small-clean", "resnet-noisy"]
LEVELS = [0.0, 0.5]
FIGURES = [
    "architecture",
    "believability",
    "differences_7",
    "examples_7",
    "mean_change",
    "pixels_changed",
    "robustness_curves_confidence",
    "robustness_curves_l2",
    "robustness_curves_linf",
    "robustness_curves_mean_change",
    "skip_connection",
    "targeted_resnet-noisy",
    "targeted_small-clean",
    "training_curves",
    "training_noise",
    "transfer",
]
TABLES = ["accuracy", "believability", "models", "rank_agreement", "robustness", "targeted", "transfer", "trust"]
COMPARATORS = {
    "attacks": {name: {"library": "adv-lib", "method": name, "steps": 10} for name in ("fmn", "deepfool")},
}
CAPTIONS = [  # the first words of each file in report/
    "Average change per pixel",
    "Pixels changed",
    "One image of class",
    "What was added",
    "Skip connections",
    "The networks",
    "Test accuracy on Two hundred digits",
    "Do other networks see the new class?",
    "Does what fools one model of Two hundred digits fool another?",
    "The attack toward each class of Two hundred digits",
    "Share of the attacked images of Two hundred digits",
    "Do required confidences",
]


def table(copy: Copy, name: str) -> pd.DataFrame:
    return pd.read_csv(copy.path(f"{DIGITS}/tables/{name}.csv"))


def test_every_figure_is_there_as_svg_and_png(finished: Copy) -> None:
    found = sorted(path.name for path in finished.path(f"{DIGITS}/figures").iterdir())
    assert found == sorted(f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg"))
    for path in finished.path(f"{DIGITS}/figures").glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 100
            assert len(image.convert("L").getcolors(256) or []) > 1
    for path in finished.path(f"{DIGITS}/figures").glob("*.svg"):
        assert "</svg>" in path.read_text(encoding="utf-8")


def test_nothing_is_written_beside_results(finished: Copy, fresh: Copy) -> None:
    def files(copy: Copy) -> set[Path]:
        return {path.relative_to(copy.folder) for path in copy.folder.rglob("*") if path.is_file()}

    outside = {path for path in files(finished) - files(fresh) if path.parts[0] not in (".snakemake", "results")}
    assert {path for path in outside if "__pycache__" not in path.parts and "overlay" not in path.name} == set()


def test_no_half_written_file_is_left(finished: Copy) -> None:
    assert [path for path in finished.path("results").rglob(".*") if not path.name.endswith(".lock")] == []
    assert list(finished.path(DIGITS).glob("checkpoints/*")) == []


def test_each_job_left_a_log(finished: Copy) -> None:
    logs = {path.relative_to(finished.path(f"{DIGITS}/logs")).parts[0] for path in finished.path(DIGITS).rglob("*.log")}
    assert {"attack_shard", "train_model", "prepare_data.log"} <= logs


def test_the_table_of_accuracies_has_every_model_with_its_interval(finished: Copy) -> None:
    accuracy = table(finished, "accuracy")
    assert list(accuracy["model"]) == MODELS
    assert (accuracy["test_images"] == 60).all()
    assert (accuracy["accuracy_low"] <= accuracy["accuracy"]).all()
    assert (accuracy["accuracy"] <= accuracy["accuracy_high"]).all()
    assert accuracy["accuracy_published"].tolist()[0] == 0.93
    assert accuracy["accuracy_published"].isna().tolist() == [False, True]


def test_the_table_of_models_counts_parameters(finished: Copy) -> None:
    models = table(finished, "models").set_index("model")
    assert models.loc["small-clean", "parameters"] == 784 * 8 + 8 + 8 * 10 + 10
    assert models.loc["resnet-noisy", "skip_connections"] == 4


def test_every_result_says_which_weights_and_test_images_it_was_made_from(finished: Copy) -> None:
    folder = finished.path(DIGITS)
    checked = Counter()
    for path in [*folder.rglob("*.parquet"), *folder.glob("attacks/**/*.safetensors")]:
        network = identity_of(path)
        if network.model is None:  # the examples are of all
            continue
        weights = folder / f"models/{network.model}/seed{network.seed}/weights.safetensors"
        assert made_from(path) == contents(weights=weights, test=folder / "data/test.safetensors"), path
        checked[path.relative_to(folder).parts[0]] += 1
    assert {"attacks", "models", "targeted"} <= checked.keys()


def test_every_attacked_image_is_accounted_for(finished: Copy) -> None:
    robustness = table(finished, "robustness")
    rows = list(robustness[["attack", "model", "required_confidence"]].itertuples(index=False, name=None))
    assert rows == [(attack, model, level) for attack in ("original", "strong") for model in MODELS for level in LEVELS]
    ended = robustness[["success", "default_state", "cap", "skipped"]].sum(axis=1)
    assert (ended == 20).all()
    assert (robustness["attacked"] + robustness["skipped"] == 20).all()


def test_a_lower_required_confidence_is_reached_by_no_fewer_images_and_no_later(finished: Copy) -> None:
    levels = table(finished, "robustness").set_index(["attack", "model", "required_confidence"]).unstack()
    assert (levels["success"][0.0] >= levels["success"][0.5]).all()
    assert (levels["iterations"][0.0] <= levels["iterations"][0.5]).all()
    assert (levels["skipped"][0.0] == levels["skipped"][0.5]).all()


def test_measures_have_all_levels_of_an_image_together(finished: Copy) -> None:
    measures = pd.read_parquet(finished.path(f"{DIGITS}/attacks/original/resnet-noisy/seed0/measures.parquet"))
    assert measures["image"].tolist() == [image for image in range(20) for _ in LEVELS]
    assert measures["required_confidence"].tolist() == LEVELS * 20


def test_measures_lie_where_they_can(finished: Copy) -> None:
    robustness = table(finished, "robustness")
    assert robustness["iterations"].between(0, 60).all()
    assert robustness["linf"].between(0, 1).all()
    assert (robustness["pixels_changed"] <= robustness["pixels_changed_any"]).all()
    assert robustness["pixels_changed_any"].between(0, 784).all()
    assert (robustness["mean_change_low"] <= robustness["mean_change_high"]).all()


def test_every_fooled_image_is_judged_by_the_other_model_and_shown_to_both(finished: Copy) -> None:
    robustness = table(finished, "robustness").set_index(["attack", "required_confidence", "model"])
    fooled = robustness.loc[("original", 0.5), "success"]
    believability = table(finished, "believability").set_index("model")
    assert list(believability.index) == MODELS
    assert believability["images"].to_dict() == fooled.to_dict()
    assert believability["judges"].tolist() == (believability["images"] > 0).astype(int).tolist()
    shares = believability[["new_label", "original", "neither"]].sum(axis=1)
    assert shares[believability["images"] > 0].tolist() == pytest.approx([1.0] * (believability["images"] > 0).sum())
    transfer = table(finished, "transfer").set_index(["norm", "source", "target"])
    assert len(transfer) == 2 * len(MODELS) ** 2
    for norm in ("linf", "l2"):
        for model in MODELS:
            assert transfer.loc[(norm, model, model), "images"] == fooled[model]
    judged = pd.read_parquet(finished.path(f"{DIGITS}/attacks/original/resnet-noisy/seed0/judged.parquet"))
    assert set(judged["judge"]) == ({"small-clean"} if len(judged) else set())


def test_each_class_that_a_model_knows_is_led_toward_every_other_class(finished: Copy) -> None:
    targeted = table(finished, "targeted")
    assert (targeted["class"] != targeted["target"]).all()
    assert (targeted["success"] <= targeted["images"]).all()
    assert (targeted["images"] == 1).all()
    for _, pairs in targeted.groupby(["model", "required_confidence"]):
        assert (pairs["class"].value_counts() == 9).all()


def test_the_size_of_shards_changes_no_result(finished: Copy, tmp_path: Path) -> None:
    name = f"{DIGITS}/tables/robustness.csv"
    ten = finished.path(name).read_bytes()
    copy = finished.duplicate(tmp_path)
    copy.run(name, overlay={"shard_images": 7}).succeeded()
    assert copy.path(f"{DIGITS}/attacks/original/small-clean/seed0/14-20.parquet").exists()
    assert copy.path(name).read_bytes() == ten

    names = [f"{DIGITS}/attacks/original/{model}/seed0/measures.parquet" for model in MODELS]
    copy.run(*names, overlay={"shard_images": 20}).succeeded()
    for measures in names:
        assert copy.path(measures).read_bytes() == finished.path(measures).read_bytes()


def test_the_studys_page_shows_every_figure_and_follows_its_texts(finished: Copy, tmp_path: Path) -> None:
    copy = finished.duplicate(tmp_path)
    config = copy.path(TINY)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("study: [digits, colours]", "study: [digits]"), encoding="utf-8")
    page = "results/tiny/study.html"
    assert "write_study_page" in counts(copy.plan("all"))
    copy.run(page).succeeded()
    written = copy.path(page).read_text(encoding="utf-8")
    assert written.count('class="enlarge"') == len(FIGURES)
    for caption in CAPTIONS:
        assert caption in written
    for name in TABLES:
        assert f"digits/tables/{name}.csv" in written
    assert "No claims are judged" in written
    assert f"<code>snakemake --cores 8 --configfile {TINY}</code>" in written

    assert copy.plan(page) == []
    for text in ("report/study.css", "report/parts.html.j2", "report/accuracy.rst"):
        with changed(copy.path(text), "\nmore"):
            assert "write_study_page" in counts(copy.plan(page))
            assert set(counts(copy.plan(page))) <= {"write_study_page", "write_claims_page"}
    copy.path(page).unlink()
    again = copy.run(page).succeeded()
    assert copy.path(page).read_text(encoding="utf-8") == written, again.said


def test_snakemakes_report_is_one_page_that_names_every_result(finished: Copy, tmp_path: Path) -> None:
    page = tmp_path / "snakemake-report.html"
    finished.run("--report", str(page), DIGITS).succeeded()
    text = page.read_text(encoding="utf-8")
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)\s*=\s*[\"']?(https?:[^\"'> ]+)", text)
    assert loaded == []
    for name in [f"{figure}.svg" for figure in FIGURES] + [f"{each}.csv" for each in TABLES]:
        assert name in text
    for caption in CAPTIONS:
        assert caption in text


def test_the_workflow_follows_snakemakes_own_rules(fresh: Copy) -> None:
    answer = fresh.run("--lint", config=None).succeeded()
    assert "Congratulations" in answer.said, answer.said


@pytest.mark.parametrize("config", [None, TINY, "scales/demo.yaml", "scales/paper.yaml"])
def test_every_scale_can_be_planned_from_nothing(fresh: Copy, config: str | None) -> None:
    jobs = fresh.plan("all", config=config)
    assert "train_model" in counts(jobs)
    assert "benchmark_attack" not in counts(jobs)


def test_the_attack_is_timed_only_when_asked_on_every_model_with_the_first_seed(fresh: Copy) -> None:
    jobs = fresh.plan(f"{DIGITS}/speed", overlay={"seeds": [3, 4]})
    assert counts(jobs) == {"prepare_data": 1, "train_model": 2, "benchmark_attack": 2}
    assert {job.wildcards["seed"] for job in jobs if job.rule == "train_model"} == {"3"}


def test_judges_are_all_networks_but_the_attacked_one(fresh: Copy) -> None:
    target = f"{DIGITS}/attacks/original/small-clean/seed1/judged.parquet"
    answer = fresh.run("--dry-run", "--printshellcmds", target, overlay={"seeds": [0, 1]}).succeeded()
    (weights,) = re.findall(r"--weights (.*?) --judged", answer.said)
    names = ["small-clean/seed0", "resnet-noisy/seed0", "resnet-noisy/seed1"]
    assert weights.split() == [f"{DIGITS}/models/{name}/weights.safetensors" for name in names]


@pytest.mark.parametrize("part", ["believability", "transfer", "targeted"])
def test_what_other_networks_make_of_attacks_is_a_target_of_its_own(fresh: Copy, part: str) -> None:
    jobs = counts(fresh.plan(f"{DIGITS}/{part}"))
    own = {"judge_attack", "transfer_attack", "attack_targets"} & set(jobs)
    assert own == {{"believability": "judge_attack", "transfer": "transfer_attack", "targeted": "attack_targets"}[part]}
    assert "plot_bars" not in jobs
    table = counts(fresh.plan(f"{DIGITS}/tables/{part}.csv"))
    assert ("attack_shard" in table) == (part != "targeted")  # the figure says which models failed a trust check


def test_one_network_alone_has_no_judges_and_says_so(fresh: Copy, tmp_path: Path) -> None:
    copy = fresh.duplicate(tmp_path)
    config = copy.path(TINY)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("      resnet-noisy:", "      # resnet-noisy:"), encoding="utf-8")
    jobs = counts(copy.plan("all"))
    assert not {"judge_attack", "transfer_attack", "plot_believability", "plot_transfer"} & set(jobs)
    assert jobs["attack_targets"] == 2  # a model of each dataset
    other_seed = counts(copy.plan("all", overlay={"seeds": [0, 1]}))
    assert other_seed["judge_attack"] == 4
    assert "transfer_attack" not in other_seed
    said = copy.run(f"{DIGITS}/figures/architecture.svg").succeeded().said
    assert "digits has only one network, so believability and transfer, which need a second one, are left out" in said
    said = copy.run("--force", f"{DIGITS}/figures/architecture.svg", overlay={"seeds": [0, 1]}).succeeded().said
    assert "digits has only one model, so transfer, which needs a second one, is left out." in said
    assert "has only one network" not in said


def test_the_times_of_a_run_are_summed_up_only_when_asked_and_need_no_job_to_run_again(
    finished: Copy, tmp_path: Path
) -> None:
    copy = finished.duplicate(tmp_path)
    study = {"study": ["digits"]}  # the only dataset that was run
    assert not any("run_time" in rule for rule in counts(copy.plan("all", overlay=study)))
    assert counts(copy.plan("results/tiny/run_time", overlay=study)) == {"tabulate_run_time": 1, "plot_run_time": 1}
    copy.run("results/tiny/run_time", overlay=study).succeeded()
    table = copy.path("results/tiny/run_time/run_time.csv").read_text(encoding="utf-8")
    assert "digits,train_model,,small-clean,1," in table
    assert copy.plan("results/tiny/run_time", overlay=study) == []
    time = copy.path(f"{DIGITS}/benchmarks/prepare_data.tsv")
    time.write_text(time.read_text(encoding="utf-8").replace("\n", "\n1", 1), encoding="utf-8")
    assert counts(copy.plan("results/tiny/run_time", overlay=study)) == {"tabulate_run_time": 1, "plot_run_time": 1}


def test_comparators_are_run_by_their_own_rule_and_only_where_they_are_configured(fresh: Copy) -> None:
    plain = fresh.plan(f"{DIGITS}/tables")
    more = fresh.plan(f"{DIGITS}/tables", overlay=COMPARATORS)
    assert "compare_shard" not in counts(plain)
    assert counts(more)["attack_shard"] == counts(plain)["attack_shard"]
    assert {job.wildcards["attack"] for job in more if job.rule == "compare_shard"} == {"fmn", "deepfool"}
    assert counts(more)["compare_shard"] == 8  # methods × models × shards
    assert counts(more)["tabulate_comparison"] == 1
    assert {"tabulate_comparison"} == set(counts(more)) - set(counts(plain)) - {"compare_shard"}


def test_without_an_untargeted_attack_of_ours_there_is_nothing_to_compare(fresh: Copy) -> None:
    targeted = {name: {"target": "next"} for name in ("original", "strong")}
    jobs = fresh.plan(f"{DIGITS}/tables", overlay={"attacks": COMPARATORS["attacks"] | targeted})
    assert "compare_shard" in counts(jobs)  # for the table of robustness
    assert "tabulate_comparison" not in counts(jobs)
    assert "tabulate_references" in counts(fresh.plan("results/mnist/tables", config=None))
    jobs = fresh.plan("results/mnist/tables", config=None, overlay={"attacks": targeted})
    assert "tabulate_references" not in counts(jobs)


def test_the_papers_networks_are_counted_without_training(fresh: Copy, tmp_path: Path) -> None:
    copy = fresh.duplicate(tmp_path)
    copy.run("results/paper/cifar/tables/models.csv", config="scales/paper.yaml").succeeded()
    models = pd.read_csv(copy.path("results/paper/cifar/tables/models.csv")).set_index("model")
    assert models.loc["resnet-clean", "parameters"] == 20_403_344
    assert models.loc["deep_resnet-noisy", "parameters"] == 93_359_376
    assert not copy.path("results/paper/cifar/models").exists()
