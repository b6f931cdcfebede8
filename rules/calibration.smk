# Which noise level gives the accuracy that the paper reports for a noisy model? No other result depends on the answer.
# Reads: results/<dataset>/data/. Writes: results/<dataset>/calibration/.


rule calibrate_noise:
    """Train a noisy model with one noise level after the other, until its accuracy is the published one."""
    input:
        train=rules.prepare_data.output.train,
        validation=rules.prepare_data.output.validation,
        test=rules.prepare_data.output.test,
    output:
        f"{RESULTS}/{{dataset}}/calibration/{{model}}.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/calibrate_noise/{{model}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/calibrate_noise/{{model}}.tsv"
    wildcard_constraints:
        dataset=one_of(dataset.name for dataset in STUDY.studied if dataset.calibrated),
        model=one_of({model for dataset in STUDY.studied for model in dataset.calibrated}),
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("calibrate_noise"),
        spec=spec(specs.calibration),
        checkpoint=f"{RESULTS}/{{dataset}}/checkpoints/calibration-{{model}}.pt",
        seed=STUDY.seeds[0],
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --train {input.train:q} --validation {input.validation:q}"
        " --test {input.test:q} --checkpoint {params.checkpoint:q} --level {output:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q} --seed {params.seed} --threads {threads} --log {log:q}"


rule calibration:
    """The noise level that gives the published accuracy, for each model that tells it; not part of anything else."""
    input:
        targets.calibrations(STUDY),
    localrule: True
