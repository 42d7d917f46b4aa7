"""How a command writes a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def say(console: Console, sentence: str) -> None:
    """Write a sentence as it is: whole words of any length, and no markup read into it.

    Parameters
    ----------
    console : rich.console.Console
        Where to.
    sentence : str
        May hold a path or what a report states, brackets included.

    Examples
    --------
    >>> from rich.console import Console
    >>> from fmnist_utils.console import say
    >>> say(Console(), "[3 runs] are there")
    [3 runs] are there
    """
    console.print(sentence, highlight=False, markup=False, soft_wrap=True)
