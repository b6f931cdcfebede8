# Inputs and specs of rules/run_time.smk.
import hashlib
from pathlib import Path


def timed_datasets():
    """The datasets that are studied, and the small ones beside them."""
    return [name for name in config["datasets"] if large(name) in config["study"]]


def times_so_far(wildcards):
    """A digest of the times that jobs have taken up to now: where one is new, the table of them is outdated."""
    files = sorted(path for dataset in timed_datasets() for path in Path(RESULTS, dataset).glob("benchmarks/**/*.tsv"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def run_time_spec(wildcards):
    """The models of each dataset, and the attacks: what names of files are made of."""
    datasets = [[dataset, models(dataset)] for dataset in timed_datasets()]
    return as_param({"datasets": datasets, "attacks": list(config["attacks"])})


def run_time_figure_spec(wildcards):
    """The times of all jobs, by rule and model."""
    from robustness.config import model_entry

    entries = [
        {
            "name": name,
            "title": config["datasets"][name]["title"] + ("" if name == large(name) else ", sensitivity"),
            "models": drawn_models(name),
        }
        for name in timed_datasets()
    ]
    footnote = [scale_in_words(), f"{counted(len(config['seeds']), 'seed')}."]
    return as_param({"datasets": entries, "architectures": model_entry.architectures(config), "footnote": footnote})
