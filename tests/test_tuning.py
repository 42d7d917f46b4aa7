"""Searches: as data, drawn by either tool, cut short, and read without the tools."""

import errno
import importlib.metadata
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from factories import Training, fake_run, with_new_digest, with_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import many_mutations, mutations, try_to
from pydantic import ValidationError
from rich.console import Console
from test_project import faults

from fmnist_utils import tuning
from fmnist_utils.campaign import launch
from fmnist_utils.campaign.jobs import CampaignError, Job
from fmnist_utils.campaign.launch import _Teller, run_search
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.errors import FmnistError
from fmnist_utils.models.build import build
from fmnist_utils.models.layer_rules import too_small
from fmnist_utils.models.spec import CNN, ConvBlock
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import list_reports, load_report, reports_folder
from fmnist_utils.reports.protocol import split_rows
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Parameter, Search
from fmnist_utils.reports.yaml_file import ReportError, read_report
from fmnist_utils.runs import record
from fmnist_utils.runs.reading import read_run
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import RunStore, write_run
from fmnist_utils.training.state import TrainingError
from fmnist_utils.tuning import (
    LocalSearch,
    Trial,
    Trials,
    TuningError,
    check_trials,
    get_search,
    load_trials,
    publish_trials,
    published_path,
    read_trials,
    search_fingerprint,
    search_status,
    trials,
    write_trials,
)
from fmnist_utils.tuning.draw import draw
from fmnist_utils.tuning.trials import fault
from fmnist_utils.verdicts.outcome import Outcome
from fmnist_utils.verdicts.report_verdicts import judge_search

