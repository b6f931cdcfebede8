"""Robust accuracy in the workflow: its jobs, and that there are none where they are not asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from running import DIGITS, Copy, counts

MODELS = ["small-clean", "resnet-noisy"]
ASKED: dict[str, Any] = {
    "autoattack": {"version": ["apgd-ce"], "images": 12, "targets": 1},
    "datasets": {"digits": {"threat_models": {"linf": [0.02, "32/255"]}}},
}


def test_without_autoattack_or_without_threat_models_there_are_no_jobs(fresh: Copy) -> None:
    for overlay in ({"autoattack": None, "datasets": ASKED["datasets"]}, {"autoattack": ASKED["autoattack"]}):
        assert not {"bound_shard", "tabulate_robust_accuracy"} & set(counts(fresh.plan(DIGITS, overlay=overlay)))
    jobs = counts(fresh.plan(DIGITS, overlay=ASKED))
    assert jobs["bound_shard"] == 4  # models × ranges of at most 10 images
    assert jobs["tabulate_robust_accuracy"] == jobs["plot_robust_accuracy"] == 1


def test_the_first_images_are_bounded_and_more_images_add_ranges(finished: Copy, tmp_path: Path) -> None:
    copy = finished.duplicate(tmp_path)
    names = [f"{DIGITS}/figures/robust_accuracy.svg", f"{DIGITS}/tables/robust_accuracy.csv"]
    copy.run(*names, overlay=ASKED).succeeded()
    table = pd.read_csv(copy.path(names[1]))
    assert table["model"].tolist() == [model for model in MODELS for _ in range(2)]
    assert table["budget"].tolist() == [0.02, 32 / 255] * 2
    assert (table["images"] == 12).all()
    predicted = pd.read_parquet(copy.path(f"{DIGITS}/models/small-clean/seed0/predictions.parquet"))[:12]
    assert table["clean_accuracy"][0] == round((predicted["label"] == predicted["prediction"]).mean(), 4)
    more = ASKED | {"autoattack": ASKED["autoattack"] | {"images": 30}}  # of which 20 are attacked by ours
    jobs = copy.plan(*names, overlay=more)
    assert counts(jobs)["bound_shard"] == 2
    assert {job.wildcards["stop"] for job in jobs if job.rule == "bound_shard"} == {"20"}
    other = ASKED | {"datasets": {"digits": {"threat_models": {"linf": [0.02]}}}}
    assert counts(copy.plan(*names, overlay=other))["bound_shard"] == 4
