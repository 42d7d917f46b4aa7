"""Text of a report is shown as it stands, without markup or HTML, and never breaks the reader."""

import inspect
import os
import random
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import make_run
from figures import SYNTHETIC
from hypothesis import given, settings
from hypothesis import strategies as st
from test_book import build, code, make_book, write_chapter
from test_reports import TINY, read
from typer.testing import CliRunner

from fmnist_utils import audit, cli, tables
from fmnist_utils.reports import load
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.yaml_file import ReportError, read_report
from fmnist_utils.runs import store as run_store
from fmnist_utils.tables.report_tables import found_table
from fmnist_utils.tables.table import Table
from fmnist_utils.tuning import trials as run_trials
from fmnist_utils.verdicts.across_reports import Model
from fmnist_utils.verdicts.judge import judge

# A difference may be what a report rests on.
HEADLINE = TINY.replace("unit: points, where: p. 2}", "unit: points, role: headline, where: p. 2}")

FULL = f"""{HEADLINE}\
variants:
  varied: {{of: other, title: A variant, settings: {{training.epochs: 2}}}}
searches:
  sweep:
    title: A sweep
    where: p. 4
    of: other
    tool: optuna
    trials: 2
    epochs: 2
    seed: 7
    space:
      rate: {{sets: training.optimizer.learning_rate, low: 0.001, high: 0.1, log: true}}
      pool: {{sets: model.conv.0.pool, choices: [0, 2]}}
    assumed: [
      {{setting: tool, chosen: optuna, because: not stated}},
      {{setting: objective, chosen: val_accuracy, because: not stated}},
      {{setting: trials, chosen: 2, because: not stated}},
      {{setting: executions, chosen: 1, because: not stated}},
      {{setting: epochs, chosen: 2, because: not stated}},
      {{setting: seed, chosen: 7, because: not stated}}]
derivations:
  - {{id: sum, title: A sum, subject: a number, rule: ratio, where: p. 5, stated: 3,
     given: [images, 2], consequence: It stands.}}
findings:
  - {{id: odd, title: Odd, severity: low, where: p. 6, claimed: a thing, because: a reason,
     consequence: None., when: [images - 1 > 2]}}
"""


def with_text(text: str) -> str:
    """Put a text into every title, place, reason and name of the full report."""
    key = r"\b(title|where|because|claimed|consequence|name): (?!adam)[^,}\]\n]+"
    return re.sub(key, lambda found: f"{found[1]}: '{text}'", FULL)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder, where the package has one report: the full one."""
    for module in (load, run_store, run_trials):
        monkeypatch.setattr(module, "reports_folder", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    load.load_report.cache_clear()
    yield tmp_path / "tiny"
    load.load_report.cache_clear()


MARKUP = "[red]x[/red][/no]"


@pytest.mark.parametrize("command", [["reports"], ["report", "tiny"], ["audit"], ["status"]])
def test_markup_in_a_report_is_printed_as_it_is(hostile: Path, command: list[str]) -> None:
    report = read(hostile, with_text(MARKUP))
    run = make_run(report["other"])
    strange = run.provenance.model_copy(update={"device": MARKUP})
    run_store.RunStore().add(run.model_copy(update={"provenance": strange}))
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.exception
    assert MARKUP in result.stdout


@pytest.mark.parametrize("command", [["run", "tiny"], ["report", "tiny"], ["audit"], ["status"]])
def test_a_wrong_report_is_one_sentence_in_every_command(hostile: Path, command: list[str]) -> None:
    (hostile / "report.yaml").write_text(FULL.replace("84.60", "about [b]84"))
    result = CliRunner().invoke(cli.app, command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "about [b]84 is not a number" in result.stderr


def test_a_report_has_the_name_of_its_folder(hostile: Path) -> None:
    (hostile / "report.yaml").write_text(FULL.replace("id: tiny", "id: baltzi"))
    result = CliRunner().invoke(cli.app, ["run", "tiny"])
    assert result.exit_code == 2 and "id: it is baltzi" in result.stderr


#: Tables that show what a chapter passes, or what is computed, and no text of a report.
WITHOUT_TEXT = {
    "disputed",  # of the images
    *("data_summary", "equivalence", "effects", "settings_worth"),
    *("closest_epochs",),  # of a printed table of numbers
    *("chance_alone", "rule_history", "kinds"),  # of the rule, and of words
    *("classifiers", "fast_trainings", "tricks", "published"),  # of no report
}


def shown(report: Report) -> Iterator[Table]:
    """Yield every table that shows text of a report."""
    runs = {name: [make_run(item, seed) for seed in (1, 2, 3)]
            for name, item in report.experiments.items()}  # fmt: skip
    yield found_table(audit.audit(report, runs), report.title)
    yield tables.results(report, runs)
    yield tables.variants(report, runs)
    yield tables.study({item.title: runs[name] for name, item in report.experiments.items()})
    yield from (table() for table in (tables.scoreboard, tables.audit_counts, tables.omissions))
    yield from (table() for table in (tables.directions, tables.seed_noise))
    alike = [Model(report, item, runs[name]) for name, item in report.experiments.items()]
    yield from (tables.networks(alike), tables.network_orders(alike))
    yield tables.calibration(alike, SYNTHETIC)
    yield from (table() for table in (tables.assumption_effects, tables.answers, tables.shares))
    verdicts = [judge(item, claim, runs[item.id]) for item in report.experiments.values()
                for claim in item.claims]  # fmt: skip
    yield tables.judged(verdicts)
    yield tables.headlines(report, [[item] for item in verdicts if item.mean is not None])
    for name, experiment in report.experiments.items():
        yield tables.verdicts(experiment, runs[name])
        yield tables.held_against(experiment, runs[name], experiment.title)
        yield tables.readings(experiment, "test", runs[name])


def test_every_table_is_looked_at() -> None:
    every = {name for name, item in vars(tables).items() if inspect.isfunction(item)
             and "Table" in str(item.__annotations__.get("return"))}  # fmt: skip
    looked_at = set(re.findall(r"tables\.(\w+)", inspect.getsource(shown)))
    assert every - looked_at == WITHOUT_TEXT


SCRIPT = "<script>x</script>"


def test_html_in_a_report_stays_escaped_in_every_table(hostile: Path) -> None:
    html = [table._repr_html_() for table in shown(read(hostile, with_text(SCRIPT)))]
    assert sum("&lt;script&gt;" in text for text in html) >= 14
    assert not any("<script" in text for text in html)


CHAPTER = """\
from pathlib import Path
from test_hostile_text import SCRIPT, read, shown, with_text
from fmnist_utils.reports import load
from fmnist_utils.runs import store
from fmnist_utils.tuning import trials
folder = Path({folder!r})
for module in (load, store, trials):
    module.reports_folder = lambda: folder
