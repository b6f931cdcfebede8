# Functions that the rules share, and nothing else: which files a script's code consists of, which files a target
# consists of, and the settings ("spec") that shape each rule's result, as one sorted JSON string.
import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import yaml


def set_environment():
    """Let jobs use the Python that runs Snakemake, and tell them where downloaded files and own code lie.

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
        ROBUSTNESS_PYTHON_PATH=os.path.abspath(config["python_path"]),
        ROBUSTNESS_NETWORKS=own_networks(),
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
    check_given_weights()


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


def shards(dataset, attack="report"):
    """The ranges of test images that make up an attack: `<start>-<stop>`, so that more images only add ranges."""
    total, size = attacked_images(dataset, attack), config["shard_images"]
    return [f"{start}-{min(start + size, total)}" for start in range(0, total, size)]


def source_of(dataset):
    """The entry of `sources:` that a dataset names."""
    return config["sources"][config["datasets"][dataset]["source"]]


def source_files(wildcards):
    """What `prepare_data` reads: the manifest of the downloaded files, the user's own images, or nothing."""
    source = source_of(wildcards.dataset)
    if "files" in source:
        return f"{RESULTS}/{large(wildcards.dataset)}/data/download.json"
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
    """The training histories of all models and seeds of a dataset that are trained here."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/models/{{model}}/seed{{seed}}/history.csv",
        model=trained(wildcards.dataset),
        seed=config["seeds"],
    )


def comparators():
    """The names of the attacks that come from a library."""
    return [name for name, attack in config["attacks"].items() if "library" in attack]


def own_attacks():
    """The names of the attacks that are ours."""
    return [name for name in config["attacks"] if name not in comparators()]


def untargeted_attacks():
    """The names of our attacks that take any wrong class."""
    return [name for name in own_attacks() if config["attacks"][name]["target"] is None]


def compared_attacks():
    """The names of our attacks that the comparators are compared with: those that, as they do, take any wrong class."""
    return untargeted_attacks() if comparators() else []


def one_of(names):
    """A regular expression for a wildcard that is one of `names`; without names it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


def attack_records(wildcards):
    """The records of an attack's shards on one model, in the order of the images."""
    folder = f"{RESULTS}/{wildcards.dataset}/attacks/{wildcards.attack}/{wildcards.model}/seed{wildcards.seed}"
    return [f"{folder}/{shard}.parquet" for shard in shards(wildcards.dataset, wildcards.attack)]


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
    names = ["models", "accuracy", "robustness", "rank_agreement", "trust"]
    names += ["comparison"] if compared_attacks() else []
    names += ["references"] if has_references(dataset) else []
    names += ["sensitivity"] if swept_values(dataset) else []
    return [f"{RESULTS}/{dataset}/tables/{name}.csv" for name in names] + judges_part(dataset, "tables")


def figures(dataset):
    """The figures of a dataset, each as SVG and PNG."""
    names = ["architecture", "mean_change", "pixels_changed"]
    names += ["training_curves"] if trained(dataset) else []
    names += ["training_noise"] if "augmentation" in config["datasets"][dataset] else []
    names += [f"robustness_curves_{curves}" for curves in ROBUSTNESS_CURVES]
    if any(architecture["family"] == "resnet" for architecture in architectures_of(dataset).values()):
        names.append("skip_connection")
    for label in config["datasets"][dataset]["example_classes"]:
        names += [f"examples_{label}", f"differences_{label}"]
    names += ["sensitivity"] if swept_values(dataset) else []
    paths = [f"{RESULTS}/{dataset}/figures/{name}.{suffix}" for name in names for suffix in ("svg", "png")]
    return paths + judges_part(dataset, "figures")


def speeds(dataset):
    """The tables of times of a dataset, one for each model."""
    return [f"{RESULTS}/{dataset}/speed/{model}.csv" for model in models(dataset)]


# ---- own models -----------------------------------------------------------------------------------------------------


def model_entries(dataset):
    """The entries of a dataset's models, by name."""
    return config["datasets"][dataset]["models"]


def trained(dataset):
    """The names of a dataset's models that are trained here, and do not come with their weights."""
    from robustness import configured

    return [name for name, model in model_entries(dataset).items() if not configured.is_given(model)]


def dataset_of(kind):
    """A regular expression for `dataset` in the path of a model that is `trained` or `given`; it looks at the model.

    Two rules make weights, and which one makes a model's is a matter of dataset and model together.
    """
    pairs = [
        f"{dataset}/models/{model}"
        for dataset in config["datasets"]
        for model in models(dataset)
        if (model in trained(dataset)) == (kind == "trained")
    ]
    return f"(?=(?:{one_of(pairs)})/)(?:{one_of(config['datasets'])})"


