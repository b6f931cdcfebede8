# The files that targets consist of: tables, figures and pages of a dataset.


ROBUSTNESS_CURVES = ("linf", "l2", "mean_change", "confidence")


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
    return pictures(dataset, *names) + judges_part(dataset, "figures")


def pictures(dataset, *names):
    """Figures of a dataset by their names, each as SVG and PNG."""
    return [f"{RESULTS}/{dataset}/figures/{name}.{suffix}" for name in names for suffix in ("svg", "png")]


def pages(dataset):
    """The pages of a dataset."""
    return [f"{RESULTS}/{dataset}/trust.html"]


def trust_target(dataset):
    """What `snakemake results/<dataset>/trust` makes: the checks as table and page, and a file if all have passed."""
    return [f"{RESULTS}/{dataset}/tables/trust.csv", *pages(dataset), f"{RESULTS}/{dataset}/trust/passed.txt"]


def sensitivity(dataset):
    """The table and the figure of what is swept for a dataset; none where nothing is."""
    parts = [f"{RESULTS}/{dataset}/tables/sensitivity.csv", *pictures(dataset, "sensitivity")]
    return parts if swept_values(dataset) else []


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


def has_references(dataset):
    """Whether others have measured what stands beside a dataset's models; they took any wrong class."""
    from robustness.analysis.references import references_of

    return bool(references_of(dataset) and clean_models(dataset) and untargeted_attacks())


def speeds(dataset):
    """The tables of times of a dataset, one for each model."""
    return [f"{RESULTS}/{dataset}/speed/{model}.csv" for model in models(dataset)]


def run_time():
    """The table and the figure of the times that the jobs took."""
    return [f"{RESULTS}/run_time/run_time.{suffix}" for suffix in ("csv", "svg", "png")]


def manifests():
    """The manifests of all downloads: of each studied dataset whose source has files to fetch."""
    return [f"{RESULTS}/{dataset}/data/download.json" for dataset in config["study"] if "files" in source_of(dataset)]
