"""The runs of `benchmarks/speedrun.py`: how far two cores get in minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

#: Where the results of `benchmarks/speedrun.py` ship.
RESULTS = Path(__file__).with_name("speedruns.json")


#: What users of the data set submitted to its README, unchecked by its authors: the network, its
#: parameters where they are stated, whether images are augmented, test accuracy in percent.
PUBLISHED = (
    ("two convolutions", "113,000", False, "92.2"),
    ("two convolutions", "below 100,000", False, "92.5"),
    ("two convolutions, three dense layers", "1.8 million", False, "93.2"),
    ("two convolutions, three dense layers", "500,000", True, "93.4"),
    ("VGG16", "26 million", False, "93.5"),
    ("capsule network", "8 million", True, "93.6"),
    ("GoogLeNet", "not stated", False, "93.7"),
    ("two convolutions, two dense layers", "not stated", True, "93.9"),
    ("Google AutoML, 24 hours", "not stated", None, "93.9"),
    ("ResNet18", "not stated", True, "94.9"),
    ("MobileNet", "not stated", True, "95.0"),
    ("DenseNet-BC", "768,000", True, "95.4"),
    ("WRN40-4", "8.9 million", True, "96.7"),
)


class FastRun(NamedTuple):
    """One training by a recipe.

    Attributes
    ----------
    goal : str
        The recipe, named by the test accuracy, in percent, that it was made for.
    without : str or None
        Which part of the recipe was left out.
    split : str
        Of which images the accuracy is: ``test``, or ``validation`` for a training on the others.
    seed, correct, images : int
        The seed, and how many of how many images it got right.
    seconds : float
        From the start of the process to the last prediction.
    tensorflow, processor : str
        The version, and what it ran on.
    cores : int
        How many it could use.
    """

    goal: str
    without: str | None
    split: str
    seed: int
    correct: int
    images: int
    seconds: float
    tensorflow: str
    processor: str
    cores: int

    @property
    def accuracy(self) -> float:
        """The share of images that it got right, in percent."""
        return 100 * self.correct / self.images


def read_fast_runs(split: str = "test", without: str | None = None) -> dict[str, list[FastRun]]:
    """Return the runs by goal, the lowest goal first.

    Parameters
    ----------
    split : str
        Of which images the accuracy is.
    without : str, optional
        Those that leave out one part of the recipe.

    Examples
    --------
    >>> all(run.split == "test" for runs in fu.read_fast_runs().values() for run in runs)
    True
    """
    rows = json.loads(RESULTS.read_text())["runs"]
    found: dict[str, list[FastRun]] = {}
    for row in sorted(rows, key=lambda row: (row["goal"], row["seed"])):
        run = FastRun(**row)
        if (run.split, run.without) == (split, without):
            found.setdefault(run.goal, []).append(run)
    return found
