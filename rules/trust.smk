# Can what the attacks found be trusted? Checks of every model, a page of them, and a file where all passed.
# Reads: results/<dataset>/models/, data/test, attacks/ and tables/. Writes: results/<dataset>/trust/ and trust.html.


rule check_trust:
    """Check one model, with the images and the records of the attacks; a failed check is a result like any other."""
    input:
        weights=rules.train_model.output.weights,
        test=rules.prepare_data.output.test,
        adversarial=ask(inputs.checked_images),
        bounds=ask(inputs.checked_bounds),
        measures=ask(inputs.checked_measures),
        step=chosen_step,
    output:
        f"{RESULTS}/{{dataset}}/trust/{{model}}/seed{{seed}}.csv",
    log:
        f"{RESULTS}/{{dataset}}/logs/check_trust/{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/check_trust/{{model}}-seed{{seed}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("check_trust"),
        spec=spec(specs.trust),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --weights {input.weights:q} --test {input.test:q}"
        " --adversarial {input.adversarial:q}"
        " --bounds {input.bounds:q} --measures {input.measures:q} --table {output:q} --threads {threads}"
        " --log {log:q}"


rule write_trust_page:
    """Show every check of every model on one page, with what it asks and what a failure means."""
    input:
        table=rules.tabulate_trust.output,
        step=chosen_step,
    output:
        report(
            f"{RESULTS}/{{dataset}}/trust.html",
            caption="../report/trust.rst",
            category="{dataset}",
            subcategory="Pages",
            labels={"page": "trust checks"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/write_trust_page.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/write_trust_page.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_page", "products/pages/trust"),
        spec=spec(page_specs.trust),
        template=code_inputs.page_template(STUDY.root, "trust"),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} trust --spec {params.spec:q} --table {input.table:q} --template {params.template:q}"
        " --page {output:q} --log {log:q}"


rule require_trust:
    """Fail if a check failed, with a sentence that names the models and the checks."""
    input:
        table=rules.tabulate_trust.output,
        page=rules.write_trust_page.output,
    output:
        f"{RESULTS}/{{dataset}}/trust/passed.txt",
    log:
        f"{RESULTS}/{{dataset}}/logs/require_trust.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/require_trust.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("require_trust"),
        spec=spec(specs.required_trust),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --table {input.table:q} --page {input.page:q} --passed {output:q}"
        " --log {log:q}"