TINY = """\
id: tiny
title: A tiny report
authors: [A. Author]
experiments:
  cnn:
    title: A network
    where: p. 1
    model:
      builder: cnn
      conv:
        - {filters: 2, kernel: 3, pool: 4, dropout: 0.5}
        - {filters: 2, kernel: 3, pool: 2}
    training:
      validation: {count: 50, take: last}
      batch_size: 32
      epochs: 9
      optimizer: {name: adam, learning_rate: 0.001}
      loss: sparse_categorical_crossentropy
    assumed:
      - {setting: training.validation.count, chosen: 50, because: a test}
      - {setting: training.validation.take, chosen: last, because: a test}
      - {setting: training.batch_size, chosen: 32, because: a test}
      - {setting: training.epochs, chosen: 9, because: a test}
      - {setting: training.optimizer.name, chosen: adam, because: a test}
      - {setting: training.optimizer.learning_rate, chosen: 0.001, because: a test}
      - {setting: training.loss, chosen: sparse_categorical_crossentropy, because: a test}
      - {setting: model.conv.count, chosen: 2, because: a test}
      - {setting: model.conv.*.filters, chosen: 2, because: a test}
      - {setting: model.conv.*.kernel, chosen: 3, because: a test}
      - {setting: model.conv.*.padding, chosen: same, because: a test}
      - {setting: model.conv.*.activation, chosen: relu, because: a test}
      - {setting: model.conv.0.pool, chosen: 4, because: a test}
      - {setting: model.conv.1.pool, chosen: 2, because: a test}
      - {setting: model.conv.0.dropout, chosen: 0.5, because: a test}
      - {setting: reading.pixel scaling, chosen: divided by 255, because: a test}
      - {setting: reading.initialiser, chosen: "Glorot uniform, zero biases", because: a test}
      - {setting: reading.defaults, chosen: those of Keras, because: a test}
searches:
  tuner: &tuner
    title: A search
    where: p. 2
    of: cnn
    tool: keras-tuner
    trials: 6
    executions: 2
    epochs: 2
    seed: 1
    reduced: {training.images: 100}
    space:
      filters: {sets: model.conv.0.filters, choices: [2, 3, 4]}
      pool: {sets: [model.conv.0.pool, model.conv.1.pool], choices: [[2, 0], [0, 4], [14, 4]]}
      rate: {sets: model.conv.0.dropout, low: 0, high: 0.5, step: 0.05, default: 0.25}
      learning-rate: {sets: training.optimizer.learning_rate, low: 1e-4, high: 1e-2, log: true}
      batch: {sets: training.batch_size, low: 16, high: 64, step: 16}
    assumed:
      - {setting: objective, chosen: val_accuracy, because: a test}
      - {setting: seed, chosen: 1, because: a test}
      - {setting: training.images, chosen: 100, because: a test}
    claims:
      - {id: tool, quantity: setting, setting: tool, value: keras-tuner, where: p. 2}
      - {id: trials, quantity: setting, setting: trials, value: 6, where: p. 2}
      - {id: executions, quantity: setting, setting: executions, value: 2, where: p. 2}
      - {id: epochs, quantity: setting, setting: epochs, value: 10, where: p. 2}
      - {id: high, quantity: setting, setting: space.rate.high, value: 0.50, where: p. 2}
      - {id: rate, quantity: setting, setting: space.learning-rate.low, value: 1e-4, where: p. 2}
      - {id: list, quantity: setting, setting: space.pool.choices.1, value: [0, 4], where: p. 2}
      - {id: lists, quantity: setting, setting: space.pool.choices.count, value: 3, where: p. 2}
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return read(tmp_path_factory.mktemp("tiny"), TINY)


def read(folder: Path, text: str) -> Report:
    path = folder / "report.yaml"
    path.write_text(text)
    return read_report(path)


def search_with(tiny: Report, tool: str, **more: Any) -> Search:
    return tiny.searches["tuner"].model_copy(update={"tool": tool, **more})


@pytest.fixture(scope="session")
def random(tiny: Report) -> Search:
    """Return the search as Optuna draws it, which starts sooner."""
    return search_with(tiny, "optuna")


BOTH = pytest.mark.parametrize("tool", ["keras-tuner", "optuna"])


def images() -> FashionMNIST:
    labels = np.tile(np.arange(10, dtype=np.uint8), 20)
    shades = np.repeat(20 * labels, 784).reshape(-1, 28, 28)
    return FashionMNIST(shades, labels, shades[:50], labels[:50], "real")


IMAGES = images()


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Training:
    training = Training()
    monkeypatch.setattr(launch, "LocalExecutor", training.executor)
    return training


# --- a search as data ----------------------------------------------------------------------------


def test_what_a_report_states_about_a_search_is_followed_by_trials_only(
    tiny: Report, trained: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search = tiny.searches["tuner"]
    for expected in (Outcome.NOT_TESTED, Outcome.FOLLOWED):
        verdicts = judge_search(tiny, search)
        words = {verdict.claim.id: verdict.word for verdict in verdicts}
        assert words.pop("epochs") == Outcome.DIFFERS
        assert set(words.values()) == {expected}
        assert all(verdict.claim.of == "tuner" for verdict in verdicts)
        assert [(None, verdict.claim) for verdict in verdicts] == list(tiny.all_claims())
        run_quietly(tiny, search, tuning.LOCAL_SEARCHES)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("of: cnn", "of: other", "search tuner: there is no experiment other"),
        ("    seed: 1\n", "    seed: 0\n", "searches.tuner.seed"),
        ("sets: training.batch_size", "sets: training.size", "no setting training.size"),
        ("low: 16, high: 64", "low: 64, high: 16", "low must be less than high"),
        ("low: 1e-4, high: 1e-2, log", "low: 0, high: 1e-2, log", "a low above 0"),
        ("low: 16, high: 64, step: 16", "choices: [1], low: 1", "choices or bounds, not both"),
        ("low: 16, high: 64, step: 16", "low: 16", "needs choices, or low and high"),
        ("[14, 4]]", "[14]]", "one value for each of 2 paths"),
        ("choices: [2, 3, 4]", "choices: [2, -3]", "model.cnn.conv.0.filters"),
        ("chosen: 100", "chosen: 99", "training.images is 100, assumed 99"),
        ("setting: objective, chosen", "setting: tool, chosen", "tool is both claimed and assumed"),
        ("setting: space.rate.high", "setting: space.rat.high", "no setting space.rat.high"),
        ("sets: training.batch_size", "sets: training.images", "training.images is set twice"),
        ("{id: tool, ", "{id: trials, ", "claim id trials stands twice"),
        ("  tuner: &tuner\n", "  tuner:\n    id: other\n", "unknown key id"),
    ],
)
def test_a_mistake_in_a_search_is_named(tmp_path: Path, old: str, new: str, wrong: str) -> None:
    assert TINY.count(old) == 1
    with pytest.raises(ReportError, match=wrong):
        read(tmp_path, TINY.replace(old, new))


def test_trials_share_one_split_where_each_run_draws_its_own(tmp_path: Path) -> None:
    text = TINY.replace("count: 50, take: last", "count: 50, take: random")
    text = text.replace("take, chosen: last", "take, chosen: random")
    with pytest.raises(ReportError, match=r"share one split: give training\.validation\.seed"):
        read(tmp_path, text)
    text = text.replace(
        "reduced: {training.images: 100}",
        "reduced: {training.images: 100, training.validation.seed: 3}",
    ).replace(
        "      - {setting: seed, chosen: 1, because: a test}\n",
        "      - {setting: seed, chosen: 1, because: a test}\n"
        "      - {setting: training.validation.seed, chosen: 3, because: a test}\n",
    )
    report = read(tmp_path, text)
    trial = report.searches["tuner"].vary(report["cnn"], {})
    one, other = (split_rows(trial.training, 100, seed)[1] for seed in (1, 2))
    assert one is not None and np.array_equal(one, other)


def test_a_trial_is_the_experiment_with_the_drawn_settings(tiny: Report) -> None:
    search, base = tiny.searches["tuner"], tiny["cnn"]
    varied = search.vary(base, {"pool": (0, 4), "rate": 0.0, "filters": 3, "batch": 48}, "try-7")
    assert isinstance(varied.model, CNN)
    first, second = varied.model.conv
    assert (first.pool, first.dropout, first.filters, second.pool) == (None, None, 3, 4)
    training = varied.training
    assert (training.epochs, training.images, training.batch_size) == (2, 100, 48)
    assert (varied.id, varied.report, varied.variant_of) == ("try-7", "tiny", "cnn")
    assert training.optimizer == base.training.optimizer


@given(low=st.integers(-5, 5), step=st.sampled_from([0.05, 0.1, 0.25, 3, 16]), n=st.integers(1, 30))
def test_steps_of_an_interval_reach_from_bound_to_bound(low: int, step: float, n: int) -> None:
    high = round(low + n * step, 10)
    item = Parameter.model_validate({"sets": "a", "low": low, "high": high, "step": step})
    assert len(item.values) == n + 1
    assert (item.values[0], item.values[-1]) == (low, high)
    assert all(len(f"{value}") <= 6 for value in item.values)


# --- the searches that ship ----------------------------------------------------------------------


def shipped() -> Iterator[tuple[Report, Search]]:
    for report in map(load_report, list_reports()):
        for search in report.searches.values():
            yield report, search


EACH_SEARCH = pytest.mark.parametrize(("report", "search"), list(shipped()), ids=lambda x: x.id)


def test_what_is_trained_as_the_winner_of_our_search_is_its_best_trial() -> None:
    report = load_report("anastasopoulos-mpofu-smith")
    search, trials = report.searches["as-listed"], load_trials(report, "as-listed")
    assert trials is not None and len(trials.trials) == search.trials
    best = search.vary(report[search.of], trials.ranked[0].settings, "best")
    ours = report["tuned-by-our-search"]
    assert ours.model == best.model
    assert ours.training.optimizer == best.training.optimizer


@EACH_SEARCH
def test_our_search_follows_what_its_report_states(report: Report, search: Search) -> None:
    # A smaller variant of a search may have no claim of its own, and the whole one no trials.
    unused = not load_trials(report, search.id)
    for verdict in judge_search(report, search):
        by_default = (verdict.claim.setting or "").endswith(".default")
        assert verdict.word == (Outcome.NOT_TESTED if unused or by_default else Outcome.FOLLOWED)


def faults_of_tables(folder: Path) -> list[str]:
    """List what is wrong with the published tables in a folder like that of the reports."""
    found = []
    for path in sorted(folder.glob("*/searches/*")):
        try:
            table = read_trials(path)
            if (table.report, f"{table.search}.json") != (path.parents[1].name, path.name):
                raise TuningError(f"{path.name} is of {table.report}/{table.search}")
            check_trials(load_report(table.report), table)
        except TuningError as error:
            found.append(str(error))
        found += faults(path.read_text())
    return found


def test_published_tables_are_intact_and_of_the_searches_as_they_are() -> None:
    assert faults_of_tables(reports_folder()) == []


def one_trial(report: Report, search: Search) -> Trials:
    """Return a table of one combination that is said not to fit; it trains nothing."""
    settings = {name: item.values[0] for name, item in search.space.items()}
    return Trials(
        report=report.id,
        search=search.id,
        objective=search.objective,
        fingerprint=search_fingerprint(report, search),
        trials=(Trial(number=1, settings=settings, failure="too small"),),
    ).with_digest()


@EACH_SEARCH
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"digest": "0"}, "its own digest"),
        ({"fingerprint": "0"}, "stale"),
        ({"search": "other"}, "is of .*/other"),
        ({"trials": ()}, "holds no trial"),
        ({"objective": "/".join(["", "home", "ada", "book"])}, "path of somebody"),
    ],
)
def test_a_published_table_with_a_fault_would_be_noticed(
    report: Report, search: Search, tmp_path: Path, change: dict[str, Any], fault: str | None
) -> None:
    table = one_trial(report, search).model_copy(update=change)
    table = table if "digest" in change else table.with_digest()
    write_trials(table, tmp_path / report.id / "searches" / f"{search.id}.json")
    found = faults_of_tables(tmp_path)
    assert re.search(fault, "; ".join(found)) if fault else not found, found


def test_the_list_of_one_report_cannot_give_its_own_best_trials() -> None:
    report = load_report("anastasopoulos-mpofu-smith")
    as_listed, wider = report.searches["as-listed"], report.searches["as-in-figure-9"]
    combinations = [
        np.prod([len(p.values) for name, p in search.space.items() if name != "learning-rate"])
        for search in (as_listed, wider)
    ]
    assert combinations == [3_449_952, 2 * 3_449_952]

    def can_draw(search: Search, trial: Experiment) -> bool:
        fixed = {"model.conv.1.activation": "relu"}
        for item in search.space.values():
            fixed.pop(item.sets[0], None)
            inside = (item.values[0], item.values[-1]) if item.log else item.values
            value = trial.setting(item.sets[0])
            if not (inside[0] <= value <= inside[1] if item.log else value in inside):  # type: ignore[operator]
                return False
        return all(trial.setting(path) == value for path, value in fixed.items())

    trials = [report[f"trial-{i}"] for i in range(1, 6)]
    assert [can_draw(as_listed, trial) for trial in trials] == [True, True, False, False, False]
    assert all(can_draw(wider, trial) for trial in trials)


# --- what can be built ---------------------------------------------------------------------------

BLOCK = st.builds(
    ConvBlock,
    filters=st.just(1),
    kernel=st.integers(1, 6),
    padding=st.sampled_from(["same", "valid"]),
    pool=st.none() | st.integers(1, 5),
    pool_padding=st.sampled_from([None, "same"]),
)


@settings(max_examples=15)
@given(blocks=st.lists(BLOCK, min_size=1, max_size=3))
def test_too_small_agrees_with_keras(blocks: list[ConvBlock]) -> None:
    model = CNN(builder="cnn", input_shape=(9, 9, 1), conv=tuple(blocks))
    try:
        with patch(
            "fmnist_utils.models.build.too_small", lambda model: None
        ):  # build alone would refuse
            layers = build(model).layers
        fits = all(0 not in layer.output.shape[1:] for layer in layers)
    except ValueError:
        fits = False
    assert fits == (too_small(model) is None)


# --- the expected best ---------------------------------------------------------------------------


# --- drawing -------------------------------------------------------------------------------------


@EACH_SEARCH
def test_every_published_trial_follows_from_the_draw(report: Report, search: Search) -> None:
    path = published_path(report, search)
    published = read_trials(path).trials if path.exists() else ()
    drawn = draw(search, search.trials)
    assert [trial.settings for trial in published] == drawn[: len(published)]
    assert len(drawn) == search.trials
    trials = [Trial(number=1, settings=item, failure="too small") for item in drawn]
    assert [fault(report, search, trial) for trial in trials] == [None] * search.trials


def test_a_hundred_trials_are_published() -> None:
    paths = [published_path(*item) for item in shipped()]
    assert sum(len(read_trials(path).trials) for path in paths if path.exists()) == 100


@BOTH
def test_the_same_seed_draws_the_same_and_another_does_not(
    tiny: Report, tool: str, capfd: pytest.CaptureFixture[str]
) -> None:
    search = search_with(tiny, tool)
    drawn = draw(search, 6)
    assert {frozenset(settings) for settings in drawn} == {frozenset(search.space)}
    assert draw(search, 6) == drawn and draw(search, 2) == drawn[:2]
    assert draw(search_with(tiny, tool, seed=2), 6) != drawn
    assert capfd.readouterr() == ("", "")


def test_a_space_with_too_few_combinations_is_one_sentence(tiny: Report) -> None:
    search = search_with(tiny, "keras-tuner")
    few = search.model_copy(update={"space": {"filters": search.space["filters"]}})
    assert len(draw(few, 3)) == 3
    with pytest.raises(TuningError, match="fewer than 4 different combinations"):
        draw(few, 4)


# --- running -------------------------------------------------------------------------------------


def run_quietly(report: Report, search: Search, folder: Path, trials: int | None = None) -> Trials:
    return run_search(report, search, trials, IMAGES, folder, console=Console(quiet=True))


def local_table(report: Report, search: Search, folder: Path) -> Trials:
    """Compute what a search has found in a folder, as another command does."""
    return LocalSearch(report, search, folder).table()


def jobs_of(report: Report, search: Search) -> list[Job]:
    """List what is trained for a search of the tiny report."""
    return [
        Job(search.vary(report["cnn"], settings, f"tuner-{number}"), seed)
        for number, settings in enumerate(draw(search, search.trials), start=1)
        if settings["pool"] != (14, 4)
        for seed in (2 * number - 1, 2 * number)
    ]


def told(text: str) -> list[int]:
    """Return the numbers of the trials that a search has told of."""
    return [int(number) for number in re.findall(r"^trial (\d+) of", text, re.MULTILINE)]


@BOTH
def test_each_trial_is_one_row_and_its_score_the_mean_of_the_best_epochs(
    tiny: Report, tool: str, tmp_path: Path, trained: Training
) -> None:
    search, numbers = search_with(tiny, tool), []

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            for number in told(text):
                known = LocalSearch(tiny, search, tmp_path).finished()
                assert number in [trial.number for trial in known]
                numbers.append(number)
            return len(text)

    table = run_search(tiny, search, None, IMAGES, tmp_path, console=Console(file=Out(), width=200))
    assert table == local_table(tiny, search, tmp_path)
    assert [trial.number for trial in table.trials] == numbers == [1, 2, 3, 4, 5, 6]
    assert [trial.settings for trial in table.trials] == draw(search, 6)
    assert table.failed and all(trial.settings["pool"] == (14, 4) for trial in table.failed)
    assert all(trial.failure and "pooling of 4" in trial.failure for trial in table.failed)
    assert trained.jobs == jobs_of(tiny, search)
    built = [trial for trial in table.trials if not trial.failure]
    seeds = [execution.seed for trial in built for execution in trial.executions]
    assert seeds == [job.seed for job in trained.jobs] and len(set(seeds)) == 2 * len(built)
    runs = iter(fake_run(job.experiment, job.seed) for job in trained.jobs)
    for trial in built:
        best = [max(next(runs).history["val_accuracy"]) for _ in range(2)]
        assert [execution.score for execution in trial.executions] == best
        assert trial.score == pytest.approx(np.mean(best))
        assert {execution.epoch for execution in trial.executions} == {1}
        assert trial.provenance is not None
        assert trial.provenance.versions[tool] == importlib.metadata.version(tool)
    assert table.ranked[0].score == max(table.scores)


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError("disk full")], ids=repr)
def test_a_search_cut_short_goes_on_to_the_same_table(
    tiny: Report, random: Search, fault: BaseException, tmp_path: Path, trained: Training
) -> None:
    whole = run_quietly(tiny, random, tmp_path / "whole")
    seeds = trained.seeds()
    trained.errors[seeds[3]] = fault
    with pytest.raises(type(fault)):
        run_quietly(tiny, random, tmp_path / "cut")
    kept = local_table(tiny, random, tmp_path / "cut")
    assert kept.trials == whole.trials[: len(kept.trials)] and kept.scores
    assert trained.seeds() == seeds[:4]
    assert run_quietly(tiny, random, tmp_path / "cut") == whole
    # Of the trial in progress, only what was not finished is trained again.
    assert trained.seeds() == seeds[3:]
    assert run_quietly(tiny, random, tmp_path / "cut") == whole
    assert trained.seeds() == []


def test_ctrl_c_loses_no_finished_training(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    trained.before = lambda job, _: job.seed == 3 and os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_quietly(tiny, random, tmp_path)
    trained.before = lambda *_: None
    done = trained.seeds()
    assert len(done) <= 4
    table = run_quietly(tiny, random, tmp_path)
    assert [trial.number for trial in table.trials] == [1, 2, 3, 4, 5, 6]
    assert not {1, 2} & set(trained.seeds())


KILLED = """
import signal, sys
from pathlib import Path
from factories import Training
from fmnist_utils.campaign import launch
from fmnist_utils.reports.yaml_file import read_report
from test_tuning import run_quietly, search_with

