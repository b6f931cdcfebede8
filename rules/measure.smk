# From attacked images to measures, and to the examples that figures show.
# Reads: results/<dataset>/attacks/ and data/test. Writes: measures next to the shards, and attacks/<attack>/examples.


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
