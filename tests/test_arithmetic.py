"""Arithmetic with printed numbers, against other ways to compute the same."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fmnist_utils.models.layer_rules import kernel_areas, layer_misfit, windowed
from fmnist_utils.rounding import Interval, f1, mean, possible_counts, sizes_allowing
from fmnist_utils.stats import chance_difference

PERCENT = Fraction(1, 100)


def printed(text: str, scale: Fraction = Fraction(1)) -> Interval:
    return Interval.printed(Decimal(text), scale)


shares = st.fractions(0, 1, max_denominator=20_000)
digits = st.integers(1, 5)


# --- intervals -----------------------------------------------------------------------------------


@given(shares, digits)
def test_a_rounded_number_stands_for_the_true_one(value: Fraction, places: int) -> None:
    rounded = printed(f"{float(round(100 * value, places)):.{places}f}", PERCENT)
    assert rounded.low <= value <= rounded.high


@given(st.integers(0, 10_000))
def test_a_float32_printed_in_full_stands_for_the_true_share(count: int) -> None:
    text = repr(float(np.float32(count / 10_000)))
    interval = printed(text)
    assert interval.low <= Fraction(count, 10_000) <= interval.high
    possible = possible_counts(interval, 10_000)
    assert count in possible and (len(text) < 10 or len(possible) == 1)


@given(shares, shares, digits, digits)
def test_interval_operations_hold_the_true_results(
    a: Fraction, b: Fraction, places_a: int, places_b: int
) -> None:
    x = printed(str(round(Decimal(float(a)), places_a)))
    y = printed(str(round(Decimal(float(b)), places_b)))
    exact = Interval.exactly
    assert (x + y).meets(exact(a + b)) and (x - y).meets(exact(a - b))
    assert mean([x, y], [3, 1]).meets(exact((3 * a + b) / 4))
    if y.low > 0:
        assert (x / y).meets(exact(a / b))
    if a + b:
        assert f1(x, y).meets(exact(2 * a * b / (a + b)))


def test_f1_of_rounded_precision_and_recall() -> None:
    possible = f1(printed("0.96"), printed("0.98"))
    assert possible.high < printed("0.98").low
    assert possible.meets(printed("0.97"))
    assert f1(printed("0.82"), printed("1.00")).high < printed("0.91").low


# --- counting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "images", "possible"),
    [
        ("84.60", 10_000, True),
        ("84.605", 10_000, False),
        ("74.02", 1_000, False),
        ("74.0", 1_000, True),
        ("33.33", 3, True),
        ("33.34", 3, False),
    ],
)
def test_grim(percent: str, images: int, possible: bool) -> None:
    assert bool(possible_counts(printed(percent, PERCENT), images)) is possible


@pytest.mark.parametrize(
    ("share", "counts"), [("1.00", range(995, 1_001)), ("0.00", range(6)), ("0.5", range(450, 551))]
)
def test_no_count_is_below_zero_or_above_all(share: str, counts: range) -> None:
    assert possible_counts(printed(share), 1_000) == counts


@given(st.integers(1, 400), st.data())
def test_the_true_group_size_is_always_allowed(size: int, data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, size), min_size=1, max_size=5))
    rounded = [printed(f"{float(round(Fraction(100 * n, size), 2)):.2f}", PERCENT) for n in counts]
    assert size in sizes_allowing(rounded, range(1, 401))


def test_several_shares_leave_few_common_denominators() -> None:
    thirds_and_fifths = [printed("33.33", PERCENT), printed("20.00", PERCENT)]
    assert sizes_allowing(thirds_and_fifths, range(1, 40)) == [15, 30]


def test_two_runs_of_one_model_seldom_differ_by_more_than_chance() -> None:
    a, b = np.random.default_rng(0).normal(90, [[0.2], [0.5]], (2, 100_000))
    beyond = np.mean(abs(a - b) > chance_difference(0.2, 0.5))
    assert beyond == pytest.approx(0.05, abs=0.003)


# --- layers --------------------------------------------------------------------------------------

sizes = st.integers(1, 40)
small = st.integers(1, 7)


def positions(size: int, window: int, stride: int) -> int:
    return len(range(0, size - window + 1, stride))


@given(sizes, small, small)
def test_windowed_counts_the_positions_of_a_window(size: int, window: int, stride: int) -> None:
    assume(window <= size)
    valid, same = windowed(size, window, stride)
    assert valid == positions(size, window, stride)
    assert same == len(range(0, size, stride))


@given(small, small, st.integers(1, 64), st.integers(1, 64), st.booleans())
def test_the_area_of_a_kernel_is_found_from_the_parameters(
    height: int, width: int, channels: int, filters: int, bias: bool
) -> None:
    parameters = np.empty((height, width, channels, filters), np.uint8).size + bias * filters
    assert height * width in kernel_areas(parameters, channels, filters)


def test_a_count_that_no_kernel_has() -> None:
    assert kernel_areas(6 * 16 * 32 + 33, 16, 32) == []


@pytest.mark.parametrize(
    ("kind", "before", "shape", "parameters", "problem"),
    [
        ("InputLayer", (28, 28), (32, 32), 0, "32 × 32 = 1024 values, and an image has 784"),
        ("InputLayer", (28, 28), (784,), 0, ""),
        ("Flatten", (7, 7, 32), (1586,), 0, "7 × 7 × 32 = 1568, not 1586"),
        ("Dropout", (256,), (128,), 0, "256 cannot become 128"),
        ("Dropout", (256,), (256,), 5, "the layer has no parameters, not 5"),
        ("Dense", (784,), (10,), 7_850, ""),
        ("Dense", (784,), (10,), 7_840, ""),
        ("Dense", (784,), (10,), 7_580, "784 × 10 + 10 = 7,850, not 7,580"),
        ("Dense", (14, 784), (10,), 7_850, "14 × 784 cannot become 10"),
        ("BatchNormalization", (14, 14, 64), (14, 14, 64), 256, ""),
        ("BatchNormalization", (14, 14, 64), (14, 14, 64), 64, "4 × 64 = 256, not 64"),
        ("BatchNormalization", (14, 14, 64), (7, 7, 64), 256, "14 × 14 × 64 cannot become 7 × 7"),
        ("Conv2D", (28, 28, 1), (28, 28, 16), 160, ""),
        ("Conv2D", (28, 28, 1), (26, 26, 16), 160, ""),
        ("Conv2D", (28, 28, 1), (14, 14, 16), 160, ""),
        ("Conv2D", (28, 28, 1), (27, 27, 16), 160, "no kernel of 9 pixels makes 27 × 27 of 28"),
        ("Conv2D", (28, 28, 1), (28, 28, 16), 161, "no kernel of n pixels has 16 n + 16 = 161"),
        ("Conv2D", (28, 28, 1), (32, 32, 6), 156, "no kernel of 25 pixels makes 32 × 32 of 28"),
        # One pixel high and five wide; of one pixel, with a stride of two.
        ("Conv2D", (28, 28, 1), (28, 24, 16), 96, ""),
        ("Conv2D", (28, 28, 8), (14, 14, 16), 144, ""),
        ("BatchNormalization", (14, 14, 64), (14, 14, 64), 192, ""),
        # A window of three with a stride of two.
        ("MaxPooling2D", (26, 26, 32), (12, 12, 32), 0, ""),
        ("MaxPooling2D", (7, 7, 32), (3, 3, 32), 0, ""),
        ("MaxPooling2D", (7, 7, 32), (4, 4, 32), 0, ""),
        ("MaxPooling2D", (14, 14, 32), (15, 15, 32), 0, "14 × 14 × 32 cannot become 15 × 15 × 32"),
        ("MaxPooling2D", (28, 28, 32), (14, 14, 16), 0, "28 × 28 × 32 cannot become 14 × 14 × 16"),
        ("Lambda", (28, 28), (3,), 99, ""),
    ],
)
def test_layer_misfit(
    kind: str,
    before: tuple[int, ...],
    shape: tuple[int, ...],
    parameters: int,
    problem: str,
) -> None:
    found = layer_misfit(kind, before, shape, parameters)
    assert found.startswith(problem) and bool(found) is bool(problem)