training, folder = Training(), Path(sys.argv[1])
training.before = lambda job, _: job.seed < int(sys.argv[2]) or signal.raise_signal(signal.SIGKILL)
launch.LocalExecutor = training.executor
report = read_report(folder / "report.yaml")
run_quietly(report, search_with(report, "optuna"), folder)
"""


@pytest.mark.slow
def test_a_killed_search_goes_on(tmp_path: Path, trained: Training) -> None:
    tiny = read(tmp_path, TINY)
    search = search_with(tiny, "optuna")
    whole = run_quietly(tiny, search, tmp_path / "whole")
    last = trained.seeds()[-1]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(last)],
        cwd=Path(__file__).parent,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout == ""
    assert run_quietly(tiny, search, tmp_path) == whole
    assert trained.seeds() == [last]


def test_fewer_trials_are_the_first_of_all(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    few = run_quietly(tiny, random, tmp_path, trials=2)
    assert len(trained.seeds()) == 2 * len(few.scores)
    every = run_quietly(tiny, random, tmp_path)
    assert every.trials[:2] == few.trials and len(every.trials) == 6
    assert len(trained.seeds()) == 2 * (len(every.scores) - len(few.scores))
    assert run_quietly(tiny, random, tmp_path, trials=2) == every, "a table never shrinks"
    assert local_table(tiny, random, tmp_path) == every
    for wrong in (0, 7):
        with pytest.raises(TuningError, match="has 6 trials"):
            run_quietly(tiny, random, tmp_path, trials=wrong)


def test_fewer_trials_than_a_longer_search_began_with_are_enough(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    trained.errors[3] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run_quietly(tiny, random, tmp_path)
    few = run_quietly(tiny, random, tmp_path, trials=3)
    assert [trial.number for trial in few.trials] == [1, 2, 3]
    assert trained.seeds() == [1, 2, 3, 3, 4, 5, 6]


def test_a_trial_cut_short_goes_on_from_its_checkpoint_and_leaves_none(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    began: list[bool] = []

    def before(job: Job, checkpoint: Path) -> None:
        began.append(checkpoint.exists())
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.touch()

    trained.before, trained.errors[2] = before, KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run_quietly(tiny, random, tmp_path, trials=2)
    run_quietly(tiny, random, tmp_path, trials=2)
    assert list(zip(trained.seeds(), began, strict=True)) == [
        (1, False), (2, False), (2, True), (3, False), (4, False),
    ]  # fmt: skip
    assert not list(tmp_path.rglob("*.npz"))


def test_a_trial_that_is_overtaken_keeps_its_place(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    others = len(jobs_of(tiny, random)) - 1

    def before(job: Job, checkpoint: Path) -> None:
        while job.seed == 1 and len(list(tmp_path.rglob("*.seed*.json"))) < others:
            time.sleep(0.05)

    trained.before, trained.errors[1] = before, KeyboardInterrupt()
    trained.side_by_side = others + 1
    with pytest.raises(KeyboardInterrupt):
        run_quietly(tiny, random, tmp_path)
    assert not local_table(tiny, random, tmp_path).trials
    trained.seeds()
    table = run_quietly(tiny, random, tmp_path)
    assert [trial.number for trial in table.trials] == [1, 2, 3, 4, 5, 6]
    assert trained.seeds() == [1]


def test_a_training_that_fails_costs_no_other(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    trained.errors[2] = TrainingError("it cannot be done")
    with pytest.raises(CampaignError, match=r"seed 2 \(it cannot be done"):
        run_quietly(tiny, random, tmp_path)
    trained.seeds()
    assert len(run_quietly(tiny, random, tmp_path).trials) == 6
    assert trained.seeds() == [2]


def test_what_another_command_has_trained_is_taken_in(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    store = RunStore(LocalSearch(tiny, random, tmp_path).folder)

    def before(job: Job, checkpoint: Path) -> None:
        for other in jobs_of(tiny, random):
            if other != job:
                store.add(fake_run(other.experiment, other.seed))

    trained.before = before
    assert len(run_quietly(tiny, random, tmp_path).trials) == 6
    assert trained.seeds() == [1]


def test_what_another_command_finishes_before_ours_begins_is_taken_in(
    tiny: Report, random: Search, tmp_path: Path, trained: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(LocalSearch(tiny, random, tmp_path).folder)
    tell = _Teller.tell

    def late(teller: _Teller) -> None:
        tell(teller)
        for other in jobs_of(tiny, random):
            store.add(fake_run(other.experiment, other.seed))

    monkeypatch.setattr(_Teller, "tell", late)
    assert len(run_quietly(tiny, random, tmp_path).trials) == 6
    assert trained.seeds() == []


def test_a_damaged_file_is_named_and_costs_only_what_it_held(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    whole = run_quietly(tiny, random, tmp_path)
    (run,) = tmp_path.rglob("*.seed02.*.json")
    trained.seeds()
    run.write_bytes(b"{")
    with pytest.raises(FmnistError, match=r"seed02.* is not a run record[^\n]*delete it"):
        run_quietly(tiny, random, tmp_path)
    run.unlink()
    assert run_quietly(tiny, random, tmp_path) == whole
    assert trained.seeds() == [2]


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    place = LocalSearch(tiny, random, tmp_path).folder
    place.parent.mkdir(parents=True)
    place.write_text("in the way")
    with pytest.raises(FmnistError, match=r"tuner\.[^\n]*$"):
        run_quietly(tiny, random, tmp_path)
    assert not trained.jobs


def test_a_changed_search_does_not_go_on_from_an_older_one(
    tiny: Report, random: Search, tmp_path: Path, trained: Training
) -> None:
    run_quietly(tiny, random, tmp_path, trials=3)
    trained.seeds()
    longer = random.model_copy(update={"epochs": 3})
    table = run_quietly(tiny, longer, tmp_path, trials=3)
    assert len(trained.seeds()) == 2 * len(table.scores) > 0
    assert search_fingerprint(tiny, longer) != search_fingerprint(tiny, random)
    more = random.model_copy(update={"trials": 9, "title": "Another title"})
    assert search_fingerprint(tiny, more) == search_fingerprint(tiny, random)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_real_search_trains_and_repeats(
    tiny: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "official_fingerprint", lambda: IMAGES.fingerprint)
    search = search_with(tiny, "optuna", executions=1, epochs=1)
    first, second = (run_quietly(tiny, search, tmp_path / name, trials=1) for name in "ab")
    assert capfd.readouterr() == ("", "")
    assert first.scores == second.scores and first.scores
    assert all(0 <= score <= 1 for score in first.scores)


# --- going on from what is published ------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Publish into an empty folder."""
    monkeypatch.setattr(trials, "reports_folder", lambda: tmp_path / "package")
    return tmp_path / "package"


