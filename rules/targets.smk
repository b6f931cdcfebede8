# Names for groups of files, so that `snakemake results/cifar/figures` rebuilds the outdated files of a group.
# A rule whose name is the folder's path is such a target; the folder itself cannot be declared as an output if it holds
# other outputs.


rule fetch:
    """Every download, verified; the rest of the workflow needs no network."""
    input:
        targets.manifests(STUDY),
    localrule: True


for dataset in STUDY.studied:

    rule:
        """Every figure of one dataset."""
        name:
            f"{dataset.path}/figures"
        input:
            targets.figures(dataset),

    rule:
        """Every table of one dataset."""
        name:
            f"{dataset.path}/tables"
        input:
            targets.tables(STUDY, dataset),

    rule:
        """Everything of one dataset."""
        name:
            dataset.path
        input:
            targets.everything(STUDY, dataset),

    rule:
        """Whether what the attacks found can be trusted; fails if a check failed, after its table and page."""
        name:
            f"{dataset.path}/trust"
        input:
            targets.trust(dataset),

    rule:
        """The times of the attack on every model; not part of anything else, since times are never the same."""
        name:
            f"{dataset.path}/speed"
        input:
            targets.speeds(dataset),


rule:
    """Where the time went; not part of anything else, since times are never the same."""
    name:
        f"{RESULTS}/run_time"
    input:
        targets.run_time(STUDY),
