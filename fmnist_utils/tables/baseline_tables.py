"""What stands beside the networks of the reports: classic classifiers, and a fast training."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fmnist_utils.baselines.classifiers import CLASSIFIERS, judge_classifier, read_results
from fmnist_utils.baselines.fast_training import PUBLISHED, read_fast_runs
from fmnist_utils.stats import mean_half_width, welch_interval
from fmnist_utils.tables.front_page import Sentence
from fmnist_utils.tables.table import Badge, Stacked, Table
from fmnist_utils.text import spelled
from fmnist_utils.verdicts.across_reports import every_report


def classifiers() -> Table:
    """Hold numbers of the paper on the data set against trainings of the same classifiers.

    A classifier with fewer than three trainings is left out.

    Examples
    --------
    >>> fu.tables.classifiers().headers
    ('classifier', 'reported (%)', 'ours (%)', 'CPU seconds', 'verdict')
    """
    results, rows = read_results(), []
    for name, classifier in CLASSIFIERS.items():
        verdict = judge_classifier(name, results)
        if verdict.mean is None or verdict.sd is None:
            continue
        trained = [each for each in results if each.classifier == name]
        rows.append((
            Stacked(classifier.name, classifier.settings),
            f"{100 * float(classifier.reported):.1f}",
            Stacked(f"{100 * verdict.mean:.2f} ± {100 * verdict.sd:.2f}", f"{len(trained)} runs"),
            f"{np.median([each.seconds for each in trained]):.0f}",
            Badge(verdict.word, verdict.note),
        ))  # fmt: skip
    headers = ("classifier", "reported (%)", "ours (%)", "CPU seconds", "verdict")
    processors = " and ".join(sorted({each.processor for each in results}))
    caption = (
        "Test accuracy of classic classifiers, in the paper's Table 3 and in our trainings "
        f"(mean ± standard deviation), on {processors}"
    )
    return Table(headers, tuple(rows), caption)


def fast_trainings() -> Table:
    """Show how good the fast trainings get and how long they take, recipe by recipe.

    The interval is that of the mean (Student's t).

    Examples
    --------
    >>> fu.tables.fast_trainings().headers[:2]
    ('goal (%)', 'runs')
    """
    rows = []
    for goal, runs in read_fast_runs().items():
        scores, seconds = ([getattr(run, of) for run in runs] for of in ("accuracy", "seconds"))
        reached = sum(score >= float(goal) for score in scores)
        rows.append((
            goal,
            f"{len(runs)}",
            f"{np.mean(scores):.2f} ± {mean_half_width(scores):.2f}",
            f"{min(scores):.2f} to {max(scores):.2f}",
            f"{reached} of {len(runs)}",
            f"{np.median(seconds):.0f}",
            f"{min(seconds):.0f} to {max(seconds):.0f}",
            ", ".join(sorted({run.processor for run in runs})),
        ))  # fmt: skip
    headers = ("goal (%)", "runs", "mean test accuracy (%)", "lowest to highest (%)",
               "at the goal or above", "median (s)", "shortest to longest (s)",
               "processor")  # fmt: skip
    caption = "Fast trainings on two cores (± half of the mean's 95 % interval)"
    return Table(headers, tuple(rows), caption)


def tricks() -> Table:
    """Show what each part of the fast training gains, in points and in seconds.

    The seconds are those that a longer training would need to make up for the part, by the line
    through the recipe and its half as many epochs, on the logarithm of the epochs. The start of
    the process is no part of them. Their interval is that of the points; the line counts as known.
    What halves of a batch gain would be measured seconds, and the runs were not made at one time.

    Examples
    --------
    >>> fu.tables.tricks().headers
    ('left out', 'accuracy (%)', 'it gains (points), 95 % interval', 'it gains (s), 95 % interval')
    """
    every = {part: read_fast_runs("validation", part).get("trial", []) for part in (None, *PARTS)}
    base = [run.accuracy for run in every[None]]
    doubled = np.mean(base) - np.mean([run.accuracy for run in every[HALF]])
    alike = [run.seconds for part in every for run in every[part] if part not in (HALF, HALVES)]
    usual = np.median(alike)
    # All but the start of the process, which no longer training repeats.
    trained = 2 * (usual - np.median([run.seconds for run in every[HALF]]))
    rows = []
    for part, title in PARTS.items():
        scores = [run.accuracy for run in every[part]]
        gained = welch_interval((1, np.array(base)), (-1, np.array(scores)))
        if gained is None:
            continue
        longer = (trained * (2 ** (each / doubled) - 1) for each in gained)
        seconds = "–" if part in (HALF, HALVES) else _with_interval("{:.0f}", longer)
        rows.append((title, f"{np.mean(scores):.2f}", _with_interval("{:.2f}", gained), seconds))
    headers = ("left out", "accuracy (%)", "it gains (points), 95 % interval",
               "it gains (s), 95 % interval")  # fmt: skip
    caption = (
        f"What a small training of {usual:.0f} s loses without each part, on validation images; "
        f"with all parts it has {np.mean(base):.2f} % ({len(base)} seeds each)"
    )
    return Table(headers, tuple(rows), caption)


def _with_interval(form: str, found: Iterable[float]) -> str:
    return f"{form} [{form} to {form}]".format(*found)


HALF, HALVES = "half-the-epochs", "halves"
#: What was left out of a recipe, in the words of a page.
PARTS = {
    "flips": "mirrored images, in training and test",
    "shifts": "shifted images",
    "smoothing": "label smoothing",
    "muon": "Muon",
    "both-ways": "the mirror image in the test alone",
    HALVES: "half of a batch on each core",
    HALF: "half of the epochs",
}


def published() -> Table:
    """List what others report of networks on this data set.

    Examples
    --------
    >>> fu.tables.published().headers
    ('network', 'parameters', 'augmentation', 'test accuracy (%)')
    """
    rows = tuple(
        (name, parameters, {True: "yes", False: "no", None: "not stated"}[augmented], accuracy)
        for name, parameters, augmented, accuracy in PUBLISHED
    )
    headers = ("network", "parameters", "augmentation", "test accuracy (%)")
    return Table(headers, rows, "Some of the results that users submitted to the data set's README")


def in_minutes() -> Sentence:
    """Say in one line what two cores reach today.

    Examples
    --------
    >>> fu.tables.in_minutes()
    Today two cores of a server ... minutes...
    """
    reports, recipes = every_report(), read_fast_runs()
    stated = (claim for report in reports for _, claim in report.all_claims())
    highest = max(c.percent for c in stated if c.about.is_accuracy and c.split != "train")
    # The quickest recipe that was made for it, or else the one that gets furthest.
    goal = next((goal for goal in recipes if float(goal) >= highest), list(recipes)[-1])
    runs = recipes[goal]
    scores = np.array([run.accuracy for run in runs])
    reached = int(np.sum(scores >= highest))
    minutes = np.median([run.seconds for run in runs]) / 60
    return Sentence(
        f"Today two cores of a server train a network to a test accuracy of {scores.mean():.2f} % "
        f"in {minutes:.1f} minutes (mean accuracy and median time of {len(runs)} runs); "
        f"{reached} of them reach {highest:.2f} %, the highest number of the "
        f"{spelled(len(reports))} reports."
    )
