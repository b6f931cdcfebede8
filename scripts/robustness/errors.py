"""Defines the one exception that means "the user can fix this", of which only the message is printed.

Scripts catch it at the top (`robustness.runtime.cli`) and print the sentence without a traceback.
"""


class UserError(Exception):
    """Something that a user can fix; the message names the file, key or value and says what to do."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says, or its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
