"""What many verdicts say together: what chance alone would give, and shares of statements."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fmnist_utils import stats
from fmnist_utils.reports.quantities import COUNTED
from fmnist_utils.verdicts.outcome import Verdict, Word, count_words

if TYPE_CHECKING:
    from fmnist_utils.verdicts.ledger import LedgerRow

#: Simulated reports; the error of an expected count is then far below one claim.
DRAWS = 4_000

#: With fewer experiments a bootstrap over them tells nothing.
MIN_EXPERIMENTS = 5

#: Words for a number outside its interval.
OUTSIDE = (Word.CLOSE, Word.NOT_REPRODUCED)


class Chance(NamedTuple):
    """Numbers held against runs: the words they got, and those expected if all were true.

    In `expected`, *consistent, imprecise* includes *consistent, unsettled*. `outside` and
    `expected_outside` count those outside their 95 % interval; `surviving` are the ones among them
    that the procedure of Benjamini and Hochberg keeps at 5 %.
    """

    numbers: int
    words: dict[Word, int]
    expected: dict[Word, float]
    outside: int
    expected_outside: float
    surviving: int


def chance(verdicts: Iterable[Verdict]) -> Chance:
    """Say what would come out if every number were one more run of ours, rounded as printed.

    Parameters
    ----------
    verdicts : iterable of Verdict
        Those without a number, or pending, are passed over.

    Examples
    --------
    >>> verdicts = fu.verdicts.judge_accuracies(report, {experiment.id: runs})
    >>> found = fu.verdicts.chance(verdicts)
    >>> found.numbers, found.outside, round(found.expected_outside, 1)
    (1, 0, 0.0)
    """
    tested = [verdict for verdict in verdicts if verdict.test is not None]
    expected = dict.fromkeys(Word, 0.0)
    for verdict in tested:
        for word, share in words_if_true(verdict).items():
            expected[word] += share
    words = count_words(tested)
    return Chance(
        len(tested),
        words,
        expected,
        sum(words[word] for word in OUTSIDE),
        sum(expected[word] for word in OUTSIDE),
        sum(survives(tested)),
    )


def survives(verdicts: Sequence[Verdict]) -> list[bool]:
    """Say for each number whether it lies outside even where all are tested together.

    At 5 % after Benjamini and Hochberg; the words of verdicts do not follow it.
    """
    return [bool(x) for x in stats.survivors([verdict.p or 0.0 for verdict in verdicts])]


def words_if_true(verdict: Verdict, draws: int = DRAWS) -> dict[Word, float]:
    """Simulate a claim that is true, by runs as ours are: how often it gets which word.

    Runs and the claimed number are drawn from a normal distribution with our mean and standard
    deviation, on the scale of the rule; the number is rounded as the report prints it.
    """
    test = verdict.test
    assert test is not None
    rng = np.random.default_rng(zlib.crc32(verdict.claim.id.encode()))
    luck = rng.standard_normal(draws) * np.sqrt(test.known)
    sides, apart = [], luck
    for sign, side in zip((1, -1), test.sides, strict=False):
        runs, spare = np.asarray(side.runs), side.spare
        mean = side.mean + side.sd * rng.standard_normal(draws) / np.sqrt(runs)
        sd = side.sd * np.sqrt(rng.chisquare(spare, draws) / spare)
        sides.append(side._replace(mean=mean, sd=sd))
        new = side.mean + side.sd * rng.standard_normal(draws) / np.sqrt(test.mean_of)
        apart = apart + sign * new
    value, unit = test.scale.back(apart), 2 * np.asarray(test.half_width)
    value = np.where(unit > 0, np.round(value / np.where(unit > 0, unit, 1)) * unit, value)
    true = replace(test, value=value, sides=tuple(sides))
    inside, near = true.compatible, true.equivalent
    if np.isnan(test.margin):
        cases = {Word.CONSISTENT: inside, Word.NOT_REPRODUCED: ~inside}
    else:
        cases = {
            Word.REPRODUCED: inside & near, Word.IMPRECISE: inside & ~near,
            Word.CLOSE: ~inside & near, Word.NOT_REPRODUCED: ~inside & ~near,
        }  # fmt: skip
    return {word: float(case.mean()) for word, case in cases.items()}


class StatementShare(NamedTuple):
    """How many statements of a report hold, and over which experiments that varies how much.

    `low` and `high` bound the share with 95 % confidence; None with too few experiments.
    """

    holding: float
    statements: int
    experiments: int
    low: float | None
    high: float | None


def statement_share(rows: Iterable[LedgerRow]) -> StatementShare:
    """Count statements that hold, not claims, and let whole experiments vary.

    Of a statement that compares, every part must hold; of a printed table, which is one statement,
    the share of cells that do counts. What rests on the same experiment is not independent, so the
    interval comes from resampling experiments with all their statements (10,000 times); with fewer
    than five there is none. A comparison counts with the first experiment that it names.

    Parameters
    ----------
    rows : iterable of LedgerRow
        Of one report, or of several. Only headlines and results count, and of these only those
        that runs have decided or could.
    """
    statements: dict[tuple[str, str], list[LedgerRow]] = {}
    for row in rows:
        if row.role in COUNTED and row.runs and row.word in _DECIDED:
            statements.setdefault((row.report, row.statement), []).append(row)
    clusters: dict[tuple[str, str], list[float]] = {}
    for (report, _), parts in statements.items():
        owner = parts[0].experiment or parts[0].run_files[0].partition(".")[0]
        held = [part.word == Word.REPRODUCED for part in parts]
        compared = all(part.value is None for part in parts)
        share = float(all(held)) if compared else float(np.mean(held))
        clusters.setdefault((report, owner), []).append(share)
    sums = np.array([(sum(shares), len(shares)) for shares in clusters.values()]).reshape(-1, 2)
    holding, count = sums.sum(axis=0)
    low = high = None
    if len(clusters) >= MIN_EXPERIMENTS:
        chosen = np.random.default_rng(0).integers(len(sums), size=(10_000, len(sums)))
        drawn = sums[chosen].sum(axis=1)
        low, high = map(float, stats.percentile_interval(drawn[:, 0] / drawn[:, 1]))
    return StatementShare(float(holding), int(count), len(clusters), low, high)


#: Words for what runs were held against.
_DECIDED = (
    Word.REPRODUCED, Word.CLOSE, Word.IMPRECISE, Word.UNSETTLED, Word.CONSISTENT,
    Word.NOT_REPRODUCED, Word.UNSTABLE,
)  # fmt: skip
