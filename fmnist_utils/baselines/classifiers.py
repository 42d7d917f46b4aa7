"""The classifiers of the paper on the data set, trained again by scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fmnist_utils.reports.claim import Claim
from fmnist_utils.verdicts.judge import judge_values
from fmnist_utils.verdicts.outcome import Verdict

#: Where the results of `benchmarks/paper_classifiers.py` ship.
RESULTS = Path(__file__).with_name("classifiers.json")


class Classifier(NamedTuple):
    """One row of Table 3 of the paper.

    Attributes
    ----------
    name : str
        What it is called here.
    settings : str
        As the table prints them.
    reported : str
        Test accuracy as a fraction, as printed: the mean of five trainings.
    """

    name: str
    settings: str
    reported: str


#: Xiao, Rasul and Vollgraf (2017), Table 3, test accuracy on Fashion-MNIST: the best row of each
#: kind, and of gradient boosting, whose best takes hours, the smallest as well.
CLASSIFIERS = {
    "svc": Classifier("support vector machine", "C=10, kernel=rbf", "0.897"),
    "gradient-boosting": Classifier(
        "gradient boosting", "n_estimators=100, loss=deviance, max_depth=10", "0.880"
    ),
    "random-forest": Classifier(
        "random forest", "n_estimators=100, criterion=entropy, max_depth=100", "0.873"
    ),
    "mlp": Classifier("dense network", "activation=relu, hidden_layer_sizes=[100]", "0.871"),
    "nearest-neighbours": Classifier(
        "nearest neighbours", "weights=distance, n_neighbors=5, p=1", "0.854"
    ),
    "logistic-regression": Classifier(
        "logistic regression", "C=1, multi_class=ovr, penalty=l1", "0.842"
    ),
    "linear-svc": Classifier(
        "linear support vector machine", "loss=hinge, C=1, multi_class=ovr, penalty=l2", "0.836"
    ),
    "decision-tree": Classifier(
        "decision tree", "criterion=entropy, max_depth=10, splitter=best", "0.798"
    ),
    "gradient-boosting-small": Classifier(
        "small gradient boosting", "n_estimators=10, loss=deviance, max_depth=3", "0.782"
    ),
    "naive-bayes": Classifier("naive Bayes", "priors=[0.1, 0.1, ...]", "0.511"),
}


class Result(NamedTuple):
    """One training: how many of the test images it got right, in how many CPU seconds, and how."""

    classifier: str
    seed: int
    correct: int
    images: int
    seconds: float
    scikit_learn: str = ""
    processor: str = ""


def read_results(path: Path = RESULTS) -> list[Result]:
    """Return the trainings that ship with the book, or those of another file."""
    return [Result(**row) for row in json.loads(path.read_text())["runs"]] if path.exists() else []


def judge_classifier(name: str, results: Sequence[Result]) -> Verdict:
    """Hold the paper's number of a classifier against trainings, by the rule for reports.

    Parameters
    ----------
    name : str
        A key of `CLASSIFIERS`.
    results : sequence of Result
        Trainings of all classifiers; fewer than three of this one give *pending*.

    Examples
    --------
    >>> from fmnist_utils.baselines.classifiers import judge_classifier
    >>> print(judge_classifier("naive-bayes", []).word)
    pending
    """
    claim = Claim(
        id=name, quantity="accuracy", split="test", value=CLASSIFIERS[name].reported,
        where=("Table 3",), mean_of=5,
    )  # fmt: skip
    values = [each.correct / each.images for each in results if each.classifier == name]
    return judge_values(claim, np.array(values))
