# Robustness of image classifiers: data → training → attack → measures → tables and figures.
# Reads config.yaml (and the overlays given with --configfile); writes below the folder that `results` names.
import gc
import os
import sys

gc.freeze()  # what Snakemake has imported stays: looking for garbage in it takes a fifth of a start
sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))


configfile: os.path.join(workflow.basedir, "config.yaml")


from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"


wildcard_constraints:
    dataset=one_of(STUDY.datasets),
    model=r"[a-z][a-z0-9_=.-]*",  # '=' and '.' only where the sweep adds a value: resnet-noisy-sigma=0.25
    attack=r"[a-z][a-z0-9_=.-]*",
    seed=r"\d+",
    start=r"\d+",
    stop=r"\d+",
    label=r"[^/]+",
    measure=one_of(BARS),
    curves=one_of(ROBUSTNESS_CURVES),


rule all:
    """Every table, figure and page of every dataset that is studied, and which claims hold."""
    default_target: True
    input:
        [targets.everything(STUDY, dataset) for dataset in STUDY.studied],
        f"{RESULTS}/claims.csv",
        f"{RESULTS}/claims.html",
        f"{RESULTS}/study.html",
    localrule: True


PARTS = (
    "data train attack measure tables trust figures claims judges sensitivity speed run_time calibration targets study"
)

for part in PARTS.split():

    include: f"rules/{part}.smk"


include: "rules/hooks.smk"
