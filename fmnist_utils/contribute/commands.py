"""Commands of the ``fmnist`` command for whoever adds a report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fmnist_utils.cli_common import ReportId


def new_report(
    report_id: Annotated[
        str,
        typer.Argument(help="Its id: small letters, digits and hyphens.", metavar="REPORT"),
    ],
) -> None:
    """Begin a report: write a skeleton of its data and of its chapter, to be filled in."""
    from fmnist_utils.contribute.new_report import write_skeleton

    for path in write_skeleton(report_id):
        typer.echo(f"{os.path.relpath(path)} written")
    typer.echo(f"Fill them in; fmnist check {report_id} says what is missing.")


def check(
    report_id: ReportId,
    text: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The report's text: each number in it must be claimed, or ignored.",
        ),
    ] = None,
) -> None:
    """Say what is missing in a report, or wrong, with file and line; exit code 1 when something."""
    from fmnist_utils.contribute.check import check_report

    problems = check_report(report_id, text)
    for sentence in problems:
        typer.echo(sentence)
    if problems:
        typer.echo(f"{len(problems)} thing{'s' * (len(problems) != 1)} to mend in {report_id}.")
        raise typer.Exit(1)
    typer.echo(f"{report_id} is complete.")
