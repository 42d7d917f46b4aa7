"""The rule for one number: where one more run is expected, and two tests of a claim.

Spence & Stanley (2016), "Prediction Interval", PLOS ONE 11(9); Lakens (2017), Social Psychological
and Personality Science 8(4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

Floats = NDArray[np.float64]


class Scale(NamedTuple):
    """A transformation on whose values runs spread evenly, its inverse and its derivative."""

    forward: Callable[[ArrayLike], Floats]
    inverse: Callable[[ArrayLike], Floats]
    derivative: Callable[[ArrayLike], Floats]


#: For differences, which have either sign.
PLAIN = Scale(np.asarray, np.asarray, np.ones_like)


def _log(x: ArrayLike) -> Floats:
    # A loss that is printed as 0.00 lies below all others, and is no reason to warn.
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(x, 0.0))


#: For losses and epochs, which lie above 0.
LOG = Scale(_log, lambda y: np.exp(y), lambda x: 1 / np.asarray(x))


def logit_scale(whole: float = 1.0) -> Scale:
    """Return the scale of shares, which lie between 0 and `whole`: 1, or 100 in percent.

    Examples
    --------
    >>> scale = logit_scale(100.0)
    >>> round(float(scale.inverse(scale.forward(90.0))), 6)
    90.0
    """

    def derivative(x: ArrayLike) -> Floats:
        share = np.asarray(x, float) / whole
        return 1 / (share * (1 - share) * whole)

    return Scale(
        lambda x: special.logit(np.clip(np.asarray(x, float) / whole, 0.0, 1.0)),
        lambda y: whole * special.expit(y),
        derivative,
    )


class SampleSummary(NamedTuple):
    """What is known of one experiment: mean, standard deviation and number of runs, on a scale.

    `moderated_df` are the degrees of freedom of a moderated deviation; see `Prior.moderate`.
    """

    mean: float | Floats
    sd: float | Floats
    runs: int | NDArray[Any]
    moderated_df: float | Floats | None = None

    @classmethod
    def of(cls, values: ArrayLike, scale: Scale = PLAIN) -> SampleSummary:
        """Describe a sample on a scale.

        Equal runs have no deviation at all; the rounding of their mean would give them one.

        Parameters
        ----------
        values : array_like, shape (runs,)
            One value of each run.
        scale : Scale
            On which mean and deviation are taken.

        Examples
        --------
        >>> SampleSummary.of([90.0, 91.0, 92.0])
        SampleSummary(mean=91.0, sd=1.0, runs=3, moderated_df=None)
        """
        spread = scale.forward(values)
        sd = 0.0 if np.ptp(values) == 0 else float(spread.std(ddof=1))
        return cls(float(spread.mean()), sd, len(spread))

    @property
    def df(self) -> Floats:
        """Degrees of freedom of the deviation; of any other sample, one less than runs."""
        return np.asarray(
            np.asarray(self.runs) - 1 if self.moderated_df is None else self.moderated_df, float
        )


@dataclass(frozen=True)
class ClaimTest:
    """A claimed number and the runs that it is held against; everything broadcasts.

    Attributes
    ----------
    value, half_width, margin : float, or array of float
        The claim, half of its last printed digit, and the largest difference that does not matter.
    summaries : tuple of SampleSummary
        One experiment, or two for the difference of the first and the second.
    known : float, or array of float
        A variance, on the scale, that the runs do not show and that is known from elsewhere.
    mean_of : int
        How many runs the claimed number is the mean of.
    scale : Scale
        On which runs spread evenly.

    Examples
    --------
    >>> test = ClaimTest(90.5, 0.05, 1.0, (SampleSummary([90.4, 89.0], 0.1, 10),))
    >>> test.compatible.tolist(), test.equivalent.tolist()
    ([True, False], [True, False])
    """

    value: float | Floats
    half_width: float | Floats
    margin: float | Floats
    summaries: tuple[SampleSummary, ...]
    known: float | Floats = 0.0
    mean_of: int = 1
    scale: Scale = PLAIN

    @property
    def mean(self) -> Floats:
        """Where runs lie on the scale; of two experiments, by how much the first lies above."""
        first, *second = (np.asarray(summary.mean, float) for summary in self.summaries)
        return first - second[0] if second else first

    def _parts(self) -> list[Floats]:
        """Return the variance that each experiment adds to the distance of a new run."""
        return [
            np.square(summary.sd) * (1 / self.mean_of + 1 / np.asarray(summary.runs))
            for summary in self.summaries
        ]

    @property
    def error(self) -> Floats:
        """Return q, the standard error of a new run about our mean.

        q² = s² (1 / mean_of + 1 / runs), summed over the experiments, and the known variance.
        """
        variance: Floats = sum(self._parts(), np.asarray(self.known, float))
        return np.sqrt(variance)

    @property
    def df(self) -> Floats:
        """Degrees of freedom of q² by Welch and Satterthwaite; a known variance has no limit."""
        parts = self._parts()
        own = [part**2 / summary.df for part, summary in zip(parts, self.summaries, strict=True)]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.error**4 / sum(own, np.zeros(()))
        least = np.minimum.reduce([summary.df for summary in self.summaries])
        # Without any variance, 0 / 0, the quantile does not matter.
        return np.where(np.isnan(found), least, np.maximum(found, least))

    def _interval_half_width(self, level: float) -> Floats:
        """Return half the interval; a known variance never makes it narrower.

        With few runs it could: more degrees of freedom shrink the quantile more than the variance
        adds. Then a split that nobody knows would count against a claim.
        """
        half_width: Floats = stats.t.ppf((1 + level) / 2, self.df) * self.error
        if not np.any(self.known):
            return half_width
        return np.maximum(half_width, replace(self, known=0.0)._interval_half_width(level))

    def prediction_interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return the ends of the prediction interval of a new run, in the claim's unit."""
        half_width = self._interval_half_width(level)
        low, high = self.mean - half_width, self.mean + half_width
        return self.scale.inverse(low), self.scale.inverse(high)

    @property
    def p(self) -> Floats:
        """How probable a new run is that lies as far from our mean as the claim, or farther.

        The distance is that of the nearest number which the printed one may stand for.
        """
        low = self.scale.forward(self.value - self.half_width)
        high = self.scale.forward(self.value + self.half_width)
        apart = np.maximum(np.maximum(low - self.mean, self.mean - high), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(apart > 0, apart / self.error, 0.0)
        p: Floats = 2 * stats.t.sf(t, self.df)
        return np.maximum(p, replace(self, known=0.0).p) if np.any(self.known) else p

    @property
    def compatible(self) -> NDArray[np.bool_]:
        """Whether the claim, or what rounds to it, lies in the 95 % prediction interval."""
        return self.p >= 0.05

    @property
    def equivalent(self) -> NDArray[np.bool_]:
        """Whether a new run lies within the margin of whatever the printed number stands for.

        Two one-sided tests at 5 %: the 90 % interval lies within the margin, and rounding counts
        against that. Without a scale this is |value - mean| + half_width + t(0.95) q <= margin.
        """
        low, high = self.prediction_interval(0.90)
        near = self.margin - self.half_width
        return (high <= self.value + near) & (low >= self.value - near)


def drawn_true(test: ClaimTest, seed: int, draws: int) -> ClaimTest:
    """Draw claims that are true, each with runs of its own to hold it against.

    A parametric bootstrap (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", 6.5) on the
    scale: runs and claimed number come from a normal distribution with the mean and deviation of
    each experiment, and the number is rounded as the claim is.

    Parameters
    ----------
    test : ClaimTest
        Of one claim: nothing in it is an array.
    seed, draws : int

    Returns
    -------
    ClaimTest
        Its value, and mean and deviation of its summaries, have shape (draws,).

    Examples
    --------
    >>> test = ClaimTest(90.0, 0.0, 1.0, (SampleSummary(90.0, 0.2, 5),))
    >>> true = drawn_true(test, seed=0, draws=4_000)
    >>> round(float(true.compatible.mean()), 2)
    0.95
    """
    rng = np.random.default_rng(seed)
    summaries, apart = [], rng.standard_normal(draws) * np.sqrt(test.known)
    for sign, summary in zip((1, -1), test.summaries, strict=False):
        mean = summary.mean + summary.sd * rng.standard_normal(draws) / np.sqrt(summary.runs)
        sd = summary.sd * np.sqrt(rng.chisquare(summary.df, draws) / summary.df)
        summaries.append(summary._replace(mean=mean, sd=sd))
        new = summary.mean + summary.sd * rng.standard_normal(draws) / np.sqrt(test.mean_of)
        apart = apart + sign * new
    value, unit = test.scale.inverse(apart), 2 * np.asarray(test.half_width)
    value = np.where(unit > 0, np.round(value / np.where(unit > 0, unit, 1)) * unit, value)
    return replace(test, value=value, summaries=tuple(summaries))


def sampling_variance(share: float, images: int, pool: int, whole: float = 1.0) -> float:
    """Return how much two accuracies vary because each is of its own random draw of images.

    Each draw of `images` without replacement from a pool adds p (1 - p) / images, p = share /
    whole, times the share of the pool that is left out: two draws of all images are the same one.

    Parameters
    ----------
    share : float
        The accuracy.
    images, pool : int
        How many images are drawn, and from how many.
    whole : float
        The highest that an accuracy can be: 1, or 100 in percent.

    Examples
    --------
    >>> round(sampling_variance(90.0, 12_000, 60_000, whole=100.0) ** 0.5, 3)
    0.346
    """
    p = share / whole
    return 2 * whole**2 * p * (1 - p) * _left_out(images, pool) / images


def _left_out(images: int, pool: int) -> float:
    return max(0.0, 1 - images / pool)


def loss_sampling_variance(loss: float, images: int, pool: int) -> float:
    """Return how much two mean losses vary because each is of its own random draw of images.

    The losses of single images deviate by twice their mean, and by 0.6 nats at most: a little less
    than in any network of the reports whose confidences our runs keep, so that the verdict does
    not gain by it.

    Parameters
    ----------
    loss : float
        The mean loss of an image, in nats.
    images, pool : int
        How many images are drawn, and from how many.

    Examples
    --------
    >>> round(loss_sampling_variance(0.25, 12_000, 60_000) ** 0.5, 4)
    0.0058
    """
    return 2 * min(2 * loss, 0.6) ** 2 * _left_out(images, pool) / images


def prediction_half_width(sd: ArrayLike, runs: ArrayLike) -> Floats:
    """Return half the 95 % prediction interval of one more run: t(0.975) s sqrt(1 + 1 / runs).

    Parameters
    ----------
    sd, runs : array_like, shapes that broadcast
        Standard deviation and number of runs, two at least.

    Examples
    --------
    >>> round(float(prediction_half_width(0.3, 9)), 4)
    0.7292
    """
    summary = SampleSummary(0.0, np.asarray(sd, float), np.asarray(runs))
    test = ClaimTest(0.0, 0.0, 0.0, (summary,))
    return test.prediction_interval()[1]


def runs_for_precision(sd: float, margin: float, most: int = 30) -> int | None:
    """Return how many runs make the 95 % prediction interval of one more run narrow enough.

    Parameters
    ----------
    sd : float
        Standard deviation of the runs so far.
    margin : float
        What half the interval's width may be at most, in the same unit.
    most : int
        No more runs than this.

    Returns
    -------
    int or None
        The smallest number of runs, 3 at least, whose half-width t q is within the margin, if the
        standard deviation stays as it is; None when `most` do not suffice. However many runs there
        are, the half-width stays above 1.96 `sd`.

    References
    ----------
    Maxwell, Kelley and Rausch (2008), Annual Review of Psychology 59, 537-563.

    Examples
    --------
    >>> runs_for_precision(0.2, 1.0), runs_for_precision(0.45, 1.0), runs_for_precision(0.6, 1.0)
    (3, 15, None)
    """
    for n in range(3, most + 1):
        if prediction_half_width(sd, n) <= margin:
            return n
    return None