def first(table: Trials, n: int) -> Trials:
    return table.model_copy(update={"trials": table.trials[:n]}).with_digest()


def test_a_search_takes_over_the_published_trials(
    tiny: Report, random: Search, tmp_path: Path, package: Path, trained: Training
) -> None:
    whole, out = run_quietly(tiny, random, tmp_path / "first"), io.StringIO()
    write_trials(first(whole, 4), published_path(tiny, random))
    known, seeds = 2 * len(first(whole, 4).scores), trained.seeds()
    console = Console(file=out, width=200)
    fresh = run_search(tiny, random, None, IMAGES, tmp_path / "clone", console=console)
    assert fresh == whole and told(out.getvalue()) == [5, 6], "the others were told elsewhere"
    assert trained.seeds() == seeds[known:] and known
    # Somebody published more than this folder has.
    run_quietly(tiny, random, tmp_path / "behind", trials=2)
    write_trials(whole, published_path(tiny, random))
    assert run_quietly(tiny, random, tmp_path / "behind") == whole
    assert trained.seeds() == []


def other_settings(table: Trials) -> Trials:
    def change(trial: Trial) -> Trial:
        filters = {2: 3, 3: 4, 4: 2}[trial.settings["filters"]]  # type: ignore[index]
        return trial.model_copy(update={"settings": trial.settings | {"filters": filters}})

    return table.model_copy(update={"trials": tuple(map(change, table.trials))}).with_digest()


