"""Checks whether a network can be as sure of a wrong class as the attack asks for.

A softmax of bounded outputs, as behind a sigmoid or a cosine, ends below 1: of three outputs in [0, 1] at 0.58. No
attack then reaches 0.9, and images look robust only because the network is never that sure.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from robustness.attacks.gradients import log_probabilities, reward_gradient
from robustness.outcome import Outcome
from robustness.storage.levels import is_level
from robustness.text import counted
from robustness.trust.evidence import Evidence, Images, Records, Subject
from robustness.trust.questions import CONFIDENCE_IN_REACH, Check

FEW = 8
"""Images on which a wrong class is made as probable as it gets, where the recorded attacks fooled none."""
STEPS = {0.1: 30, 0.02: 100, 0.005: 100}
"""Steps of that ascent, which may change everything, by their length, one after the other."""


def confidence_in_reach(subject: Subject, evidence: Evidence) -> Check:
    """Return by how much the highest probability of a wrong class stays below the required one.

    It is looked for only where the recorded attacks of the model fooled no image at the required confidence.
    """
    required, attacked = subject.spec.confidence, evidence.attacked
    if fooled := _fooled(evidence, required):
        why = f"A wrong class reached the required probability of {required:g} on {counted(fooled, 'image')}."
        return Check(CONFIDENCE_IN_REACH, 0.0, 0.0, attacked, why)
    reached = max(_recorded(evidence), highest_confidence(subject, evidence.sample.of(np.arange(_few(evidence)))))
    if reached >= required:
        why = (
            f"No recorded attack reached the required probability of {required:g}; with unlimited change a wrong class "
            f"had {reached:.2f}."
        )
        return Check(CONFIDENCE_IN_REACH, 0.0, 0.0, attacked, why)
    why = (
        f"The network reached at most {reached:.2f} of the required {required:g}: its images do not end for lack of "
        "confidence, not for robustness."
    )
    return Check(CONFIDENCE_IN_REACH, required - reached, 0.0, attacked, why)


def highest_confidence(subject: Subject, images: Images) -> float:
    """Return the highest probability of a wrong class that an ascent on its probability finds, without a limit.

    Each image climbs toward the wrong class that is most probable at its start.
    """
    spec = replace(subject.spec, reward="cross_entropy", direction="sign", target="next")
    rows, x = np.arange(len(images)), images.pixels
    log_p = log_probabilities(subject.model, x)
    log_p[rows, images.truth] = -np.inf
    aimed = log_p.argmax(1)
    highest = log_p[rows, aimed].max()
    for alpha, steps in STEPS.items():
        for _ in range(steps):
            log_p, gradient = reward_gradient(subject.model, x, aimed, spec)
            highest = max(highest, log_p[rows, aimed].max())
            x = (x + alpha * gradient.sign()).clamp(0, 1)
    return float(np.exp(highest))


def evaluations(subject: Subject, evidence: Evidence) -> int:
    """Count the images that the check gives to the model."""
    return 0 if _fooled(evidence, subject.spec.confidence) else _few(evidence) * (1 + sum(STEPS.values()))


def _few(evidence: Evidence) -> int:
    return min(FEW, len(evidence.sample))


def _fooled(evidence: Evidence, required: float) -> int:
    """Count the images that the paper's attack fooled at the required confidence."""
    records = next(iter(evidence.attacks.values()))
    return int((is_level(records["required_confidence"], required) & (records["ended"] == Outcome.SUCCESS)).sum())


def _recorded(evidence: Evidence) -> float:
    """Return the highest probability of a wrong class in all records; 0 where none was predicted."""
    return max(
        float(records["confidence_after"][_wrong(records)].max(initial=0.0)) for records in evidence.attacks.values()
    )


def _wrong(records: Records) -> NDArray[np.bool_]:
    wrong: NDArray[np.bool_] = (records["label_after"] != records["label"]) & (records["ended"] != Outcome.SKIPPED)
    return wrong
