"""The one family of errors this package raises on purpose."""


class FmnistError(Exception):
    """A problem the user can act on: one sentence on what is wrong, where, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Show IPython the sentence alone: a notebook's reader needs no stack trace."""
        return [f"{type(self).__name__}: {self}"]
