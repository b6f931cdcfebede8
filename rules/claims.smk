# Which claims are judged (`claims:` in the configuration), and whether they hold.
# Reads: results/<dataset>/attacks/, models/ and tables/. Writes: results/claims.csv and results/claims.html.


rule assess_claims:
    """Say for each claim whether it holds, and why."""
    input:
        measures=ask(inputs.claim_measures),
        predictions=ask(inputs.claim_predictions),
        judged=ask(inputs.claim_judged),
        trust=ask(inputs.claim_trust),
        step=lambda wildcards: chosen_steps(STUDY.claimed),
    output:
        report(
            f"{RESULTS}/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"table": "claims", "shows": "which of them hold, and why"},
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
        step=lambda wildcards: chosen_steps(STUDY.claimed),
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
        template=code_inputs.page_template(STUDY.root, "claims"),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} claims --spec {params.spec:q} --table {input.table:q} --template {params.template:q}"
        " --page {output:q} --log {log:q}"