def stale(table: Trials) -> Trials:
    return table.model_copy(update={"fingerprint": "0"}).with_digest()


def half_precision(table: Trials) -> Trials:
    def change(trial: Trial) -> Trial:
        if trial.provenance is None:
            return trial
        half = trial.provenance.model_copy(update={"precision": "mixed_bfloat16"})
        return trial.model_copy(update={"provenance": half})

    return table.model_copy(update={"trials": tuple(map(change, table.trials))}).with_digest()


@pytest.mark.parametrize("change", [other_settings, stale, half_precision])
def test_other_published_trials_are_not_taken_over(
    tiny: Report,
    random: Search,
    change: Callable[[Trials], Trials],
    tmp_path: Path,
    package: Path,
    trained: Training,
) -> None:
    few = run_quietly(tiny, random, tmp_path / "first", trials=3)
    write_trials(change(few), published_path(tiny, random))
    once = len(trained.seeds())
    assert run_quietly(tiny, random, tmp_path / "again", trials=3) == few
    assert len(trained.seeds()) == once > 0


def other_draw(run: Run) -> Run:
    return run.model_copy(update={"fingerprint": "0123456789abcdef"})


def in_half_precision(run: Run) -> Run:
    half = run.provenance.model_copy(update={"precision": "mixed_bfloat16"})
    return run.model_copy(update={"provenance": half})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_draw, "Trial 1 in .* has other settings than optuna draws now: use the version"),
        (in_half_precision, None),
    ],
)
def test_runs_that_the_search_would_not_make_are_kept_and_do_not_count(
    tiny: Report,
    random: Search,
    change: Callable[[Run], Run],
    message: str | None,
    tmp_path: Path,
    trained: Training,
) -> None:
    whole = run_quietly(tiny, random, tmp_path)
    for path in tmp_path.rglob("*.seed*.json"):
        write_run(change(read_run(path)), path.parent)
        path.unlink()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.seed*.json")}
    seeds = trained.seeds()
    if message is None:
        assert run_quietly(tiny, random, tmp_path) == whole and trained.seeds() == seeds
    else:
        with pytest.raises(TuningError, match=message):
            run_quietly(tiny, random, tmp_path)
    assert before and {path: path.read_bytes() for path in before} == before
    assert not trained.seeds()


