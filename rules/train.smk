# From prepared images to trained and evaluated models, and what the models are; a model that comes with its weights is
# taken over, not trained.
# Reads: results/<dataset>/data/ and the user's files of weights. Writes: results/<dataset>/models/<model>/seed<k>/ and
# tables/models.csv.


rule describe_models:
    """Count each model's parameters, layers, skip connections and FLOP; needs neither data nor training."""
    output:
        table=report(
            f"{RESULTS}/{{dataset}}/tables/models.csv",
            caption="../report/models.rst",
            category="{dataset}",
            subcategory="Tables",
            labels={"table": "models and their size"},
        ),
        architectures=f"{RESULTS}/{{dataset}}/tables/architectures.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/describe_models.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/describe_models.tsv"
    conda:
        "../envs/torch.yaml"
    params:
        *src("describe_models"),
        spec=spec(specs.all_models),
        code=ask(code_inputs.code_of_all_models),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --table {output.table:q}"
        " --architectures {output.architectures:q} --dataset {wildcards.dataset:q} --log {log:q}"


rule train_model:
    """Train one model with one seed; a killed training continues after its last epoch."""
    input:
        train=rules.prepare_data.output.train,
        validation=rules.prepare_data.output.validation,
    output:
        weights=f"{RESULTS}/{{dataset}}/models/{{model}}/seed{{seed}}/weights.safetensors",
        history=f"{RESULTS}/{{dataset}}/models/{{model}}/seed{{seed}}/history.csv",
        card=f"{RESULTS}/{{dataset}}/models/{{model}}/seed{{seed}}/model.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/train_model/{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/train_model/{{model}}-seed{{seed}}.tsv"
    wildcard_constraints:
        dataset=dataset_of(trained=True),
    priority: 1  # the longest jobs first, so that none is left alone at the end
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("train_model"),
        spec=spec(specs.training),
        code=ask(code_inputs.code_option),
        checkpoint=f"{RESULTS}/{{dataset}}/checkpoints/{{model}}-seed{{seed}}.pt",
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --train {input.train:q} --validation {input.validation:q}"
        " --checkpoint {params.checkpoint:q} --weights {output.weights:q} --history {output.history:q}"
        " --card {output.card:q} {params.code:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q} --seed {wildcards.seed} --threads {threads} --log {log:q}"


rule import_model:
    """Check that a pretrained model can be attacked, and store it like a trained one; the same for each seed."""
    input:
        given=given_weights,
        validation=rules.prepare_data.output.validation,
    output:
        weights=f"{RESULTS}/{{dataset}}/models/{{model}}/seed{{seed}}/weights.safetensors",
        card=f"{RESULTS}/{{dataset}}/models/{{model}}/seed{{seed}}/model.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/import_model/{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/import_model/{{model}}-seed{{seed}}.tsv"
    wildcard_constraints:
        dataset=dataset_of(trained=False),
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("import_model"),
        spec=spec(specs.given_model),
        code=ask(code_inputs.code_option),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --spec {params.spec:q} --given {input.given:q} --validation {input.validation:q}"
        " --weights {output.weights:q} --card {output.card:q} {params.code:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q} --seed {wildcards.seed} --threads {threads} --log {log:q}"


rule evaluate_model:
    """Classify the whole test set with one trained model."""
    input:
        weights=rules.train_model.output.weights,
        test=rules.prepare_data.output.test,
    output:
        f"{RESULTS}/{{dataset}}/models/{{model}}/seed{{seed}}/predictions.parquet",
    log:
        f"{RESULTS}/{{dataset}}/logs/evaluate_model/{{model}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/evaluate_model/{{model}}-seed{{seed}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("evaluate_model"),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} --weights {input.weights:q} --test {input.test:q} --predictions {output:q}"
        " --dataset {wildcards.dataset:q} --model {wildcards.model:q} --seed {wildcards.seed} --threads {threads} --log {log:q}"
