# Inputs and specs of rules/data.smk.
import os
from functools import cache
from pathlib import Path


def source_files(wildcards):
    """What `prepare_data` reads: the manifest of the downloaded files, the user's own images, or nothing.

    A folder's own time says nothing of the images in it; `data_spec` does.
    """
    source = source_of(wildcards.dataset)
    if "files" in source:
        return f"{RESULTS}/{large(wildcards.dataset)}/data/download.json"
    return ancient(source["path"]) if is_folder(source) else source.get("path", [])


def is_folder(source):
    """Whether a source is a folder of images, and no archive of one."""
    return os.path.isdir(source.get("path", ""))


@cache
def images_digest(folder):
    """What changes when an image in a folder does; once for each start, since it may have to look at many files."""
    from robustness.data.folder_digest import digest
    from snakemake.exceptions import WorkflowError

    try:
        return digest(Path(folder))
    except OSError as error:
        raise WorkflowError(f"{error.filename} cannot be read ({error.strerror}): make it readable") from None


def manifest_option(wildcards):
    """The option that hands `prepare_data` the manifest, for sources that are downloaded."""
    return ["--manifest", source_files(wildcards)] if "files" in source_of(wildcards.dataset) else []


def download_spec(wildcards):
    """What is downloaded, and from where."""
    source = source_of(wildcards.dataset)
    return as_param({"files": source["files"], "addresses": source["addresses"]})


def data_spec(wildcards):
    """The source (less its addresses, which do not change its files), the classes and the split; a folder's digest."""
    dataset = config["datasets"][wildcards.dataset]
    source = {key: value for key, value in source_of(wildcards.dataset).items() if key != "addresses"}
    settings = {name: dataset[name] for name in ("classes", "split", "image_size")}
    if is_folder(source):
        settings["images"] = images_digest(source["path"])
    return as_param({"dataset": wildcards.dataset, "source": source, **settings})


def augmentation_spec(wildcards):
    """The dataset's augmentation."""
    return as_param({"augmentation": config["datasets"][wildcards.dataset]["augmentation"]})
