"""The one exception that means "the user can mend this": its message is all that is printed.

Scripts catch it at the top (`robustness.runtime.cli`) and print the sentence without a traceback.
"""


class UserError(Exception):
    """Something a user can mend; the message names the file, key or value and says what to do."""
