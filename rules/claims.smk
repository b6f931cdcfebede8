# What the report claims and whether it holds; the robustness curves, and whether other measures rank the models alike.
# Reads: results/<dataset>/attacks/, models/ and tables/. Writes: results/claims.csv, results/claims.html, and
# results/<dataset>/tables/ and figures/.


rule assess_claims:
    """Say of each claim of the report whether it holds, and why."""
    input:
        measures=ask(inputs.claim_measures),
        predictions=ask(inputs.claim_predictions),
        judged=ask(inputs.claim_judged),
        trust=ask(inputs.claim_trust),
    output:
        report(
            f"{RESULTS}/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"table": "the report's claims", "shows": "which of them hold, and why"},
        ),
    log:
        f"{RESULTS}/logs/assess_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/assess_claims.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("assess_claims"),
        spec=spec(specs.claims),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --measures {input.measures:q} --predictions {input.predictions:q}"
        " --judged {input.judged:q} --trust {input.trust:q} --table {output:q} --log {log:q}"


rule write_claims_page:
    """Write the table of claims as a page that can be read in a browser."""
    input:
        table=rules.assess_claims.output,
    output:
        f"{RESULTS}/claims.html",
    log:
        f"{RESULTS}/logs/write_claims_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_claims_page.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_page", "products/pages/claims"),
        spec=spec(page_specs.claims),
        template=page_template("claims"),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} claims --spec {params.spec:q} --table {input.table:q} --template {params.template:q}"
        " --page {output:q} --log {log:q}"


rule tabulate_rank_agreement:
    """Say whether confidence levels, and measures of change, rank the models alike."""
    input:
        measures=ask(inputs.report_measures),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/rank_agreement.csv",
            caption="../report/rank_agreement.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "rank agreement of confidences and measures"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/tabulate_rank_agreement.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/tabulate_rank_agreement.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/rank_agreement"),
        spec=spec(table_specs.rank_agreement),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} rank_agreement --spec {params.spec:q} --measures {input.measures:q} --table {output:q} --log {log:q}"


rule plot_robustness_curves:
    """Draw the share of images fooled against the change allowed, a line per model."""
    input:
        measures=ask(inputs.report_measures),
        trust=rules.tabulate_trust.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/robustness_curves_{{curves}}.svg",
            caption="../report/robustness_curves.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "robustness curves: {curves}", "shows": "share of images fooled by the change allowed"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/robustness_curves_{{curves}}.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_robustness_curves/{{curves}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_robustness_curves/{{curves}}.tsv"
    wildcard_constraints:
        curves="|".join(targets.ROBUSTNESS_CURVES),
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/robustness_curves"),
        spec=spec(figure_specs.robustness_curves),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} robustness_curves --spec {params.spec:q} --measures {input.measures:q}"
        " --trust {input.trust:q} --svg {output.svg:q} --png {output.png:q} --log {log:q}"
