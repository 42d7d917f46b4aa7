"""What many verdicts say together, and which runs are the same trainings."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_run
from scipy import stats

from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.runs.pairing import difference, distinct, nested, paired
from fmnist_utils.runs.record import Run
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.stats import ClaimTest, SampleSummary, mean_half_width
from fmnist_utils.text import difference_text
from fmnist_utils.verdicts.judge import judge
from fmnist_utils.verdicts.ledger import LedgerRow, statement_share
from fmnist_utils.verdicts.multiplicity import Pool, chance, survives, words_if_true
from fmnist_utils.verdicts.outcome import Outcome, Verdict, by_statement
from fmnist_utils.verdicts.report_verdicts import judge_claims, judge_experiment, judge_tested
from fmnist_utils.verdicts.rule import history, judge_number


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return load_report("baltzi")["mlp-baseline"]


def number(i: int = 0, **keys: Any) -> Claim:
    return Claim.model_validate(
        {"id": f"c{i}", "quantity": "accuracy", "split": "test", "where": "p. 1", "value": "90.00"}
        | {"unit": "percent"} | keys
    )  # fmt: skip


def verdict(i: int, value: float, sd: float = 0.2, runs: int = 5) -> Verdict:
    test = ClaimTest(value, 0.005, 1.0, (SampleSummary(90.0, sd, runs),))
    return judge_number(number(i), test, 90.0, sd, runs)


# --- if every claim were true --------------------------------------------------------------------


@pytest.mark.parametrize("runs", [3, 10])
@pytest.mark.parametrize("sd", [0.05, 0.3, 2.0])
def test_true_claims_get_the_words_that_direct_simulation_gives(sd: float, runs: int) -> None:
    shares = words_if_true(verdict(0, 90.0, sd, runs), draws=20_000)
    assert sum(shares.values()) == pytest.approx(1)
    # Rounding is forgiven, so a little less than 5 %.
    assert 0.035 < shares[Outcome.CLOSE] + shares[Outcome.NOT_REPRODUCED] < 0.055
    draw = np.random.default_rng(1)
    ours, value = draw.normal(90, sd, (20_000, runs)), draw.normal(90, sd, 20_000).round(2)
    apart = abs(value - ours.mean(axis=1))
    q = ours.std(axis=1, ddof=1) * math.sqrt(1 + 1 / runs)
    inside = apart - 0.005 <= stats.t.ppf(0.975, runs - 1) * q
    near = apart + 0.005 + stats.t.ppf(0.95, runs - 1) * q <= 1
    assert shares[Outcome.REPRODUCED] == pytest.approx((inside & near).mean(), abs=0.015)
    assert shares[Outcome.NOT_REPRODUCED] == pytest.approx((~inside & ~near).mean(), abs=0.015)


def test_chance_is_told_beside_what_was_found() -> None:
    found = [verdict(i, 90.0 + 0.02 * i) for i in range(20)] + [verdict(20, 94.0)]
    told = chance([*found, Verdict(None, number(), Outcome.PENDING)])
    assert (told.numbers, told.outside, told.surviving) == (21, 1, 1)
    assert told.words[Outcome.NOT_REPRODUCED] == 1
    assert told.expected_outside == pytest.approx(21 * 0.05, abs=0.3)
    assert sum(told.expected.values()) == pytest.approx(21)
    assert chance([]).numbers == 0


def test_a_claim_just_outside_does_not_survive_among_many() -> None:
    outside = verdict(0, 90.64)
    assert (
        outside.word is Outcome.NOT_REPRODUCED and outside.p is not None and 0.03 < outside.p < 0.05
    )
    assert survives([outside]) == [True]
    many = [outside, *(verdict(i, 90.0) for i in range(1, 30))]
    assert not any(survives(many))
    assert survives([*many, verdict(30, 99.0)])[-1]


def test_a_difference_and_a_number_without_a_margin_can_be_true_too(experiment: Experiment) -> None:
    two = ClaimTest(1.0, 0.05, 1.0, (SampleSummary(91.0, 0.2, 5), SampleSummary(90.0, 0.2, 5)))
    assert 0.93 < 1 - words_if_true(replace(verdict(0, 1), test=two))[Outcome.NOT_REPRODUCED] <= 1
    runs = [make_run(experiment, seed, epochs=40 + seed) for seed in range(1, 6)]
    epochs = judge(experiment, number(quantity="epochs_trained", value="44", split=None,
                                      unit="plain"), runs)  # fmt: skip
    assert set(words_if_true(epochs)) == {Outcome.CONSISTENT, Outcome.NOT_REPRODUCED}


# --- statements ----------------------------------------------------------------------------------


def row(experiment: str, claim: str, word: Outcome = Outcome.REPRODUCED, **keys: Any) -> LedgerRow:
    values: dict[str, Any] = {
        "report": "r", "experiment": experiment, "claim": claim,
        "statement": f"{experiment}/{claim}", "address": f"r/{experiment}/{claim}",
        "role": "result", "quantity": "accuracy",
        "split": "test", "places": ("p. 1",), "printed": "90 %", "value": 90.0, "unit": "percent",
        "mean": 90.0, "sd": 0.1, "low": 89.0, "high": 91.0, "runs": 5, "note": "",
        "run_files": (f"{experiment}.seed01.x.json",), "word": str(word),
    }  # fmt: skip
    return LedgerRow(**values | keys)


def test_statements_count_once_and_comparisons_must_hold_as_a_whole() -> None:
    rows = [
        row("a", "one"),
        row("a", "two", Outcome.NOT_REPRODUCED),
        *(row("a", f"cell-{i}", (Outcome.REPRODUCED, Outcome.CLOSE)[i % 2], statement="table")
          for i in range(4)),
        *(row("b", f"class-{i}", (Outcome.REPRODUCED, Outcome.IMPRECISE)[i == 2],
              statement="classes", value=None) for i in range(3)),
        row("b", "filters", Outcome.FOLLOWED, role="architecture"),
        row("b", "waiting", Outcome.PENDING),
    ]  # fmt: skip
    found = statement_share(rows)
    assert (found.holding, found.statements, found.experiments) == (1.5, 4, 2)
    assert found.low is found.high is None
    assert statement_share([]).statements == 0


def test_bounds_hold_or_not_and_lie_inside_of_nothing() -> None:
    """They have a value: an open one counted as inside, and two of three as most of a statement."""
    words = (Outcome.REPRODUCED, Outcome.IMPRECISE)
    rows = [row("a", f"c{i}", word, statement="s", quantity="bound", sd=None)
            for i, word in enumerate(words)]  # fmt: skip
    assert statement_share(rows).holding == 0
    assert statement_share(rows[:1]).holding == 1
    keys = {"quantity": "bound", "of": "a", "relation": "above", "statement": "s"}
    (found,) = by_statement(Verdict(None, number(i, **keys), word) for i, word in enumerate(words))
    assert found.share == "1 of 2 hold"
    (found,) = by_statement(Verdict(None, number(i, statement="s"), word)
                            for i, word in enumerate(words))  # fmt: skip
    assert found.share == "2 of 2 inside"


def test_the_share_of_statements_varies_with_experiments_not_with_cells() -> None:
    def spread(cells: int) -> tuple[float, float]:
        rows = [
            row(name, f"c{i}", Outcome.REPRODUCED if name in "abc" else Outcome.NOT_REPRODUCED)
            for name in "abcdef"
            for i in range(cells)
        ]
        found = statement_share(rows)
        assert found.low is not None and found.high is not None
        return found.low, found.high

    assert spread(1) == spread(50)
    low, high = spread(50)
    assert low < 0.25 and high > 0.75


# --- trainings -----------------------------------------------------------------------------------


def test_a_training_under_two_names_counts_once(experiment: Experiment) -> None:
    runs = [make_run(experiment, seed, accuracy=0.9 + seed / 1e3) for seed in (1, 2, 3)]
    renamed = [run.model_copy(update={"experiment": "other"}) for run in runs]
    others = [make_run(experiment, seed, accuracy=0.8 + seed / 1e3) for seed in (1, 2, 3)]
    assert distinct([runs, renamed, others]) == [runs, others]
    assert nested(runs, renamed) and not nested(runs, others)
    assert not nested(runs, []) and distinct([runs, runs[:0]]) == [runs, runs[:0]]


def test_shipped_trainings_that_are_the_same_are_found(tmp_path: Path) -> None:
    store = RunStore(tmp_path)

    def runs(report_id: str, *names: str) -> Any:
        return [store.runs(load_report(report_id)[name])[:3] for name in names]

    same = runs("chalkiopoulos-tsoukalelis", "mlp-optimised", "mlp-optimised-monitor-accuracy")
    assert len(distinct(same)) == 1
    assert nested(*runs("mendez", "listing", "listing-epochs-13"))
    assert nested(*runs("mendez", "prose", "prose-epochs-22"))
    # Alike but for the images that validate.
    assert not nested(*runs("anastasopoulos-mpofu-smith", "trial-1", "tuned"))
    assert not nested(*runs("baltzi", "mlp-1-hidden", "cnn-1-conv"))


# --- pooled deviations ---------------------------------------------------------------------------


def test_three_runs_that_happen_to_agree_are_not_trusted(experiment: Experiment) -> None:
    """One shipped experiment has a deviation of 0.01 with three seeds; its neighbours have 0.3."""
    draw = np.random.default_rng(0)
    groups = [
        [
            make_run(experiment, seed, accuracy=a)
            for seed, a in enumerate(draw.normal(0.9, 0.003, 5))
        ]
        for _ in range(20)
    ]
    alike = [make_run(experiment, seed, accuracy=0.9 + seed / 1e4) for seed in (1, 2, 3)]
    pool = Pool(groups)
    (found,) = judge_experiment(
        experiment.model_copy(update={"stated": (number(value="90.40"),), "scores": None}),
        alike, pool.prior,
    )  # fmt: skip
    assert (found.word, found.pooled_word) == (Outcome.CLOSE, Outcome.REPRODUCED)
    plain = judge(experiment, number(value="90.40"), alike)
    assert plain.word is Outcome.CLOSE and plain.pooled_word is None


def test_a_match_is_pooled_like_the_difference_of_nothing_that_it_is() -> None:
    """Its deviation came from fractions, its test from points: the pooled one was far too small."""
    report, draw = load_report("baltzi"), np.random.default_rng(0)
    a, b = report["cnn-1-conv"], report["mlp-1-hidden"]

    def runs(experiment: Experiment, accuracies: Any) -> list[Run]:
        return [make_run(experiment, seed, accuracy=x) for seed, x in enumerate(accuracies, 1)]

    pool = Pool([runs(a, draw.normal(0.9, 0.002, 5)) for _ in range(20)])
    near = np.arange(5) / 1e4
    of_both = {a.id: runs(a, 0.904 + near), b.id: runs(b, 0.900 + near)}
    sides = {"unit": "plain", "of": a.id, "than": b.id}
    claims = (
        number(0, quantity="match", value=None, **sides),
        number(1, quantity="difference", **sides | {"value": "0.00", "unit": "points"}),
    )
    changed = report.model_copy(update={"claims": claims})
    found = judge_claims(changed, of_both, pool.prior)
    assert [verdict.claim for verdict in found] == list(claims)
    assert {verdict.word for verdict in found} == {Outcome.CLOSE}
    assert [verdict.pooled_word for verdict in found] == [Outcome.REPRODUCED] * 2


def test_experiments_that_cannot_tell_a_deviation_are_not_pooled(experiment: Experiment) -> None:
    good = [make_run(experiment, seed, accuracy=0.9 + seed / 1e3) for seed in (1, 2, 3)]
    stuck = [*good[:2], make_run(experiment, 3, accuracy=0.1)]
    assert Pool([good, stuck, good[:2], good]).groups == [good]
    assert Pool([good]).prior(number()) is None


# --- the history ---------------------------------------------------------------------------------


def test_the_history_is_in_order_and_tells_what_a_later_change_did() -> None:
    dates = [change.date for change in history()]
    assert dates == sorted(dates)
    for change in history():
        assert change.part.endswith(".")
        assert bool(change.effect) == change.seen


@pytest.mark.slow
def test_what_chance_gives_is_far_from_what_was_found() -> None:
    report = load_report("mendez")
    told = chance(judge_tested(report, STORE.runs_of(report)))
    assert told.outside > 3 * told.expected_outside


def test_nested_trainings_are_compared_in_pairs_also_in_tables(tmp_path: Path) -> None:
    report, store = load_report("chalkiopoulos-tsoukalelis"), RunStore(tmp_path)
    names = "mlp-optimised", "mlp-optimised-monitor-accuracy"
    ones, others = (store.runs(report[name])[:3] for name in names)
    found = difference(others, ones)
    assert found is not None and found.in_pairs
    apart = [100 * (b.final.test.accuracy - a.final.test.accuracy) for a, b in paired(ones, others)]
    assert apart.count(0) == 2, "two of the three trainings are the same ones"
    assert found.mean == pytest.approx(np.mean(apart))
    assert found.high - found.mean == pytest.approx(mean_half_width(apart))
    assert difference_text(others, ones).endswith("] in pairs")
    assert "in pairs" not in difference_text(store.runs(report["mlp-256"]), ones)
    assert difference(ones[:1], others[:1]) is None and difference_text([], ones) == ""
