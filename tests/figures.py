"""What the tests of figures share: made-up runs and images, and what a figure holds."""

import dataclasses
from decimal import Decimal

import matplotlib as mpl
from factories import make_run
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from fmnist_utils.data.fashion_mnist import CLASS_NAMES
from fmnist_utils.data.synthetic import load_synthetic
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.printed_tables import ClassScores, EpochTable, ScoreTable
from fmnist_utils.runs.record import Run
from fmnist_utils.verdicts.equivalence import PLAIN_FIT, Comparison
from fmnist_utils.verdicts.outcome import Verdict
from fmnist_utils.verdicts.report_verdicts import judge_claims, judge_experiment

mpl.use("agg")

REPORT = load_report("baltzi")
CNN = REPORT["cnn-1-conv"]
SYNTHETIC = load_synthetic(train=200, test=100)
# Stands for the real images where only their source matters.
REAL = dataclasses.replace(SYNTHETIC, source="real")

#: The same experiment with a printed classification report.
SCORED = CNN.model_copy(
    update={
        "scores": ScoreTable(
            where="Table 1",
            split="test",
            rows=tuple(
                ClassScores(
                    label=name,
                    precision=Decimal("0.90"),
                    recall=Decimal("0.80") if name == "Shirt" else Decimal("0.905"),
                    f1=Decimal("0.93"),
                    support=1_000,
                )
                for name in CLASS_NAMES
            ),
        )
    }
)
#: The same experiment with printed tables of four epochs.
TABLED = CNN.model_copy(
    update={
        "epoch_tables": tuple(
            EpochTable(
                where="Figure 1",
                split=split,
                loss=tuple(map(Decimal, ("0.60", "0.50", "0.45", "0.4"))),
                accuracy=tuple(map(Decimal, ("0.80", "0.85", "0.87", first))),
            )
            for split, first in (("train", "0.880"), ("validation", "0.90"))
        )
    }
)
#: As long as the titles of experiments get.
LONG = "MLP 512-256, dropout 0.2 and batch normalisation"


def seeds(n: int, accuracy: float = 0.9, epochs: int = 5) -> list[Run]:
    return [
        make_run(CNN, seed, epochs + seed % 3, accuracy + seed / 1000) for seed in range(1, n + 1)
    ]


def all_verdicts(n: int = 5) -> list[Verdict]:
    runs = {
        name: [make_run(e, seed, 40 + seed, 0.9 + seed / 1000) for seed in range(n)]
        for name, e in REPORT.experiments.items()
    }
    verdicts = judge_claims(REPORT, runs)
    for name, experiment in REPORT.experiments.items():
        verdicts += judge_experiment(experiment, runs[name])
    return verdicts


def comparisons() -> list[Comparison]:
    """Return one that is equivalent, one that is not, and one with too few seeds."""
    ours = tuple(90 + seed / 50 for seed in range(10))
    shifted = tuple(value + 0.5 for value in ours)
    return [Comparison(CNN, PLAIN_FIT, other, ours) for other in (ours, shifted, ours[:3])]


def models() -> dict[str, list[Run]]:
    """Return the runs of six models, the second of which has none and the third a single one."""
    groups = [seeds(5, 0.9 + i / 200, 5 * i + 1) for i in range(5)]
    return {"a": groups[0], "b": [], "c": groups[1][:1], LONG: groups[2]} | {
        f"{LONG} {name}": group for name, group in zip("de", groups[3:], strict=True)
    }


def study() -> dict[tuple[str, str], list[Run]]:
    """Return a study with an empty group and one of a single run."""
    return {
        ("16", "none"): seeds(4, 0.88),
        ("32", "none"): seeds(4, 0.9),
        ("64", "none"): [],
        ("16", "20 %"): seeds(3, 0.87),
        ("32", "20 %"): seeds(1, 0.86),
    }


def words(fig: Figure) -> list[str]:
    return [text.get_text() for text in fig.findobj(Text) if text.get_text()]


def lines(ax: Axes, style: str, width: float) -> list[Line2D]:
    return [
        line for line in ax.lines if line.get_linestyle() == style and line.get_linewidth() == width
    ]
