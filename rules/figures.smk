# From tables, examples and histories to figures, each as SVG and PNG.
# Reads: results/<dataset>/. Writes: results/<dataset>/figures/.


rule plot_bars:
    """Draw one measure of robustness, a bar per model (report, Fig. 6, 7, 12, 13)."""
    input:
        table=rules.tabulate_robustness.output,
        trust=rules.tabulate_trust.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/{{measure}}.svg",
            caption="../report/bars.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "{measure}", "shows": "robustness (report, Fig. 6, 7, 12, 13)"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/{{measure}}.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_bars/{{measure}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_bars/{{measure}}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/bars"),
        spec=spec(figure_specs.bars),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} bars --spec {params.spec:q} --table {input.table:q} --trust {input.trust:q}"
        " --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule plot_examples:
    """Draw one image and what it became on each model (report, Fig. 4, 5, 8, 10)."""
    input:
        examples=f"{RESULTS}/{{dataset}}/attacks/report/examples.safetensors",
        trust=rules.tabulate_trust.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/examples_{{label}}.svg",
            caption="../report/examples.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "examples: {label}", "shows": "attacked images (report, Fig. 4, 5, 8, 10)"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/examples_{{label}}.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_examples/{{label}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_examples/{{label}}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/examples"),
        spec=spec(figure_specs.pictures),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} examples --spec {params.spec:q} --examples {input.examples:q} --trust {input.trust:q}"
        " --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule plot_differences:
    """Draw what was added to one image on each model (report, Fig. 9, 11)."""
    input:
        examples=f"{RESULTS}/{{dataset}}/attacks/report/examples.safetensors",
        trust=rules.tabulate_trust.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/differences_{{label}}.svg",
            caption="../report/differences.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "differences: {label}", "shows": "what was added (report, Fig. 9, 11)"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/differences_{{label}}.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_differences/{{label}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_differences/{{label}}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/differences"),
        spec=spec(figure_specs.pictures),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} differences --spec {params.spec:q} --examples {input.examples:q} --trust {input.trust:q}"
        " --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule plot_training_noise:
    """Draw what models trained on noisy data see (report, Fig. 1)."""
    input:
        samples=rules.sample_augmentation.output,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/training_noise.svg",
            caption="../report/training_noise.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "training noise", "shows": "noisy training data (report, Fig. 1)"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/training_noise.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_training_noise.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_training_noise.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/training_noise"),
        spec=spec(figure_specs.training_noise),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} training_noise --spec {params.spec:q} --samples {input.samples:q}"
        " --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule plot_training_curves:
    """Draw loss and accuracy over the epochs of every training."""
    input:
        histories=ask(inputs.histories),
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/training_curves.svg",
            caption="../report/training_curves.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "training curves", "shows": "loss and accuracy per epoch"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/training_curves.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_training_curves.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_training_curves.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/training_curves"),
        spec=spec(figure_specs.training_curves),
        models=ask(inputs.history_models),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} training_curves --spec {params.spec:q} --histories {input.histories:q} --models {params.models:q}"
        " --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule plot_architecture:
    """Draw the networks from their own layers (report, Fig. 2)."""
    input:
        architectures=rules.describe_models.output.architectures,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/architecture.svg",
            caption="../report/architecture.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "architecture", "shows": "the networks (report, Fig. 2)"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/architecture.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_architecture.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_architecture.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/architecture"),
        spec=spec(figure_specs.networks),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} architecture --spec {params.spec:q} --architectures {input.architectures:q}"
        " --svg {output.svg:q} --png {output.png:q} --log {log:q}"


rule plot_skip_connection:
    """Draw a residual block from its own layers (report, Fig. 3)."""
    input:
        architectures=rules.describe_models.output.architectures,
    output:
        svg=report(
            f"{RESULTS}/{{dataset}}/figures/skip_connection.svg",
            caption="../report/skip_connection.rst",
            category="{dataset}",
            subcategory="Figures",
            labels={"figure": "skip connection", "shows": "a residual block (report, Fig. 3)"},
        ),
        png=f"{RESULTS}/{{dataset}}/figures/skip_connection.png",
    log:
        f"{RESULTS}/{{dataset}}/logs/plot_skip_connection.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/benchmarks/plot_skip_connection.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        *src("plot", "products/figures/skip_connection"),
        spec=spec(figure_specs.networks),
    shell:
        "exec python -IS {params[0]:q} {params[1]:q} skip_connection --spec {params.spec:q} --architectures {input.architectures:q}"
        " --svg {output.svg:q} --png {output.png:q} --log {log:q}"