BESIDE = """
import sys, time
from pathlib import Path
from fmnist_utils.campaign import launch
from test_tuning import Training, read_report, run_quietly, search_with
training, folder = Training(), Path(sys.argv[1])
training.before = lambda job, _: (print(job.seed, flush=True), time.sleep(0.05))
launch.LocalExecutor = training.executor
report = read_report(folder / "report.yaml")
assert len(run_quietly(report, search_with(report, "optuna"), folder).trials) == 6
"""


@pytest.mark.slow
def test_two_searches_in_one_folder_train_each_run_once_and_leave_one_table(
    tmp_path: Path, trained: Training
) -> None:
    tiny = read(tmp_path, TINY)
    search = search_with(tiny, "optuna")
    whole = run_quietly(tiny, search, tmp_path / "whole")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", BESIDE, str(tmp_path)],
            cwd=Path(__file__).parent,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0, 0], said
    assert sorted(int(seed) for out, _ in said for seed in out.split()) == sorted(trained.seeds())
    assert local_table(tiny, search, tmp_path) == whole


# --- publishing ----------------------------------------------------------------------------------


@pytest.fixture
def searched(tiny: Report, tmp_path: Path, package: Path, trained: Training) -> Trials:
    return run_quietly(tiny, tiny.searches["tuner"], tmp_path / "searched")


def test_a_table_is_published_once_and_grows(tiny: Report, searched: Trials) -> None:
    for n, new in ((2, True), (2, False), (6, True), (6, False)):
        assert publish_trials(tiny, first(searched, n)) is new
        assert load_trials(tiny, "tuner") == first(searched, n)
    with pytest.raises(TuningError, match="has 5 trials, and 6 are published"):
        publish_trials(tiny, first(searched, 5))
    assert load_trials(tiny, "tuner") == searched


@pytest.mark.slow
@EACH_SEARCH
def test_whatever_a_search_of_the_book_draws_can_be_published(
    report: Report, search: Search, tmp_path: Path, package: Path, trained: Training
) -> None:
    trained.side_by_side = 20
    table = run_quietly(report, search, tmp_path)
    assert publish_trials(report, table) and len(table.trials) == search.trials


def with_trial(table: Trials, number: int, change: dict[str, Any]) -> Trials:
    trials = list(table.trials)
    trials[number - 1] = trials[number - 1].model_copy(update=change)
    return table.model_copy(update={"trials": tuple(trials)}).with_digest()


def test_a_table_that_contradicts_the_published_one_is_refused(
    tiny: Report, searched: Trials
) -> None:
    publish_trials(tiny, first(searched, 5))
    number = next(trial.number for trial in searched.trials if trial.executions)
    executions = tuple(
        item.model_copy(update={"score": 0.99}) for item in searched.trials[number - 1].executions
    )
    better = with_trial(searched, number, {"executions": executions})
    with pytest.raises(TuningError, match=f"trial {number} differs from the published one"):
        publish_trials(tiny, better)
    assert load_trials(tiny, "tuner") == first(searched, 5)


def test_a_stale_published_table_is_not_overwritten(tiny: Report, searched: Trials) -> None:
    path = published_path(tiny, tiny.searches["tuner"])
    write_trials(stale(searched), path)
    with pytest.raises(TuningError, match=r"searches/tuner.json .* earlier version.*delete it"):
        publish_trials(tiny, searched)
    assert read_trials(path) == stale(searched)


