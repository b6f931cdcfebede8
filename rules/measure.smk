# From attacked images to measures and tables.
# Reads: results/<dataset>/attacks/ and models/. Writes: measures beside the shards, and results/<dataset>/tables/.


rule measure_attack:
    """Measure how much one attack changed one model's images."""
    input:
        test=rules.prepare_data.output.test,
        records=ask(inputs.attack_records),
        adversarial=ask(inputs.attack_images),
    output:
        f"{RESULTS}/{{dataset}}/attacks/{{attack}}/{{model}}/seed{{seed}}/measures.parquet",
    log:
        f"{RESULTS}/{{dataset}}/logs/measure_attack/{{attack}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/measure_attack/{{attack}}-{{model}}-seed{{seed}}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("measure_attack"),
        spec=spec(specs.measure),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --test {input.test:q} --records {input.records:q}"
        " --adversarial {input.adversarial:q} --measures {output:q} --log {log:q}"


rule tabulate_accuracy:
    """Put every model's test accuracy beside the report's (its Tables 1 and 2)."""
    input:
        predictions=ask(inputs.predictions),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/accuracy.csv",
            caption="../report/accuracy.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "accuracy (report, Tables 1 and 2)"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/tabulate_accuracy.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/tabulate_accuracy.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/accuracy"),
        spec=spec(table_specs.accuracy),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} accuracy --spec {params.spec:q} --predictions {input.predictions:q} --table {output:q}"
        " --log {log:q}"


rule tabulate_robustness:
    """Say for every attack and model how the attacks ended and how much change they needed."""
    input:
        measures=ask(inputs.all_measures),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/robustness.csv",
            caption="../report/robustness.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "robustness, every measure"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/tabulate_robustness.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/tabulate_robustness.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/robustness"),
        spec=spec(table_specs.robustness),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} robustness --spec {params.spec:q} --measures {input.measures:q} --table {output:q} --log {log:q}"


rule compare_attacks:
    """Say how near our attacks come to the smallest change that a library's attacks find."""
    input:
        measures=ask(inputs.compared_measures),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/comparison.csv",
            caption="../report/comparison.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "our attacks beside a library's"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/compare_attacks.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/compare_attacks.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/comparison"),
        spec=spec(table_specs.comparison),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} comparison --spec {params.spec:q} --measures {input.measures:q} --table {output:q} --log {log:q}"


rule select_examples:
    """Choose, by rule, the images that the example figures show."""
    input:
        test=rules.prepare_data.output.test,
        measures=ask(inputs.example_measures),
        adversarial=ask(inputs.example_images),
    output:
        f"{RESULTS}/{{dataset}}/attacks/{{attack}}/examples.safetensors",
    log:
        f"{RESULTS}/{{dataset}}/logs/select_examples/{{attack}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/select_examples/{{attack}}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("select_examples"),
        spec=spec(specs.examples),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --test {input.test:q} --measures {input.measures:q}"
        " --adversarial {input.adversarial:q} --examples {output:q} --log {log:q}"