def own_networks():
    """What builds the configuration's own networks, as JSON: jobs run no factory that is not listed here."""
    from robustness import configured

    return json.dumps(configured.networks(config))


def own_code(*names):
    """The lines that change with the code of a dataset's own models, of `names` among them or of all."""
    from robustness import configured, own_code
    from robustness.errors import UserError
    from snakemake.exceptions import WorkflowError

    def lines(wildcards):
        folder = Path(config["python_path"]).resolve()
        chosen = [getattr(wildcards, name) for name in names] or models(wildcards.dataset)
        found = []
        for name in chosen:
            model = model_entries(wildcards.dataset)[name]
            try:
                found += own_code.described(model["factory"], folder) if configured.is_own(model) else []
            except UserError as error:
                raise WorkflowError(f"datasets.{wildcards.dataset}.models.{name}: {error}") from None
        return list(dict.fromkeys(found))

    return lines


def code_option(wildcards):
    """The option that hands a job `own_code` of its model."""
    found = own_code("model")(wildcards)
    return ["--code", *found] if found else []


def given_weights(wildcards):
    """The file of weights of a model that comes with them."""
    return model_entries(wildcards.dataset)[wildcards.model]["weights"]


def check_given_weights():
    """Stop with a sentence where a file of weights is missing; Snakemake would take what was made of an earlier one."""
    from snakemake.exceptions import WorkflowError

    for dataset in config["study"]:
        for name, model in model_entries(dataset).items():
            path = model.get("weights")
            if path is not None and not os.path.isfile(path):
                key = f"datasets.{dataset}.models.{name}.weights"
                raise WorkflowError(f"{key} is {path}, which is no file: set it to the file of the model's weights")


def import_spec(wildcards):
    """A given model's architecture."""
    from robustness import configured

    model = model_entries(wildcards.dataset)[wildcards.model]
    return as_param(
        {
            "title": f"{wildcards.dataset}/{wildcards.model}",
            "architecture": without_title(configured.architecture(config, model)[1]),
            "classes": len(config["datasets"][wildcards.dataset]["classes"]),
        }
    )


# ---- sensitivity and references ------------------------------------------------------------------------------------


def sensitivity_of(dataset):
    """What is swept for a dataset; empty where nothing is."""
    return (config["sensitivity"] or {}).get(dataset) or {}


def configured_values(dataset):
    """The step, and the noise level where the noise has one, that everything but the sweep uses."""
    entry = config["datasets"][dataset]
    values = {"alpha": entry["alpha"], "sigma": entry.get("augmentation", {}).get("sigma")}
    return {parameter: float(value) for parameter, value in values.items() if value is not None}


def swept_values(dataset):
    """The values of each swept parameter, in rising order, with the configured one: `{"alpha": [0.005, 0.01]}`."""
    sweep = sensitivity_of(dataset)
    listed = {"alpha": sweep.get("alpha") or [], "sigma": (sweep.get("sigma") or {}).get("values", [])}
    return {
        parameter: sorted({float(value) for value in [*values, configured_values(dataset)[parameter]]})
        for parameter, values in listed.items()
        if values
    }


def swept_images(dataset):
    """How many test images are attacked at each value."""
    return min(sensitivity_of(dataset)["attacked_images"], config["datasets"][dataset]["attacked_images"])


def small(dataset):
    """The name of the small dataset whose models are trained with other noise levels: a folder in that of `dataset`."""
    return f"{dataset}/sensitivity"


def large(dataset):
    """The dataset that a small one belongs to; any other as it is."""
    return dataset.partition("/")[0]


def add_small_datasets():
    """Add the small dataset of each one whose noise level is swept, so that all rules up to the measures apply to it.

    It differs in its number of images, and has each noisy model once for each level: `resnet-noisy-sigma=0.25`.
    """
    for dataset in config["study"]:
        levels = swept_values(dataset).get("sigma")
        if not levels:
            continue
        entry = config["datasets"][dataset]
        images = swept_images(dataset)
        train = min(sensitivity_of(dataset)["sigma"]["train_images"], entry["split"]["train"])
        config["datasets"][small(dataset)] = entry | {
            "split": entry["split"] | {"train": train, "test": images},
            "attacked_images": images,
            "models": {
                with_sigma(dataset, name, sigma): model | {"augmentation": entry["augmentation"] | {"sigma": sigma}}
                for name, model in entry["models"].items()
                for sigma in levels
            },
        }


