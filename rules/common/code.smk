# What of the code a job depends on, as params: scripts with the library modules they import, own networks, page templates.
import hashlib
import os
from pathlib import Path


def src(program, *modules):
    """The params that name a rule's program and change with its code (`robustness.workflow.code_inputs.src`)."""
    from robustness.errors import UserError
    from robustness.workflow import code_inputs
    from snakemake.exceptions import WorkflowError

    try:
        return code_inputs.src(Path(workflow.basedir), program, *modules)
    except UserError as error:
        raise WorkflowError(str(error)) from None


def own_code(*names):
    """The lines that change with the code of a dataset's own models, of `names` among them or of all."""
    from robustness.config import model_entry
    from robustness.storage import user_code_digest
    from robustness.errors import UserError
    from snakemake.exceptions import WorkflowError

    def lines(wildcards):
        folder = Path(config["python_path"]).resolve()
        chosen = [getattr(wildcards, name) for name in names] or models(wildcards.dataset)
        found = []
        for name in chosen:
            model = model_entries(wildcards.dataset)[name]
            try:
                found += user_code_digest.described(model["factory"], folder) if model_entry.is_own(model) else []
            except UserError as error:
                raise WorkflowError(f"datasets.{wildcards.dataset}.models.{name}: {error}") from None
        return list(dict.fromkeys(found))

    return lines


def code_option(wildcards):
    """The option that hands a job `own_code` of its model."""
    found = own_code("model")(wildcards)
    return ["--code", *found] if found else []


def page_template(name):
    """The path of a page's template; no input, for the reason that `src` gives: the page's spec has its `digest_of`."""
    return Path(os.path.relpath(Path(workflow.basedir, "report", f"{name}.html.j2")))


def digest_of(paths):
    """16 hexadecimal digits that change with what stands in the files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]
