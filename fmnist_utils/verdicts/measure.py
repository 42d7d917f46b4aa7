"""What a claim is held against, and how what it is about is read off a run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fmnist_utils.data.fashion_mnist import count
from fmnist_utils.models.build import Layer, build, layer_table, parameter_totals
from fmnist_utils.models.spec import ModelSpec
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.quantities import POINTS, READINGS
from fmnist_utils.reports.search import Search
from fmnist_utils.runs.record import Run, Snapshot
from fmnist_utils.stats import (
    LOG,
    PLAIN,
    SCORES,
    Floats,
    Prior,
    SampleSummary,
    Scale,
    class_scores,
    logit_scale,
)

#: Gives the prior of variances for what a claim is about.
PriorOf = Callable[[Claim], Prior | None]


class Built(NamedTuple):
    """What a built model says of itself: its layers, and its numbers of parameters."""

    layers: list[Layer]
    parameters: dict[str, int]


@functools.cache  # many experiments train the same model
def _built(spec: ModelSpec) -> Built:
    model = build(spec)
    return Built(layer_table(model), parameter_totals(model))


@dataclass(frozen=True)
class Evidence:
    """What a claim is held against.

    Attributes
    ----------
    subject : Experiment, Search or None
        Whose claim it is; None for one of the whole report.
    runs : mapping
        Experiment id to its runs.
    reading : str, optional
        Another reading than the claim's own.
    trials : int
        How many trials of the search, whose claim it is, were trained.
    prior : function, optional
        Gives the prior of variances for what a claim is about; with it, verdicts on numbers also
        say the word under the pooled standard deviation.
    """

    subject: Experiment | Search | None = None
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    reading: str | None = None
    trials: int = 0
    prior: PriorOf | None = None

    @property
    def experiment(self) -> Experiment:
        """The experiment, where the claim must have one."""
        assert isinstance(self.subject, Experiment)
        return self.subject

    @property
    def own_runs(self) -> Sequence[Run]:
        """The runs of the experiment."""
        return self.runs_of(self.subject.id if self.subject else None)

    @property
    def built(self) -> Built:
        """What the experiment's model says of itself."""
        return _built(self.experiment.model)

    def runs_behind(self, claim: Claim) -> list[Sequence[Run]]:
        """Return the runs of every experiment that a claim is about."""
        owner = self.subject.id if self.subject else None
        return [self.runs_of(name) for name in (owner, claim.of, claim.than) if name]

    def runs_of(self, experiment_id: str | None) -> Sequence[Run]:
        """Return the runs of an experiment; none when there are none."""
        return self.runs.get(experiment_id or "", ())


def readings(claim: Claim, experiment: Experiment) -> list[str]:
    """List the ways in which a measured claim can be read, the claim's own one first.

    Where no training images are held out, none of the readings counts those in.

    Parameters
    ----------
    claim : Claim
        A measured one has several ways, if it is about no single epoch.
    experiment : Experiment
        Whose protocol says what can be read off a run.
    """
    if not claim.about.is_metric or claim.epoch:
        return [claim.reading]
    every = list(READINGS) if claim.split == "train" else ["final", "best"]
    if not experiment.training.validation.holds_out:
        every = [reading for reading in every if not reading.endswith("-all")]
    return [claim.reading, *(reading for reading in every if reading != claim.reading)]


def measure(claim: Claim, runs: Sequence[Run], reading: str | None = None) -> Floats:
    """Read what a claim is about off the runs, in the claim's unit.

    Parameters
    ----------
    claim : Claim
        Its quantity and split say what to look at; for comparisons too.
    runs : sequence of Run
        Runs of one experiment.
    reading : str, optional
        One of `READINGS`; the claim's own by default. For a share of the images of a class also
        ``final-predicted`` or ``best-predicted``: of the images that are taken for the class.

    Returns
    -------
    ndarray of float64, shape ``(len(runs),)``
        NaN for a run that diverged, whatever the claim is about, for its accuracies and epochs are
        no better than its losses; and for one that ended before the epoch of the claim.
    """
    reading = reading or claim.reading
    read = MEASURES[claim.about.measure]
    return np.array([np.nan if run.diverged else read(claim, run, reading) for run in runs])


def scale_of(claim: Claim) -> Scale:
    """Return the scale on which what a claim is about spreads evenly and cannot leave its range."""
    if _is_difference(claim):
        return PLAIN
    return logit_scale(claim.whole) if claim.about.unit == POINTS else LOG


