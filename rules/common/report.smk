# Inputs and specs of rules/report.smk.
import json
import os
import shlex
from pathlib import Path


def stamped(dataset):
    """Files that say with which packages and on which device a dataset's models were trained, attacked and measured."""
    shard = shards(dataset)[0]
    names = (
        "models/{model}/seed{seed}/model.json",
        f"attacks/report/{{model}}/seed{{seed}}/{shard}.parquet",
        "attacks/report/{model}/seed{seed}/measures.parquet",
    )
    return [path for name in names for path in of_every_network(dataset, name)]


def command_in_words():
    """The command that makes these results, without what changes no result: places of files, and resources."""
    files = [os.path.relpath(path) for path in workflow.config_settings.configfiles]
    base = os.path.relpath(os.path.join(workflow.basedir, "config.yaml"))
    places = ("downloads", "mirror")
    words = ["snakemake", "--cores", "8"]
    if overlays := [path for path in files if path != base]:
        words += ["--configfile", *overlays]
    given = sorted((key, value) for key, value in workflow.config_settings.config.items() if key not in places)
    if given:
        words += [
            "--config",
            *(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given),
        ]
    return shlex.join(words)


def report_spec(wildcards):
    """All that the page says of the configuration, the names of what it shows, and a digest of its texts."""
    shown = ("scale", "seeds", "study", "training", "architectures", "attacks", "sensitivity", "targeted", "trust")
    folder = page_template("study").parent
    texts = sorted([*folder.glob("*.rst"), *folder.glob("study.*"), folder / "parts.html.j2"])
    return as_param(
        {
            "scale": config["scale"],
            "seeds": config["seeds"],
            "command": command_in_words(),
            "config": {key: config[key] for key in shown}
            | {"datasets": {dataset: config["datasets"][dataset] for dataset in config["study"]}}
            | {"sources": {config["datasets"][name]["source"]: source_of(name) for name in config["study"]}},
            "claims": claim_datasets(),
            "datasets": [
                {
                    "name": name,
                    "title": config["datasets"][name]["title"],
                    "words": [attack_in_words(name, "report"), noise_in_words(name), training_in_words(name)],
                    "models": drawn_models(name),
                    "tables": [Path(path).stem for path in tables(name)],
                    "figures": [Path(path).stem for path in figures(name) if path.endswith(".svg")],
                    "shard": shards(name)[0],
                }
                for name in config["study"]
            ],
            "texts": digest_of(texts),
        }
    )
