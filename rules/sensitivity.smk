# How far the verdicts depend on what the paper leaves out: the attack's step α, the noise level σ.
# Reads: results/<dataset>/attacks/, and results/<dataset>-noise-levels/ with the models of other noise levels, which the
# rules up to the measures make. Writes: results/<dataset>/sensitivity/verdicts/.


rule judge_swept_value:
    """Judge the claims at one value of α or σ."""
    input:
        measures=ask(inputs.swept_measures),
    output:
        f"{RESULTS}/{{dataset}}/sensitivity/verdicts/{{parameter}}={{value}}.csv",
    log:
        f"{RESULTS}/{{dataset}}/logs/judge_swept_value/{{parameter}}={{value}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/judge_swept_value/{{parameter}}={{value}}.tsv"
    wildcard_constraints:
        parameter="alpha|sigma",
        value=r"[0-9.e-]+",
    conda:
        "../envs/figures.yaml"
    params:
        *src("judge_swept_value"),
        spec=spec(specs.swept_verdict),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --measures {input.measures:q} --verdicts {output:q} --log {log:q}"


for dataset in STUDY.studied:

    rule:
        """How far the verdicts of one dataset depend on α and σ."""
        name:
            f"{dataset.path}/sensitivity"
        input:
            targets.part(STUDY, dataset, "sensitivity"),
