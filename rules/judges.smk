# What other networks make of attacked images: judges (believability), transfer, and the attack toward each class.
# Reads: results/<dataset>/attacks/<attack>/, models/ and data/test. Writes: judged and transferred records beside the
# shards, targeted/<model>/seed<k>/, and their tables and figures.


rule judge_attack:
    """Ask all other networks of the dataset what they see in the images that fooled one of them."""
    input:
        test=rules.prepare_data.output.test,
        records=ask(inputs.attack_records),
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
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --test {input.test:q} --records {input.records:q}"
        " --adversarial {input.adversarial:q} --weights {input.weights:q} --judged {output:q}"
        " --threads {threads} --log {log:q}"


rule transfer_attack:
    """Show what fooled one model to all models of the dataset, every change at the same size."""
    input:
        test=rules.prepare_data.output.test,
        records=ask(inputs.attack_records),
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
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --test {input.test:q} --records {input.records:q}"
        " --adversarial {input.adversarial:q} --measures {input.measures:q} --weights {input.weights:q}"
        " --transferred {output:q} --threads {threads} --log {log:q}"


rule attack_targets:
    """Attack a few images of each class toward every other class; a job that was killed goes on where it was."""
    input:
        weights=rules.train_model.output.weights,
        test=rules.prepare_data.output.test,
        predictions=rules.evaluate_model.output,
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
        " --threads {threads} --log {log:q}"


rule tabulate_believability:
    """Say for every model how often judges see the new class in its adversarial images, and in noise."""
    input:
        judged=ask(inputs.judged),
        measures=ask(inputs.report_measures),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/believability.csv",
            caption="../report/believability.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "believability"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/tabulate_believability.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/tabulate_believability.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/believability"),
        spec=spec(table_specs.of_the_report),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} believability --spec {params.spec:q} --judged {input.judged:q} --measures {input.measures:q}"
        " --table {output:q} --log {log:q}"


rule tabulate_transfer:
    """Say for every pair of models whether what fools one fools the other."""
    input:
        transferred=ask(inputs.transferred),
        measures=ask(inputs.report_measures),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/transfer.csv",
            caption="../report/transfer.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "transfer, models × models"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/tabulate_transfer.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/tabulate_transfer.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/transfer"),
        spec=spec(table_specs.of_the_report),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} transfer --spec {params.spec:q} --transferred {input.transferred:q} --measures {input.measures:q}"
        " --table {output:q} --log {log:q}"


rule tabulate_targets:
    """Say for every model what it took to turn images of each class into each other class."""
    input:
        records=ask(inputs.targeted_records),
    output:
        report(
            f"{RESULTS}/{{dataset}}/tables/targeted.csv",
            caption="../report/targeted.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "targeted attack, class × class"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/tabulate_targets.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/tabulate_targets.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("write_table", "products/tables/targets"),
        spec=spec(table_specs.targeted),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} targets --spec {params.spec:q} --records {input.records:q} --table {output:q} --log {log:q}"


rule plot_believability:
    """Draw what judges answer to each model's adversarial images, and to noise of the same size."""
    input:
        table=rules.tabulate_believability.output,
        trust=rules.tabulate_trust.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/believability.svg",
            caption="../report/believability.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "believability", "shows": "what other networks see in the adversarial images"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/believability.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_believability.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_believability.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/believability"),
        spec=spec(figure_specs.of_the_report),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} believability --spec {params.spec:q} --table {input.table:q}"
        " --trust {input.trust:q} --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule plot_transfer:
    """Draw the matrix of models × models: whether what fools one fools the other."""
    input:
        table=rules.tabulate_transfer.output,
        trust=rules.tabulate_trust.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/transfer.svg",
            caption="../report/transfer.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "transfer", "shows": "whether what fools one model fools another"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/transfer.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_transfer.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_transfer.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/transfer"),
        spec=spec(figure_specs.of_the_report),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} transfer --spec {params.spec:q} --table {input.table:q}"
        " --trust {input.trust:q} --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule plot_targets:
    """Draw what it took to turn images of each class into each other class, on one model."""
    input:
        table=rules.tabulate_targets.output,
        trust=rules.tabulate_trust.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/targeted_{{model}}.svg",
            caption="../report/targeted.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "targeted: {model}", "shows": "change needed from class to class"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/targeted_{{model}}.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_targets/{{model}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_targets/{{model}}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/targets"),
        spec=spec(figure_specs.targeted),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} targets --spec {params.spec:q} --table {input.table:q}"
        " --trust {input.trust:q} --svg {output.svg:q} --png {output.png:q} --log {log:q}"


for dataset in STUDY.studied:

    rule:
        """What other networks see in the adversarial images of one dataset; nothing where there is no judge."""
        name:
            f"{dataset.path}/believability"
        input:
            targets.believability(dataset),

    rule:
        """Whether what fools one model of a dataset fools the others; nothing where there is one model."""
        name:
            f"{dataset.path}/transfer"
        input:
            targets.transfers(dataset),

    rule:
        """The attack toward each class, on every model of one dataset."""
        name:
            f"{dataset.path}/targeted"
        input:
            targets.targeted(dataset),
