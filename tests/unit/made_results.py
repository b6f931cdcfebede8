"""A small made-up study on disk, for tests of its page: one dataset with two models and all parts, one with one model.

Titles are hostile on purpose: markup and asterisks in them must come out as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import yaml
from PIL import Image

from robustness.claims.verdicts import COLUMNS
from robustness.storage.records import write_records
from robustness.trust.questions import QUESTIONS

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "report" / "study.html.j2"
HOSTILE = "<script>throw 1</script> *net* & `co`"
MEASURES = ("mean_change", "pixels_changed", "iterations")
MEDIANS = ("mean_change", "l2", "linf")
MEDIAN = {"plain": 0.0123456, "wild": 0.234567, "lonely": 0.0567891}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300"><rect id="a" width="400" height="300"/></svg>'
FIGURES = [
    "architecture",
    "training_curves",
    "robust_accuracy",
    "mean_change",
    "robustness_curves_l2",
    "believability",
    "transfer",
    "targeted_wild",
    "examples_<b>7",
    "differences_<b>7",
    "something_new",
]
TABLES = ["models", "accuracy", "robustness", "rank_agreement", "trust", "believability", "transfer", "targeted"]
TABLES += ["robust_accuracy"]
ALONE = ["models", "accuracy", "robustness", "rank_agreement", "trust"]


def write_study(results: Path, censored: int = 3) -> dict[str, Any]:
    """Write the study's results and return the page's spec; the model `wild` failed a check."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    models = {
        "mnist": [_model("plain", "Plain net"), _model("wild", HOSTILE, "noisy")],
        "own": [_model("lonely", "Lonely")],
    }
    titles = {"mnist": config["datasets"]["mnist"]["title"], "own": "Own <i>images</i>"}
    config["datasets"] = {
        dataset: config["datasets"]["mnist"]
        | {"title": titles[dataset]}
        | {"models": {entry["name"]: {"architecture": "basic", "data": entry["data"]} for entry in entries}}
        for dataset, entries in models.items()
    }
    config["sensitivity"] = None
    for dataset, entries in models.items():
        _write_dataset(results / dataset, [entry["name"] for entry in entries], censored)
    _csv(results / "claims.csv", [_claim(1, "holds"), _claim(2, "does not hold"), _claim(3, "undecided")])
    words = ["Attack original.", "Noisy models: noise.", "1,000 training images, 1 seed."]
    keys = ("scale", "seeds", "study", "training", "architectures", "attacks", "autoattack")
    keys += ("claims", "sensitivity", "targeted", "trust")
    return {
        "scale": config["scale"],
        "seeds": [0],
        "command": "snakemake --cores 8 --configfile 'own <file>.yaml'",
        "config": {key: config[key] for key in (*keys, "datasets")},
        "papers_claims": True,
        "datasets": [
            {
                "name": dataset,
                "title": config["datasets"][dataset]["title"],
                "words": words,
                "models": entries,
                "tables": TABLES if dataset == "mnist" else ALONE,
                "figures": FIGURES if dataset == "mnist" else FIGURES[:4],
                "shard": "0-10",
            }
            for dataset, entries in models.items()
        ],
    }


def _model(name: str, title: str, data: str = "clean") -> dict[str, str]:
    return {"name": name, "title": title, "architecture": "basic", "data": data}


