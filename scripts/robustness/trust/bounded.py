"""Compares our attacks with AutoAttack on the same images: do the curves overstate the robustness of a model?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robustness.config.threat_models import NORMS, in_words, is_within
from robustness.storage.columns.bounded import NOTHING, UNCHANGED
from robustness.text import counted
from robustness.trust.checks import LIMITS
from robustness.trust.evidence import Records
from robustness.trust.questions import Check, tolerated


def as_strong_as_autoattack(bounds: Records, measures: Sequence[Records], norm: str) -> Check:
    """Return the largest share of images, at one budget, that AutoAttack fools within it and none of our attacks does.

    `bounds` are AutoAttack's records of one model (`storage.columns.bounded`), `measures` of each of our attacks. The
    shares are of the images that the model gets right unchanged. Of ours the smallest change counts at which the model
    was wrong, at whatever required confidence it was recorded.
    """
    limit = LIMITS["as_strong_as_autoattack"]
    asked = (bounds["norm"] == norm) & (bounds["decided_by"] != UNCHANGED)
    images = len(np.unique(bounds["image"][asked]))
    if not images:
        return Check(
            "as_strong_as_autoattack", np.nan, limit, 0, "AutoAttack was given no image that is right unchanged."
        )
    missed = {}
    for budget in np.unique(bounds["budget"][asked]):
        here = asked & (bounds["budget"] == budget)
        theirs = bounds["image"][here & (bounds["decided_by"] != NOTHING)]
        ours = [
            each["image"][(each["label_after"] != each["label"]) & is_within(each[norm], budget)] for each in measures
        ]
        missed[float(budget)] = len(theirs), len(np.setdiff1d(theirs, np.concatenate(ours)))
    told = "; ".join(
        f"within {in_words(budget)}, AutoAttack fooled {fooled}, of which our attacks missed {alone}"
        for budget, (fooled, alone) in missed.items()
    )
    why = f"Of {counted(images, 'image')} that the model gets right, by {NORMS[norm]}: {told}."
    worst = max(alone for _, alone in missed.values())
    return Check("as_strong_as_autoattack", worst / images, tolerated(limit, images), images, why)
