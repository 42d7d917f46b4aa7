import dataclasses
from itertools import pairwise

import pytest
from figures import CNN, all_verdicts, seeds, words
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist_utils import plots
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.outcome import Outcome


def test_forest_draws_each_number_once_with_its_verdict_in_words() -> None:
    verdicts = all_verdicts()
    fig = plots.forest(verdicts)
    rows = [label.get_text() for ax in fig.axes for label in ax.get_yticklabels()]
    # Two accuracies and the epochs of five models, three differences, one lowest loss.
    assert len(rows) == len(set(rows)) == 5 * 3 + 3 + 1
    assert "cnn-1-conv\ntest accuracy 90.08 %" in rows
    assert "cnn-2-conv − cnn-1-conv\ntest accuracy +2.6 points" in rows
    ends = [text.get_text().replace("\n", " ") for ax in fig.axes for text in ax.texts]
    assert len(ends) == len(rows)
    assert set(ends) <= set(Outcome)


def test_forest_puts_zero_at_the_reported_value() -> None:
    verdict = judge(CNN, CNN["test"], seeds(5))
    (ax,) = plots.forest([verdict]).axes
    drawn = [list(map(float, line.get_xdata())) for line in ax.lines]
    low, high = verdict.low - 90.08, verdict.high - 90.08
    assert pytest.approx([low, high]) in drawn
    assert pytest.approx([verdict.mean - 90.08]) in drawn
    assert [-0.005, 0.005] in [pytest.approx(x) for x in drawn]
    assert ax.get_xlabel() == "ours − reported (percentage points)"


def test_forest_leaves_out_what_is_pending_or_not_measured() -> None:
    verdicts = [judge(CNN, CNN["test"], seeds(2)), judge(CNN, CNN["batch-size"], [])]
    fig = plots.forest(verdicts)
    assert any("at least three runs" in text for text in words(fig))
    fig = plots.forest([*verdicts, judge(CNN, CNN["epochs"], seeds(3))])
    rows = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert rows == ["44 epochs"]  # of one experiment, which need not be named
    assert not any("percentage point" in text for text in words(fig))


@given(st.lists(st.text("abc -", max_size=120), min_size=1, max_size=6))
@settings(max_examples=5)
def test_rows_have_room_for_any_label(labels: list[str]) -> None:
    verdict = judge(CNN, CNN["test"], seeds(3))
    fig = plots.forest([dataclasses.replace(verdict, experiment=label) for label in labels])
    fig.draw_without_rendering()
    boxes = [label.get_window_extent() for label in fig.axes[0].get_yticklabels()]
    for above, below in pairwise(boxes):
        assert above.y0 >= below.y1 - 1


def test_words_differ_in_more_than_colour() -> None:
    mean = judge(CNN, CNN["test"], seeds(3))
    looks = set()
    for word in (Outcome.REPRODUCED, Outcome.CLOSE, Outcome.IMPRECISE, Outcome.NOT_REPRODUCED):
        (ax,) = plots.forest([dataclasses.replace(mean, word=word)]).axes
        dot = ax.lines[-1]
        looks.add((dot.get_marker(), dot.get_markerfacecolor() == "white"))
        assert ax.texts[0].get_text().replace("\n", " ") == word
    assert len(looks) == 4
