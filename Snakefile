# Robustness of image classifiers: data → training → attack → measures → tables and figures.
# Reads config.yaml (and the overlays given with --configfile); writes below the folder that `results` names.
import os
import sys

sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))


configfile: os.path.join(workflow.basedir, "config.yaml")


from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"


check_configuration()
set_environment()
RESULTS = config["results"].rstrip("/")


wildcard_constraints:
    dataset="|".join(config["datasets"]),
    model=r"[a-z][a-z0-9_-]*",
    attack=r"[a-z][a-z0-9_-]*",
    seed=r"\d+",
    start=r"\d+",
    stop=r"\d+",
    label=r"[^/]+",
    measure="mean_change|pixels_changed",


rule all:
    """Every table and figure of every dataset that is studied."""
    default_target: True
    input:
        [tables(dataset) + figures(dataset) for dataset in config["study"]],
    localrule: True


for part in ("data", "train", "attack", "measure", "figures", "speed", "targets", "hooks"):

    include: f"rules/{part}.smk"