def _write_dataset(folder: Path, models: list[str], censored: int) -> None:
    tables = folder / "tables"
    (folder / "data").mkdir(parents=True)
    counts = {"read": 5000, "passed_over": {"files ending in .heic": 3}, "changed": {}}
    (folder / "data" / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
    sizes = {"architecture": "basic", "parameters": 12345, "layers": 5, "skip_connections": None, "gflops": 7.94e-05}
    _csv(tables / "models.csv", [{"model": model} | sizes for model in models])
    accuracy = {"seeds": 1, "test_images": 1000, "accuracy": 0.91337, "accuracy_low": 0.9, "accuracy_high": 0.92}
    _csv(tables / "accuracy.csv", [{"model": model, **accuracy, "accuracy_published": 0.93} for model in models])
    rows = [_robustness(model, level, censored) for model in models for level in (0.0, 0.9)]
    _csv(tables / "robustness.csv", rows)
    tau = {"tau": 1, "tau_low": 0.9, "tau_high": 1, "tau_images": 0.5, "tau_images_low": 0.4, "tau_images_high": 0.6}
    between = {"between": "confidences", "first": 0.0, "second": 0.9, "at": "linf", "images": 9, "censored": 0}
    _csv(tables / "rank_agreement.csv", [between | tau])
    share = {"clean_accuracy": 0.9, "clean_low": 0.8, "clean_high": 0.95, "robust_accuracy": 0.314, "robust_low": 0.2}
    share |= {"robust_high": 0.4, "ours_accuracy": 0.5, "ours_low": 0.4, "ours_high": 0.6, "seeds": 1, "images": 50}
    share |= {"both": 20, "only_autoattack": 9, "only_ours": 1, "neither": 15, "decided_apgd_ce": 29}
    share |= {"norm": "linf", "budget": 8 / 255}
    _csv(tables / "robust_accuracy.csv", [{"model": model} | share for model in models])
    checks = [
        {"model": model, "seed": 0, "check": check, "value": 0.5, "limit": 0.1 if _fails(model, check) else 1}
        | {"passed": str(not _fails(model, check)).lower(), "images": 20, "why": f"Of 20 images <{model}>."}
        for model in models
        for check in QUESTIONS
    ]
    _csv(tables / "trust.csv", checks)
    index = {"index": 0.4, "low": 0.3, "high": 0.5, "p": 0.01, "p_holm": 0.02, "new_label": 0.5, "original": 0.3}
    more = {"neither": 0.2, "new_label_noise": 0.1, "ssim": 0.7, "images": 50, "censored": 0, "judges": 3}
    _csv(tables / "believability.csv", [{"model": model} | index | more for model in models])
    shares = {"size": 0.1, "fooled": 0.5, "fooled_low": 0.4, "fooled_high": 0.6, "same_mistake": 0.2}
    pair = {"norm": "linf", "other_mistake": 0.3, "fooled_by_noise": 0.1, "images": 40} | shares
    _csv(tables / "transfer.csv", [{"source": one, "target": two} | pair for one in models for two in models])
    classes = [{"class": "0", "target": str(n), "required_confidence": 0.9, "images": 4, "success": n} for n in (1, 2)]
    _csv(tables / "targeted.csv", [{"model": model} | row for model in models for row in classes])
    figures = folder / "figures"
    figures.mkdir(parents=True)
    for name in FIGURES:
        (figures / f"{name}.svg").write_text(SVG, encoding="utf-8")
        Image.new("RGB", (917, 688), "white").save(figures / f"{name}.png")
    stamp = {"versions": {"python": "3.11.7", "torch": "2.15.0"}, "device": "a <fast> GPU"}
    for model in models:
        trained = folder / "models" / model / "seed0"
        trained.mkdir(parents=True)
        settings = {"epochs": 7, "learning_rate": 0.003, "batch_size": 64}
        card = {"provenance": stamp | {"spec": {"training": settings}}, "summary": {}}
        (trained / "model.json").write_text(json.dumps(card), encoding="utf-8")
        attacked = folder / "attacks" / "original" / model / "seed0"
        attacked.mkdir(parents=True)
        for name in ("0-10", "measures"):
            write_records(attacked / f"{name}.parquet", {"image": [0]}, {"provenance": stamp})


def _fails(model: str, check: str) -> bool:
    return model == "wild" and check == "half_step"


def _robustness(model: str, level: float, censored: int) -> dict[str, Any]:
    row: dict[str, Any] = {"attack": "original", "model": model, "required_confidence": level, "seeds": 1}
    row |= {"attacked": 90, "skipped": 10, "success": 90 - censored, "default_state": 0, "cap": censored}
    row |= {"censored": censored, "zero_gradient_share": 0}
    value = MEDIAN[model] * (1 if level else 0.5)
    for name in [*MEASURES, *(f"median_{name}" for name in MEDIANS)]:
        row |= {name: value, f"{name}_low": 0.9 * value, f"{name}_high": 1.1 * value}
    return row


def _claim(number: int, verdict: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    texts = {"dataset": "mnist", "sentence": "It <b>is</b> so.", "unit": "times", "why": "Because of <images>."}
    row |= texts | {"claim": number, "test": f"Question {number} is asked. By a test.", "not_trustworthy": ""}
    row |= {"verdict": verdict, "weights_verdict": verdict, "seeds": 1, "images": 90, "censored": 0}
    return row | {"estimate": 1.5, "low": 1.2, "high": 1.9, "weights_p": 0.01, "weights_p_holm": 0.02}


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pandas.DataFrame(rows).to_csv(path, index=False)
