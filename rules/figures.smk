# From tables, examples and histories to figures, each as SVG and PNG: a rule for each that the library declares.
# Reads: results/<dataset>/. Writes: results/<dataset>/figures/.


for figure in FIGURES:

    rule:
        name:
            figure.rule
        input:
            **files(figure.inputs),
            step=chosen_step if "trust" in figure.inputs else [],  # figures about attacks name it
        output:
            svg=report(
                f"{RESULTS}/{{dataset}}/figures/{figure.file}.svg",
                caption=f"../report/{figure.caption}.rst",
                category="{dataset}",
                subcategory="Figures",
                labels={"figure": figure.label, "shows": figure.shows},
            ),
            png=f"{RESULTS}/{{dataset}}/figures/{figure.file}.png",
        log:
            f"{RESULTS}/{{dataset}}/logs/{figure.job}.log",
        benchmark:
            f"{RESULTS}/{{dataset}}/benchmarks/{figure.job}.tsv"
        wildcard_constraints:
            **figure.constraints(STUDY.studied),
        conda:
            "../envs/figures.yaml"
        params:
            *src("plot", f"products/figures/{figure.name}"),
            name=figure.name,
            spec=spec(figure.spec),
            inputs=as_options,
        shell:
            "exec python -IS {params[0]:q} {params[1]:q} {params.name:q} --spec {params.spec:q} {params.inputs}"
            " --svg {output.svg:q} --png {output.png:q} --log {log:q}"

    workflow.get_rule(figure.rule).docstring = figure.does
