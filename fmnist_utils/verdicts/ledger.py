"""The ledger: one row per claim of a report, with its verdict and all that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from fmnist_utils import stats
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.quantities import COUNTED
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.verdicts.across_reports import every_report
from fmnist_utils.verdicts.multiplicity import Pool, survives
from fmnist_utils.verdicts.outcome import DECIDED, OUTSIDE, Outcome, Verdict
from fmnist_utils.verdicts.report_verdicts import judge_report, judge_tested

#: With fewer experiments a bootstrap over them tells nothing.
MIN_EXPERIMENTS = 5


@dataclass(frozen=True)
class LedgerRow:
    """One claim with its verdict; cells of layer tables are claims too.

    Attributes
    ----------
    report, experiment, claim : str
        Ids; `experiment` is None for claims about the data, about several, or about a search.
    address : str
        Names the claim among those of all reports: ``baltzi/cnn-2-conv/test``.
    statement, role : str
        Address of the statement that the claim is a part of, and what part it plays in the report.
    quantity, split : str
        What the claim is about; `split` is None where none matters.
    places : tuple of str
        Every place where the report prints it.
    printed : str
        The value as the report prints it, with its unit.
    value : float, str, tuple of float, or None
        The value to compute with.
    unit : str
        Of value, mean, deviation and interval: ``percent``, ``points`` or ``plain``. Of an ordering
        and of a bound only of the value: mean and interval are shares of 1 there.
    mean, sd : float or None
        Mean and standard deviation of our runs, or of a difference of two models; of an ordering
        or a bound, the share of pairs or runs in which it holds, without a deviation.
    low, high : float or None
        Where 95 % of further runs would lie; of an ordering or a bound, the interval of the share.
    runs : int
        How many runs the verdict rests on.
    run_files : tuple of str
        Names of the records of these runs.
    word, note : str
        The verdict.
    p : float or None
        Of a number: how probable one more run is that lies as far away.
    pooled_word : str or None
        The word under the pooled standard deviation; None where it does not apply.
    survives : bool or None
        Of a claim outside its interval: whether that survives the procedure of Benjamini and
        Hochberg over all reports; None for every other claim.
    ours : float, str, tuple or None
        What an exact claim was compared with; None for every other claim.
    """

    report: str
    experiment: str | None
    claim: str
    address: str
    statement: str
    role: str
    quantity: str
    split: str | None
    places: tuple[str, ...]
    printed: str
    value: float | str | tuple[float, ...] | None
    unit: str
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    runs: int
    run_files: tuple[str, ...]
    word: str
    note: str
    p: float | None = None
    pooled_word: str | None = None
    survives: bool | None = None
    ours: Any = None


def ledger_rows(report: Report, store: RunStore) -> list[LedgerRow]:
    """Return every claim of a report with its verdict, in the order of `judge_report`.

    Builds every model to check the layer tables, and reads the runs of all reports for the pooled
    deviation and the survivors: it needs Keras and some ten seconds. For several reports
    `every_ledger` takes hardly longer.

    Parameters
    ----------
    report : Report
        Whose claims.
    store : RunStore
        Where the runs of all reports are.

    Examples
    --------
    >>> from fmnist_utils.runs.store import STORE
    >>> row = fu.verdicts.ledger_rows(report, STORE)[0]
    >>> row.address, row.printed, row.word
    ('baltzi/train-images', '60000', 'equal')
    """
    return _ledgers([report], store)[report.id]


def every_ledger(store: RunStore) -> dict[str, list[LedgerRow]]:
    """Return the ledgers of all reports by the id of the report; see `ledger_rows`."""
    return _ledgers(every_report(), store)


def _ledgers(wanted: Sequence[Report], store: RunStore) -> dict[str, list[LedgerRow]]:
    reports = {report.id: report for report in (*every_report(), *wanted)}
    runs = {name: store.runs_of(report) for name, report in reports.items()}
    pool = Pool.of(store)
    numbers = {
        (name, verdict.experiment, verdict.claim.id): verdict
        for name, report in reports.items()
        for verdict in judge_tested(report, runs[name])
        if verdict.test is not None
    }
    kept = dict(zip(numbers, survives(list(numbers.values())), strict=True))
    ledgers = {}
    for report in wanted:
        rows = []
        for verdict in judge_report(report, store, pool.prior):
            row = _row(report, verdict, runs[report.id])
            if row.word in OUTSIDE and (key := (report.id, row.experiment, row.claim)) in kept:
                row = replace(row, survives=kept[key])
            rows.append(row)
        ledgers[report.id] = rows
    return ledgers


def _row(report: Report, verdict: Verdict, runs: Mapping[str, Sequence[Run]]) -> LedgerRow:
    claim, owner = verdict.claim, verdict.experiment
    files = [
        run.filename
        for name in (owner, claim.of, claim.than)
        if name and verdict.runs
        for run in runs[name]
    ]
    return LedgerRow(
        report=report.id,
        experiment=owner,
        claim=claim.id,
        address="/".join(part for part in (report.id, owner, claim.id) if part),
        statement=claim.statement_under(owner),
        role=claim.role,
        quantity=claim.quantity,
        split=claim.split,
        places=claim.where,
        printed=printed(claim),
        value=_plain(claim.value),
        # No value is stated, and the difference is judged in points.
        unit="points" if claim.value is None and claim.about.margin else claim.unit,
        mean=verdict.mean,
        sd=verdict.sd,
        low=verdict.low,
        high=verdict.high,
        runs=verdict.runs,
        run_files=tuple(files),
        word=str(verdict.word),
        note=verdict.note,
        p=verdict.p,
        pooled_word=str(verdict.pooled_word) if verdict.pooled_word else None,
        ours=_plain(verdict.ours),
    )


def printed(claim: Claim) -> str:
    """Write a claim's value digit by digit as the report does, with its unit."""
    if claim.value is None:
        return claim.comparison
    if isinstance(claim.value, tuple):
        return f"({', '.join(map(str, claim.value))})"
    return f"{claim.sign}{claim.value}{claim.suffix}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return float(value) if isinstance(value, Decimal) else value


# --- shares of statements ------------------------------------------------------------------------


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
        if row.role in COUNTED and row.runs and row.word in DECIDED:
            statements.setdefault((row.report, row.statement), []).append(row)
    clusters: dict[tuple[str, str], list[float]] = {}
    for (report, _), parts in statements.items():
        owner = parts[0].experiment or parts[0].run_files[0].partition(".")[0]
        held = [part.word == Outcome.REPRODUCED for part in parts]
        # A share of runs, as a bound has, comes without a deviation.
        compared = all(part.value is None or part.sd is None for part in parts)
        share = float(all(held)) if compared else float(np.mean(held))
        clusters.setdefault((report, owner), []).append(share)
    sums = np.array([(sum(shares), len(shares)) for shares in clusters.values()]).reshape(-1, 2)
    holding, count = sums.sum(axis=0)
    low = high = None
    if len(clusters) >= MIN_EXPERIMENTS:
        low, high = stats.cluster_interval(*sums.T)
    return StatementShare(float(holding), int(count), len(clusters), low, high)
