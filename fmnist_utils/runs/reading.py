"""Reading run records: every number that follows from the others is computed again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from fmnist_utils.data.download import labels_at_hand
from fmnist_utils.data.fashion_mnist import count
from fmnist_utils.data.inputs import left_to_train
from fmnist_utils.records import first_problem, read_regular
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import Training, split_sizes
from fmnist_utils.runs.packing import _inflate
from fmnist_utils.runs.record import Method, Run, RunError, Snapshot, confusion, fingerprint

#: What every epoch is told of.
METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


def read_run(path: Path, report: str | None = None) -> Run:
    """Read one run record, and recompute its numbers from one another.

    Parameters
    ----------
    path : pathlib.Path
    report : str, optional
        Whose runs its folder holds.

    Raises
    ------
    RunError
        When the file cannot be read, is damaged, was edited by hand, holds what no training can
        leave behind, or is of another run than its name and folder say.
    """
    folder = path.parent
    try:
        run = Run.model_validate_json(read_regular(path))
    except OSError as error:
        raise RunError(
            f"{path.name} cannot be read ({error.strerror}): make it readable, or move it out of "
            f"{folder}."
        ) from error
    except ValidationError as error:
        raise RunError(
            f"{path.name} is not a run record ({first_problem(error)}); delete it from {folder} "
            "and train again."
        ) from error
    if not run.is_intact:
        raise RunError(
            f"{path.name} does not fit its own digest: a run record is never edited by hand; "
            f"restore it in {folder} from version control or train it again."
        )
    if path.name != run.filename or report not in (None, run.report):
        raise RunError(
            f"{path.name} is the record of another run than its name and its folder {folder} say; "
            "move it back to where it was, or delete it."
        )
    if what := fault(run):
        raise RunError(
            f"{path.name} cannot be what a training left behind: {what}; delete it from {folder} "
            "and train again."
        )
    return run


def valid_runs(
    records: Iterable[Run], experiment: Experiment, method: Method | None = None
) -> list[Run]:
    """Choose the records of an experiment as it is now, trained by one method, in order of seeds.

    Of several records of one seed the first counts.

    Parameters
    ----------
    records : iterable of Run
        Of the experiment, also those of earlier versions of it.
    experiment : Experiment
        As it is now.
    method : Method, optional
        The one by which the book trains the experiment by default.

    Raises
    ------
    RunError
        When one cannot have been left behind by the experiment's protocol.
    """
    method, wanted = method or Method.of(experiment), fingerprint(experiment)
    by_seed: dict[int, Run] = {}
    for run in records:
        if run.fingerprint == wanted and run.provenance.method == method:
            by_seed.setdefault(run.seed, run)
    found = [by_seed[seed] for seed in sorted(by_seed)]
    for run in found:
        if what := protocol_fault(run, experiment):
            raise RunError(
                f"{run.filename} cannot be what a training left behind: {what}; delete it, and "
                "train it again."
            )
    return found


def fault(run: Run) -> str | None:
    """Say what no training can have left behind, recomputed from all else; None when all fits."""
    for check in (_history_fault, _confusion_fault, _predictions_fault):
        if found := check(run):
            return found
    return None


def protocol_fault(run: Run, experiment: Experiment) -> str | None:
    """Say what the protocol of a run's experiment cannot have given; None when all fits.

    Parameters
    ----------
    run : Run
        One that has no `fault`.
    experiment : Experiment
        As it was trained.
    """
    spec, best = experiment.training, run.best.epoch
    stopping = spec.early_stopping
    waited = stopping and run.epochs - best == stopping.patience
    if run.epochs > spec.epochs or (run.epochs < spec.epochs and not (waited or run.diverged)):
        return f"{run.epochs} epochs, of which {best} is best, do not end as the protocol does"
    if spec.best_epoch(run.history) != best and not run.diverged:
        return f"epoch {best} is not the best by {spec.monitor}"
    if found := _sizes_fault(run, spec):
        return found
    if spec.augmentation and spec.augmentation.validation:  # images are drawn anew
        return None
    for snap in run.snapshots:
        for name in ("loss", "accuracy"):
            then, again = run.history[f"val_{name}"][snap.epoch - 1], snap.validation
            if abs(getattr(again, name) - then) > 1e-4:  # a NaN is as good as any
                return f"validation {name} of epoch {snap.epoch} is not that of the history"
    return None


def _sizes_fault(run: Run, spec: Training) -> str | None:
    """Say which numbers of images a protocol cannot give, whatever the size of the data set."""
    train, validation, test = (run.images[name] for name in ("train", "validation", "test"))
    held_out, cap = spec.validation, spec.images or train
    if not held_out.holds_out:
        fits = validation == test
    elif (fraction := held_out.fraction) is None:
        fits = validation == held_out.count
    else:
        # A cap hides how many were left; the fraction of them all was held out.
        most = train + validation + (int(validation / fraction) + 1 if spec.images else 0)
        left = ((n, left_to_train(n, fraction)) for n in range(train + validation, most + 1))
        fits = any(n - rest == validation and min(rest, cap) == train for n, rest in left)
    if fits and train <= cap:
        return None
    return f"{train} training and {validation} validation images are not what the protocol takes"


def data_fault(run: Run, experiment: Experiment) -> str | None:
    """Say what the official images cannot have given; predictions, where the labels are at hand.

    Parameters
    ----------
    run : Run
        One that has no `fault`.
    experiment : Experiment
        As it was trained; its protocol says how many images each part has.
    """
    if run.images != (sizes := split_sizes(experiment.training)):
        return f"it counts other images than the protocol takes, {sizes}"
    counts, labels = np.array(run.final.test_confusion), labels_at_hand()
    if (counts.sum(axis=1) != count("test_images_per_class")).any():
        return "final.test_confusion has other numbers of each class than the data set"
    if labels is not None and (confusion(labels, run.predictions) != counts).any():
        return "the predictions do not give final.test_confusion with the labels of the data set"
    _ = run.confidences  # which says what is wrong with them
    if run.best_predictions is not None:
        classes, _ = run.at_best()
        counts = np.array(run.best.test_confusion)
        if labels is not None and (confusion(labels, classes) != counts).any():
            return "the best predictions do not give best.test_confusion with the data set's labels"
    return None


def _history_fault(run: Run) -> str | None:
    """Say what is wrong with the epochs, or with which of them was evaluated."""
    if sorted(run.history) != sorted(METRICS):
        return f"the history does not hold {', '.join(METRICS)}"
    lengths = {len(run.seconds_per_epoch), *map(len, run.history.values())}
    if lengths != {run.final.epoch}:
        return (
            f"the last epoch is {run.final.epoch}, but histories and seconds have {sorted(lengths)}"
        )
    loss, accuracy, losses, accuracies = (run.history[name] for name in METRICS)
    if not all(0 <= min(values) <= max(values) <= 1 for values in (accuracy, accuracies)) or (
        math.isnan(sum(accuracy) + sum(accuracies))
    ):
        return "an accuracy of the history is not between 0 and 1"
    ends = [part.loss for snap in run.snapshots for part in snap.parts]
    if any(min(_numbers(values), default=0) < 0 for values in (losses, loss, ends)):
        return "a loss is negative"
    at = run.best.epoch
    # What comes later may be better by less than a protocol asks for.
    rising = (accuracies[:at], accuracy[:at])
    falling = ([-value for value in values[:at]] for values in (losses, loss))
    if at > run.epochs or not any(
        at == 1 or values[-1] > max(_numbers(values[:-1]), default=-math.inf)
        for values in (*rising, *falling)
    ):
        return f"epoch {at} is best by no metric"
    return None


def _numbers(values: Sequence[float]) -> Sequence[float]:
    """Leave out what is not a number, of which `min` would make anything."""
    if not math.isnan(sum(values)):
        return values
    return [value for value in values if not math.isnan(value)]


def _confusion_fault(run: Run) -> str | None:
    """Say what does not agree with the counts of test images."""
    if run.images.keys() != {"train", "validation", "test"} or not all(run.images.values()):
        return "there are not some images in each of train, validation and test"
    n, labels = run.images["test"], []
    for name, snap in zip(("final", "best"), run.snapshots, strict=True):
        labels.append([sum(row) for row in snap.test_confusion])
        if sum(labels[-1]) != n:
            return f"{name}.test_confusion counts {sum(labels[-1])} of {n} test images"
        right = sum(row[label] for label, row in enumerate(snap.test_confusion))
        # Records keep six decimals.
        if abs(snap.test.accuracy - round(right / n, 6)) > 1e-9:
            return f"{name}.test.accuracy is not the share of images that its confusion has right"
    if labels[0] != labels[1]:
        return "the two confusions are of different test images"
    same = run.final.epoch == run.best.epoch
    if same and run.final.model_dump_json() != run.best.model_dump_json():
        return "the last epoch is the best one, and has other numbers"
    return None


def _predictions_fault(run: Run) -> str | None:
    """Say what is wrong with the packed predictions."""
    for name, packed in (("final", run.test_predictions), ("best", run.best_predictions)):
        if packed is not None and (found := _packed_fault(packed, name, getattr(run, name))):
            return found
    return None


def _packed_fault(packed: str, name: str, snap: Snapshot) -> str | None:
    n = sum(map(sum, snap.test_confusion))
    size, _, content = packed.partition(":")
    try:
        pairs = _inflate(content, (n + 1) // 2)
    except ValueError as error:
        return f"the predictions cannot be unpacked: {error}"
    if size != str(n):
        return f"the predictions are not of {n} test images"
    # Pairs of classes are counted, as that takes half the time; of an odd number, one is padded.
    counts = np.bincount(pairs, minlength=256).reshape(16, 16)
    predicted = counts.sum(axis=0) + counts.sum(axis=1)
    predicted[0] -= n % 2
    columns = [sum(column) for column in zip(*snap.test_confusion, strict=True)]
    if predicted.tolist() != columns + [0] * 6:
        return f"the predictions are not those that {name}.test_confusion counts"
    return None
