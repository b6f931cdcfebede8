# Models that come with their weights: checked and taken over, not trained.
# Reads: the user's file of weights and results/<dataset>/data/. Writes: results/<dataset>/models/<model>/seed<k>/.


rule import_model:
    """Check that a model with the user's weights can be attacked, and store it as a trained one; alike for each seed."""
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
        dataset=dataset_of("given"),
    conda:
        "../envs/torch.yaml"
    threads: 1
    params:
        *src("import_model"),
        spec=import_spec,
        code=code_option,
    shell:
        "python {params[0]:q} --spec {params.spec:q} --given {input.given:q} --validation {input.validation:q}"
        " --weights {output.weights:q} --card {output.card:q} {params.code:q} --threads {threads} --log {log:q}"
