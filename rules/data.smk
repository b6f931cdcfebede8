# From a source of images to one prepared format.
# Reads: the network or a mirror, or the user's own images. Writes: results/<dataset>/data/.


rule download_data:
    """Fetch and verify a source's files; files that are already in the downloads folder are used as they are."""
    output:
        f"{RESULTS}/{{dataset}}/data/download.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/download_data.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/download_data.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        *src("download_data"),
        spec=spec(specs.download),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --output {output:q} --log {log:q}"


rule prepare_data:
    """Read a source into training, validation and test images."""
    input:
        source=source_files,
    output:
        train=f"{RESULTS}/{{dataset}}/data/train.safetensors",
        validation=f"{RESULTS}/{{dataset}}/data/validation.safetensors",
        test=f"{RESULTS}/{{dataset}}/data/test.safetensors",
        counts=f"{RESULTS}/{{dataset}}/data/counts.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/prepare_data.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/prepare_data.tsv"
    conda:
        "../envs/data.yaml"
    params:
        *src("prepare_data"),
        spec=spec(specs.data),
        manifest=ask(inputs.manifest_option),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} {params.manifest:q}"
        " --train {output.train:q} --validation {output.validation:q} --test {output.test:q}"
        " --counts {output.counts:q} --log {log:q}"


rule sample_augmentation:
    """Draw a few examples of what models trained on noisy data see."""
    input:
        train=rules.prepare_data.output.train,
    output:
        f"{RESULTS}/{{dataset}}/data/augmented.safetensors",
    log:
        f"{RESULTS}/{{dataset}}/logs/sample_augmentation.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/sample_augmentation.tsv"
    conda:
        "../envs/torch.yaml"
    params:
        *src("sample_augmentation"),
        spec=spec(specs.augmentation),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --train {input.train:q} --samples {output:q}"
        " --dataset {wildcards.dataset:q} --log {log:q}"
