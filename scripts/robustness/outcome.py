"""Names how an attack on an image can end."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How an attack on an image ended, as files of records name it (column `ended`)."""

    SUCCESS = "success"
    """The image met the criterion."""
    DEFAULT_STATE = "default_state"
    """The reward stayed the same and the prediction was the one on random static, so nothing more was tried."""
    CAP = "cap"
    """All allowed iterations were taken."""
    SKIPPED = "skipped"
    """The image was not attacked: the model already gets it wrong, or it is of the target class."""


CENSORED = (Outcome.DEFAULT_STATE, Outcome.CAP)
"""Attacked and not fooled: the change that such an image needs is larger than any that was tried."""

NUMBERED = tuple(Outcome)
"""The outcomes in the order of their numbers in tensors."""
SUCCESS, DEFAULT_STATE, CAP, SKIPPED = map(
    NUMBERED.index, (Outcome.SUCCESS, Outcome.DEFAULT_STATE, Outcome.CAP, Outcome.SKIPPED)
)
