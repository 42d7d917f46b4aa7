"""Pictures of searches, drawn from made-up trials."""

import math
from typing import Any

import numpy as np
import pytest
import test_plots
from figures import words
from matplotlib.axes import Axes

from fmnist_utils import plots
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.search import Parameter, Search
from fmnist_utils.tuning import Execution, Trial, Trials

TWELVE = load_report("anastasopoulos-mpofu-smith").searches["as-in-figure-9"]
LISTS = load_report("chalkiopoulos-tsoukalelis").searches["cnn"]
REPORTED = {f"no. {i}": 91.6 - i / 4 for i in range(1, 6)}


def trial(number: int, scores: list[float], drawn: dict[str, Any] | None = None) -> Trial:
    done = [Execution(seed=1, score=s, epoch=1, test_accuracy=0.5, seconds=1) for s in scores]
    return Trial(number=number, settings=drawn or {}, executions=tuple(done))


def table(*trials: Trial, objective: str = "val_accuracy") -> Trials:
    return Trials(
        report="r", search="s", objective=objective, fingerprint="0", trials=trials
    ).with_digest()


def draw(item: Parameter, rng: np.random.Generator) -> Any:
    if item.choices or item.step:
        return item.values[rng.integers(len(item.values))]
    low, high = (math.log(bound or 1) for bound in (item.low, item.high))
    return math.exp(rng.uniform(low, high))


def made_up(search: Search, n: int = 20, executions: int = 2) -> Trials:
    rng = np.random.default_rng(0)
    return table(
        *[
            trial(
                number,
                [float(score) for score in rng.normal(0.9, 0.01, executions)],
                {name: draw(item, rng) for name, item in search.space.items()},
            )
            for number in range(1, n + 1)
        ]
    )


FAILED = Trial(number=99, settings={}, failure="too small")
DEAD = trial(98, [0.1, 0.1], made_up(TWELVE, 1).trials[0].settings)
NAN = trial(97, [math.nan], DEAD.settings)
WITH_DEAD = table(*made_up(TWELVE).trials, DEAD, NAN, FAILED)
CASES = {
    "12 parameters": made_up(TWELVE),
    "lists": made_up(LISTS, 40, 1),
    "networks that learned nothing": WITH_DEAD,
    "a loss": WITH_DEAD.model_copy(update={"objective": "val_loss"}),
    "one trial": made_up(LISTS, 1),
    "none": None,
    "none trained": table(FAILED, NAN),
}


@pytest.mark.parametrize("case", CASES)
def test_every_picture_is_legible(case: str) -> None:
    fig = plots.trial_scores(CASES[case], REPORTED)
    fig.draw_without_rendering()
    test_plots.test_is_opaque_white_and_not_too_wide(fig)
    test_plots.test_no_text_covers_another_or_leaves_the_figure(fig)
    not_run = "This search has not been run yet." in words(fig)
    assert not_run == case.startswith("none")


def test_trial_scores_are_ranked_with_their_trainings_and_the_reported_ones() -> None:
    trials = table(trial(1, [0.8, 0.82]), trial(2, [0.9, 0.88]), trial(3, [0.85, 0.85]))
    (ax,) = plots.trial_scores(trials, {"low": 84.0, "high": 91.0}).axes
    assert places(ax, "o") == [
        (0, pytest.approx(89)),
        (1, pytest.approx(85)),
        (2, pytest.approx(81)),
    ]
    assert places(ax, "D") == [(0, 91), (1, 84)]
    assert [text.get_text() for text in ax.texts] == ["high", "low"]
    ticks = [sorted(line.get_xdata()) for line in ax.lines if line.get_marker() == "|"]
    assert ticks == [pytest.approx(pair) for pair in ([88, 90], [85, 85], [80, 82])]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["1. trial 2", "2. trial 3", "3. trial 1"]


def places(ax: Axes, marker: str) -> list[tuple[float, float]]:
    dots = [line for line in ax.lines if line.get_marker() == marker]
    return [(line.get_ydata()[0], line.get_xdata()[0]) for line in dots]


def test_a_trial_without_repetition_has_no_ticks() -> None:
    (ax,) = plots.trial_scores(table(trial(1, [0.8]), trial(2, [0.9]))).axes
    assert not [line for line in ax.lines if line.get_marker() == "|"]


def test_more_reported_than_our_trials_keep_their_rows() -> None:
    (ax,) = plots.trial_scores(made_up(TWELVE, 2), REPORTED).axes
    assert len(places(ax, "D")) == len(ax.get_yticklabels()) == 5


def test_of_a_loss_the_lowest_comes_first_and_better_is_to_the_right() -> None:
    trials = table(trial(1, [0.5]), trial(2, [0.3]), objective="val_loss")
    (ax,) = plots.trial_scores(trials, {"a": 0.4, "b": 0.35}).axes
    assert places(ax, "o") == [(0, 0.3), (1, 0.5)]
    assert places(ax, "D") == [(0, 0.35), (1, 0.4)]
    assert ax.xaxis.get_inverted()


def test_a_network_that_learned_nothing_is_a_number_at_the_edge() -> None:
    (ax,) = plots.trial_scores(WITH_DEAD).axes
    assert [text.get_text() for text in ax.texts] == ["◂ 10.00 %", "◂ diverged"]
    assert len(places(ax, "o")) == 20
    assert ax.get_xlim()[0] > 80


def test_of_two_trials_one_that_diverged_is_marked() -> None:
    trials = table(trial(1, [0.3]), trial(2, [math.inf]), objective="val_loss")
    (ax,) = plots.trial_scores(trials).axes
    assert [text.get_text() for text in ax.texts] == ["◂ diverged"]
