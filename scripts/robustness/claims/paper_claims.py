"""The eleven sentences of the paper that are tested, how each is read, and the comparisons that it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from robustness.claims.comparisons import (
    Alike,
    Believable,
    Claim,
    Comparison,
    EndsMostly,
    More,
    MoreAccurate,
    MoreThanDataset,
)
from robustness.claims.study import (
    BASIC,
    CIFAR,
    DEEP,
    MNIST,
    MODELS,
    NOISY_BASIC,
    NOISY_DEEP,
    NOISY_RESNET,
    RESNET,
)
from robustness.outcome import Outcome


def _pairs(
    comparison: Callable[[str, str], Comparison], one: Sequence[str], other: Sequence[str]
) -> tuple[Comparison, ...]:
    return tuple(comparison(first, second) for first in one for second in other if first != second)


CLAIMS = (
    Claim(
        1,
        "We find that on the MNIST dataset, the Noisy Basic Classifier is far more robust than ResNet in terms of "
        "average change in pixels. […] Note that the noisy classifier is more robust in that each pixel on average "
        "needs to be changed by more than the non-noisy counterpart",
        "On MNIST the noisy basic classifier needs a larger mean change than each of the other three models.",
        _pairs(lambda a, b: More(MNIST, "mean_change", a, b), [NOISY_BASIC], MODELS[MNIST]),
    ),
    Claim(
        2,
        "while the basic classifier needs more pixels changed.",
        "On MNIST the basic classifier needs more pixels changed, by more than the dataset's threshold (the paper's "
        "10 %), than the noisy one.",
        (More(MNIST, "pixels_changed", BASIC, NOISY_BASIC),),
    ),
    Claim(
        3,
        "Clearly the classifiers, despite having much lower accuracy are far, far more robust than their deeper "
        "counterparts by a huge margin.",
        "On MNIST either basic classifier needs more than twice the mean change of either ResNet: 'a huge margin' is "
        "read as a factor of 2.",
        _pairs(lambda a, b: More(MNIST, "mean_change", a, b, 2.0), [BASIC, NOISY_BASIC], [RESNET, NOISY_RESNET]),
    ),
    Claim(
        4,
        "Both ResNets do equally terrible in terms of robustness.",
        "On MNIST the two ResNets need the same mean change: 'equally' is read as within a factor of 1.25 either way.",
        (Alike(MNIST, "mean_change", NOISY_RESNET, RESNET, 1.25),),
    ),
    Claim(
        5,
        "repeat either 1000 times, or until the model incorrectly classifies the modified image, though in practice, "
        "the latter happens almost every time in all but one model. […] Note that Noisy feedforward is NOT achieving "
        'it\'s goal. It is defaulting to the "random" state after a certain amount of iterations.',
        "The attack fools more than 95 % of the images that it attacks ('almost every time') on each model but the "
        "noisy basic classifier, where more than half of the attacks end in the default state.",
        (
            EndsMostly(MNIST, NOISY_BASIC, Outcome.DEFAULT_STATE, 0.5),
            *(
                EndsMostly(dataset, model, Outcome.SUCCESS, 0.95)
                for dataset, models in MODELS.items()
                for model in models
                if (dataset, model) != (MNIST, NOISY_BASIC)
            ),
        ),
    ),
    Claim(
        6,
        "In terms of accuracy, ResNet far outperforms the basic classifier even in this simple computer vision "
        "problem.",
        "On MNIST either ResNet has a higher accuracy than either basic classifier; how far, the estimate says.",
        _pairs(lambda a, b: MoreAccurate(MNIST, a, b), [RESNET, NOISY_RESNET], [BASIC, NOISY_BASIC]),
    ),
    Claim(
        7,
        "This much more complex dataset was very easily tricked. With far lesser iterations being required to achieve "
        "said objectives. […] The pixels have to be changed by an order of magnitude less",
        "MNIST needs more than ten times the mean change of CIFAR, and more iterations.",
        (
            MoreThanDataset("mean_change", MNIST, CIFAR, 10.0),
            MoreThanDataset("iterations", MNIST, CIFAR),
        ),
    ),
    Claim(
        8,
        "the noisy Resnet and the non-noisy Deep Resnet performed the best. The difference, however, was not "
        "significant.",
        "On CIFAR the noisy ResNet and the deep ResNet need the same mean change as the other two: a difference that "
        "is 'not significant' is read as equivalence, within a factor of 1.25 either way. Which are the best is "
        "left to the estimates.",
        _pairs(lambda a, b: Alike(CIFAR, "mean_change", a, b, 1.25), [NOISY_RESNET, DEEP], [RESNET, NOISY_DEEP]),
    ),
    Claim(
        9,
        "note that the Deep ResNet requires the most number of pixels changed.",
        "On CIFAR the deep ResNet needs more pixels changed, by more than the dataset's threshold (the paper's 1 %), "
        "than each of the other three models.",
        _pairs(lambda a, b: More(CIFAR, "pixels_changed", a, b), [DEEP], MODELS[CIFAR]),
    ),
    Claim(
        10,
        "ResNet 0.738, Noisy ResNet 0.884, Deep ResNet 0.8572, Noisy Deep ResNet 0.8245 (Table 2). […] Noisy Deep "
        "ResNet does worse than normal Deep ResNet",
        "On CIFAR the noisy ResNet has a higher accuracy than the clean one, the noisy deep ResNet a lower one.",
        (MoreAccurate(CIFAR, NOISY_RESNET, RESNET), MoreAccurate(CIFAR, DEEP, NOISY_DEEP)),
    ),
    Claim(
        11,
        "The Noisy Resnet, while modifying few pixels by less, actually change the image to look like another number, "
        "rather than random noise.",
        "On MNIST judges see the new class in the noisy ResNet's adversarial images more often than in sign noise of "
        "the same norm, and more often so than in each other model's.",
        (
            Believable(MNIST, NOISY_RESNET),
            *(Believable(MNIST, NOISY_RESNET, model) for model in MODELS[MNIST] if model != NOISY_RESNET),
        ),
    ),
)
"""The claims in the order of the paper; sentences are quoted from it; `[…]` marks text that is left out."""
