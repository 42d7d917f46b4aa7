"""What a chapter opens: its report, the images, and runs, all by the notebook's parameters."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from fmnist_utils.book.reproduce import (
    ParameterError,
    check_parameters,
    refuse_synthetic,
    reproduce,
    search,
)
from fmnist_utils.campaign.estimate import plan_text
from fmnist_utils.campaign.executor import jobs_at_once
from fmnist_utils.campaign.jobs import missing_jobs
from fmnist_utils.campaign.tracking import make_tracker
from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.devices import mixed_runs
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tables.claim_tables import judged
from fmnist_utils.tables.headlines import RECORD, headlines, titled
from fmnist_utils.tables.table import Table
from fmnist_utils.text import counted, listed
from fmnist_utils.training.provenance import hardware
from fmnist_utils.tuning import Trials
from fmnist_utils.verdicts.judge import judge, judge_comparison
from fmnist_utils.verdicts.outcome import Outcome, Verdict
from fmnist_utils.verdicts.report_verdicts import judge_experiment, judge_layers, judge_search


def setup(names: Mapping[str, Any], report: str | None = None) -> Chapter:
    """Open a chapter by the parameters of its notebook.

    Parameters
    ----------
    names : mapping
        The notebook's ``globals()``; see `check_parameters`. What is missing has its default.
    report : str, optional
        Id of the report that the chapter is about.

    Raises
    ------
    ParameterError
        For a parameter that does not exist, a value that one does not take, or a chapter that
        would record trainings on synthetic images.
    TrackingError
        In full mode, when the tracker's package is missing or too old.

    Examples
    --------
    >>> book = fu.setup({"DATA": "synthetic", "SEEDS": 3}, "baltzi")
    >>> [run.seed for run in book.runs("cnn-2-conv")]
    [1, 2, 3]
    """
    check_parameters(names)
    chosen = {name: names[name] for name in ("MODE", "DATA", "SEEDS", "TRACKER") if name in names}
    chapter = Chapter(report, **{name.lower(): value for name, value in chosen.items()})
    if chapter.mode == "full":
        make_tracker(chapter.tracker)
        if report:
            print(chapter.plan())
    return chapter


class Chapter:
    """What a chapter calls, in the mode that its parameters ask for.

    Parameters
    ----------
    report : str, optional
        Id of the report that the chapter is about.
    mode, data, seeds, tracker
        The parameters; see `reproduce`. ``data`` is ``real`` or ``synthetic``.
    store : RunStore, optional
        Where runs are.
    """

    def __init__(
        self,
        report: str | None = None,
        mode: str = "replay",
        data: str = "real",
        seeds: int = 10,
        tracker: str = "none",
        store: RunStore = STORE,
    ) -> None:
        if report and mode == "full":
            refuse_synthetic(data)
        self.mode, self.seeds, self.tracker = mode, seeds, tracker
        self._report, self._source, self._store = report, data, store
        self._found: dict[str, list[Run]] = {}

    @cached_property
    def report(self) -> Report:
        """The chapter's report.

        Raises
        ------
        ParameterError
            When the chapter is about none.
        """
        if self._report is None:
            raise ParameterError('The chapter names no report: fu.setup(globals(), "baltzi") does.')
        return load_report(self._report)

    @cached_property
    def data(self) -> FashionMNIST:
        """The images, loaded when they are first asked for."""
        return load_data(self._source)

    def plan(self) -> str:
        """Say what full mode would train of the report's experiments and variants, before it does.

        Examples
        --------
        >>> print(fu.setup({"SEEDS": 3}, "baltzi").plan())
        Full mode: all runs of seeds 1 to 3 are here, there is nothing to train.
        """
        seeds = f"seeds 1 to {self.seeds}"
        jobs = missing_jobs(self._store, self.report.trainable.values(), range(1, self.seeds + 1))
        if not jobs:
            return f"Full mode: all runs of {seeds} are here, there is nothing to train."
        plan = plan_text(jobs, self._store, jobs_at_once("auto", jobs), hardware())
        return f"Full mode: of {seeds}, a cell trains what is missing of its own; of all, {plan}"

    def runs(self, experiment: str | Experiment) -> list[Run]:
        """Return the runs of an experiment or a variant, given itself or by its id.

        Examples
        --------
        >>> book.runs("mlp-baseline") == book.runs(book.report["mlp-baseline"])
        True
        """
        asked = self.report[experiment] if isinstance(experiment, str) else experiment
        key = f"{asked.report}/{asked.id}"
        if key not in self._found:
            # Replay and full mode with all runs at hand touch no image.
            images: Any = self.data if self.mode != "replay" else None
            self._found[key] = reproduce(
                asked, images, seeds=self.seeds, mode=self.mode, store=self._store,
                tracker=self.tracker,
            )  # fmt: skip
        return self._found[key]

    def runs_by_id(self, *experiments: str) -> dict[str, list[Run]]:
        """Return the runs of several experiments or variants by their ids.

        Examples
        --------
        >>> list(book.runs_by_id("cnn-1-conv", "cnn-2-conv"))
        ['cnn-1-conv', 'cnn-2-conv']
        >>> everything = book.runs_by_id(*book.report.experiments)
        """
        return {name: self.runs(name) for name in experiments}

    def search(self, search_id: str) -> Trials | None:
        """Return the trials of one of the report's searches, None when there are none yet.

        Examples
        --------
        >>> book = fu.setup({}, "anastasopoulos-mpofu-smith")
        >>> len(book.search("as-listed").trials)
        20
        """
        images: Any = self.data if self.mode == "full" else None
        return search(self.report, search_id, images, mode=self.mode)

    def verdict(self, claim: str) -> Verdict:
        """Return the verdict on a claim, by ``experiment/claim``, or ``claim`` for the report's.

        Examples
        --------
        >>> print(book.verdict("mlp-baseline/test").word)
        reproduced
        """
        found, owner = self.report.claim(claim), claim.rpartition("/")[0]
        if search := self.report.searches.get(found.of or ""):
            return next(v for v in judge_search(self.report, search) if v.claim.id == found.id)
        if experiment := self.report.experiments.get(owner):
            return judge(experiment, found, self.runs(owner))
        return judge_comparison(found, self.runs_by_id(*filter(None, (found.of, found.than))))

    def verdicts(self, *claims: str) -> list[Verdict]:
        """Return the verdicts on several claims, for `plots.forest`.

        Examples
        --------
        >>> fu.plots.forest(book.verdicts("cnn-1-conv/train", "cnn-1-conv/test"))
        <Figure size ... with 1 Axes>
        """
        return [self.verdict(claim) for claim in claims]

    def judged(self, *claims: str, caption: str = "") -> Table:
        """Return a table of the verdicts on several claims, and of no others.

        Parameters
        ----------
        *claims : str
            As `verdict` takes them.
        caption : str
            What stands above the table.

        Examples
        --------
        >>> len(book.judged("cnn-1-conv/test", "cnn-2-over-cnn-1", caption="Two claims").rows)
        2
        """
        found = self.verdicts(*claims)
        named = [replace(v, claim=titled(self.report, v.claim)) for v in found]
        return judged(named, caption + self._mixed(found))

    def titled(self, by_id: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is given by id of experiments by their titles, as readers know them.

        Examples
        --------
        >>> book.titled({"cnn-1-conv": 90.08})
        {'1 CNN Layer + Best MLP': 90.08}
        """
        return {self.report[name].title: item for name, item in by_id.items()}

    def in_short(self, *claims: str) -> Table:
        """Return the table that opens a chapter: its headline claims, and whether they hold.

        Parameters
        ----------
        *claims : str
            As `verdict` takes them; by default those of role ``headline``.

        Examples
        --------
        >>> len(book.in_short("cnn-2-conv/test", "cnn-2-over-cnn-1").rows)
        2
        """
        statements = [[claim] for claim in claims] or _headlines(self.report)
        found = [self.verdicts(*parts) for parts in statements]
        table = headlines(self.report, found)
        return replace(table, caption=table.caption + self._mixed(chain.from_iterable(found)))

    def _mixed(self, verdicts: Iterable[Verdict]) -> str:
        """Say where the runs behind verdicts were trained; they have been read by now."""
        names = ((v.experiment, v.claim.of, v.claim.than) for v in verdicts)
        keys = dict.fromkeys(f"{self._report}/{name}" for name in chain.from_iterable(names))
        return mixed_runs(run for key in keys for run in self._found.get(key, ()))

    def record(self, experiment: str | Experiment) -> RecordLine:
        """Count in one line what merely agrees with the report, and link to its record.

        Examples
        --------
        >>> book.record("cnn-1-conv")
        1 CNN Layer + Best MLP: ... layer cells agree, ... settings assumed (see the record)
        """
        asked = self.report[experiment] if isinstance(experiment, str) else experiment
        stated = judge_experiment(asked, self.runs(asked))
        found = {
            "layer cell": judge_layers(asked),
            "setting": [
                v for v in stated if v.claim.kind == "exact" and v.word != Outcome.NOT_TESTED
            ],
        }
        parts = [_agreement(verdicts, thing) for thing, verdicts in found.items() if verdicts]
        parts += [f"{counted(n, 'setting')} assumed"] if (n := len(asked.assumed)) else []
        # Rows of an experiment stand together: its first one leads to all.
        first = next((v.claim.id for verdicts in found.values() for v in verdicts), "")
        address = "/".join((asked.report, asked.id, first))
        return RecordLine(f"{asked.title}: {listed(parts)}", address)


