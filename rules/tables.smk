# From measures, judges' answers and checks to tables: a rule for each that the library declares.
# Reads: results/<dataset>/. Writes: results/<dataset>/tables/.


for table in TABLES:

    rule:
        name:
            table.rule
        input:
            **files(table.inputs),
        output:
            report(
                f"{RESULTS}/{{dataset}}/{table.file}",
                caption=f"../report/{table.caption}.rst",
                category="{dataset}",
                subcategory="Tables",
                labels={"table": table.label},
            ),
        log:
            f"{RESULTS}/{{dataset}}/logs/{table.rule}.log",
        benchmark:
            f"{RESULTS}/{{dataset}}/benchmarks/{table.rule}.tsv"
        wildcard_constraints:
            dataset=one_of(dataset.name for dataset in STUDY.studied if table.of(STUDY, dataset)),
        conda:
            "../envs/figures.yaml"
        params:
            *src("write_table", f"products/tables/{table.name}"),
            name=table.name,
            spec=spec(table.spec),
            inputs=as_options,
        shell:
            "exec python -IS {params[0]:q} {params[1]:q} {params.name:q} --spec {params.spec:q} {params.inputs}"
            " --table {output:q} --log {log:q}"

    workflow.get_rule(table.rule).docstring = table.does
