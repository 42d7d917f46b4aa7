"""The record: every row once, the same on its page, in the files and in the ledger."""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
from factories import make_run
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fmnist_utils.book import record_pages
from fmnist_utils.book.record_pages import Build, fragments
from fmnist_utils.cli import app
from fmnist_utils.export import files
from fmnist_utils.export.addressed_table import Entry, grid
from fmnist_utils.export.files import TABLES, Record, columns, contents, record, schema
from fmnist_utils.export.rows import run_rows, training_rows
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.record import Method
from fmnist_utils.runs.status import ranges
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.text import percent_text
from fmnist_utils.verdicts.ledger import ledger_rows
from fmnist_utils.verdicts.outcome import Outcome

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("claims", "findings", "assumptions", "trainings")
BUILDS = [Build("chapters/one.ipynb", "One", 3.0, "2026-11-26", "0123456789ab")]


class Rows(HTMLParser):
    """Reads a page of the record: ids, captions, and the text of every row by its address."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.rows: dict[str, str] = {}
        self.scopes: Counter[str] = Counter()
        self.cells: dict[str, int] = {}
        self._row = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if name := found.get("id"):
            self.ids.append(name)
        if tag == "tr":
            self._row = found.get("id") or ""
            self.rows[self._row], self.cells[self._row] = "", 0
        if tag in ("th", "td"):
            self.cells[self._row] += 1
        self.scopes[f"{tag} {found.get('scope')}"] += tag == "th"

    def handle_data(self, data: str) -> None:
        if self._row:
            self.rows[self._row] += data


@pytest.fixture(
    scope="module", params=["baltzi", pytest.param("", marks=pytest.mark.slow)], ids=["one", "all"]
)
def tables(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Collect the rows of one report; of all of them where time is no matter."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            report = load_report(request.param)
            patch.setattr(files, "every_report", lambda: [report])
            patch.setattr(
                files, "every_ledger", lambda store: {report.id: ledger_rows(report, store)}
            )
        yield record(STORE)


@pytest.fixture(scope="module")
def made(tables: Record) -> dict[str, str]:
    return fragments(tables, BUILDS)


def test_every_claim_finding_assumption_and_run_has_one_row(tables: Record) -> None:
    reports = [load_report(name) for name in dict.fromkeys(row.report for row in tables["claims"])]
    stated = [
        (report.id, experiment and experiment.id, claim.id)
        for report in reports
        for experiment, claim in report.all_claims()
    ]
    rows = [(row.report, row.experiment, row.claim) for row in tables["claims"]]
    assert Counter(rows) == Counter(stated)
    written = {f"{report.id}/{item.id}" for report in reports for item in report.findings}
    assert written <= {row.address for row in tables["findings"]}
    assumed = {
        (report.id, subject.id, item.setting, item.because)
        for report in reports
        for subject in (*report.experiments.values(), *report.searches.values())
        for item in subject.assumed
    }
    assert assumed == {
        (row.report, name, row.setting, row.because)
        for row in tables["assumptions"]
        for name in row.experiments
    }
    shipped = {path.name for report in reports for path in STORE.files(report.id)}
    assert Counter(row.file for row in tables["runs"]) == Counter(dict.fromkeys(shipped, 1))


def test_what_verdicts_rest_on_are_the_runs_that_are_marked_as_used(tables: Record) -> None:
    used = {row.file for row in tables["runs"] if row.used}
    assert {name for row in tables["claims"] for name in row.run_files} <= used
    files_of = [name for row in tables["trainings"] if row.kind != "search" for name in row.files]
    assert sorted(files_of) == sorted(used)


@pytest.mark.parametrize("name", PAGES)
def test_every_row_has_an_address_of_its_own_on_its_page(
    tables: Record, made: dict[str, str], name: str
) -> None:
    page = Rows(made[name])
    addresses = [row.address for row in tables[name]]
    assert [row for row, n in Counter(page.ids).items() if n > 1] == []
    assert Counter(list(page.rows)[1:]) == Counter(addresses)  # the first is the row of headers
    assert not [address for address in page.ids if re.search(r"\s", address)]
    assert len(set(page.cells.values())) == 1
    assert page.scopes["th row"] == len(addresses) and page.scopes["th None"] == 0


def test_the_page_of_claims_says_what_the_ledger_says(tables: Record, made: dict[str, str]) -> None:
    page = Rows(made["claims"])
    for row in tables["claims"]:
        text = page.rows[row.address]
        assert text.startswith(f"{Outcome(row.word).look.mark}\N{NO-BREAK SPACE}{row.word}")
        assert all(part in text for part in (row.role, *row.places, row.note))
        assert row.value is None or row.printed in text
        assert row.mean is None or row.runs == 0 or str(row.runs) in text
        assert row.low is None or " to " in text


def test_a_fraction_is_found_as_percent() -> None:
    row = percent_text
    report = load_report("chalkiopoulos-tsoukalelis")
    assert row(report["cnn-optimised"]["test"]) == "93.61 %"
    assert row(load_report("baltzi")["cnn-2-conv"]["test"]) == ""  # in percent already
    assert row(report["cnn-optimised"]["test-loss"]) == ""


def test_addresses_of_other_experiments_lead_to_the_assumption_that_they_share(
    tables: Record, made: dict[str, str]
) -> None:
    ids = Rows(made["assumptions"]).ids
    for row in tables["assumptions"]:
        for name in row.experiments:
            assert f"{row.report}/{name}/{row.setting}".replace(" ", "-") in ids


def test_links_between_pages_lead_to_rows(made: dict[str, str]) -> None:
    rows = Rows(made["trainings"]).ids
    links = [link for page in made.values() for link in re.findall(r'"runs.html#(.*?)"', page)]
    assert links and set(links) <= set(rows)


def test_files_hold_every_row_and_obey_their_schemas(tables: Record) -> None:
    found = contents(tables)
    for name, rows in tables.items():
        plain = json.loads(found[f"{name}.json"])
        jsonschema.validate(
            plain, json.loads(found[f"{name}.schema.json"]), jsonschema.Draft202012Validator
        )
        table = pd.read_csv(io.BytesIO(found[f"{name}.csv"]))
        assert list(table.columns) == list(columns(name)) == list(plain[0])
        assert len(table) == len(plain) == len(rows)
        key = "file" if name == "runs" else "address"
        assert list(table[key]) == [item[key] for item in plain] == [getattr(r, key) for r in rows]


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_explained(name: str) -> None:
    row = schema(name)["items"]
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert list(row["properties"]) == list(columns(name)) and row["description"]
    assert all(item["description"].endswith(".") for item in row["properties"].values())


def test_a_row_that_breaks_the_schema_is_noticed(tables: Record) -> None:
    plain = json.loads(contents(tables)["findings.json"])
    for change in ({"severity": None}, {"unknown": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([plain[0] | change], schema("findings"))


# --- Rows ----------------------------------------------------------------------------------------


def test_a_run_of_another_precision_is_listed_and_not_used(tmp_path: Path) -> None:
    store = RunStore(tmp_path, tmp_path / "published")
    experiment = load_report("baltzi")["mlp-baseline"]
    for seed, method in ((1, Method()), (2, Method()), (1, Method("mixed_bfloat16"))):
        store.add(make_run(experiment, seed, method=method))
    rows = run_rows(load_report("baltzi"), store)
    assert sorted((row.seed, row.precision, row.used) for row in rows) == [
        (1, "float32", True), (1, "mixed_bfloat16", False), (2, "float32", True),
    ]  # fmt: skip
    (summary,) = [row for row in training_rows(load_report("baltzi"), rows) if row.seeds]
    assert summary.seeds == [1, 2] and summary.precisions == ["float32"]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([1], "1"), ([1, 2, 3, 5], "1 to 3, 5"), ([2, 4, 5], "2, 4 to 5")],
)
def test_seeds_are_written_in_few_words(numbers: list[int], text: str) -> None:
    assert ranges(numbers, " to ") == text


@given(text=st.text(), address=st.text(min_size=1))
def test_whatever_a_report_states_stays_text(text: str, address: str) -> None:
    cells = ("", record_pages._text(text))
    page = Rows(grid("any", text, ("one", "two"), [Entry(address, {}, cells)]))
    whole = "".join(page.rows.values())
    clean = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    assert "any" in page.ids and len(page.ids) == 2 and len(page.rows) == 2
    assert clean.strip() in whole.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


# --- The command ---------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """Have the command find the findings of one report, and nothing else."""
    found = {"findings": files.finding_rows(load_report("baltzi"), STORE)}
    monkeypatch.setattr(files, "record", lambda: found)
    return found


def test_the_command_writes_the_files(quick: Record, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", "--to", str(tmp_path / "new/folder")])
    assert result.exit_code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "new/folder").iterdir()} == (
        contents(quick)
    )
    assert len(result.output.splitlines()) == len(contents(quick))


@pytest.mark.parametrize("name", ["file", "file/folder"])
def test_a_bad_folder_is_one_sentence(quick: Record, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["export", "--to", str(tmp_path / name)])
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1 and "file" in result.output