def summarise(claim: Claim, values: Floats) -> SampleSummary:
    """Describe our runs on that scale.

    Parameters
    ----------
    claim : Claim
        What the values are of, and in which unit.
    values : array of float, shape (runs,)
        One of each run, as `measure` reads them.
    """
    return SampleSummary.of(off_ends(claim, values), scale_of(claim))


def off_ends(claim: Claim, values: ArrayLike) -> Floats:
    """Let a share of 0 or 1 stand half an image away, where its scale ends; leave all else.

    Parameters
    ----------
    claim : Claim
        What the values are of, and in which unit.
    values : float or array of float
        Of runs, or what the claim states.
    """
    values = np.asarray(values, float)
    if claim.about.unit != POINTS or _is_difference(claim):
        return values
    images = count("test_images" if claim.label is None else "test_images_per_class")
    half = claim.whole / (2 * images)
    return np.asarray(np.clip(values, half, claim.whole - half))


def _is_difference(claim: Claim) -> bool:
    return claim.than is not None or claim.than_split is not None


def _epochs(claim: Claim, run: Run, reading: str) -> float:
    return run.epochs


def _lowest_epoch(claim: Claim, run: Run, reading: str) -> float:
    return int(np.argmin(run.history["val_loss"])) + 1


def _highest_epoch(claim: Claim, run: Run, reading: str) -> float:
    return int(np.argmax(run.history["val_accuracy"])) + 1


def _metric(claim: Claim, run: Run, reading: str) -> float:
    """Read one of Keras' metrics: of one epoch, or evaluated at the end as the reading says."""
    name, split = claim.about.metric, claim.split or "test"
    if claim.epoch is not None:
        history = run.history[f"val_{name}" if split == "validation" else name]
        return claim.whole * history[claim.epoch - 1] if claim.epoch <= len(history) else np.nan
    snapshot, part = _snapshot(run, reading), reading.partition("-")[2]
    if part == "running":
        return claim.whole * run.history[name][snapshot.epoch - 1]
    if part == "all":
        weights = [run.images["train"], run.images["validation"]]
        values = [getattr(snapshot.train, name), getattr(snapshot.validation, name)]
        return claim.whole * float(np.average(values, weights=weights))
    return claim.whole * float(getattr(getattr(snapshot, split), name))


def _class_score(claim: Claim, run: Run, reading: str) -> float:
    """Read one class's score; one that is never predicted has precision and F1 zero."""
    scores = class_scores(np.array(_snapshot(run, reading).test_confusion))
    score = claim.about.metric
    if score == "recall" and reading.endswith("-predicted"):
        score = "precision"
    return claim.whole * float(scores[claim.label, SCORES.index(score)])


def _macro_score(claim: Claim, run: Run, reading: str) -> float:
    scores = class_scores(np.array(_snapshot(run, reading).test_confusion))
    return claim.whole * float(scores[:, SCORES.index(claim.about.metric)].mean())


def _gap(claim: Claim, run: Run, reading: str) -> float:
    """Subtract the accuracies of two splits; a reading of training images is of them alone."""
    splits = (claim.split, claim.than_split)
    parts = (claim.model_copy(update={"split": split, "than_split": None}) for split in splits)
    end = reading.partition("-")[0]
    one, other = (_metric(x, run, reading if x.split == "train" else end) for x in parts)
    return one - other


def _confused(claim: Claim, run: Run, reading: str) -> float:
    counts = np.array(_snapshot(run, reading).test_confusion)
    column = reading.endswith("-predicted")
    images = counts[:, claim.predicted] if column else counts[claim.label]
    return claim.whole * float(counts[claim.label, claim.predicted] / max(images.sum(), 1))


def _snapshot(run: Run, reading: str) -> Snapshot:
    return run.best if reading.startswith("best") else run.final


#: How each `measure` of the registry is read off one run, in the claim's unit.
MEASURES: dict[str, Callable[[Claim, Run, str], float]] = {
    "epochs": _epochs,
    "lowest_epoch": _lowest_epoch,
    "highest_epoch": _highest_epoch,
    "macro_score": _macro_score,
    "gap": _gap,
    "metric": _metric,
    "class_score": _class_score,
    "confused": _confused,
}