def with_sigma(dataset, model, sigma):
    """The name that a model has in the small dataset at a noise level: a clean model is the same at all of them."""
    from robustness import configured

    clean = configured.data(model_entries(dataset)[model]) == "clean"
    return model if clean else f"{model}-sigma={sigma}"


def with_alpha(dataset, alpha):
    """The name of the report's attack with another step; just that of the attack for the configured one."""
    return "report" if alpha == configured_values(dataset)["alpha"] else f"report-alpha={alpha}"


def swept_attacks():
    """The names of the report's attack with all steps that are swept."""
    return [with_alpha(name, alpha) for name in config["study"] for alpha in swept_values(name).get("alpha", [])]


def attack_settings(dataset, attack):
    """An attack's settings with its step: the dataset's, or the one that its name says, as in `report-alpha=0.005`.

    A class that it aims at is given by its number.
    """
    name, _, alpha = attack.partition("-alpha=")
    entry = config["datasets"][dataset]
    settings = config["attacks"][name] | {"alpha": float(alpha) if alpha else entry["alpha"]}
    if settings["target"] in entry["classes"]:
        settings["target"] = entry["classes"].index(settings["target"])
    return settings


def attacked_images(dataset, attack):
    """How many test images an attack is let loose on: fewer where its step is swept."""
    return swept_images(dataset) if "-alpha=" in attack else config["datasets"][dataset]["attacked_images"]


def swept_measures(wildcards):
    """The measures of the report's attack on each of a dataset's models at one swept value, with the first seed."""
    dataset, value = wildcards.dataset, float(wildcards.value)
    if wildcards.parameter == "alpha":
        folder, attack, names = dataset, with_alpha(dataset, value), models(dataset)
    else:
        folder, attack = small(dataset), "report"
        names = [with_sigma(dataset, model, value) for model in models(dataset)]
    return [f"{RESULTS}/{folder}/attacks/{attack}/{name}/seed{config['seeds'][0]}/measures.parquet" for name in names]


def swept_verdicts(wildcards):
    """The verdicts at each value of each swept parameter of a dataset."""
    return [
        f"{RESULTS}/{wildcards.dataset}/sensitivity/verdicts/{parameter}={value}.csv"
        for parameter, values in swept_values(wildcards.dataset).items()
        for value in values
    ]


def sensitivity(dataset):
    """The table and the figure of what is swept for a dataset."""
    if not swept_values(dataset):
        return []
    return [
        f"{RESULTS}/{dataset}/tables/sensitivity.csv",
        *(f"{RESULTS}/{dataset}/figures/sensitivity.{suffix}" for suffix in ("svg", "png")),
    ]


def swept_verdict_spec(wildcards):
    """The value that is judged, the models in the order of their measures, and the images that are looked at."""
    return as_param(
        {
            "dataset": wildcards.dataset,
            "parameter": wildcards.parameter,
            "value": float(wildcards.value),
            "models": models(wildcards.dataset),
            "images": swept_images(wildcards.dataset),
            "required_confidence": config["attacks"]["report"]["confidence"],
        }
    )


def sensitivity_spec(wildcards):
    """The configured value of each parameter that is swept."""
    configured = configured_values(wildcards.dataset)
    return as_param({"configured": {parameter: configured[parameter] for parameter in swept_values(wildcards.dataset)}})


def sensitivity_figure_spec(wildcards):
    """The verdicts over the swept values."""
    dataset = wildcards.dataset
    swept, images = swept_values(dataset), swept_images(dataset)
    words = [f"Attack report on the first {counted(images, 'attacked test image')}; one seed ({config['seeds'][0]})."]
    if "alpha" in swept:
        words.append("Other α: the same models as in the other figures.")
    if "sigma" in swept:
        train = config["datasets"][small(dataset)]["split"]["train"]
        words.append(
            f"Other σ: models trained anew on {counted(train, 'image')}, α = {configured_values(dataset)['alpha']}."
        )
    return figure_spec(dataset, *words)


def has_references(dataset):
    """Whether others have measured what stands beside a dataset's models."""
    from robustness.references import references_of

    return bool(references_of(dataset) and clean_models(dataset))


def clean_models(dataset):
    """The names of a dataset's models that no noise defends; of those that come with their weights nobody knows."""
    return [name for name in trained(dataset) if model_entries(dataset)[name]["data"] == "clean"]


