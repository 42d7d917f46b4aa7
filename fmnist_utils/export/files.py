"""The record as files: tables as CSV and JSON, their schemas, and a dictionary of all columns."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from fmnist_utils.errors import FmnistError
from fmnist_utils.export.rows import (
    AssumptionRow,
    FindingRow,
    RunRow,
    TrainingRow,
    assumption_rows,
    finding_rows,
    run_rows,
    training_rows,
)
from fmnist_utils.records import write_atomically
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.verdicts.across_reports import every_report
from fmnist_utils.verdicts.ledger import LedgerRow, every_ledger

#: The tables of the record, and the class of their rows.
TABLES: dict[str, type] = {
    "claims": LedgerRow,
    "findings": FindingRow,
    "assumptions": AssumptionRow,
    "trainings": TrainingRow,
    "runs": RunRow,
}

Record = Mapping[str, Sequence[Any]]


def record(store: RunStore = STORE) -> Record:
    """Collect the rows of every table over all reports; needs Keras, for claims about layers."""
    found: dict[str, list[Any]] = {name: [] for name in TABLES}
    ledgers = every_ledger(store)
    for report in every_report():
        runs = run_rows(report, store)
        found["claims"] += ledgers[report.id]
        found["findings"] += finding_rows(report, store)
        found["assumptions"] += assumption_rows(report)
        found["trainings"] += training_rows(report, runs)
        found["runs"] += runs
    return found


def check_folder(folder: Path) -> None:
    """Refuse what is no folder before anything is judged."""
    if folder.exists() and not folder.is_dir():
        raise FmnistError(f"{folder} is no folder: give --to the name of one.")
    folder.mkdir(parents=True, exist_ok=True)


def contents(tables: Record) -> dict[str, bytes]:
    """Return the files of the record by name: for each table ``.csv``, ``.json`` and its schema."""
    found = {}
    for name, rows in tables.items():
        kind: TypeAdapter[Any] = TypeAdapter(TABLES[name])
        plain = [kind.dump_python(row, mode="json") for row in rows]
        found[f"{name}.csv"] = _csv(list(columns(name)), plain)
        found[f"{name}.json"] = _json(plain)
        found[f"{name}.schema.json"] = _json(schema(name))
    every = [
        {"table": name, "column": column, "type": of, "meaning": meaning}
        for name in tables
        for column, (of, meaning) in columns(name).items()
    ]
    found["dictionary.csv"] = _csv(list(every[0]), every)
    return found


def write_record(folder: Path, tables: Record) -> list[Path]:
    """Write the files of the record, each whole or not at all; return their paths.

    Parameters
    ----------
    folder : pathlib.Path
        Made when missing; files of the same names are replaced.
    tables : Record
        Rows of each table by its name, as `record` collects them.
    """
    files = contents(tables)
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]


def columns(table: str) -> dict[str, tuple[str, str]]:
    """Return what the docstring of a table's rows says of each column: its type and its meaning."""
    text = inspect.getdoc(TABLES[table]) or ""
    _, _, attributes = text.partition("Attributes\n----------\n")
    entries = re.findall(r"((?:^\w.* : .*\n)+)((?:^ +.*\n?)+)", attributes, re.MULTILINE)
    found = {
        name: (kind, " ".join(meaning.split()))
        for headers, meaning in entries
        for names, kind in re.findall(r"^(.*?) : (.*)$", headers, re.MULTILINE)
        for name in names.split(", ")
    }
    return {field.name: found[field.name] for field in dataclasses.fields(TABLES[table])}


def schema(table: str) -> dict[str, Any]:
    """Return the JSON schema of a table, with what each column means."""
    row = TypeAdapter(TABLES[table]).json_schema(mode="serialization")
    row["description"] = row["description"].partition("\n")[0]
    for name, (_, meaning) in columns(table).items():
        row["properties"][name]["description"] = meaning
    row["additionalProperties"] = False
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "type": "array", "items": row}


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Write rows as CSV; what a cell lists is joined with semicolons."""
    import pandas as pd

    flat = [{name: _cell(row[name]) for name in names} for row in rows]
    table = pd.DataFrame(flat, columns=list(names), dtype=object)
    return bytes(table.to_csv(index=False, lineterminator="\n").encode())


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        value = [f"{key} {item}" for key, item in value.items()]
    return "; ".join(map(str, value)) if isinstance(value, list) else value
