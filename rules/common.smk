# Functions that the rules share, and nothing else: which files a script's code consists of, which files a target
# consists of, and the settings ("spec") that shape each rule's result, as one sorted JSON string.
import json
import os
import shutil
import sys
from pathlib import Path

import yaml


def set_environment():
    """Let jobs use the Python that runs Snakemake, and tell them where downloaded files lie and come from.

    The places are not params: they change no result, and a changed param would train every model again.
    """
    first = [os.path.dirname(sys.executable)]
    if shutil.which("sacct"):
        first.append(os.path.join(workflow.basedir, "slurm", "bin"))
    os.environ.update(
        PATH=os.pathsep.join([*first, os.environ.get("PATH", "")]),
        ROBUSTNESS_DOWNLOADS=config["downloads"],
        ROBUSTNESS_MIRROR=config["mirror"] or "",
        ROBUSTNESS_PROGRESS="",  # jobs draw no bars of their own
    )


def check_configuration():
    """Stop with one sentence per mistake in the configuration, then put its keys into the order of config.yaml."""
    from robustness.errors import UserError
    from robustness.settings import checked
    from snakemake.exceptions import WorkflowError

    try:
        checked(config, Path(workflow.basedir) / "schemas" / "config.schema.yaml")
    except UserError as error:
        raise WorkflowError(str(error)) from None
    _in_order(config, yaml.safe_load(Path(workflow.basedir, "config.yaml").read_text(encoding="utf-8")))


def check_writable():
    """Stop with a sentence where the folder for results cannot be written to; Snakemake would show a traceback."""
    from snakemake.exceptions import WorkflowError

    folder = Path(RESULTS).absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WorkflowError(f"cannot write to {folder}: make it writable, or set 'results' to another folder")


def _in_order(settings, base):
    """Reorder a mapping as `base` is, in place: an overlay's keys otherwise come first, and colours follow the order."""
    for key in [key for key in base if key in settings] + [key for key in settings if key not in base]:
        settings[key] = settings.pop(key)
        if isinstance(settings[key], dict):
            _in_order(settings[key], base.get(key) or {})


# ---- code -----------------------------------------------------------------------------------------------------------


def src(script):
    """The path of `scripts/<script>.py`, then a digest of it and of each library module that it imports, as params.

    Not as inputs: those are compared byte by byte and by path, so that a comment or a moved repository would train every
    model again. Of params Snakemake shows the ones that changed, and passes over the first, which is no plain value.
    """
    from robustness.code import described
    from robustness.errors import UserError
    from snakemake.exceptions import WorkflowError

    path = Path(workflow.basedir, "scripts", f"{script}.py")
    try:
        return [Path(os.path.relpath(path)), *described(path)]
    except UserError as error:
        raise WorkflowError(str(error)) from None


# ---- files ----------------------------------------------------------------------------------------------------------


def models(dataset):
    """The names of a dataset's models, in the order of the configuration."""
    return list(config["datasets"][dataset]["models"])


def shards(dataset):
    """The ranges of test images that make up an attack: `<start>-<stop>`, so that more images only add ranges."""
    total, size = config["datasets"][dataset]["attacked_images"], config["shard_images"]
    return [f"{start}-{min(start + size, total)}" for start in range(0, total, size)]


def source_of(dataset):
    """The entry of `sources:` that a dataset names."""
    return config["sources"][config["datasets"][dataset]["source"]]


def source_files(wildcards):
    """What `prepare_data` reads: the manifest of the downloaded files, the user's own images, or nothing."""
    source = source_of(wildcards.dataset)
    if "files" in source:
        return f"{RESULTS}/{wildcards.dataset}/data/download.json"
    return source.get("path", [])


def manifests():
    """The manifests of all downloads: of each studied dataset whose source has files to fetch."""
    return [f"{RESULTS}/{dataset}/data/download.json" for dataset in config["study"] if "files" in source_of(dataset)]


def manifest_option(wildcards):
    """The option that hands `prepare_data` the manifest, for sources that are downloaded."""
    return ["--manifest", source_files(wildcards)] if "files" in source_of(wildcards.dataset) else []


def predictions(wildcards):
    """The predictions of all of a dataset's models and seeds."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/models/{{model}}/seed{{seed}}/predictions.parquet",
        model=models(wildcards.dataset),
        seed=config["seeds"],
    )


def histories(wildcards):
    """The training histories of all of a dataset's models and seeds."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/models/{{model}}/seed{{seed}}/history.csv",
        model=models(wildcards.dataset),
        seed=config["seeds"],
    )


def comparators():
    """The names of the attacks that come from a library."""
    return [name for name, attack in config["attacks"].items() if "library" in attack]


def own_attacks():
    """The names of the attacks that are ours."""
    return [name for name in config["attacks"] if name not in comparators()]


