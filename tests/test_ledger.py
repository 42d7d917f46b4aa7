"""The ledger: every claim of a report once, with its verdict and what that rests on."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fmnist_utils.cli import app
from fmnist_utils.reports.load import list_reports, load_report


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what the command prints in a folder without runs of its own."""
    monkeypatch.chdir(tmp_path)

    def printed(report_id: str):
        result = CliRunner().invoke(app, ["report", report_id, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return printed


@pytest.mark.parametrize("report_id", list_reports())
def test_every_claim_has_one_row_with_an_address_of_its_own(report_id: str, ledger) -> None:
    rows, report = ledger(report_id), load_report(report_id)
    stated = [
        "/".join((report_id, *([experiment.id] if experiment else []), claim.id))
        for experiment, claim in report.all_claims()
    ]
    assert sorted(row["address"] for row in rows) == sorted(stated)
    for row in rows:
        assert row["places"] and row["printed"] and row["word"]
        assert bool(row["run_files"]) == bool(row["runs"])
