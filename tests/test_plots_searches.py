"""Pictures of searches, drawn from made-up trials."""

import math
from typing import Any

import numpy as np
import pytest
import test_plots
from figures import words
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fmnist_utils import plots, tuning
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
    ).sealed()


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
OF_SEARCH = {
    "expected_best": lambda search, trials: plots.expected_best(trials, REPORTED),
    "trial_scores": lambda search, trials: plots.trial_scores(trials, REPORTED),
    "parallel_coordinates": plots.parallel_coordinates,
    "importance": plots.importance,
}
WITH_DEAD = table(*made_up(TWELVE).trials, DEAD, NAN, FAILED)
CASES = {
    "12 parameters": (TWELVE, made_up(TWELVE)),
    "lists": (LISTS, made_up(LISTS, 40, 1)),
    "networks that learned nothing": (TWELVE, WITH_DEAD),
    "a loss": (TWELVE, WITH_DEAD.model_copy(update={"objective": "val_loss"})),
    "one trial": (LISTS, made_up(LISTS, 1)),
    "none": (LISTS, None),
    "none trained": (LISTS, table(FAILED, NAN)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", OF_SEARCH)
def test_every_picture_is_legible(name: str, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {key: (0.1 * i, 0.3) for i, key in enumerate(CASES[case][0].space)}
    monkeypatch.setattr(tuning, "importance", lambda *_: found)
    fig = OF_SEARCH[name](*CASES[case])
    fig.draw_without_rendering()
    test_plots.test_is_opaque_white_and_not_too_wide(fig)
    test_plots.test_no_text_covers_another_or_leaves_the_figure(fig)
    not_run = "This search has not been run yet." in words(fig)
    assert not_run == case.startswith("none")


# --- expected best -------------------------------------------------------------------------------


def test_expected_best_goes_from_the_mean_to_the_best_within_its_interval() -> None:
    fig = plots.expected_best(
        table(*[trial(i, [s]) for i, s in enumerate((0.8, 0.9, 0.85), 1)], FAILED)
    )
    (ax,) = fig.axes
    (line,) = ax.lines
    assert list(line.get_xdata()) == [1, 2, 3]
    assert line.get_ydata() == pytest.approx([85, 100 * (0.85 + 2 * 0.9) / 3, 90])
    low, high = interval(ax)
    assert (low <= line.get_ydata() + 1e-9).all() and (line.get_ydata() <= high + 1e-9).all()
    assert 80 <= low[0] < 85 < high[0] <= 90
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "number of trials",
        "expected best\nvalidation accuracy (%)",
    )


def interval(ax: Axes) -> tuple[Any, Any]:
    points = ax.collections[0].get_paths()[0].vertices
    each = [points[points[:, 0] == n, 1] for n in np.unique(points[:, 0])]
    return np.array([min(y) for y in each]), np.array([max(y) for y in each])


def test_expected_best_of_a_loss_falls() -> None:
    trials = table(
        *[trial(i, [s]) for i, s in enumerate((0.3, 0.5, math.nan), 1)], objective="val_loss"
    )
    (ax,) = plots.expected_best(trials).axes
    assert ax.lines[0].get_ydata() == pytest.approx([0.4, 0.3])
    assert ax.get_ylabel().endswith("validation loss (nats)")


def test_expected_best_names_and_shows_every_reference() -> None:
    fig = plots.expected_best(made_up(TWELVE), {"baseline": 60.0, "winner": 97.25})
    (ax,) = fig.axes
    levels = {str(line.get_label()): line for line in ax.lines[1:]}
    assert list(levels) == ["baseline: 60.00 %", "winner: 97.25 %"]
    assert [line.get_ydata()[0] for line in levels.values()] == [60, 97.25]
    assert len({line.get_linestyle() for line in levels.values()}) == 2
    bottom, top = ax.get_ylim()
    assert bottom < 60 and top > 97.25


def test_dead_networks_do_not_flatten_the_curve() -> None:
    healthy = made_up(TWELVE)
    dead = [trial(100 + i, [0.1]) for i in range(5)]
    fig = plots.expected_best(table(*healthy.trials, *dead))
    bottom, top = fig.axes[0].get_ylim()
    assert min(healthy.scores) * 100 >= bottom > 80
    assert top > 100 * max(healthy.scores)
    mean = 100 * np.mean([*healthy.scores, *[0.1] * 5])
    assert f"one trial: {mean:.2f} %" in words(fig)


# --- scores --------------------------------------------------------------------------------------


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


# --- settings ------------------------------------------------------------------------------------


def strong(ax: Axes) -> list[Line2D]:
    """Return the best lines, best first."""
    return sorted(
        (x for x in ax.lines if x.get_linewidth() == 2.2), key=lambda x: -x.get_ydata()[-1]
    )


def test_parallel_coordinates_draw_every_trained_trial_and_the_best_strong() -> None:
    trials = table(*made_up(TWELVE).trials, FAILED)
    fig = plots.parallel_coordinates(TWELVE, trials)
    (ax,) = fig.axes
    across = [line for line in ax.lines if len(line.get_xdata()) == 13]
    assert len(across) == 20
    assert len(strong(ax)) == 5
    assert len({line.get_linestyle() for line in strong(ax)[:4]}) == 4
    entries = [text.get_text() for text in fig.legends[0].get_texts()]
    best = trials.ranked[0]
    assert entries[0] == f"1. trial {best.number}: {100 * (best.score or 0):.2f} %"
    assert entries[-1] == "the other 15 trials"
    labels = [label.get_text().replace("\n", " ") for label in ax.get_xticklabels()]
    assert labels[:3] == ["filters 1", "filters 2", "activation 2"]
    assert labels[-1] == "validation accuracy (%)"


SPACE = {
    "kind": Parameter(sets=("a",), choices=("relu", "tanh", "sigmoid")),
    "sizes": Parameter(sets=("a", "b", "c"), choices=((8, 16, 32), (1024, 512, 512))),
    "norm": Parameter(sets=("a",), choices=(True, False)),
    "norms": Parameter(sets=("a", "b"), choices=((True, False), (False, False))),
    "pool": Parameter(sets=("a",), choices=(0, 2)),
    "rate": Parameter(sets=("a",), low=1e-4, high=1e-2, log=True),
    "drop": Parameter(sets=("a",), low=0, high=0.5, step=0.05),
    "free": Parameter(sets=("a",), low=0.0, high=2.0),
    "fixed": Parameter(sets=("a",), choices=("only",)),
}
SMALL = Search.model_construct(id="small", space=SPACE)
VALUES = ("tanh", (1024, 512, 512), False, (False, False), 2, 1e-3, 0.25, 0.5, "only")


def test_parallel_coordinates_place_each_kind_of_value() -> None:
    drawn = dict(zip(SPACE, VALUES, strict=True))
    (ax,) = plots.parallel_coordinates(SMALL, table(trial(1, [0.9], drawn))).axes
    (line,) = strong(ax)
    halves = [0.5, 0.75, 0.75, 0.75, 0.75, 0.5, 0.5, 0.25, 0.5]
    # The best of five lines that may share a value lies beside it, but where values are continuous.
    shifts = [0 if name in ("rate", "free") else 0.032 for name in SPACE]
    assert line.get_ydata() == pytest.approx([*np.add(halves, shifts), 1])
    texts = [text.get_text() for text in ax.texts]
    for shown in ("relu", "8 16 32", "1024 512\n512", "true", "T F", "F F", "0.001", "0.5"):
        assert shown in texts


def test_every_value_stands_by_its_tick() -> None:
    """A strong line lies so near to the tick of its choice that no other is meant."""
    trials = made_up(LISTS)
    (ax,) = plots.parallel_coordinates(LISTS, trials).axes
    best = trials.ranked[:5]
    for line, of_line in zip(strong(ax), best, strict=True):
        for x, (name, item) in enumerate(LISTS.space.items()):
            n = len(item.choices or ())
            exact = ((item.choices or ()).index(of_line.settings[name]) + 0.5) / n
            assert abs(line.get_ydata()[x] - exact) < 0.5 / n


def test_best_is_on_top_and_dead_networks_are_at_the_foot() -> None:
    (ax,) = plots.parallel_coordinates(TWELVE, WITH_DEAD).axes
    ends = sorted(line.get_ydata()[-1] for line in ax.lines if len(line.get_xdata()) == 13)
    assert ends[:2] == [0, 0] and ends[-1] == 1 and ends[3] > 0
    assert "worse" in [text.get_text() for text in ax.texts]


# --- importance ----------------------------------------------------------------------------------


def test_importance_is_sorted_with_its_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"a_b": (0.5, 0.2), "c-d": (2.0, 0.3), "e": (-0.1, 0.1)}
    monkeypatch.setattr(tuning, "importance", lambda *_: found)
    (ax,) = plots.importance(TWELVE, made_up(TWELVE)).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c d", "a b", "e"]
    assert [bar.get_width() for bar in ax.patches] == [2.0, 0.5, -0.1]
    reaches = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    assert np.ptp(reaches, axis=1) == pytest.approx([0.6, 0.4, 0.2])


def test_importance_of_too_few_trials_says_so() -> None:
    said = " ".join(words(plots.importance(TWELVE, made_up(TWELVE, 4)))).replace("\n", " ")
    assert "needs at least 5 trained trials" in said