def _headlines(report: Report) -> list[list[str]]:
    """Name the claims that a report's conclusion rests on, by the statements they are parts of."""
    statements: dict[str, list[str]] = {}
    for experiment, claim in report.all_claims():
        if claim.role == "headline":
            owner = experiment.id if experiment else None
            path = f"{owner}/{claim.id}" if owner else claim.id
            statements.setdefault(claim.statement_under(owner), []).append(path)
    return list(statements.values())


def _agreement(verdicts: Sequence[Verdict], thing: str) -> str:
    """Say how many exact claims of a kind hold."""
    agree = sum(verdict.word in (Outcome.EQUAL, Outcome.FOLLOWED) for verdict in verdicts)
    return f"{agree} of {counted(len(verdicts), thing)} agree{'s' * (agree == 1)}"


@dataclass(frozen=True)
class RecordLine:
    """One line about what is not shown here, with a link to where it is.

    Attributes
    ----------
    text : str
    address : str
        Of a row in the record of claims.
    """

    text: str
    address: str

    def __repr__(self) -> str:
        """Return the line without its link."""
        return f"{self.text} (see the record)"

    def _repr_html_(self) -> str:
        link = f'<a href="{html.escape(f"{RECORD}#{self.address}")}">see the record</a>'
        return f'<p class="record-line">{html.escape(self.text)} ({link})</p>'
