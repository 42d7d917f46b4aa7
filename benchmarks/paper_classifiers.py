"""Train the classic classifiers of the paper on the data set, and keep what comes out.

    python benchmarks/paper_classifiers.py [--only svc,mlp] [--seeds 5]

What the results file has already is not trained again, and each training is kept when it ends, so
that Ctrl-C loses the present one only. A training takes seconds (naive Bayes) to a quarter of an
hour (support vector machine) on one core; gradient boosting takes many hours, and is trained only
when it is named.
"""

from __future__ import annotations

import argparse
import json
import time

import sklearn

from fmnist_utils.baselines.classifiers import (
    CLASSIFIERS,
    RESULTS,
    Result,
    correct_answers,
    read_results,
)
from fmnist_utils.data.download import load_data
from fmnist_utils.records import write_whole
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


def keep(result: Result) -> None:
    """Add a result to those that the file has now, which another process may have added to."""
    rows = {each[:2]: each._asdict() for each in (*read_results(), result)}
    content = {"runs": [rows[key] for key in sorted(rows)]}
    write_whole(RESULTS, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
