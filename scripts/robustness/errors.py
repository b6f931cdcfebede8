"""Defines the one exception that means "the user can fix this": only its message is printed.

Scripts catch it at the top (`robustness.runtime.cli`) and print the sentence without a traceback.
"""


class UserError(Exception):
    """Something that a user can fix; the message names the file, key or value and says what to do."""