def test_a_trial_that_diverged_does_not_contradict_itself(tiny: Report, searched: Trials) -> None:
    number = next(trial.number for trial in searched.trials if trial.executions)
    executions = tuple(
        item.model_copy(update={"score": math.nan})
        for item in searched.trials[number - 1].executions
    )
    table = with_trial(searched, number, {"executions": executions})
    assert publish_trials(tiny, first(table, number)) is True
    assert publish_trials(tiny, table) is True
    assert publish_trials(tiny, table) is False


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"digest": "0"}, "its own digest"),
        ({"fingerprint": "0"}, "tiny/tuner is stale"),
        ({"search": "other"}, "no search 'other'; it has tuner"),
        ({"objective": "val_loss"}, "objective is val_loss"),
    ],
)
def test_a_table_that_is_no_evidence_is_not_published(
    tiny: Report, searched: Trials, package: Path, change: dict[str, str], sentence: str
) -> None:
    table = searched.model_copy(update=change)
    with pytest.raises(TuningError, match=sentence):
        publish_trials(tiny, table if "digest" in change else table.with_digest())
    assert not package.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"number": 9}, "numbered from 1"),
        ({"settings": {}}, "trial 1 does not set what the search varies"),
        ({"filters": 9}, "trial 1 has filters 9, which the search cannot draw"),
        ({"rate": 0.51}, "rate 0.51"),
        ({"rate": "a"}, "rate 'a'"),
        ({"learning-rate": 0.02}, "learning-rate 0.02"),
        ({"learning-rate": math.nan}, "learning-rate nan"),
        ({"learning-rate": "a"}, "learning-rate 'a'"),
        ({"batch": 17}, "batch 17"),
        ({"pool": (2, 4)}, r"pool \(2, 4\)"),
        ({"executions": ()}, "trial 1 was trained 0 times"),
        ({"provenance": None}, "trial 1 was not trained in float32"),
    ],
    ids=str,
)
def test_a_trial_that_the_search_cannot_have_made_is_not_published(
    tiny: Report, searched: Trials, package: Path, change: dict[str, Any], sentence: str
) -> None:
    trial = next(trial for trial in searched.trials if trial.executions)
    trial = trial.model_copy(update={"number": 1})
    if not change.keys() & set(Trial.model_fields):
        change = {"settings": trial.settings | change}
    table = searched.model_copy(update={"trials": (trial,)}).with_digest()
    check_trials(tiny, table)
    with pytest.raises(TuningError, match=sentence):
        publish_trials(tiny, with_trial(table, 1, change))
    assert not package.exists()


def test_trials_of_another_precision_are_not_published(tiny: Report, searched: Trials) -> None:
    with pytest.raises(TuningError, match="was not trained in float32"):
        publish_trials(tiny, half_precision(searched))
    half = tiny["cnn"].model_copy(update={"precision": "mixed_bfloat16"})
    changed = tiny.model_copy(update={"experiments": {"cnn": half}})
    with pytest.raises(TuningError, match="was not trained in mixed_bfloat16"):
        publish_trials(changed, searched)
    assert publish_trials(changed, half_precision(searched))


def test_more_trials_than_the_search_has_or_a_gap_are_refused(
    tiny: Report, searched: Trials
) -> None:
    fewer = tiny.searches["tuner"].model_copy(update={"trials": 5})
    with pytest.raises(TuningError, match="numbered from 1 to at most 5"):
        publish_trials(tiny.model_copy(update={"searches": {"tuner": fewer}}), searched)
    gap = searched.model_copy(update={"trials": searched.trials[:1] + searched.trials[2:]})
    with pytest.raises(TuningError, match="without a gap"):
        publish_trials(tiny, gap.with_digest())


