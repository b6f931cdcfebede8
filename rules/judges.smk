# What other networks make of attacked images: judges (believability), transfer, and the attack toward each class.
# Reads: results/<dataset>/attacks/<attack>/, models/ and data/test. Writes: judged and transferred records next to
# the shards, and targeted/<model>/seed<k>/.


rule judge_attack:
    """Ask all other networks of the dataset what they see in the images that fooled one of them."""
    input:
        test=rules.prepare_data.output.test,
        measures=rules.measure_attack.output,
        adversarial=ask(inputs.attack_images),
        weights=ask(inputs.judges_weights),
    output:
        f"{RESULTS}/{{dataset}}/attacks/{{attack}}/{{model}}/seed{{seed}}/judged.parquet",
    log:
        f"{RESULTS}/{{dataset}}/logs/judge_attack/{{attack}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/judge_attack/{{attack}}-{{model}}-seed{{seed}}.tsv"
    wildcard_constraints:
        attack=one_of(STUDY.own_attacks),
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("judge_attack"),
        spec=spec(specs.judge),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --test {input.test:q} --measures {input.measures:q}"
        " --adversarial {input.adversarial:q} --weights {input.weights:q} --judged {output:q}"
        " --threads {threads} --log {log:q}"


rule transfer_attack:
    """Show what fooled one model to all models of the dataset, all changes brought to the same size."""
    input:
        test=rules.prepare_data.output.test,
        adversarial=ask(inputs.attack_images),
        measures=ask(inputs.attack_measures),
        weights=ask(inputs.same_seed_weights),
    output:
        f"{RESULTS}/{{dataset}}/attacks/{{attack}}/{{model}}/seed{{seed}}/transferred.parquet",
    log:
        f"{RESULTS}/{{dataset}}/logs/transfer_attack/{{attack}}-{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/transfer_attack/{{attack}}-{{model}}-seed{{seed}}.tsv"
    wildcard_constraints:
        attack=one_of(STUDY.own_attacks),
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("transfer_attack"),
        spec=spec(specs.transfer),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --test {input.test:q}"
        " --adversarial {input.adversarial:q} --measures {input.measures:q} --weights {input.weights:q}"
        " --transferred {output:q} --threads {threads} --log {log:q}"


rule attack_targets:
    """Attack a few images of each class toward every other class; a killed job continues where it was."""
    input:
        weights=rules.train_model.output.weights,
        test=rules.prepare_data.output.test,
        predictions=rules.evaluate_model.output,
        step=chosen_step,
    output:
        f"{RESULTS}/{{dataset}}/targeted/{{model}}/seed{{seed}}/records.parquet",
    log:
        f"{RESULTS}/{{dataset}}/logs/attack_targets/{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/attack_targets/{{model}}-seed{{seed}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("attack_targets"),
        spec=spec(specs.targeted),
        checkpoint=f"{RESULTS}/{{dataset}}/checkpoints/targeted-{{model}}-seed{{seed}}.safetensors",
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --weights {input.weights:q} --test {input.test:q}"
        " --predictions {input.predictions:q} --records {output:q} --checkpoint {params.checkpoint:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q} --attack targeted --seed {wildcards.seed}"
        " --threads {threads} --log {log:q}"


for dataset in STUDY.studied:

    rule:
        """What other networks see in the adversarial images of one dataset; nothing where there is no judge."""
        name:
            f"{dataset.path}/believability"
        input:
            targets.part(STUDY, dataset, "believability"),

    rule:
        """Whether what fools one model of a dataset fools the others; nothing where there is one model."""
        name:
            f"{dataset.path}/transfer"
        input:
            targets.part(STUDY, dataset, "transfer"),

    rule:
        """The attack toward each class, on every model of one dataset."""
        name:
            f"{dataset.path}/targeted"
        input:
            targets.part(STUDY, dataset, "targets"),
