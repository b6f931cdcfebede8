# What figures and pages are drawn with: titles of models, and the sentences that say how their numbers came about.


def figure_spec(dataset, *footnote, only=None, **more):
    """What every figure of a dataset is drawn with: names, titles, what its footnote says, and what is its own.

    `only` names the models that are shown, where it is not all of them.
    """
    from robustness.config import model_entry

    entry = config["datasets"][dataset]
    names = ("title", "classes", "image_size", "changed_pixel_threshold")
    return as_param(
        {
            "dataset": {"name": dataset} | {name: entry[name] for name in names},
            "models": drawn_models(dataset, only),
            "architectures": model_entry.architectures(config),
            "footnote": [scale_in_words(), *footnote],
            **more,
        }
    )


def drawn_models(dataset, only=None):
    """A dataset's models as figures name and colour them; `only` names them where it is not all."""
    from robustness.config import model_entry

    return [
        {
            "name": name,
            "title": model_entry.title(config, model),
            "architecture": model_entry.architecture(config, model)[0],
            "data": model_entry.data(model),
        }
        for name, model in model_entries(dataset).items()
        if name in (only or models(dataset))
    ]


def scale_in_words():
    """The sentence that names the scale."""
    return f"Scale {config['scale']['name']}: {config['scale']['title']}."


def noise_in_words(dataset):
    """The sentence that says what a dataset's noisy models were trained on; none where it has no such model."""
    from robustness.config import model_entry

    if "noisy" not in map(model_entry.data, model_entries(dataset).values()):
        return ""
    entry = config["datasets"][dataset]["augmentation"]
    if entry["kind"] == "gaussian_noise":
        return f"Noisy models: Gaussian noise, σ = {entry['sigma']}, added to the training images in each epoch."
    flip = ", half of them mirrored" if entry["flip"] else ""
    return (
        f"Noisy models: training images rotated by up to {entry['rotation']}°, shifted by {entry['shift']:.0%}, sheared "
        f"by {entry['shear']}°, zoomed by {entry['zoom']:.0%}{flip}, anew in each epoch."
    )


def attack_in_words(dataset, attack, goal=None, iterations=None):
    """The sentence that says how images were attacked; goal and iterations are the attack's own where none are given."""
    entry, settings = config["attacks"][attack], config["datasets"][dataset]
    iterations = iterations or entry["max_iterations"]
    goal = goal or ("any wrong class" if entry["target"] is None else f"target {entry['target']}")
    reward = {"probability": "probability", "cross_entropy": "cross-entropy"}[entry["reward"]]
    return (
        f"Attack {attack}: {reward} reward, {entry['direction']} steps, α = {settings['alpha']}, until {goal} has "
        f"probability {entry['confidence']}, at most {iterations} iterations."
    )


def training_in_words(dataset):
    """The sentence that says on how many images, and how often, models were trained."""
    images = config["datasets"][dataset]["split"]["train"]
    return f"{counted(images, 'training image')}, {counted(len(config['seeds']), 'seed')}."


def attacked_in_words(dataset):
    """The sentence that says how many images were attacked, with how many seeds."""
    images = config["datasets"][dataset]["attacked_images"]
    return f"{counted(images, 'test image')}, {counted(len(config['seeds']), 'seed')}."


def counted(number, noun):
    """A number with its noun: `1 seed`, `3 seeds`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
