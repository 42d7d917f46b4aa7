"""The one family of errors this package raises on purpose."""


class FmnistError(Exception):
    """A problem the user can act on: one sentence that says what is wrong, where, and what to do."""