def referenced_methods(dataset):
    """The method of each comparator that one of a dataset's references used, by the comparator's name."""
    from robustness.references import references_of

    methods = {name: config["attacks"][name]["method"] for name in comparators()}
    used = {reference.method for reference in references_of(dataset)}
    return {name: method for name, method in methods.items() if method in used}


def referenced_measures(wildcards):
    """The measures of our untargeted attacks, then of `referenced_methods`, for a dataset's clean models and all seeds."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{{attack}}/{{model}}/seed{{seed}}/measures.parquet",
        attack=[*untargeted_attacks(), *referenced_methods(wildcards.dataset)],
        model=clean_models(wildcards.dataset),
        seed=config["seeds"],
    )


def references_spec(wildcards):
    """The attacks and the clean models, with the architecture by which a reference stands beside a model."""
    from robustness import configured

    entries = model_entries(wildcards.dataset)
    return as_param(
        {
            "dataset": wildcards.dataset,
            "attacks": [*untargeted_attacks(), *referenced_methods(wildcards.dataset)],
            "comparators": referenced_methods(wildcards.dataset),
            "models": [
                {"name": name, "architecture": without_title(configured.architecture(config, entries[name])[1])}
                for name in clean_models(wildcards.dataset)
            ],
        }
    )


def run_time():
    """The table and the figure of the times that the jobs took."""
    return [f"{RESULTS}/run_time/run_time.{suffix}" for suffix in ("csv", "svg", "png")]


# ---- machines -------------------------------------------------------------------------------------------------------


def every_core(wildcards):
    """All cores that `--cores` allows, so that a job has the machine to itself; four where there is no limit."""
    return workflow.resource_settings.cores or 4


def timed_datasets():
    """The datasets that are studied, and the small ones beside them."""
    return [name for name in config["datasets"] if large(name) in config["study"]]


def times_so_far(wildcards):
    """A digest of the times that jobs have taken up to now: where one is new, the table of them is outdated."""
    import hashlib

    files = sorted(path for dataset in timed_datasets() for path in Path(RESULTS, dataset).glob("benchmarks/**/*.tsv"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


# ---- specs ----------------------------------------------------------------------------------------------------------


def as_param(spec):
    """A spec as a rule's param. One string: Snakemake compares params as a set, in which swapped values look equal."""
    return json.dumps(spec, sort_keys=True)


def architectures_of(dataset):
    """The architectures of a dataset's models, by name: those of `architectures:` in their order, then own ones."""
    from robustness import configured

    entries = dict(configured.architecture(config, model) for model in model_entries(dataset).values())
    return {name: entries[name] for name in configured.architectures(config) if name in entries}


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
    from robustness import configured

    dataset = config["datasets"][wildcards.dataset]
    model = dataset["models"][wildcards.model]
    return as_param(
        {
            "title": f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}",
            "architecture": without_title(configured.architecture(config, model)[1]),
            "classes": len(dataset["classes"]),
            "training": config["training"] | model.get("training", {}),
            "augmentation": model.get("augmentation", dataset["augmentation"]) if model["data"] == "noisy" else None,
            "seed": int(wildcards.seed),
        }
    )


def augmentation_spec(wildcards):
    """The dataset's augmentation."""
    return as_param({"augmentation": config["datasets"][wildcards.dataset]["augmentation"]})


def attack_spec(wildcards):
    """One attack with the dataset's step, and the seed of its random numbers."""
    attack = attack_settings(wildcards.dataset, wildcards.attack)
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


def run_time_spec(wildcards):
    """The models of each dataset, and the attacks: what names of files are made of."""
    datasets = [[dataset, models(dataset)] for dataset in timed_datasets()]
    return as_param({"datasets": datasets, "attacks": list(config["attacks"])})


def compare_spec(wildcards):
    """One attack of a library, and the seed of its random numbers."""
    title = f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, attack {wildcards.attack}"
    return as_param({"title": title, "attack": config["attacks"][wildcards.attack], "seed": int(wildcards.seed)})


def measure_spec(wildcards):
    """The threshold above which a pixel counts as changed."""
    return as_param({"changed_pixel_threshold": config["datasets"][wildcards.dataset]["changed_pixel_threshold"]})


