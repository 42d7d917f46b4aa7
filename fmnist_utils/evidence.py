"""The commands by which new runs become evidence: sent in as a file, checked, published."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from fmnist_utils.errors import FmnistError


def export_runs(
    file: Annotated[Path, typer.Argument(help="What to write, e.g. runs.zip.")],
) -> None:
    """Write new runs and searches into one file, to send in."""
    from fmnist_utils.runs.archive import pack
    from fmnist_utils.runs.store import LOCAL_RUNS, kept
    from fmnist_utils.tuning import LOCAL_SEARCHES

    count = pack(file, map(kept, (LOCAL_RUNS, LOCAL_SEARCHES)))
    links = metadata.metadata("fmnist-utils").get_all("Project-URL", [])
    address = dict(line.split(", ") for line in links)["Repository"]
    records = f"{count} record{'s' * (count != 1)}"
    print(f"{records} written to {file}: attach it to an issue at {address}/issues.")


def publish_runs(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where new runs and searches are; by default ./runs and ./searches."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Take them from a file of fmnist export-runs."),
    ] = None,
) -> None:
    """Check new runs and searches and copy them into the package, where they are evidence."""
    from fmnist_utils.runs.archive import unpacked
    from fmnist_utils.runs.publish import check_folders, publish_files, publish_run_file
    from fmnist_utils.runs.store import LOCAL_RUNS, kept
    from fmnist_utils.tuning import LOCAL_SEARCHES, TABLE, publish_table

    if folder and file:
        raise FmnistError("Runs are published from a folder or from a file: give one of them.")
    with ExitStack() as stack:
        if file:
            folders = [stack.enter_context(unpacked(file))]
        else:
            folders = [folder] if folder else [kept(LOCAL_RUNS), kept(LOCAL_SEARCHES)]
        check_folders(folders)
        runs = publish_files(folders, "*.seed*.json", publish_run_file)
        tables = publish_files(folders, TABLE, publish_table)
    refused = runs.refused + tables.refused
    for sentence in refused:
        print(f"Refused: {sentence}", file=sys.stderr)
    also = f" and {tables.new} tables of trials" if any(tables) else ""
    print(
        f"{runs.new} runs{also} published, {runs.known + tables.known} already there, "
        f"{len(refused)} refused."
    )
    if refused:
        raise typer.Exit(1)
