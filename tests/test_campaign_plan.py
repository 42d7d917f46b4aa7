"""What a campaign tells before and while it trains, and how many seeds it adds."""

import io
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import FLOAT32, make_run
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fmnist_utils.campaign.estimate import (
    START_UP,
    duration_text,
    estimated_seconds,
    makespan,
    plan_text,
)
from fmnist_utils.campaign.jobs import Job
from fmnist_utils.campaign.progress import CampaignProgress
from fmnist_utils.campaign.sample_size import MOST_SEEDS, jobs_for_precision
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.record import Method, Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import prediction_half_width, runs_for_precision
from fmnist_utils.training.provenance import processor
from fmnist_utils.training.state import Progress

BALTZI = load_report("baltzi")
MLP, CNN = BALTZI["mlp-baseline"], BALTZI["cnn-1-conv"]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs", published=tmp_path / "published")


def timed_run(
    experiment: Experiment, seed: int, seconds: float, device: str, method: Method = FLOAT32
) -> Run:
    """Return a run whose epochs took so many seconds each, on a processor."""
    run = make_run(experiment, seed, method=method)
    provenance = run.provenance.model_copy(update={"device": device})
    changes = {"seconds_per_epoch": (seconds,) * run.epochs, "provenance": provenance}
    return run.model_copy(update=changes).with_digest()


# --- time and room -------------------------------------------------------------------------------

SECONDS = st.lists(st.floats(0.1, 1e5), min_size=1, max_size=20)


@given(SECONDS, st.integers(1, 8))
def test_jobs_side_by_side_take_no_less_than_their_share_and_no_more_than_alone(
    seconds: list[float], size: int
) -> None:
    took = makespan(seconds, size)
    assert max(max(seconds), sum(seconds) / size) <= took * (1 + 1e-9)
    assert took <= sum(seconds) * (1 + 1e-9)
    assert makespan(seconds, 1) == pytest.approx(sum(seconds))


@given(st.floats(0, 1e6))
def test_a_duration_is_read_back_to_the_minute(seconds: float) -> None:
    hours, minutes = re.fullmatch(r"(?:(\d+) h )?(\d+) min", duration_text(seconds)).groups("0")  # type: ignore[union-attr]
    assert int(minutes) < 60
    assert abs(3600 * int(hours) + 60 * int(minutes) - max(seconds, 60)) <= 30


def test_times_are_those_of_the_same_experiment_on_the_same_processor(store: RunStore) -> None:
    store.add(timed_run(MLP, 1, 10.0, processor()))
    store.add(timed_run(MLP, 2, 20.0, processor()))
    store.add(timed_run(MLP, 3, 1000.0, "another processor"))
    jobs = [Job(MLP, 4), Job(CNN, 4)]
    assert estimated_seconds(jobs, store, processor()) == [START_UP + 11 * 15.0, None]
    assert estimated_seconds(jobs, store, "a third one") == [None, None]
    mean, unknown = estimated_seconds(jobs, store)
    assert mean == pytest.approx(START_UP + 11 * 1030 / 3) and unknown is None


def test_a_network_without_runs_of_its_own_goes_by_the_same_network_elsewhere(
    store: RunStore,
) -> None:
    """Here one that validates on more images, and so trains on fewer."""
    base, variant = BALTZI["cnn-2-conv"], BALTZI["cnn-2-conv-validation-20"]
    store.add(timed_run(base, 1, 54.0, processor()))
    [seconds] = estimated_seconds([Job(variant, 1)], store, processor())
    assert seconds == pytest.approx(START_UP + 48.0 * variant.training.epochs)


def test_an_experiment_of_one_s_own_goes_by_what_it_varies(store: RunStore) -> None:
    store.add(timed_run(CNN, 1, 50.0, processor()))
    mine, longer = CNN.vary(dropout=0.3), CNN.vary(dropout=0.3, epochs=7)
    assert estimated_seconds([Job(mine, 1), Job(longer, 1)], store) == pytest.approx(
        [START_UP + 11 * 50.0, START_UP + 7 * 50.0]
    )


def test_times_are_those_of_the_same_method(store: RunStore) -> None:
    plain = Method(plain_fit=True)
    store.add(timed_run(MLP, 1, 10.0, processor()))
    jobs = [Job(MLP, 2, plain), Job(MLP, 2)]
    assert estimated_seconds(jobs, store) == [None, START_UP + 11 * 10.0]
    store.add(timed_run(MLP, 1, 60.0, processor(), plain))
    assert estimated_seconds(jobs, store) == [START_UP + 11 * 60.0, START_UP + 11 * 10.0]


def test_a_damaged_record_of_another_experiment_is_in_nobody_s_way(store: RunStore) -> None:
    base, variant = BALTZI["cnn-2-conv"], BALTZI["cnn-2-conv-validation-20"]
    store.add(timed_run(base, 1, 54.0, processor())).write_text("{}")
    assert plan_text([Job(variant, 1)], store, 1).startswith("1 run: no recorded times")


def test_the_plan_counts_runs_and_tells_time_and_disk(store: RunStore) -> None:
    store.add(timed_run(MLP, 1, 1800.0 / 11, processor()))
    jobs = [Job(MLP, 2), Job(MLP, 3), Job(CNN, 2)]
    assert re.fullmatch(
        r"3 runs, 2 side by side: about 30 min by recorded times, 1 more without recorded times; "
        r"[\d.]+ GB free on disk\.",
        plan_text(jobs, store, 2),
    )
    here, there = (plan_text(jobs, store, 1, device) for device in (processor(), "Tesla T4"))
    assert f"3 runs on {processor()}: about 1 h 1 min by recorded times, 1 more" in here
    assert (
        "3 runs on Tesla T4: about 1 h 1 min by times recorded on other hardware, 1 more" in there
    )
    assert plan_text([Job(CNN, 1)], store, 1).startswith("1 run: no recorded times to estimate")


