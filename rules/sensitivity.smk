# How far the verdicts hang on what the report does not say (the attack's step α, the noise level σ), and whether our
# numbers agree with what others measured.
# Reads: results/<dataset>/attacks/, and results/<dataset>/sensitivity/ with the models of other noise levels, which the
# rules up to the measures make. Writes: results/<dataset>/sensitivity/verdicts/, tables/ and figures/.


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


rule tabulate_sensitivity:
    """Put the verdicts at all swept values into one table."""
    input:
        verdicts=ask(inputs.swept_verdicts),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/sensitivity.csv",
            caption="../report/sensitivity.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "verdicts over α and σ"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/tabulate_sensitivity.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/tabulate_sensitivity.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/sensitivity"),
        spec=spec(table_specs.sensitivity),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} sensitivity --spec {params.spec:q} --verdicts {input.verdicts:q} --table {output:q} --log {log:q}"


rule plot_sensitivity:
    """Draw each claim's verdict over the swept values, and where it flips."""
    input:
        table=rules.tabulate_sensitivity.output,
        trust=rules.tabulate_trust.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/sensitivity.svg",
            caption="../report/sensitivity.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "sensitivity", "shows": "verdicts over α and σ"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/sensitivity.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_sensitivity.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_sensitivity.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/sensitivity"),
        spec=spec(figure_specs.sensitivity),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} sensitivity --spec {params.spec:q} --table {input.table:q}"
        " --trust {input.trust:q} --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule tabulate_references:
    """Put what others measured on undefended models beside ours."""
    input:
        measures=ask(inputs.referenced_measures),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/references.csv",
            caption="../report/references.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "outside references"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/tabulate_references.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/tabulate_references.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/references"),
        spec=spec(table_specs.references),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} references --spec {params.spec:q} --measures {input.measures:q} --table {output:q} --log {log:q}"


for dataset in STUDY.studied:

    rule:
        """How far the verdicts of one dataset hang on α and σ."""
        name:
            f"{dataset.path}/sensitivity"
        input:
            targets.sensitivity(dataset),
