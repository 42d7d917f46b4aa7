"""The classifiers of the paper on the data set, trained again by scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.reports.claim import Claim
from fmnist_utils.verdicts.judge import judge_values
from fmnist_utils.verdicts.outcome import Verdict

#: Where the results of `benchmarks/paper_classifiers.py` ship.
RESULTS = Path(__file__).with_name("classifiers.json")


class Classifier(NamedTuple):
    """One row of Table 3 of the paper, the best of its kind.

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


#: Xiao, Rasul and Vollgraf (2017), Table 3, test accuracy on Fashion-MNIST.
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


def estimator(name: str, seed: int) -> Any:
    """Make an estimator with the paper's settings, and its defaults of 2017.

    Parameters
    ----------
    name : str
        A key of `CLASSIFIERS`.
    seed : int
        Decides what the estimator draws.

    Examples
    --------
    >>> from fmnist_utils.baselines.classifiers import estimator
    >>> estimator("naive-bayes", 1).__class__.__name__
    'GaussianNB'
    """
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC, LinearSVC
    from sklearn.tree import DecisionTreeClassifier

    seeded = {"random_state": seed}
    make = {
        # "auto" was the default of 2017.
        "svc": lambda: SVC(C=10, kernel="rbf", gamma="auto"),
        "gradient-boosting": lambda: GradientBoostingClassifier(
            n_estimators=100, max_depth=10, **seeded
        ),
        "random-forest": lambda: RandomForestClassifier(
            n_estimators=100, criterion="entropy", max_depth=100, **seeded
        ),
        "mlp": lambda: MLPClassifier(hidden_layer_sizes=[100], activation="relu", **seeded),
        "nearest-neighbours": lambda: KNeighborsClassifier(n_neighbors=5, weights="distance", p=1),
        # l1_ratio=1 is penalty=l1; one classifier for each class is what ovr means.
        "logistic-regression": lambda: OneVsRestClassifier(
            LogisticRegression(C=1, l1_ratio=1, solver="liblinear", **seeded)
        ),
        "linear-svc": lambda: LinearSVC(C=1, loss="hinge", penalty="l2", **seeded),
        "decision-tree": lambda: DecisionTreeClassifier(
            criterion="entropy", max_depth=10, splitter="best", **seeded
        ),
        "naive-bayes": lambda: GaussianNB(priors=[0.1] * 10),
    }
    return make[name]()


def correct_answers(name: str, seed: int, data: FashionMNIST) -> int:
    """Train a classifier as the paper does, and count the test images that it gets right.

    Pixels are standardised, each with its mean and deviation over the training images, and the
    training images come in an order that the seed draws.

    Parameters
    ----------
    name : str
        A key of `CLASSIFIERS`.
    seed : int
        Draws the order, and what the classifier draws.
    data : FashionMNIST
        The images.

    Examples
    --------
    >>> from fmnist_utils.baselines.classifiers import correct_answers
    >>> correct_answers("naive-bayes", 1, data) <= len(data.test_labels)
    True
    """
    from sklearn.preprocessing import StandardScaler

    train = data.train_images.reshape(len(data.train_images), -1).astype(np.float64)
    test = data.test_images.reshape(len(data.test_images), -1).astype(np.float64)
    scaler = StandardScaler().fit(train)
    order = np.random.default_rng(seed).permutation(len(train))
    fitted = estimator(name, seed).fit(scaler.transform(train)[order], data.train_labels[order])
    return int(np.sum(fitted.predict(scaler.transform(test)) == data.test_labels))


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
