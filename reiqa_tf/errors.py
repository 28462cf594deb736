"""The root of all errors that a person can mend."""


class ReiqaError(ValueError):
    """What was expected, what was received, and what to do, in one line.

    Every module raises a class of its own below this one; the command prints the line alone.
    """
