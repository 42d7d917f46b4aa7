"""Findings that stand in the reports' files: they hold today, and fall when a number changes."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from fmnist_utils import audit
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.store import RunStore


@pytest.fixture(scope="module", params=list_reports())
def report(request: pytest.FixtureRequest) -> Report:
    return load_report(request.param)


#: How a finding may say that we have not trained.
UNTRAINED = re.compile(r"\b[Nn]o (training|run)s? (of .+ )?(has|have|is|are|was|were)\b")


def test_no_finding_says_that_no_training_finished_where_runs_are(report: Report) -> None:
    store = RunStore()
    if all(store.runs(experiment) for experiment in report.experiments.values()):
        for item in report.findings:
            assert not UNTRAINED.search(item.consequence), item.id


def test_a_consequence_names_a_full_protocol_that_was_trained(report: Report) -> None:
    """A study of fewer images may have been repeated with all of them."""
    store = RunStore()
    fewer = {"training.images", "training.epochs"}
    full = [
        name
        for name, item in report.variants.items()
        if name.startswith("full-") and item.settings.keys().isdisjoint(fewer)
    ]
    for item in report.findings:
        if "fewer images" in item.consequence and any(store.runs(report[name]) for name in full):
            assert "full protocol" in item.consequence, item.id


# --- what a finding says holds only while its numbers are what they are ---------------------------

#: Words that compare numbers, so that a sentence with them may become wrong.
COMPARING = re.compile(
    r"\b(than|above|below|over|less|more|fewer|higher|highest|lower|lowest|larger|largest|smaller"
    r"|smallest|least|most|best|only|all|each|neither|none|another|otherwise|fits?|grows?|grew|fell"
    r"|within|between|beside|same|equal|second|reach(es)?|times|at once|change|is what)\b"
)

#: Findings with such a word that no number of a claim can make wrong, and why.
UNCONDITIONAL = {
    ("anastasopoulos-mpofu-smith", "two-data-files"): "it compares forms of the data",
    ("baltzi", "wrong-words"): "it compares words; the mean and the deviation are of the images",
    ("chalkiopoulos-tsoukalelis", "selection-metric"): "its comparison is of equal runs, not of it",
    ("chalkiopoulos-tsoukalelis", "base-cnn-unfinished"): "the listing ends, whatever the sums are",
    ("mendez", "attempts-without-numbers"): "it is about numbers that are not given",
    ("mendez", "one-hot-labels"): "it compares the form of labels with that of a loss",
    ("mendez", "decimal-comma"): "it compares marks in numbers, not their values",
}


def test_a_finding_that_compares_numbers_has_a_condition(report: Report) -> None:
    for item in report.findings:
        told = " ".join((item.title, item.claimed, item.because, item.consequence))
        if "{" in told and COMPARING.search(told) and (report.id, item.id) not in UNCONDITIONAL:
            assert item.when, f"{item.id}: {COMPARING.findall(told)}"


def test_the_conditions_of_all_findings_hold(report: Report) -> None:
    for item in report.findings:
        assert [condition for condition in item.when if not report.holds(condition)] == []


def test_every_exception_is_a_finding_without_a_condition() -> None:
    for name, id_ in UNCONDITIONAL:
        assert [item.when for item in load_report(name).findings if item.id == id_] == [()]


#: A claim, another value, and the finding whose words would be wrong with it.
CHANGES = [
    ("baltzi", "cnn-gains-one", "3", "unit-of-differences"),
    ("baltzi", "cnn-2-over-mlp", "9.9", "unit-of-differences"),
    ("baltzi", "mlp-1-hidden/test", "89.9", "ceiling-from-three"),
    ("baltzi", "mlp-3-hidden-dropout/test", "99", "largest-step-belittled"),
    ("baltzi", "cnn-1-conv/validation-share", "10", "training-set-size"),
    ("anastasopoulos-mpofu-smith", "trial-1/units", "128", "changed-all-at-once"),
    ("anastasopoulos-mpofu-smith", "trial-1/activation-4", "sigmoid", "changed-all-at-once"),
    ("anastasopoulos-mpofu-smith", "trial-5/dropout-3", "0.25", "dropout-range"),
    ("anastasopoulos-mpofu-smith", "trial-4/learning-rate", "0.00099", "doubled-learning-rate"),
    ("anastasopoulos-mpofu-smith", "trial-2/learning-rate", "0.02", "bounds-of-the-learning-rate"),
    ("anastasopoulos-mpofu-smith", "tuned/validation", "90.1", "gain-from-training-accuracy"),
    ("anastasopoulos-mpofu-smith", "trial-5/score", "0.9061", "trials-below-baseline"),
    ("anastasopoulos-mpofu-smith", "trial-1/score", "0.9312", "retrained-unreported"),
    ("fashion-mnist-report", "one-conv-fold/validation", "91.39", "prose-run-unnamed"),
    ("fashion-mnist-report", "four-conv-fold/total-params", "1121546", "nearly-three-times"),
    ("mendez", "listing/conv-layers", "3", "listing-and-prose"),
    ("chalkiopoulos-tsoukalelis", "mlp-256/units-1", "2048", "hidden-layer-grew"),
]


@pytest.mark.parametrize(("name", "path", "value", "id_"), CHANGES)
def test_a_finding_falls_with_the_number_that_it_rests_on(
    name: str, path: str, value: str, id_: str
) -> None:
    report = load_report(name)
    (item,) = [item for item in report.findings if item.id == id_]
    number = isinstance(report.claim(path).value, Decimal)
    changed = {report.claim(path): Decimal(value) if number else value}
    stated = report.claim

    def claim(_: Report, path: str) -> Claim:
        found = stated(path)
        return found.model_copy(update={"value": changed.get(found, found.value)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Report, "claim", claim)
        assert not all(map(report.holds, item.when))


def test_numbers_follow_from_what_they_are_sums_of() -> None:
    report = load_report("mendez")
    (finding,) = [f for f in audit.audit(report) if f.id == "listing-and-prose"]
    assert "320 + 18,496 + 73,856 + 802,944 + 1,290 = 896,906 parameters" in finding.because
    assert "320 + 8,224 + 401,664 + 2,570 = 412,778" in finding.because
    assert "the text announces 2 convolutions" in finding.claimed