def test_a_full_disk_keeps_the_published_table(
    tiny: Report, searched: Trials, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    publish_trials(tiny, first(searched, 3))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(TuningError, match=r"cannot be written.*No space left"):
            publish_trials(tiny, searched)
    assert load_trials(tiny, "tuner") == first(searched, 3)
    assert [path.name for path in package.rglob("*") if path.is_file()] == ["tuner.json"]


# --- the table -----------------------------------------------------------------------------------


def test_a_table_is_read_without_the_tools(tmp_path: Path) -> None:
    script = (
        "import sys, fmnist_utils.tuning, fmnist_utils.reports.load as r\n"
        "report = r.load_report('chalkiopoulos-tsoukalelis')\n"
        "fmnist_utils.tuning.load_trials(report, 'cnn')\n"
        "print([m for m in ('keras', 'tensorflow', 'keras_tuner', 'optuna') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.fixture
def table(tiny: Report) -> Trials:
    return Trials(
        report="tiny",
        search="tuner",
        objective="val_accuracy",
        fingerprint=search_fingerprint(tiny, tiny.searches["tuner"]),
        trials=(Trial(number=1, settings={"pool": (14, 4), "rate": 0.0}, failure="too small"),),
    ).with_digest()


def test_of_published_and_local_trials_the_longer_table_counts(
    tiny: Report, tmp_path: Path, package: Path, trained: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search = tiny.searches["tuner"]

    def where() -> str:
        ((row,), _) = search_status(tiny)
        return row.seeds

    assert load_trials(tiny, "tuner") is None and where() == "of 6 trials"
    three = run_quietly(tiny, search, tuning.LOCAL_SEARCHES, trials=3)
    assert load_trials(tiny, "tuner") == three and where().endswith("local")
    write_trials(three, published_path(tiny, search))
    assert load_trials(tiny, "tuner") == three and where().endswith("published")
    whole = run_quietly(tiny, search, tuning.LOCAL_SEARCHES)
    assert load_trials(tiny, "tuner") == whole != three and where().endswith("local")
    # What is here of an earlier version of the search does not count.
    monkeypatch.setattr(
        "fmnist_utils.tuning.local.search_fingerprint", lambda *_: three.fingerprint[::-1]
    )
    assert not LocalSearch(tiny, search).folder.exists()


def test_a_stale_published_table_is_refused(tiny: Report, table: Trials, package: Path) -> None:
    write_trials(stale(table), published_path(tiny, tiny.searches["tuner"]))
    with pytest.raises(TuningError, match="is stale"):
        load_trials(tiny, "tuner")


def test_an_edited_or_damaged_table_is_refused(table: Trials, tmp_path: Path) -> None:
    path = tmp_path / "trials.json"
    content = json.loads(table.model_dump_json(exclude_unset=True))
    path.write_text(json.dumps(content))
    assert read_trials(path) == table
    content["trials"][0]["number"] = 2
    path.write_text(json.dumps(content))
    with pytest.raises(TuningError, match=f"^{path.parent.name}/trials.json .* its own digest"):
        read_trials(path)
    path.write_text("{}")
    with pytest.raises(TuningError, match="no table of trials"):
        read_trials(path)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("trials.0.number", 2, "not numbered from 1"),
        ("trials.0.number", 0, "trials.0.number"),
        ("trials.0.failure", "too small", "in spite of one"),
        ("trials.0.executions", [], "not trained without a reason"),
        ("trials.0.provenance", None, "does not say what trained it"),
        ("trials.0.executions.0.score", 1.01, "no val_accuracy"),
        ("trials.0.executions.0.score", -0.01, "no val_accuracy"),
        ("trials.0.executions.0.score", "high", "executions.0.score"),
        ("trials.0.executions.0.test_accuracy", 5.0, "executions.0.test_accuracy"),
        ("trials.0.executions.0.seed", -1, "executions.0.seed"),
        ("trials.0.executions.0.seed", 2, "seed 2 stands twice"),
        ("trials.0.executions.0.epoch", 0, "executions.0.epoch"),
        ("trials.0.executions.0.seconds", 0, "executions.0.seconds"),
    ],
)
def test_a_number_that_no_search_gives_is_refused_though_the_digest_fits(
    trained_table: Trials, tmp_path: Path, path: str, value: Any, reason: str
) -> None:
    content = json.loads(trained_table.model_dump_json(exclude_unset=True))
    file = tmp_path / "trials.json"
    file.write_text(with_new_digest(with_value(content, path, value)))
    with pytest.raises(TuningError, match=f"^[^\n]*{reason}[^\n]*$") as caught:
        read_trials(file)
    assert f"delete it from {tmp_path} and search again" in str(caught.value)


def test_a_table_of_another_search_is_refused_where_it_lies(
    tiny: Report, table: Trials, package: Path
) -> None:
    for change in ({"report": "other"}, {"search": "other"}):
        other = table.model_copy(update=change).with_digest()
        write_trials(other, published_path(tiny, tiny.searches["tuner"]))
        with pytest.raises(TuningError, match=r"of another search than tiny/tuner: move it"):
            load_trials(tiny, "tuner")


@pytest.fixture(scope="module")
def trained_table(tiny: Report) -> Trials:
    """Return a table of one trial that was trained twice, and one that cannot be built."""
    runs = [fake_run(tiny["cnn"], seed) for seed in (1, 2)]
    executions = tuple(tuning.Execution.of(run, "val_accuracy") for run in runs)
    settings = {"pool": (2, 0), "rate": 0.05, "filters": 2, "learning-rate": 1e-3, "batch": 16}
    trials = (
        Trial(number=1, settings=settings, executions=executions, provenance=runs[0].provenance),
        Trial(number=2, settings=settings | {"pool": (14, 4)}, failure="too small"),
    )
    return Trials(
        report="tiny",
        search="tuner",
        objective="val_accuracy",
        fingerprint=search_fingerprint(tiny, tiny.searches["tuner"]),
        trials=trials,
    ).with_digest()


def read_everywhere(report: Report, path: Path) -> None:
    """Read a damaged table and do with it what is done with one that can be read."""
    table = read_trials(path)
    assert table.ranked is not None and table.scores is not None
    check_trials(report, table)


NEW_DIGEST = pytest.mark.parametrize("new_digest", [False, True], ids=["found", "with new digest"])


@NEW_DIGEST
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_table_is_read_or_refused(
    tiny: Report, trained_table: Trials, tmp_path: Path, new_digest: bool, data: st.DataObject
) -> None:
    content = trained_table.model_dump_json(exclude_unset=True).encode()
    path = tmp_path / "trials.json"
    path.write_bytes(data.draw(mutations(content, with_new_digest if new_digest else None)))
    try_to(lambda: read_everywhere(tiny, path), TuningError)


@pytest.mark.slow
@NEW_DIGEST
def test_a_hundred_thousand_damaged_tables_are_read_or_refused_at_once(
    tiny: Report, trained_table: Trials, tmp_path: Path, new_digest: bool
) -> None:
    content = trained_table.model_dump_json(exclude_unset=True).encode()
    path = tmp_path / "trials.json"
    for mutant in many_mutations(content, 50_000, with_new_digest if new_digest else None):
        path.write_bytes(mutant)
        try_to(lambda: read_everywhere(tiny, path), TuningError, seconds=2)


def test_of_a_loss_the_lowest_is_best_and_a_diverged_trial_comes_last(table: Trials) -> None:
    def trial(number: int, score: float) -> Trial:
        execution = tuning.Execution(
            seed=number, score=score, epoch=1, test_accuracy=0.5, seconds=1
        )
        return Trial(number=number, settings={}, executions=(execution,))

    trials = (trial(1, float("nan")), trial(2, 0.5), trial(3, 0.25))
    losses = table.model_copy(update={"objective": "val_loss", "trials": trials})
    assert [item.number for item in losses.ranked] == [3, 2, 1]
    accuracies = losses.model_copy(update={"objective": "val_accuracy"})
    assert [item.number for item in accuracies.ranked] == [2, 3, 1]
    assert accuracies.with_digest().is_intact


def test_an_unknown_search_is_named_with_those_there_are(tiny: Report) -> None:
    with pytest.raises(TuningError, match="no search 'other'; it has tuner"):
        get_search(tiny, "other")
    with pytest.raises(TuningError, match="it has none"):
        get_search(load_report("baltzi"), "other")


@pytest.mark.parametrize("tool", ["keras-tuner", "optuna"])
def test_without_the_tool_one_sentence_says_how_to_get_it(
    tiny: Report, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, tool.replace("-", "_"), None)
    with pytest.raises(TuningError, match=r"pip install fmnist-utils\[tuning\]"):
        run_quietly(tiny, search_with(tiny, tool), tmp_path)


def test_a_parameter_is_frozen_and_takes_no_unknown_key() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Parameter.model_validate({"sets": "a", "choices": [1], "colour": "red"})