for table in shown(read(folder / "tiny", with_text(SCRIPT))):
    # This book has no pages for links to lead to.
    if "href" not in table._repr_html_():
        display(table)
"""


@pytest.mark.slow
def test_html_in_a_report_stays_escaped_on_every_page(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("reports")
    (folder / "tiny").mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    write_chapter(make_book(tmp_path), code(CHAPTER.format(folder=str(folder))))
    build(tmp_path)
    pages = [page.read_text() for page in (tmp_path / "_build/html").rglob("*.html")]
    text = (tmp_path / "_build/html/chapters/one.html").read_text()
    assert text.count("&lt;script&gt;x") >= 18
    assert not any(SCRIPT in page for page in pages)


# --- random mutations ----------------------------------------------------------------------------

NASTY = (
    *("", "~92", "-1", "0", "1e999", "1e1000000000", "nan", "inf", "9" * 5000, "[]", "{}"),
    *("[1, 2]", "[[", "*a", "&a [*a]", "&protocol {}", "<<", "{a: b}", "true", "null", "only", "-"),
    *(": ", "\t", "'", '"', "\x00", "\u2028", "\\", "!!python/object:x", "%", "99999999999"),
    *("0.5", "test", "[red]", "../..", '"\\UFFFFFFFF"', "2026-99-99"),
)


def mutated(seed: int) -> str:
    """Replace, repeat, move or leave out a few pieces of the full report."""
    draw = random.Random(seed)
    lines = FULL.splitlines(keepends=True)
    for _ in range(draw.randint(1, 3)):
        i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
        match draw.randrange(5):
            case 0:
                del lines[i]
            case 1:
                lines.insert(i, lines[j])
            case 2:
                at = draw.randrange(len(lines[i]) + 1)
                lines[i] = lines[i][:at] + draw.choice(NASTY) + lines[i][at + draw.randint(0, 3) :]
            case _:
                words = list(re.finditer(r"(?<=[:,\[] )[^,:{}\[\]\n]+", lines[i]))
                if words:
                    word, other = draw.choice(words), re.findall(r"[\w.-]+", draw.choice(lines))
                    new = draw.choice([*NASTY, *other])
                    lines[i] = lines[i][: word.start()] + new + lines[i][word.end() :]
        if not lines:
            break
    return "".join(lines)


def check(path: Path, text: str) -> None:
    """Read a report: it is in order, and can be audited, or the error is one sentence."""
    path.write_text(text, encoding="utf-8")
    try:
        report = read_report(path)
    except ReportError as error:
        assert str(error).isprintable() and str(error).startswith(str(path))
    else:
        assert isinstance(audit.audit(report), list)


@pytest.mark.slow
@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_a_mutated_report_is_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    check(tmp_path_factory.getbasetemp() / "report.yaml", mutated(seed))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 100_000, 2_500))
def test_a_hundred_thousand_mutated_reports_are_read_or_refused_at_once(
    tmp_path: Path, first: int
) -> None:
    slowest = 0.0
    for seed in range(first, first + 2_500):
        began = time.process_time()  # which a busy machine does not stretch
        check(tmp_path / "report.yaml", mutated(seed))
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 2
