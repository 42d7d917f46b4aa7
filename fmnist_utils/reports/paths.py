"""Dotted paths into what a report file holds."""

from __future__ import annotations

from typing import Any


def look_up(value: Any, path: str, owner: str) -> Any:
    """Follow a dotted path such as ``training.optimizer.learning_rate``.

    In a list a number is a position from 0 and ``count`` its length: ``model.hidden.count``.

    Parameters
    ----------
    value : object
        Where the path starts.
    path : str
        Names of attributes or keys, and positions.
    owner : str
        Whom the error names.

    Raises
    ------
    KeyError
        When the path leads nowhere.
    """
    for part in path.split("."):
        try:
            if isinstance(value, tuple):
                value = len(value) if part == "count" else value[int(part)]
            else:
                value = value[part] if isinstance(value, dict) else getattr(value, part)
        except (AttributeError, ValueError, IndexError, KeyError) as error:
            raise KeyError(f"{owner} has no setting {path}") from error
    return value
