"""Train the classic classifiers of the paper on the data set, and keep what comes out.

    python benchmarks/paper_classifiers.py [--only svc,mlp] [--seeds 5]

What the results file has already is not trained again, and each training is kept when it ends, so
that Ctrl-C loses the present one only. A training takes seconds (naive Bayes) to half an hour
(logistic regression) on one core; the paper's best gradient boosting takes about six hours, and is
trained only when it is named.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import sklearn
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from fmnist_utils.baselines.classifiers import CLASSIFIERS, RESULTS, Result, read_results
from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.records import write_atomically
from fmnist_utils.training.provenance import processor

HEAVY = "gradient-boosting"


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(name for name in CLASSIFIERS if name != HEAVY))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := sorted(set(names) - set(CLASSIFIERS)):
        parser.error(f"no classifier {', '.join(unknown)}; there are {', '.join(CLASSIFIERS)}")
    data = load_data()
    for name in names:
        for seed in range(1, options.seeds + 1):
            if (name, seed) in {each[:2] for each in read_results()}:
                continue
            start = time.process_time()
            correct = correct_answers(name, seed, data)
            seconds = round(time.process_time() - start, 1)
            images = len(data.test_labels)
            keep(Result(name, seed, correct, images, seconds, sklearn.__version__, processor()))
            print(f"{name} seed {seed}: {100 * correct / images:.2f} %, {seconds} s")


def estimator(name: str, seed: int) -> Any:
    """Make an estimator with the paper's settings, and its defaults of 2017.

    Parameters
    ----------
    name : str
        A key of `CLASSIFIERS`.
    seed : int
        Decides what the estimator draws.
    """
    seeded = {"random_state": seed}
    make = {
        # "auto" was the default of 2017.
        "svc": lambda: SVC(C=10, kernel="rbf", gamma="auto"),
        "gradient-boosting": lambda: GradientBoostingClassifier(
            n_estimators=100, max_depth=10, **seeded
        ),
        "gradient-boosting-small": lambda: GradientBoostingClassifier(
            n_estimators=10, max_depth=3, **seeded
        ),
        "random-forest": lambda: RandomForestClassifier(
            n_estimators=100, criterion="entropy", max_depth=100, **seeded
        ),
        # Of 2017, too: to stop when the loss has not fallen for more than two epochs; now ten.
        "mlp": lambda: MLPClassifier(
            hidden_layer_sizes=[100], activation="relu", n_iter_no_change=2, **seeded
        ),
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
    """
    train = data.train_images.reshape(len(data.train_images), -1).astype(np.float64)
    test = data.test_images.reshape(len(data.test_images), -1).astype(np.float64)
    scaler = StandardScaler().fit(train)
    order = np.random.default_rng(seed).permutation(len(train))
    fitted = estimator(name, seed).fit(scaler.transform(train)[order], data.train_labels[order])
    return int(np.sum(fitted.predict(scaler.transform(test)) == data.test_labels))


def keep(result: Result) -> None:
    """Add a result to those that the file has now, which another process may have added to."""
    rows = {each[:2]: each._asdict() for each in (*read_results(), result)}
    content = {"runs": [rows[key] for key in sorted(rows)]}
    write_atomically(RESULTS, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
