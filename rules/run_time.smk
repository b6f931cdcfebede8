# Where a run's time went, from the times that Snakemake took of each job; asked for by name, part of nothing else.
# Reads: results/<dataset>/benchmarks/, the files next to logs, and the models' cards. Writes: results/run_time/.


rule tabulate_run_time:
    """Sum up the times of all jobs so far, by rule, attack and model."""
    output:
        f"{RESULTS}/run_time/run_time.csv",
    log:
        f"{RESULTS}/run_time/tabulate_run_time.log",
    benchmark:
        f"{RESULTS}/run_time/tabulate_run_time.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/run_time"),
        spec=run_time_spec,
        times=ask(table_specs.times_so_far),  # not inputs: a job whose time is missing need not run again
        results=Path(RESULTS),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} run_time --spec {params.spec:q} --results {params.results:q} --table {output:q} --log {log:q}"


rule plot_run_time:
    """Draw the times of all jobs so far, a bar for each rule."""
    input:
        table=rules.tabulate_run_time.output,
    output:
        svg=report(
            f"{RESULTS}/run_time/run_time.svg",
            caption="../report/run_time.rst",
            category="Run time",
            labels={"figure": "run time", "shows": "the jobs' seconds by rule and model"},
        ),
        png=f"{RESULTS}/run_time/run_time.png",
    log:
        f"{RESULTS}/run_time/plot_run_time.log",
    benchmark:
        f"{RESULTS}/run_time/plot_run_time.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/run_time"),
        spec=spec(figure_specs.run_time),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} run_time --spec {params.spec:q} --table {input.table:q}"
        " --svg {output.svg:q} --png {output.png:q} --log {log:q}"
