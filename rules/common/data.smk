# Inputs and specs of rules/data.smk.


def source_files(wildcards):
    """What `prepare_data` reads: the manifest of the downloaded files, the user's own images, or nothing."""
    source = source_of(wildcards.dataset)
    if "files" in source:
        return f"{RESULTS}/{large(wildcards.dataset)}/data/download.json"
    return source.get("path", [])


def manifest_option(wildcards):
    """The option that hands `prepare_data` the manifest, for sources that are downloaded."""
    return ["--manifest", source_files(wildcards)] if "files" in source_of(wildcards.dataset) else []


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


def augmentation_spec(wildcards):
    """The dataset's augmentation."""
    return as_param({"augmentation": config["datasets"][wildcards.dataset]["augmentation"]})