def compared_attacks():
    """The names of our attacks that the comparators are compared with: those that, as they do, take any wrong class."""
    return [name for name in own_attacks() if config["attacks"][name]["target"] is None] if comparators() else []


def one_of(names):
    """A regular expression for a wildcard that is one of `names`; without names it matches nothing."""
    return "|".join(names) or "(?!)"


def attack_records(wildcards):
    """The records of an attack's shards on one model, in the order of the images."""
    folder = f"{RESULTS}/{wildcards.dataset}/attacks/{wildcards.attack}/{wildcards.model}/seed{wildcards.seed}"
    return [f"{folder}/{shard}.parquet" for shard in shards(wildcards.dataset)]


def attack_images(wildcards):
    """The images that `attack_records` belong to."""
    return [path.replace(".parquet", ".safetensors") for path in attack_records(wildcards)]


def all_measures(wildcards):
    """The measures of all attacks, models and seeds of a dataset."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{{attack}}/{{model}}/seed{{seed}}/measures.parquet",
        attack=config["attacks"],
        model=models(wildcards.dataset),
        seed=config["seeds"],
    )


def compared_measures(wildcards):
    """The measures of `compared_attacks`, then those of `comparators`, for all models and seeds of a dataset."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{{attack}}/{{model}}/seed{{seed}}/measures.parquet",
        attack=[*compared_attacks(), *comparators()],
        model=models(wildcards.dataset),
        seed=config["seeds"],
    )


def example_measures(wildcards):
    """The measures of one attack on every model, with the first seed: what examples are chosen from."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{wildcards.attack}/{{model}}/seed{config['seeds'][0]}/measures.parquet",
        model=models(wildcards.dataset),
    )


def example_images(wildcards):
    """The adversarial images that `example_measures` were taken on, model by model."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{wildcards.attack}/{{model}}/seed{config['seeds'][0]}/"
        "{shard}.safetensors",
        model=models(wildcards.dataset),
        shard=shards(wildcards.dataset),
    )


def tables(dataset):
    """The tables of a dataset."""
    names = ["models", "accuracy", "robustness", *(["comparison"] if compared_attacks() else [])]
    return [f"{RESULTS}/{dataset}/tables/{name}.csv" for name in names]


def figures(dataset):
    """The figures of a dataset, each as SVG and PNG."""
    names = ["training_noise", "training_curves", "architecture", "mean_change", "pixels_changed"]
    if any(architecture["family"] == "resnet" for architecture in architectures_of(dataset).values()):
        names.append("skip_connection")
    for label in config["datasets"][dataset]["example_classes"]:
        names += [f"examples_{label}", f"differences_{label}"]
    return [f"{RESULTS}/{dataset}/figures/{name}.{suffix}" for name in names for suffix in ("svg", "png")]


def speeds(dataset):
    """The tables of times of a dataset, one for each model."""
    return [f"{RESULTS}/{dataset}/speed/{model}.csv" for model in models(dataset)]


# ---- machines -------------------------------------------------------------------------------------------------------


def every_core(wildcards):
    """All cores that `--cores` allows, so that a job has the machine to itself; four where there is no limit."""
    return workflow.resource_settings.cores or 4


# ---- specs ----------------------------------------------------------------------------------------------------------


def as_param(spec):
    """A spec as a rule's param. One string: Snakemake compares params as a set, in which swapped values look equal."""
    return json.dumps(spec, sort_keys=True)


def architectures_of(dataset):
    """The architectures of a dataset's models, by name."""
    used = {model["architecture"] for model in config["datasets"][dataset]["models"].values()}
    return {name: entry for name, entry in config["architectures"].items() if name in used}


def without_title(entry):
    """A configured entry less its title, which is for figures and changes no computation."""
    return {key: value for key, value in entry.items() if key != "title"}


def download_spec(wildcards):
    """What is downloaded, and from where."""
    source = source_of(wildcards.dataset)
    return as_param({"files": source["files"], "addresses": source["addresses"]})


def data_spec(wildcards):
    """The source (less its addresses, which do not change its files), the classes and the split."""
    dataset = config["datasets"][wildcards.dataset]
    source = {key: value for key, value in source_of(wildcards.dataset).items() if key != "addresses"}
    settings = {name: dataset[name] for name in ("classes", "split", "image_size")}
    return as_param({"dataset": wildcards.dataset, "source": source, **settings})


def training_spec(wildcards):
    """One model's architecture, training settings and, where it trains on noisy data, the augmentation."""
    dataset = config["datasets"][wildcards.dataset]
    model = dataset["models"][wildcards.model]
    return as_param(
        {
            "title": f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}",
            "architecture": without_title(config["architectures"][model["architecture"]]),
            "classes": len(dataset["classes"]),
            "training": config["training"] | model.get("training", {}),
            "augmentation": dataset["augmentation"] if model["data"] == "noisy" else None,
            "seed": int(wildcards.seed),
        }
    )


