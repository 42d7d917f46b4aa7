"""Findings that stand in the reports' files: they hold today, and fall when a number changes."""

from __future__ import annotations

import re

import pytest

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
