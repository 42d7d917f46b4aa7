"""What a report states of its trainings, beside ours, with verdicts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fmnist_utils.reports.claim import SPLIT_WORDS
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.quantities import READINGS
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.devices import mixed_runs
from fmnist_utils.runs.record import Run, finished, lost_text
from fmnist_utils.tables.table import Stacked, Table, ours_cell, placed_claim, verdict_badge
from fmnist_utils.text import claim_text, reported_text, spread_text
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.measure import readings as possible_readings
from fmnist_utils.verdicts.outcome import Verdict
from fmnist_utils.verdicts.report_verdicts import judge_accuracies


def judged(judgements: Iterable[Verdict], caption: str = "") -> Table:
    """Show any verdicts: claim and place, reported, reproduced with its interval, verdict.

    A statement that a report repeats word for word has one row, which lists every place. A last
    column says whether the pooled standard deviation changes the word, where that was asked for.

    Parameters
    ----------
    judgements : iterable of Verdict
        In the order of the rows.
    caption : str
        What stands above the table.

    Examples
    --------
    >>> len(fu.tables.judged(book.verdicts("cnn-1-conv/train", "cnn-1-conv/test")).rows)
    2
    """
    judgements = list(judgements)
    headers = ("claim", "reported", "ours, 95 % interval", "verdict")
    if any(verdict.pooled_word for verdict in judgements):
        rows = _merged_rows(judgements, ours_cell, _pooled_cell)
        return Table((*headers, "with pooled deviation"), rows, caption)
    return Table(headers, _merged_rows(judgements, ours_cell), caption)


def judged_by_experiment(report: Report, judgements: Iterable[Verdict]) -> Iterator[Table]:
    """Show a report's verdicts: its own claims first, then those of each experiment together.

    Parameters
    ----------
    report : Report
        Which has the titles.
    judgements : iterable of Verdict
        Its own, in the order of its claims.
    """
    for name, group in itertools.groupby(judgements, lambda verdict: verdict.experiment):
        title = report[name].title if name else f"{report.title}: data, comparisons"
        yield judged(group, title)


def _pooled_cell(verdict: Verdict) -> str:
    """Say whether the pooled standard deviation changes the word."""
    if verdict.pooled_word is None:
        return ""
    return (
        "the same" if verdict.pooled_word == verdict.word else f"changes to {verdict.pooled_word}"
    )


def _merged_rows(
    judgements: Iterable[Verdict], *cells: Callable[[Verdict], Any]
) -> tuple[tuple[Any, ...], ...]:
    """Make rows of verdicts; those with equal cells share a row, which lists where each stands.

    The first of `cells` says what we found, others follow the verdict.
    """
    ours, *more = cells
    places: dict[tuple[Any, ...], list[str]] = {}
    for v in judgements:
        row = (claim_text(v.claim), reported_text(v.claim), ours(v), verdict_badge(v))
        places.setdefault((*row, *(cell(v) for cell in more)), []).append(v.claim.place)
    return tuple((Stacked(row[0], "; ".join(where)), *row[1:]) for row, where in places.items())


def verdicts(experiment: Experiment, runs: Sequence[Run]) -> Table:
    """Show what an experiment's prose states of its training, with verdicts.

    Its classification report and tables of epochs have views of their own.

    Parameters
    ----------
    experiment : Experiment
        Whose claims.
    runs : sequence of Run
        Its runs; fewer than three leave every verdict pending.

    Examples
    --------
    >>> fu.tables.verdicts(experiment, runs).headers
    ('claim', 'reported', 'ours, 95 % interval', 'verdict')
    """
    found = [
        judge(experiment, claim, runs)
        for claim in experiment.stated
        if claim.kind in ("measured", "untested")
    ]
    return judged(
        found, f"{experiment.title}: reported and reproduced, {len(runs)} runs{mixed_runs(runs)}"
    )


def held_against(experiment: Experiment, runs: Sequence[Run], title: str) -> Table:
    """Judge an experiment's accuracies and losses by runs that might explain them better.

    Parameters
    ----------
    experiment : Experiment
        Whose claims.
    runs : sequence of Run
        Of another experiment, or of a variant.
    title : str
        What was trained instead.

    Examples
    --------
    >>> table = fu.tables.held_against(experiment, runs, "the same again")
    >>> [str(row[-1]) for row in table.rows]
    ['reproduced', 'reproduced']
    """
    claims = [claim for claim in experiment.stated if claim.about.is_metric]
    found = [judge(experiment, claim, runs) for claim in claims]
    return judged(
        found, f"{experiment.title}: reported, and {title}, {len(runs)} runs{mixed_runs(runs)}"
    )


def results(report: Report, runs: Mapping[str, Sequence[Run]], split: str = "test") -> Table:
    """Show the reported accuracy of every experiment beside ours.

    Parameters
    ----------
    report : Report
        Whose experiments.
    runs : mapping
        Experiment id to its runs.
    split : {"train", "validation", "test"}
        Of which images.

    Examples
    --------
    >>> [str(cell) for cell in fu.tables.results(report, {experiment.id: runs}).rows[0]]
    ['Baseline', '84.60 %', '84.52 ± 0.19 [84.07 to 84.95]', 'reproduced']
    """
    rows = tuple(
        (report[v.experiment or ""].title, reported_text(v.claim), ours_cell(v), verdict_badge(v))
        for v in judge_accuracies(report, runs, split)
    )
    headers = ("model", "reported", "ours, 95 % interval", "verdict")
    caption = f"{SPLIT_WORDS[split]} accuracy of every model".capitalize()
    return Table(headers, rows, caption + mixed_runs(itertools.chain(*runs.values())))


def readings(experiment: Experiment, claim_id: str, runs: Sequence[Run]) -> Table:
    """Judge one claim under every way of reading it; the first row is the one that counts.

    Parameters
    ----------
    experiment : Experiment
        Whose claim.
    claim_id : str
        Its id in the report's file.
    runs : sequence of Run
        The experiment's runs.

    Examples
    --------
    >>> fu.tables.readings(experiment, "test", runs).rows[0][0]
    'evaluated with the weights of the last epoch'
    """
    claim = experiment[claim_id]
    ways = possible_readings(claim, experiment)
    found = {reading: judge(experiment, claim, runs, reading) for reading in ways}
    rows = tuple(
        (READINGS[reading], ours_cell(v), verdict_badge(v)) for reading, v in found.items()
    )
    headers = ("reading", "ours, 95 % interval", "verdict")
    caption = f"{experiment.title}: {reported_text(claim)}, read in every way"
    return Table(headers, rows, caption + mixed_runs(runs))


def closest_epochs(experiment: Experiment, runs: Sequence[Run]) -> Table:
    """Show at which epoch our runs come closest to what is stated of training and validation.

    Parameters
    ----------
    experiment : Experiment
        Whose claims, each number once; those about the test set have no history.
    runs : sequence of Run
        Of this experiment, or of another that might explain the numbers. Those that diverged are
        left out.

    Examples
    --------
    >>> fu.tables.closest_epochs(experiment, runs[:3]).rows[0][2]
    '32, 32, 37'
    """
    stated = [
        claim
        for claim in reversed(experiment.stated)
        if claim.about.is_metric and claim.split != "test" and not claim.epoch
    ]
    rows, kept = [], finished(runs)
    for claim in {(c.quantity, c.split, c.unit, c.value): c for c in stated}.values():
        key = f"{'val_' if claim.split == 'validation' else ''}{claim.about.metric}"
        histories = [claim.whole * np.array(run.history[key]) for run in kept]
        at = sorted(1 + int(np.argmin(abs(values - claim.number))) for values in histories)
        last = spread_text(np.array([values[-1] for values in histories]))
        rows.append((placed_claim(claim), reported_text(claim), ", ".join(map(str, at)), last))
    headers = ("claim", "reported", "epoch that comes closest, per run", "last epoch")
    caption = f"Where {len(kept)} runs pass the reported numbers{lost_text(runs)}{mixed_runs(runs)}"
    return Table(headers, tuple(rows), caption)
