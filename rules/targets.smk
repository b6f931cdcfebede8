# Names for groups of files, so that `snakemake results/cifar/figures` builds what is outdated of them, file by file.
# A rule whose name is the folder's path is such a target; declaring the folder itself as an output is not possible
# where other outputs lie in it.


rule fetch:
    """Every file that comes over a network, verified; the rest of the workflow needs none."""
    input:
        manifests(),
    localrule: True


for dataset in config["study"]:

    rule:
        """Every figure of one dataset."""
        name:
            f"{RESULTS}/{dataset}/figures"
        input:
            figures(dataset),

    rule:
        """Every table of one dataset."""
        name:
            f"{RESULTS}/{dataset}/tables"
        input:
            tables(dataset),

    rule:
        """Everything of one dataset."""
        name:
            f"{RESULTS}/{dataset}"
        input:
            tables(dataset),
            figures(dataset),
            pages(dataset),

    rule:
        """Whether what the attacks found can be trusted; fails where a check did, after its table and its page."""
        name:
            f"{RESULTS}/{dataset}/trust"
        input:
            trust_target(dataset),

    rule:
        """The times of the attack on every model; not part of anything else, since times are never the same."""
        name:
            f"{RESULTS}/{dataset}/speed"
        input:
            speeds(dataset),


rule:
    """Where the time went; not part of anything else, since times are never the same."""
    name:
        f"{RESULTS}/run_time"
    input:
        run_time(),