# --- while it trains -----------------------------------------------------------------------------


def shown(act: Any, runs: int = 1) -> str:
    """Return what a campaign prints where the output is no terminal."""
    out = io.StringIO()
    with CampaignProgress(runs, Console(file=out, width=200)) as progress:
        act(progress)
    return out.getvalue()


def test_a_finished_run_and_a_note_are_a_line_each_and_no_markup_is_read() -> None:
    job = Job(MLP.model_copy(update={"id": "[red]x[/red]"}), 1)

    def act(progress: CampaignProgress) -> None:
        progress.on_start(job)
        progress.on_note(job, "was killed [bold]by SIGKILL[/bold]")
        progress.on_start(job)
        progress.on_epoch(job, Progress(1, 3, {"loss": 0.5}, 1.0))
        progress.on_run(job, make_run(MLP, 1, accuracy=0.9))

    assert shown(act) == (
        "baltzi/[red]x[/red] seed 1 was killed [bold]by SIGKILL[/bold]\n"
        "baltzi/[red]x[/red] seed 1  loss 0.5000  epoch 1 of 3, at most 0 min left\n"
        "baltzi/[red]x[/red] seed 1: 11 epochs, 11 s, test accuracy 90.00 %\n"
    )


def test_the_first_epoch_is_a_line_and_soon_later_ones_are_not() -> None:
    def act(progress: CampaignProgress) -> None:
        for seed in (1, 2):
            progress.on_start(Job(MLP, seed))
            for epoch in (1, 2):
                progress.on_epoch(Job(MLP, seed), Progress(epoch, 10, {"loss": 0.5}, 60.0))

    line = "loss 0.5000  epoch 1 of 10, at most 9 min left"
    assert shown(act, 2) == f"baltzi/mlp-baseline seed 1  {line}\n"


def test_epochs_are_lines_now_and_then_where_nothing_can_be_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fmnist_utils.campaign.progress._LINE_EVERY", -1.0)

    def act(progress: CampaignProgress) -> None:
        progress.on_start(Job(MLP, 2))
        progress.on_epoch(Job(MLP, 2), Progress(4, 10, {"loss": 0.5, "val_loss": 0.6}, 600.0))

    line = "loss 0.5000  val_loss 0.6000  epoch 4 of 10, at most 60 min left"
    assert shown(act) == f"baltzi/mlp-baseline seed 2  {line}\n"


# --- seeds by precision --------------------------------------------------------------------------


@given(st.floats(0.01, 2.0), st.floats(0.1, 5.0))
def test_the_number_of_runs_is_the_smallest_precise_enough(sd: float, margin: float) -> None:
    n = runs_for_precision(sd, margin, MOST_SEEDS)
    if n is None:
        assert prediction_half_width(sd, MOST_SEEDS) > margin
    else:
        assert 3 <= n <= MOST_SEEDS and prediction_half_width(sd, n) <= margin
        assert n == 3 or prediction_half_width(sd, n - 1) > margin


def with_accuracies(store: RunStore, accuracies: list[float]) -> None:
    for seed, accuracy in enumerate(accuracies, start=1):
        store.add(make_run(MLP, seed, accuracy=accuracy))


@pytest.mark.parametrize(
    ("accuracies", "seeds"),
    [
        ([0.840, 0.841, 0.842], []),  # precise with three
        ([0.840, 0.843, 0.846], [4, 5]),
        ([0.80, 0.85, 0.90], []),  # no number of seeds would do
        ([0.840, 0.841], []),  # two show no spread
    ],
)
def test_seeds_are_added_until_the_interval_is_narrow_enough(
    store: RunStore, accuracies: list[float], seeds: list[int]
) -> None:
    with_accuracies(store, accuracies)
    jobs = jobs_for_precision(store, [MLP])
    assert [job.seed for job in jobs] == seeds
    if seeds:
        sd = 100 * float(np.std(accuracies, ddof=1))
        assert (
            prediction_half_width(sd, max(seeds)) <= 1.0 < prediction_half_width(sd, max(seeds) - 1)
        )


def test_the_reported_number_has_no_say(store: RunStore) -> None:
    with_accuracies(store, [0.840, 0.843, 0.846])
    wanted = [job.seed for job in jobs_for_precision(store, [MLP])]
    stated = tuple(
        claim.model_copy(update={"value": Decimal("10.00")})
        if claim.quantity == "accuracy"
        else claim
        for claim in MLP.stated
    )
    other = MLP.model_copy(update={"stated": stated})
    assert [job.seed for job in jobs_for_precision(store, [other])] == wanted


def test_an_experiment_without_a_stated_accuracy_gets_no_more_seeds(store: RunStore) -> None:
    with_accuracies(store, [0.840, 0.843, 0.846])
    of_an_epoch = {"split": "validation", "epoch": 1}
    early = next(c for c in MLP.stated if c.quantity == "accuracy").model_copy(update=of_an_epoch)
    for stated in ((), (early,)):
        assert jobs_for_precision(store, [MLP.model_copy(update={"stated": stated})]) == []
