# The study as one page.
# Reads: every table and figure of the datasets that are studied, results/claims.csv, and what the files of models and
# attacks say of where they came from. Writes: results/report.html.


rule render_report:
    """Write the page that reads like the study, with every table and figure in it."""
    input:
        claims=rules.assess_claims.output,
        tables=[tables(dataset) for dataset in config["study"]],
        figures=[figures(dataset) for dataset in config["study"]],
        stamped=[stamped(dataset) for dataset in config["study"]],
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/render_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/render_report.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("render_report"),
        spec=report_spec,
        template=page_template("study"),
        results=Path(RESULTS),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --results {params.results:q} --template {params.template:q}"
        " --page {output:q} --log {log:q}"
