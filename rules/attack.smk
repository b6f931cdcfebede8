# From trained models to attacked images, in shards of the test set.
# Reads: results/<dataset>/models/ and data/test. Writes: results/<dataset>/attacks/<attack>/<model>/seed<k>/, and
# step.json where a pilot chooses the step.


if STUDY.piloted:  # a checkpoint costs time at the start of each job of a cluster, even where nothing depends on it

    checkpoint choose_step:
        """Choose the step of a dataset's attacks by a pilot on a few images; jobs that need it are planned again."""
        input:
            weights=ask(inputs.piloted_weights),
            test=rules.prepare_data.output.test,
        output:
            f"{RESULTS}/{{dataset}}/step.json",
        log:
            f"{RESULTS}/{{dataset}}/logs/choose_step.log",
        benchmark:
            f"{RESULTS}/{{dataset}}/benchmarks/choose_step.tsv"
        wildcard_constraints:
            dataset=one_of(STUDY.piloted),
        conda:
            "../envs/torch.yaml"
        threads: 1
        params:
            *src("choose_step"),
            spec=spec(specs.step),
            seed=STUDY.seeds[0],
        shell:
            "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --weights {input.weights:q} --test {input.test:q}"
            " --dataset {wildcards.dataset:q} --seed {params.seed} --step {output:q} --threads {threads} --log {log:q}"


rule attack_shard:
    """Attack one model on one range of test images; a killed shard continues from its last saved state.

    Attacks that differ in the reward alone share their steps. Whichever job is first computes the others along, and
    leaves their states as its own would be left if it were killed (`checkpoint`); no job waits for another's files.
    """
    input:
        weights=rules.train_model.output.weights,
        test=rules.prepare_data.output.test,
        step=chosen_step,
    output:
        records=f"{RESULTS}/{{dataset}}/attacks/{{attack}}/{{model}}/seed{{seed}}/{{start}}-{{stop}}.parquet",
        adversarial=f"{RESULTS}/{{dataset}}/attacks/{{attack}}/{{model}}/seed{{seed}}/{{start}}-{{stop}}.safetensors",
    log:
        f"{RESULTS}/{{dataset}}/logs/attack_shard/{{attack}}-{{model}}-seed{{seed}}-{{start}}-{{stop}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/attack_shard/{{attack}}-{{model}}-seed{{seed}}-{{start}}-{{stop}}.tsv"
    wildcard_constraints:
        attack=one_of([*STUDY.own_attacks, *STUDY.swept_attacks]),
    priority: ask(attack_jobs.priority)
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("attack_shard"),
        spec=spec(attack_jobs.spec),
        partners=ask(attack_jobs.partners),
        checkpoint=f"{RESULTS}/{{dataset}}/checkpoints/{{attack}}-{{model}}-seed{{seed}}-{{start}}-{{stop}}.safetensors",
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --weights {input.weights:q} --test {input.test:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q} --attack {wildcards.attack:q}"
        " --seed {wildcards.seed} --start {wildcards.start} --stop {wildcards.stop}"
        " --records {output.records:q} --adversarial {output.adversarial:q}"
        " --checkpoint {params.checkpoint:q} --partners {params.partners:q}"
        " --threads {threads} --log {log:q}"


rule bound_shard:
    """Attack one model on one range of test images with AutoAttack, within the budgets of each threat model.

    A killed shard continues after its last finished step.
    """
    input:
        weights=rules.train_model.output.weights,
        test=rules.prepare_data.output.test,
    output:
        f"{RESULTS}/{{dataset}}/autoattack/{{model}}/seed{{seed}}/{{start}}-{{stop}}.parquet",
    log:
        f"{RESULTS}/{{dataset}}/logs/bound_shard/{{model}}-seed{{seed}}-{{start}}-{{stop}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/bound_shard/{{model}}-seed{{seed}}-{{start}}-{{stop}}.tsv"
    conda:
        "../envs/autoattack.yaml"
    threads: 1
    params:
        *src("bound_shard"),
        spec=spec(specs.bound),
        checkpoint=f"{RESULTS}/{{dataset}}/checkpoints/{{model}}-seed{{seed}}-{{start}}-{{stop}}.bounds.json",
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --weights {input.weights:q} --test {input.test:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q}"
        " --seed {wildcards.seed} --start {wildcards.start} --stop {wildcards.stop}"
        " --records {output:q} --checkpoint {params.checkpoint:q} --threads {threads} --log {log:q}"


rule compare_shard:
    """Attack one model on one range of test images with an attack of a library, which ours are compared with."""
    input:
        weights=rules.train_model.output.weights,
        test=rules.prepare_data.output.test,
    output:
        records=f"{RESULTS}/{{dataset}}/attacks/{{attack}}/{{model}}/seed{{seed}}/{{start}}-{{stop}}.parquet",
        adversarial=f"{RESULTS}/{{dataset}}/attacks/{{attack}}/{{model}}/seed{{seed}}/{{start}}-{{stop}}.safetensors",
    log:
        f"{RESULTS}/{{dataset}}/logs/compare_shard/{{attack}}-{{model}}-seed{{seed}}-{{start}}-{{stop}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/compare_shard/{{attack}}-{{model}}-seed{{seed}}-{{start}}-{{stop}}.tsv"
    wildcard_constraints:
        attack=one_of(STUDY.comparators),
    conda:
        "../envs/comparators.yaml"
    threads: 1
    params:
        *src("compare_shard"),
        spec=spec(specs.comparator),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --weights {input.weights:q} --test {input.test:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q} --attack {wildcards.attack:q}"
        " --seed {wildcards.seed} --start {wildcards.start} --stop {wildcards.stop}"
        " --records {output.records:q} --adversarial {output.adversarial:q}"
        " --threads {threads} --log {log:q}"
