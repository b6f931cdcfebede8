# How long the attack takes compared with other ways to run it: a table of times, which no other result depends on.
# Reads: results/<dataset>/models/ and data/test. Writes: results/<dataset>/speed/.


rule benchmark_attack:
    """Time the attack on one model and other ways to run it, alone on the machine."""
    input:
        weights=f"{RESULTS}/{{dataset}}/models/{{model}}/seed{STUDY.seeds[0]}/weights.safetensors",
        test=rules.prepare_data.output.test,
        step=chosen_step,
    output:
        f"{RESULTS}/{{dataset}}/speed/{{model}}.csv",
    log:
        f"{RESULTS}/{{dataset}}/logs/benchmark_attack/{{model}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/benchmark_attack/{{model}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: every_core
    params:
        *src("benchmark_attack"),
        spec=spec(specs.speed),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --weights {input.weights:q} --test {input.test:q}"
        " --table {output:q} --threads {threads} --log {log:q}"
