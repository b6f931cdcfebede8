"""How an attack on an image can end."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How an attack on an image ended, as files of records name it (column `ended`)."""

    SUCCESS = "success"
    """The image met the criterion."""
    DEFAULT_STATE = "default_state"
    """The reward stood still and the prediction was that on random static, so that nothing more was tried."""
    CAP = "cap"
    """All iterations that are allowed were taken."""
    SKIPPED = "skipped"
    """The image was not attacked: the model gets it wrong as it is, or it has the target's class."""


CENSORED = (Outcome.DEFAULT_STATE, Outcome.CAP)
"""Attacked and not fooled: the change that such an image needs is larger than any that was tried."""

NUMBERED = tuple(Outcome)
"""The outcomes in the order of the numbers that stand for them in tensors."""
SUCCESS, DEFAULT_STATE, CAP, SKIPPED = map(
    NUMBERED.index, (Outcome.SUCCESS, Outcome.DEFAULT_STATE, Outcome.CAP, Outcome.SKIPPED)
)