def augmentation_spec(wildcards):
    """The dataset's augmentation."""
    return as_param({"augmentation": config["datasets"][wildcards.dataset]["augmentation"]})


def attack_spec(wildcards):
    """One attack with the dataset's step, and the seed of its random numbers."""
    dataset = config["datasets"][wildcards.dataset]
    attack = config["attacks"][wildcards.attack] | {"alpha": dataset["alpha"]}
    if attack["target"] in dataset["classes"]:
        attack["target"] = dataset["classes"].index(attack["target"])
    title = f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, attack {wildcards.attack}"
    return as_param({"title": title, "attack": attack, "seed": int(wildcards.seed)})


def speed_spec(wildcards):
    """The report's attack as it is timed: five times on the first 1,000 test images, or all where there are fewer."""
    dataset = config["datasets"][wildcards.dataset]
    return as_param(
        {
            "title": f"{wildcards.dataset}/{wildcards.model}",
            "attack": config["attacks"]["report"]
            | {"alpha": dataset["alpha"], "other_confidences": [], "tighten": False},
            "seed": config["seeds"][0],
            "images": min(1000, dataset["split"]["test"]),
            "rounds": 5,
        }
    )


def compare_spec(wildcards):
    """One attack of a library, and the seed of its random numbers."""
    title = f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, attack {wildcards.attack}"
    return as_param({"title": title, "attack": config["attacks"][wildcards.attack], "seed": int(wildcards.seed)})


def measure_spec(wildcards):
    """The threshold above which a pixel counts as changed."""
    return as_param({"changed_pixel_threshold": config["datasets"][wildcards.dataset]["changed_pixel_threshold"]})


def models_spec(wildcards):
    """Every model's architecture, and the shape of the dataset's images where the source fixes it."""
    dataset = config["datasets"][wildcards.dataset]
    return as_param(
        {
            "architectures": architectures_of(wildcards.dataset),
            "models": [[name, model["architecture"]] for name, model in dataset["models"].items()],
            "image": dataset["image_size"],
            "classes": len(dataset["classes"]),
        }
    )


def accuracy_spec(wildcards):
    """The order of the models, and the accuracy that the report gives for each."""
    entries = config["datasets"][wildcards.dataset]["models"]
    published = {name: model.get("published_accuracy") for name, model in entries.items()}
    return as_param({"models": list(entries), "published_accuracy": published})


def robustness_spec(wildcards):
    """The order of attacks and models."""
    return as_param({"attacks": list(config["attacks"]), "models": models(wildcards.dataset)})


def comparison_spec(wildcards):
    """The order of attacks and models, and the method of each comparator, which decides its norm."""
    return as_param(
        {
            "attacks": compared_attacks(),
            "comparators": [[name, config["attacks"][name]["method"]] for name in comparators()],
            "models": models(wildcards.dataset),
        }
    )


def examples_spec(wildcards):
    """The classes of which an example is shown, and the order of the models."""
    dataset = config["datasets"][wildcards.dataset]
    return as_param(
        {
            "classes": dataset["classes"],
            "example_classes": dataset["example_classes"],
            "models": list(dataset["models"]),
            "required_confidence": config["attacks"][wildcards.attack]["confidence"],
        }
    )


def figure_spec(dataset, *footnote, **more):
    """What every figure of a dataset is drawn with: names, titles, what its footnote says, and what is its own."""
    entry = config["datasets"][dataset]
    drawn = [
        {
            "name": name,
            "title": config["architectures"][model["architecture"]]["title"]
            + ("" if model["data"] == "clean" else ", noisy"),
            "architecture": model["architecture"],
            "data": model["data"],
        }
        for name, model in entry["models"].items()
    ]
    names = ("title", "classes", "image_size", "changed_pixel_threshold")
    return as_param(
        {
            "dataset": {"name": dataset} | {name: entry[name] for name in names},
            "models": drawn,
            "architectures": list(config["architectures"]),
            "footnote": [f"Scale {config['scale']['name']}: {config['scale']['title']}.", *footnote],
            **more,
        }
    )


def noise_in_words(dataset):
    """The sentence that says what a dataset's noisy models were trained on."""
    entry = config["datasets"][dataset]["augmentation"]
    if entry["kind"] == "gaussian_noise":
        return f"Noisy models: Gaussian noise, σ = {entry['sigma']}, added to the training images in each epoch."
    flip = ", half of them mirrored" if entry["flip"] else ""
    return (
        f"Noisy models: training images rotated by up to {entry['rotation']}°, shifted by {entry['shift']:.0%}, sheared "
        f"by {entry['shear']}°, zoomed by {entry['zoom']:.0%}{flip}, anew in each epoch."
    )


