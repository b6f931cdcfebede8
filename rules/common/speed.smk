# Resources and specs of rules/speed.smk.


def every_core(wildcards):
    """All cores that `--cores` allows, so that a job has the machine to itself; four where there is no limit."""
    return workflow.resource_settings.cores or 4


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
