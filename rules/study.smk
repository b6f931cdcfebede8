# The study as one page.
# Reads: every table and figure of the datasets that are studied, results/claims.csv, and what the files of models and
# attacks say of where they came from. Writes: results/study.html.


rule write_study_page:
    """Write the page that reads like the study, with every table and figure in it."""
    input:
        claims=rules.assess_claims.output,
        tables=[targets.tables(STUDY, dataset) for dataset in STUDY.studied],
        figures=[targets.figures(dataset) for dataset in STUDY.studied],
        stamped=[targets.stamped(dataset) for dataset in STUDY.studied],
        step=lambda wildcards: chosen_steps(STUDY.studied),
    output:
        f"{RESULTS}/study.html",
    log:
        f"{RESULTS}/logs/write_study_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_study_page.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_page", "products/pages/study"),
        spec=study_page_spec,
        template=code_inputs.page_template(STUDY.root, "study"),
        results=Path(RESULTS),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} study --spec {params.spec:q} --results {params.results:q} --template {params.template:q}"
        " --page {output:q} --log {log:q}"