def attack_in_words(dataset, attack):
    """The sentence that says how images were attacked, and how many."""
    entry, settings = config["attacks"][attack], config["datasets"][dataset]
    goal = "any wrong class" if entry["target"] is None else f"target {entry['target']}"
    reward = {"probability": "probability", "cross_entropy": "cross-entropy"}[entry["reward"]]
    return (
        f"Attack {attack}: {reward} reward, {entry['direction']} steps, α = {settings['alpha']}, until {goal} has "
        f"probability {entry['confidence']}, at most {entry['max_iterations']} iterations."
    )


def counted(number, noun):
    """A number with its noun: `1 seed`, `3 seeds`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def training_in_words(dataset):
    """The sentence that says on how many images, and how often, models were trained."""
    images = config["datasets"][dataset]["split"]["train"]
    return f"{counted(images, 'training image')}, {counted(len(config['seeds']), 'seed')}."


def attacked_in_words(dataset):
    """The sentence that says how many images were attacked, with how many seeds."""
    images = config["datasets"][dataset]["attacked_images"]
    return f"{counted(images, 'test image')}, {counted(len(config['seeds']), 'seed')}."


def bars_spec(wildcards):
    """A bar chart of one measure of the report's attack."""
    name = wildcards.dataset
    words = (attack_in_words(name, "report"), noise_in_words(name), attacked_in_words(name))
    confidence = config["attacks"]["report"]["confidence"]
    return figure_spec(name, *words, attack="report", required_confidence=confidence, measure=wildcards.measure)


def pictures_spec(wildcards):
    """One class's example images, and what the report's attack made of them."""
    name = wildcards.dataset
    seeds, images = config["seeds"], config["datasets"][name]["attacked_images"]
    shown = (
        f"One of {counted(images, 'attacked test image')}; weights of seed {seeds[0]} ({counted(len(seeds), 'seed')})."
    )
    words = (attack_in_words(name, "report"), noise_in_words(name), shown)
    return figure_spec(name, *words, **{"class": wildcards.label})


def curves_spec(wildcards):
    """The training curves of all models."""
    name = wildcards.dataset
    means = "Training values are means over an epoch's batches, on noisy images where a model trains on those."
    return figure_spec(name, means, noise_in_words(name), training_in_words(name))


def noise_spec(wildcards):
    """Examples of the noisy training data."""
    name = wildcards.dataset
    return figure_spec(name, training_in_words(name), augmentation=config["datasets"][name]["augmentation"])


def architecture_spec(wildcards):
    """The networks themselves."""
    return figure_spec(wildcards.dataset)


def history_models(wildcards):
    """The model that each of `histories` belongs to."""
    return [model for model in models(wildcards.dataset) for _ in config["seeds"]]


# ---- what a run says ------------------------------------------------------------------------------------------------


def as_jobs(jobs):
    """What the library needs to know of Snakemake's jobs, less those that only name a group of files."""
    from robustness.run_summary import Job

    found = []
    for job in jobs:
        if not job.is_norun:
            wildcards = ", ".join(f"{name}={value}" for name, value in job.wildcards_dict.items())
            files = (tuple(map(str, job.output)), _text(next(iter(job.log), None)), _text(job.benchmark))
            found.append(Job(job.rule.name, wildcards, *files, job.threads))
    return sorted(found, key=lambda job: (job.rule, job.wildcards))


def _text(path):
    return None if path is None else str(path)


def announcement():
    """What `onstart` says: the scale, the jobs, how long they may take, the device, where results go."""
    from robustness.run_summary import counted as kinds_of, duration, earlier_seconds

    scale = config["scale"]
    device = "GPU" if shutil.which("nvidia-smi") else "CPU (no GPU found on this machine)"
    jobs = as_jobs(workflow.dag.needrun_jobs())
    cores = workflow.resource_settings.cores if workflow.local_exec else None
    lines = [f"Scale {scale['name']}: {scale['title']}. Device: {device}."]
    if jobs:
        lines += [f"To do: {kinds_of(jobs)}.", duration(jobs, earlier_seconds(jobs), cores)]
    lines.append(f"Results go to {RESULTS}/, logs to {RESULTS}/<dataset>/logs/.")
    if scale["name"] != "paper":
        lines.append("The report's own sizes: add --configfile scales/paper.yaml.")
    return said(lines)


def outcome():
    """What `onsuccess` says: what to open or, after `fetch`, that no network is needed any more."""
    from robustness.run_summary import done

    return said(done(as_jobs(workflow.dag.finished_jobs), config["downloads"]))


def said(lines):
    """Lines as they are printed between Snakemake's own."""
    return "\n".join(["", *(f"  {line}" for line in lines), ""])


def failure(started):
    """What `onerror` says: the jobs that failed, the end of their logs and the next step."""
    from robustness.run_summary import failures

    return said(failures(as_jobs(workflow.scheduler.failed), started))