def models_spec(wildcards):
    """Every model's architecture, and the shape of the dataset's images."""
    from robustness import configured

    dataset = config["datasets"][wildcards.dataset]
    return as_param(
        {
            "architectures": architectures_of(wildcards.dataset),
            "models": [[name, configured.architecture(config, model)[0]] for name, model in dataset["models"].items()],
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


def drawn_models(dataset, only=None):
    """A dataset's models as figures name and colour them; `only` names them where it is not all."""
    from robustness import configured

    return [
        {
            "name": name,
            "title": configured.title(config, model),
            "architecture": configured.architecture(config, model)[0],
            "data": configured.data(model),
        }
        for name, model in model_entries(dataset).items()
        if name in (only or models(dataset))
    ]


def scale_in_words():
    """The sentence that names the scale."""
    return f"Scale {config['scale']['name']}: {config['scale']['title']}."


def figure_spec(dataset, *footnote, only=None, **more):
    """What every figure of a dataset is drawn with: names, titles, what its footnote says, and what is its own.

    `only` names the models that are shown, where it is not all of them.
    """
    from robustness import configured

    entry = config["datasets"][dataset]
    names = ("title", "classes", "image_size", "changed_pixel_threshold")
    return as_param(
        {
            "dataset": {"name": dataset} | {name: entry[name] for name in names},
            "models": drawn_models(dataset, only),
            "architectures": configured.architectures(config),
            "footnote": [scale_in_words(), *footnote],
            **more,
        }
    )


def noise_in_words(dataset):
    """The sentence that says what a dataset's noisy models were trained on; none where it has no such model."""
    from robustness import configured

    if "noisy" not in map(configured.data, model_entries(dataset).values()):
        return ""
    entry = config["datasets"][dataset]["augmentation"]
    if entry["kind"] == "gaussian_noise":
        return f"Noisy models: Gaussian noise, σ = {entry['sigma']}, added to the training images in each epoch."
    flip = ", half of them mirrored" if entry["flip"] else ""
    return (
        f"Noisy models: training images rotated by up to {entry['rotation']}°, shifted by {entry['shift']:.0%}, sheared "
        f"by {entry['shear']}°, zoomed by {entry['zoom']:.0%}{flip}, anew in each epoch."
    )


def attack_in_words(dataset, attack, goal=None, iterations=None):
    """The sentence that says how images were attacked; goal and iterations are the attack's own where none are given."""
    entry, settings = config["attacks"][attack], config["datasets"][dataset]
    iterations = iterations or entry["max_iterations"]
    goal = goal or ("any wrong class" if entry["target"] is None else f"target {entry['target']}")
    reward = {"probability": "probability", "cross_entropy": "cross-entropy"}[entry["reward"]]
    return (
        f"Attack {attack}: {reward} reward, {entry['direction']} steps, α = {settings['alpha']}, until {goal} has "
        f"probability {entry['confidence']}, at most {iterations} iterations."
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
    """The training curves of the models that are trained here."""
    name = wildcards.dataset
    means = "Training values are means over an epoch's batches, on noisy images where a model trains on those."
    given = [model for model in models(name) if model not in trained(name)]
    untrained = f"Not trained here: {', '.join(given)}." if given else ""
    words = (means, noise_in_words(name), training_in_words(name), untrained)
    return figure_spec(name, *words, only=trained(name))


def noise_spec(wildcards):
    """Examples of the noisy training data."""
    name = wildcards.dataset
    return figure_spec(name, training_in_words(name), augmentation=config["datasets"][name]["augmentation"])


def architecture_spec(wildcards):
    """The networks themselves."""
    return figure_spec(wildcards.dataset)


def run_time_figure_spec(wildcards):
    """The times of all jobs, by rule and model."""
    from robustness import configured

    entries = [
        {
            "name": name,
            "title": config["datasets"][name]["title"] + ("" if name == large(name) else ", sensitivity"),
            "models": drawn_models(name),
        }
        for name in timed_datasets()
    ]
    footnote = [scale_in_words(), f"{counted(len(config['seeds']), 'seed')}."]
    return as_param({"datasets": entries, "architectures": configured.architectures(config), "footnote": footnote})


def history_models(wildcards):
    """The model that each of `histories` belongs to."""
    return [model for model in trained(wildcards.dataset) for _ in config["seeds"]]


# ---- claims and curves -----------------------------------------------------------------------------------------------

ROBUSTNESS_CURVES = ("linf", "l2", "mean_change", "confidence")
CLAIM_DATASETS = ("mnist", "cifar")  # the report's; importing robustness.claims here would slow down every start


def report_measures(wildcards):
    """The measures of the report's attack on all models and seeds of a dataset."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/report/{{model}}/seed{{seed}}/measures.parquet",
        model=models(wildcards.dataset),
        seed=config["seeds"],
    )


def claim_datasets():
    """The datasets that the report's claims are about, as far as they are studied."""
    return [dataset for dataset in config["study"] if dataset in CLAIM_DATASETS]


def claim_attacks():
    """The attacks that claims are answered from: the report's, then the others of ours that take any wrong class."""
    untargeted = [name for name in own_attacks() if config["attacks"][name]["target"] is None]
    return ["report", *(name for name in untargeted if name != "report")]


def claim_measures(wildcards):
    """The measures of each of `claim_attacks` on all models and seeds of each of `claim_datasets`."""
    return [
        f"{RESULTS}/{dataset}/attacks/{attack}/{model}/seed{seed}/measures.parquet"
        for attack in claim_attacks()
        for dataset in claim_datasets()
        for model in models(dataset)
        for seed in config["seeds"]
    ]


def claim_predictions(wildcards):
    """The predictions of all models and seeds of each of `claim_datasets`."""
    return [
        f"{RESULTS}/{dataset}/models/{model}/seed{seed}/predictions.parquet"
        for dataset in claim_datasets()
        for model in models(dataset)
        for seed in config["seeds"]
    ]


def claim_tables(name):
    """The table of that name of each of `claim_datasets`, less those that have none."""
    return [f"{RESULTS}/{dataset}/tables/{name}.csv" for dataset in claim_datasets_with(name)]


def claim_datasets_with(name):
    """The datasets among `claim_datasets` that have a table of that name: without judges there is no believability."""
    return [dataset for dataset in claim_datasets() if name != "believability" or has_judges(dataset)]


def claims_spec(wildcards):
    """The attacks with their confidence, the datasets with their models and step, and which of them have tables."""
    return as_param(
        {
            "attacks": [[name, config["attacks"][name]["confidence"]] for name in claim_attacks()],
            "datasets": [
                {"name": dataset, "models": models(dataset), "alpha": config["datasets"][dataset]["alpha"]}
                for dataset in claim_datasets()
            ],
            "believability": claim_datasets_with("believability"),
            "trust": claim_datasets_with("trust"),
        }
    )


def claims_page_spec(wildcards):
    """What the page of claims says of this configuration: scale, datasets, seeds and how images were attacked."""
    datasets = [
        {
            "name": name,
            "title": config["datasets"][name]["title"],
            "settings": [attack_in_words(name, "report"), noise_in_words(name), training_in_words(name)],
        }
        for name in claim_datasets()
    ]
    return as_param({"scale": config["scale"], "seeds": len(config["seeds"]), "datasets": datasets})


def robustness_curves_spec(wildcards):
    """Curves of one measure at the report's confidence, or of the L2 norm at all confidences side by side."""
    name, attack = wildcards.dataset, config["attacks"]["report"]
    words = (attack_in_words(name, "report"), noise_in_words(name), attacked_in_words(name))
    levels = {attack["confidence"], *(0.0 if each == "argmax" else each for each in attack["other_confidences"])}
    if wildcards.curves == "confidence":
        panels = [{"measure": "l2", "required_confidence": level} for level in sorted(levels)]
    else:
        panels = [{"measure": wildcards.curves, "required_confidence": attack["confidence"]}]
    return figure_spec(name, *words, panels=panels)


def rank_agreement_spec(wildcards):
    """The order of the models."""
    return as_param({"models": models(wildcards.dataset)})


# ---- trust ----------------------------------------------------------------------------------------------------------


def pages(dataset):
    """The pages of a dataset."""
    return [f"{RESULTS}/{dataset}/trust.html"]


def trust_target(dataset):
    """What `snakemake results/<dataset>/trust` makes: the checks as table and page, and a file if all have passed."""
    return [f"{RESULTS}/{dataset}/tables/trust.csv", *pages(dataset), f"{RESULTS}/{dataset}/trust/passed.txt"]


def checked_attacks():
    """The report's attack, and the one called `strong` where it is ours and has the same target."""
    attacks = config["attacks"]
    alike = "strong" in own_attacks() and attacks["strong"]["target"] == attacks["report"]["target"]
    return ["report", *(["strong"] if alike else [])]


def checked_records(wildcards):
    """The records of all shards of `checked_attacks` on one model, attack by attack."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/attacks/{{attack}}/{wildcards.model}/seed{wildcards.seed}/{{shard}}.parquet",
        attack=checked_attacks(),
        shard=shards(wildcards.dataset),
    )


def checked_images(wildcards):
    """The images that `checked_records` belong to."""
    return [path.replace(".parquet", ".safetensors") for path in checked_records(wildcards)]


def trust_checks(wildcards):
    """The checks of all of a dataset's models and seeds."""
    return expand(
        f"{RESULTS}/{wildcards.dataset}/trust/{{model}}/seed{{seed}}.csv",
        model=models(wildcards.dataset),
        seed=config["seeds"],
    )


def page_template(name):
    """The path of a page's template; no input, for the reason that `src` gives."""
    return Path(os.path.relpath(Path(workflow.basedir, "report", f"{name}.html.j2")))


def not_trustworthy(dataset):
    """What `onsuccess` says of the trust checks of a dataset: nothing where all passed, or none was made yet."""
    from robustness.errors import UserError
    from robustness.trust import failures, read

    table = Path(RESULTS, dataset, "tables", "trust.csv")
    try:
        failed = failures(read(table)) if table.exists() else {}
    except UserError as error:  # a message must not make a run fail that has succeeded
        return [str(error)]
    models = "; ".join(f"{model} ({words})" for model, words in failed.items())
    return [f"Not trustworthy in {dataset}: {models}. See {pages(dataset)[0]}"] if failed else []


def trust_spec(wildcards):
    """The report's attack on one model, the attacks whose records are checked, and on how many images."""
    return as_param(
        {
            "model": wildcards.model,
            "attack": attack_settings(wildcards.dataset, "report"),
            "attacks": checked_attacks(),
            "seed": int(wildcards.seed),
            "images": config["trust"]["images"],
        }
    )


def trust_page_spec(wildcards):
    """The names and titles of the models, what the page says of the settings, and a digest of its template."""
    name = wildcards.dataset
    words = (attack_in_words(name, "report"), noise_in_words(name), attacked_in_words(name))
    digest = hashlib.sha256(page_template("trust").read_bytes()).hexdigest()[:16]
    return figure_spec(name, *words, images=config["trust"]["images"], template=digest)


def required_trust_spec(wildcards):
    """What the sentence calls the dataset."""
    return as_param({"dataset": wildcards.dataset})


# ---- the study's page -----------------------------------------------------------------------------------------------


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
            "texts": hashlib.sha256(b"".join(path.read_bytes() for path in texts)).hexdigest()[:16],
        }
    )


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
    lines += [
        f"{dataset} has one network, and none to judge or to fool with its images: no believability, no transfer."
        for dataset in config["study"]
        if not has_judges(dataset)
    ]
    if scale["name"] != "paper":
        lines.append("The report's own sizes: add --configfile scales/paper.yaml.")
    return said(lines)


def outcome():
    """What `onsuccess` says: what to open or, after `fetch`, that it needs no network; whose trust checks failed."""
    from robustness.run_summary import done

    lines = done(as_jobs(workflow.dag.finished_jobs), RESULTS, config["downloads"])
    return said(lines + [line for dataset in config["study"] for line in not_trustworthy(dataset)])


def said(lines):
    """Lines as they are printed between Snakemake's own."""
    return "\n".join(["", *(f"  {line}" for line in lines), ""])


def failure(started):
    """What `onerror` says: the jobs that failed, the end of their logs and the next step."""
    from robustness.run_summary import failures

    return said(failures(as_jobs(workflow.scheduler.failed), started))


# ---- judges, transfer and targets -----------------------------------------------------------------------------------


def networks(dataset):
    """Model and seed of every network of a dataset; a model that comes with its weights is the same for each seed."""
    return [
        [model, seed]
        for model in models(dataset)
        for seed in (config["seeds"] if model in trained(dataset) else config["seeds"][:1])
    ]


def has_judges(dataset):
    """Whether a dataset has a second network that can judge what fooled the first."""
    return len(networks(dataset)) > 1


def of_every_network(dataset, name):
    """One file for each model and seed of a dataset; `name` holds `{model}` and `{seed}`."""
    return expand(f"{RESULTS}/{dataset}/{name}", model=models(dataset), seed=config["seeds"])


def judges(wildcards):
    """Model and seed of every network of the dataset but the attacked one."""
    attacked = [wildcards.model, int(wildcards.seed)]
    if wildcards.model not in trained(wildcards.dataset):
        attacked[1] = config["seeds"][0]
    return [network for network in networks(wildcards.dataset) if network != attacked]


def judges_weights(wildcards):
    """The weights of `judges`."""
    folder = f"{RESULTS}/{wildcards.dataset}/models"
    return [f"{folder}/{model}/seed{seed}/weights.safetensors" for model, seed in judges(wildcards)]


def same_seed_weights(wildcards):
    """The weights of all of a dataset's models with one seed."""
    folder = f"{RESULTS}/{wildcards.dataset}/models"
    return [f"{folder}/{model}/seed{wildcards.seed}/weights.safetensors" for model in models(wildcards.dataset)]


def attack_measures(wildcards):
    """The measures of one attack on all of a dataset's models and seeds."""
    return of_every_network(wildcards.dataset, f"attacks/{wildcards.attack}/{{model}}/seed{{seed}}/measures.parquet")


def judged(wildcards):
    """The judges' answers to the report's attack on all of a dataset's models and seeds."""
    return of_every_network(wildcards.dataset, "attacks/report/{model}/seed{seed}/judged.parquet")


def transferred(wildcards):
    """What the changes of the report's attack on each of a dataset's models and seeds do to the others."""
    return of_every_network(wildcards.dataset, "attacks/report/{model}/seed{seed}/transferred.parquet")


def targeted_records(wildcards):
    """The records of the targeted attack on all of a dataset's models and seeds."""
    return of_every_network(wildcards.dataset, "targeted/{model}/seed{seed}/records.parquet")


def pictures(dataset, *names):
    """Figures of a dataset by their names, each as SVG and PNG."""
    return [f"{RESULTS}/{dataset}/figures/{name}.{suffix}" for name in names for suffix in ("svg", "png")]


def believability(dataset):
    """The table and the figure of believability; none where there is no judge."""
    parts = [f"{RESULTS}/{dataset}/tables/believability.csv", *pictures(dataset, "believability")]
    return parts if has_judges(dataset) else []


def transfers(dataset):
    """The table and the figure of transfer; none where there is one model."""
    parts = [f"{RESULTS}/{dataset}/tables/transfer.csv", *pictures(dataset, "transfer")]
    return parts if len(models(dataset)) > 1 else []


def targets(dataset):
    """The table and the figures of the targeted attack."""
    names = [f"targeted_{model}" for model in models(dataset)]
    return [f"{RESULTS}/{dataset}/tables/targeted.csv", *pictures(dataset, *names)]


def judges_part(dataset, folder):
    """What `believability`, `transfers` and `targets` have in one folder of a dataset: `tables` or `figures`."""
    paths = believability(dataset) + transfers(dataset) + targets(dataset)
    return [path for path in paths if path.startswith(f"{RESULTS}/{dataset}/{folder}/")]


def judge_spec(wildcards):
    """The judges, the required confidence at which images are judged, and the seed of the noise."""
    confidence = config["attacks"][wildcards.attack]["confidence"]
    return as_param({"judges": judges(wildcards), "required_confidence": confidence, "seed": int(wildcards.seed)})


def transfer_spec(wildcards):
    """Source and targets of a transfer, the required confidence at which images are taken, and the seed of the noise."""
    return as_param(
        {
            "models": models(wildcards.dataset),
            "source": wildcards.model,
            "required_confidence": config["attacks"][wildcards.attack]["confidence"],
            "seed": int(wildcards.seed),
        }
    )


def targeted_spec(wildcards):
    """The settings of the attack that it is based on, with a target for each image, and the number of images."""
    targeted = config["targeted"]
    own = {
        "target": "given",
        "alpha": config["datasets"][wildcards.dataset]["alpha"],
        "max_iterations": targeted["max_iterations"],
    }
    return as_param(
        {
            "title": f"{wildcards.dataset}/{wildcards.model}, seed {wildcards.seed}, toward each class",
            "attack": config["attacks"][targeted["attack"]] | own,
            "images_per_class": targeted["images_per_class"],
            "seed": int(wildcards.seed),
        }
    )


def report_table_spec(wildcards):
    """The order of the models, and the required confidence of the report's attack."""
    confidence = config["attacks"]["report"]["confidence"]
    return as_param({"models": models(wildcards.dataset), "required_confidence": confidence})


def targeted_table_spec(wildcards):
    """The order of the models, and the names of the classes."""
    return as_param({"models": models(wildcards.dataset), "classes": config["datasets"][wildcards.dataset]["classes"]})


def report_figure_spec(wildcards):
    """A figure about the images that the report's attack made."""
    name = wildcards.dataset
    return figure_spec(name, attack_in_words(name, "report"), noise_in_words(name), attacked_in_words(name))


def targeted_figure_spec(wildcards):
    """The heat map of the targeted attack on one model."""
    name, targeted = wildcards.dataset, config["targeted"]
    settings = config["attacks"][targeted["attack"]]
    told = attack_in_words(name, targeted["attack"], "the target class", targeted["max_iterations"])
    words, confidence = (told, noise_in_words(name)), settings["confidence"]
    return figure_spec(name, *words, model=wildcards.model, required_confidence=confidence)
