"""What a chapter prints: tables that read well on paper, on a phone and in a terminal."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmnist_utils import arithmetic, audit
from fmnist_utils import verdicts as vd
from fmnist_utils.data import CLASS_NAMES, FashionMNIST, split_indices
from fmnist_utils.equivalence import MARGIN, SEEDS, Comparison
from fmnist_utils.models import layer_table
from fmnist_utils.reports import (
    READINGS,
    Assumption,
    Claim,
    Experiment,
    Report,
    list_reports,
    load_report,
)
from fmnist_utils.reports.schema import SEVERITIES, Severity
from fmnist_utils.runs import Run, RunStore
from fmnist_utils.verdicts import Verdict, Word

#: Class of the verdict badge in `_static/book.css`, and colours for where that file is missing.
_BADGES = {
    Word.REPRODUCED: ("reproduced", "#c8ecd0"),
    Word.CLOSE: ("close", "#e3eebb"),
    Word.IMPRECISE: ("imprecise", "#fdeab0"),
    Word.CONSISTENT: ("imprecise", "#fdeab0"),
    Word.NOT_REPRODUCED: ("not", "#f9cfc9"),
    Word.PENDING: ("pending", "#e2e2e2"),
    Word.EQUAL: ("equal", "#c8ecd0"),
    Word.FOLLOWED: ("followed", "#d4e4f7"),
    Word.DIFFERS: ("differs", "#f9cfc9"),
    Word.NOT_TESTED: ("pending", "#e2e2e2"),
}


#: Numbers, their units, what stands between two of them, and the words for none.
_NUMERIC = re.compile(r"([\d\s.,±≤≥%-]|to|points|no runs yet)*")


@dataclass(frozen=True)
class Badge:
    """A verdict's word, coloured and in words."""

    word: Word
    note: str = ""

    def __str__(self) -> str:
        """Return the words alone."""
        return f"{self.word} ({self.note})" if self.note else str(self.word)

    def html(self) -> str:
        """Return the coloured badge, its note behind it."""
        note = f"<br><small>{html.escape(self.note)}</small>" if self.note else ""
        return _coloured(self.word, self.word) + note


@dataclass(frozen=True)
class SeverityBadge:
    """How much a finding of the audit matters, coloured and in words."""

    severity: Severity

    def __str__(self) -> str:
        """Return the word alone."""
        return self.severity

    def html(self) -> str:
        """Return the coloured badge; the colours are those of the verdicts."""
        look = {"high": Word.NOT_REPRODUCED, "medium": Word.IMPRECISE, "low": Word.PENDING}
        return _coloured(self.severity, look[self.severity])


def _coloured(text: str, look: Word) -> str:
    """Write text on the colour of a verdict, also where the style sheet is missing."""
    name, colour = _BADGES[look]
    style = f"background:{colour};color:#111;padding:0 .4em;border-radius:.4em"
    return f'<span class="verdict {name}" style="{style}">{text}</span>'


@dataclass(frozen=True)
class Stacked:
    """A cell of two lines: what it says, and smaller below it a place, a reason or an interval."""

    main: Any
    below: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.main} [{self.below}]" if self.below else str(self.main)

    def html(self) -> str:
        """Return the two lines."""
        small = f'<br><small class="below">{html.escape(self.below)}</small>' if self.below else ""
        return _html(self.main) + small


@dataclass(frozen=True)
class Scored:
    """A cell of a printed table: its number, and ours below it, coloured by the verdict."""

    verdict: Verdict

    def __str__(self) -> str:
        """Return both numbers and the word."""
        stated = reported_text(self.verdict.claim)
        return f"{stated} [{ours_text(self.verdict)}, {self.verdict.word}]"

    def html(self) -> str:
        """Return the printed number over ours; a word says what the colour does."""
        word = self.verdict.word
        ours = _coloured(html.escape(ours_text(self.verdict)), word)
        small = "" if word == Word.REPRODUCED else f"<br><small>{html.escape(word)}</small>"
        return f"{reported_text(self.verdict.claim)}<br>{ours}{small}"


@dataclass(frozen=True)
class Table:
    """Rows under headers; shown as HTML in a notebook and as aligned text elsewhere.

    Numbers arrive formatted; a column that holds nothing else is set flush right.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""

    def _flush_right(self) -> list[bool]:
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.headers)
        return [
            any(str(cell) for cell in column)
            and all(_NUMERIC.fullmatch(str(cell)) for cell in column)
            for column in columns
        ]

    def __repr__(self) -> str:
        """Return the table as aligned text."""
        lines = [self.headers, *([str(cell) for cell in row] for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headers))]
        right = self._flush_right()

        def line(cells: Sequence[str]) -> str:
            parts = [
                cell.rjust(width) if flush else cell.ljust(width)
                for cell, width, flush in zip(cells, widths, right, strict=True)
            ]
            return "  ".join(parts).rstrip()

        rule = "  ".join("-" * width for width in widths)
        return "\n".join([line(lines[0]), rule, *map(line, lines[1:])])

    def _repr_html_(self) -> str:
        right = self._flush_right()

        def cells(tag: str, values: Iterable[Any]) -> str:
            return "".join(
                f'<{tag} style="text-align:{"right" if flush else "left"}">{_html(value)}</{tag}>'
                for value, flush in zip(values, right, strict=True)
            )

        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        return (
            '<div class="fmnist-table" style="overflow-x:auto">\n<table>\n'
            f"{caption}<thead><tr>{cells('th', self.headers)}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
        )


def _html(value: Any) -> str:
    drawn = isinstance(value, Badge | SeverityBadge | Stacked | Scored)
    # A long name such as categorical_crossentropy may break where it has an underscore.
    return value.html() if drawn else html.escape(str(value)).replace("_", "_<wbr>")


# --- words for numbers ---------------------------------------------------------------------------


def value_text(value: Any) -> str:
    """Write a shape, a count or a word as a report would print it."""
    if isinstance(value, tuple):
        return _shape(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _shape(value: tuple[Any, ...]) -> str:
    """Write a shape that a narrow column does not break."""
    return "(" + ",\N{NO-BREAK SPACE}".join(str(item) for item in value) + ")"


def _number(value: float | None, claim: Claim) -> str:
    """Write one of our numbers with as many digits as the claim prints, one at least."""
    if value is None:
        return ""
    printed = claim.value.as_tuple().exponent if claim.numbers == 1 else -2  # type: ignore[union-attr]
    return f"{value:.{min(4, max(1, -int(printed)))}f}"


def reported_text(claim: Claim) -> str:
    """Write what the report states, with its unit, as printed."""
    if claim.quantity in ("ordering", "class_ordering"):
        return "higher"
    sign = {"at_least": "≥ ", "at_most": "≤ ", None: ""}[claim.relation]
    unit = {"percent": " %", "points": " points", "plain": ""}[claim.unit]
    unit = " min" if claim.quantity == "minutes" else unit
    return f"{sign}{_printed(claim.value)}{unit}"


def _printed(value: Any) -> str:
    if isinstance(value, tuple):
        return _shape(value)
    if isinstance(value, str):
        return value
    if value != int(value) or value.as_tuple().exponent < 0:
        return str(value)
    return f"{int(value):,}"


def ours_text(verdict: Verdict) -> str:
    """Write what we found: mean and standard deviation, or the exact value."""
    if verdict.claim.kind == "exact":
        return value_text(verdict.ours)
    if verdict.mean is None:
        return "" if verdict.claim.kind == "untested" else "no runs yet"
    if verdict.claim.quantity in ("ordering", "class_ordering", "bound"):
        return f"{100 * verdict.mean:.0f} % of {verdict.runs} runs"
    mean = _number(verdict.mean, verdict.claim)
    return mean if verdict.sd is None else f"{mean} ± {_number(verdict.sd, verdict.claim)}"


def interval_text(verdict: Verdict) -> str:
    """Write the 95 % interval that the verdict rests on."""
    if verdict.low is None or verdict.high is None:
        return ""
    if verdict.claim.quantity in ("ordering", "class_ordering", "bound"):
        return f"{100 * verdict.low:.0f} to {100 * verdict.high:.0f} %"
    return f"{_number(verdict.low, verdict.claim)} to {_number(verdict.high, verdict.claim)}"


_QUANTITIES = {
    "epochs_trained": "epochs trained",
    "lowest_val_loss_epoch": "epoch of the lowest validation loss",
    "f1": "F1",
    "minutes": "training time",
    "layer_shape": "output shape",
    "layer_params": "parameters",
    "total_params": "total parameters",
    "trainable_params": "trainable parameters",
    "non_trainable_params": "non-trainable parameters",
}


def claim_text(claim: Claim) -> str:
    """Name what a claim is about; the id of a setting says it, ``-again`` where it is repeated."""
    if claim.quantity in ("setting", "cited"):
        return claim.id.removesuffix("-again").replace("-", " ")
    if claim.quantity == "data":
        return (claim.fact or "").replace("_", " ")
    name = _QUANTITIES.get(claim.quantity, claim.quantity)
    if claim.quantity in ("difference", "ordering"):
        return f"{claim.split} accuracy of {claim.of} over {claim.than}"
    if claim.quantity == "bound":
        return f"{claim.split} accuracy of {claim.of}"
    what = f"{claim.split} {name}" if claim.split else name
    if claim.than_label is not None and claim.label is not None:
        return f"recall of {CLASS_NAMES[claim.label]} over {CLASS_NAMES[claim.than_label]}"
    if claim.predicted is not None and claim.label is not None:
        return f"{CLASS_NAMES[claim.label]} taken for {CLASS_NAMES[claim.predicted]}"
    if claim.label is not None:
        return f"{name} of {CLASS_NAMES[claim.label]}"
    return f"{what}, epoch {claim.epoch}" if claim.epoch else what


def _badge(verdict: Verdict) -> Badge:
    noted = verdict.claim.kind in ("measured", "untested")
    return Badge(verdict.word, verdict.note if noted else "")


def _placed(verdict: Verdict) -> Stacked:
    return _placed_claim(verdict.claim)


def _placed_claim(claim: Claim) -> Stacked:
    return Stacked(claim_text(claim), claim.where)


def _ours(verdict: Verdict) -> Stacked:
    return Stacked(ours_text(verdict), interval_text(verdict))


# --- tables --------------------------------------------------------------------------------------


def judged(judgements: Iterable[Verdict], caption: str = "") -> Table:
    """Lay out any verdicts: claim and place, reported, reproduced with its interval, verdict.

    What a report states several times, alike, has one row that names every place.
    """
    rows = _each_once(judgements, _ours)
    return Table(("claim", "reported", "reproduced, 95 % interval", "verdict"), rows, caption)


def _each_once(
    judgements: Iterable[Verdict], ours: Callable[[Verdict], Any]
) -> tuple[tuple[Any, ...], ...]:
    """Lay out claims that read and fare alike in one row, with all their places."""
    places: dict[tuple[Any, ...], list[str]] = {}
    for v in judgements:
        row = (claim_text(v.claim), reported_text(v.claim), ours(v), _badge(v))
        places.setdefault(row, []).append(v.claim.where)
    return tuple((Stacked(row[0], "; ".join(where)), *row[1:]) for row, where in places.items())


def verdicts(experiment: Experiment, runs: Sequence[Run]) -> Table:
    """Show what an experiment's prose states of its training, with verdicts.

    Its classification report and tables of epochs have views of their own.

    Parameters
    ----------
    experiment : Experiment
        Whose claims.
    runs : sequence of Run
        Its runs; fewer than three leave every verdict pending.
    """
    found = [
        vd.judge(experiment, claim, runs)
        for claim in experiment.stated
        if claim.kind in ("measured", "untested")
    ]
    return judged(found, f"{experiment.title}: reported and reproduced, {len(runs)} runs")


def held_against(experiment: Experiment, runs: Sequence[Run], title: str) -> Table:
    """Hold an experiment's accuracies and losses against runs that might explain them better.

    Parameters
    ----------
    experiment : Experiment
        Whose claims.
    runs : sequence of Run
        Of another experiment, or of a variant.
    title : str
        What was trained instead.
    """
    claims = [claim for claim in experiment.stated if claim.quantity in ("accuracy", "loss")]
    found = [vd.judge(experiment, claim, runs) for claim in claims]
    return judged(found, f"{experiment.title}: reported, and {title}, {len(runs)} runs")


def results(report: Report, runs: Mapping[str, Sequence[Run]], split: str = "test") -> Table:
    """Set the reported accuracy of every experiment beside ours."""
    rows = tuple(
        (
            report[verdict.experiment or ""].title,
            reported_text(verdict.claim),
            _ours(verdict),
            _badge(verdict),
        )
        for verdict in vd.judge_accuracies(report, runs, split)
    )
    headers = ("model", "reported", "reproduced (%), 95 % interval", "verdict")
    return Table(headers, rows, f"{split} accuracy of every model".capitalize())


def comparisons(report: Report, runs: Mapping[str, Sequence[Run]]) -> Table:
    """Show a report's comparisons between its models, with verdicts."""
    claims = [claim for claim in report.claims if claim.kind == "comparison"]
    return judged([vd.judge_comparison(claim, runs) for claim in claims], "Comparisons in prose")


def facts(report: Report) -> Table:
    """Show what a report says of the data set, held against the data set."""
    found = [v for v in vd.judge_claims(report, {}) if v.claim.quantity == "data"]
    rows = _each_once(found, ours_text)
    caption = f"What the report says of the data, in {len(found)} places"
    return Table(("claim", "reported", "in the data", "verdict"), rows, caption)


def data_summary(data: FashionMNIST) -> Table:
    """Describe the images: how many, of what shape and type, and how bright (of full scale)."""
    rows = []
    for name, images, labels in (
        ("training", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        per_class = np.bincount(labels, minlength=len(CLASS_NAMES))
        rows.append(
            (
                name,
                f"{len(images):,}",
                value_text(images.shape[1:]),
                str(images.dtype),
                f"{per_class.min():,} to {per_class.max():,}",
                f"{images.mean() / 255:.4f}",
                f"{images.std() / 255:.4f}",
                f"{100 * (images == 0).mean():.1f}",
            )
        )
    headers = ("set", "images", "shape", "type", "per class", "mean", "sd", "zero pixels (%)")
    return Table(headers, tuple(rows), f"The {data.source} images")


def class_balance(data: FashionMNIST, fraction: float) -> Table:
    """Count the classes in the last `fraction` of the training images."""
    train, validation = split_indices(len(data.train_labels), fraction=fraction)
    parts = [np.bincount(data.train_labels[rows], minlength=10) for rows in (train, validation)]
    rows = tuple(
        (name, f"{parts[0][i]:,}", f"{parts[1][i]:,}") for i, name in enumerate(CLASS_NAMES)
    )
    headers = ("class", "left for training", "held out for validation")
    return Table(headers, rows, f"The last {100 * fraction:.0f} % held out")


def architecture(experiment: Experiment, model: Any | None = None) -> Table:
    """Set the layer table as printed beside the model as built.

    Parameters
    ----------
    experiment : Experiment
        With a printed layer table, or without one: then only ours is shown.
    model : keras.Model, optional
        The built model; built here when not given.
    """
    model = model or experiment.build()
    built = vd.aligned_layers(experiment, layer_table(model))
    table = experiment.table
    if table is None:
        plain = tuple((row.type, value_text(row.shape), f"{row.params:,}") for row in built)
        return Table(("layer", "output shape", "parameters"), plain, experiment.title)
    by_cell = {v.claim.id: v for v in vd.judge_layers(experiment, model)}
    rows: list[tuple[Any, ...]] = []
    for i, printed in enumerate(table.layers, start=1):
        shape, params = by_cell[f"layer-{i}-shape"], by_cell[f"layer-{i}-params"]
        word = Word.EQUAL if {shape.word, params.word} == {Word.EQUAL} else Word.DIFFERS
        rows.append(
            (printed.type, value_text(printed.shape), ours_text(shape), f"{printed.params:,}",
             ours_text(params), Badge(word))
        )  # fmt: skip
    for name in ("total", "trainable", "non-trainable"):
        verdict = by_cell[f"{name}-params"]
        printed_total = reported_text(verdict.claim)
        rows.append((name, "", "", printed_total, ours_text(verdict), Badge(verdict.word)))
    headers = ("layer", "shape printed", "shape built", "params printed", "built", "verdict")
    return Table(headers, tuple(rows), f"{table.where}, as printed and as built")


def protocol(experiment: Experiment) -> Table:
    """Show model and protocol in use: what the prose states, and what we had to assume."""
    stated = [vd.judge(experiment, c, []) for c in experiment.stated if c.kind == "exact"]
    rows = [*_each_once(stated, lambda verdict: value_text(verdict.ours))]
    rows += [
        (_assumed(item), "not stated", _printed(item.chosen), "assumed")
        for item in experiment.assumed
    ]
    headers = ("setting", "reported", "used", "verdict")
    return Table(headers, tuple(rows), f"{experiment.title}: protocol")


def _assumed(item: Assumption) -> Stacked:
    parts = item.setting.split(".")
    name = ".".join(parts[1:] if parts[0] in ("training", "model") else parts)
    return Stacked(name.replace("_", " "), item.because)


def assumptions(report: Report) -> Table:
    """List every setting that the report leaves out: what we chose, why, and for which models."""
    users: dict[Assumption, list[str]] = {}
    assumed = {name: experiment.assumed for name, experiment in report.experiments.items()}
    assumed |= {name: search.assumed for name, search in report.searches.items()}
    for name, items in assumed.items():
        for item in items:
            users.setdefault(item, []).append(name)
    rows = tuple(
        (
            _assumed(item),
            _printed(item.chosen),
            "all" if len(who) == len(report.experiments) else ", ".join(who),
        )
        for item, who in users.items()
    )
    return Table(("setting, and why", "chosen", "experiments"), rows, "Assumptions")


def readings(experiment: Experiment, claim_id: str, runs: Sequence[Run]) -> Table:
    """Judge one claim under every way of reading it; the first row is the one that counts."""
    claim = experiment[claim_id]
    found = {reading: vd.judge(experiment, claim, runs, reading) for reading in vd.readings(claim)}
    rows = tuple((READINGS[reading], _ours(v), _badge(v)) for reading, v in found.items())
    headers = ("reading", "reproduced, 95 % interval", "verdict")
    return Table(headers, rows, f"{experiment.title}: {reported_text(claim)}, read in every way")


def closest_epochs(experiment: Experiment, runs: Sequence[Run]) -> Table:
    """Show at which epoch our runs come closest to what is stated of training and validation.

    Parameters
    ----------
    experiment : Experiment
        Whose claims, each number once; those about the test set have no history.
    runs : sequence of Run
        Of this experiment, or of another that might explain the numbers.
    """
    rows = []
    for claim in {claim.value: claim for claim in reversed(experiment.stated)}.values():
        if claim.quantity not in ("accuracy", "loss") or claim.split == "test" or claim.epoch:
            continue
        scale = 1.0 if claim.unit == "plain" else 100.0
        key = f"{'val_' if claim.split == 'validation' else ''}{claim.quantity}"
        histories = [scale * np.array(run.history[key]) for run in runs]
        at = sorted(1 + int(np.argmin(abs(values - claim.number))) for values in histories)
        last = _spread(np.array([values[-1] for values in histories]))
        rows.append((_placed_claim(claim), reported_text(claim), ", ".join(map(str, at)), last))
    headers = ("claim", "reported", "epoch that comes closest, per run", "last epoch")
    return Table(headers, tuple(rows), f"Where {len(runs)} runs pass the reported numbers")


def variants(report: Report, runs: Mapping[str, Sequence[Run]], split: str = "test") -> Table:
    """Show how much an assumption matters: each variant beside the experiment it varies.

    Parameters
    ----------
    report : Report
        Whose variants.
    runs : mapping
        Runs by id, of variants and of what they vary; a variant that is not there is left out.
    split : str
        On which accuracy to look.
    """
    rows: list[tuple[Any, ...]] = []
    shown = {name: variant.of for name, variant in report.variants.items() if name in runs}
    for base in dict.fromkeys(shown.values()):
        for name in (base, *(name for name, of in shown.items() if of == base)):
            rows.append(
                (report[name].title, *_accuracy_cells(report, base, runs.get(name, ()), split))
            )
    headers = ("protocol", "reported", "reproduced (%), 95 % interval", "verdict")
    return Table(headers, tuple(rows), f"{split} accuracy under other choices".capitalize())


def _accuracy_cells(
    report: Report, base: str, runs: Sequence[Run], split: str
) -> tuple[Any, Any, Any]:
    """Hold runs against what the report states of an experiment, if it states an accuracy."""
    claim = vd.accuracy_claims(report, split).get(base)
    if claim is None:
        ours = np.array([100 * getattr(run.final, split).accuracy for run in runs])
        return "not stated", _spread(ours), ""
    verdict = vd.judge(report[base], claim, runs)
    return reported_text(claim), _ours(verdict), _badge(verdict)


def undone(report: Report, store: RunStore | None = None) -> Table:
    """List what has fewer runs than a verdict needs, with the command that makes them."""
    store = store or RunStore()
    rows = []
    for name, experiment in report.trainable.items():
        found = len(store.runs(experiment))
        if found < vd.MIN_RUNS:
            command = f"fmnist run {report.id} {name} --seeds {vd.MIN_RUNS}"
            rows.append((experiment.title, str(found), command))
    caption = f"What still needs {vd.MIN_RUNS} seeds, and how to get them"
    return Table(("training", "runs", "command"), tuple(rows), caption if rows else "Nothing left")


def architectures_with(parameters: int) -> Table:
    """List the plain CNNs of usual widths that have exactly so many parameters."""
    rows = tuple((str(found),) for found in arithmetic.architectures_with(parameters))
    return Table(("architecture",), rows, f"{len(rows)} plain CNNs have {parameters:,} parameters")


def campaign(runs: Mapping[str, Sequence[Run]]) -> Table:
    """List what the evidence cost: runs, epochs, seconds, hardware."""
    rows = tuple(
        (
            name,
            str(len(found)),
            f"{np.mean([run.epochs for run in found]):.0f}",
            f"{np.mean([sum(run.seconds_per_epoch) for run in found]):.0f}",
            ", ".join(sorted({run.provenance.device for run in found})),
            ", ".join(sorted({run.provenance.precision for run in found})),
        )
        for name, found in runs.items()
        if found
    )
    headers = ("experiment", "runs", "mean epochs", "mean seconds", "hardware", "precision")
    return Table(headers, rows, "Runs behind this page")


def classification_report(runs: Sequence[Run]) -> Table:
    """Show precision, recall and F1 per class in percent: mean and sd over the runs."""
    headers = ("class", "precision (%)", "recall (%)", "F1 (%)")
    if not runs:
        return Table(headers, (), "No runs yet")
    scores = np.array([vd.class_scores(np.array(run.final.test_confusion)) for run in runs])
    mean, sd = scores.mean(axis=0), scores.std(axis=0, ddof=min(1, len(runs) - 1))
    rows = tuple(
        (name, *(f"{100 * mean[i, j]:.1f} ± {100 * sd[i, j]:.1f}" for j in range(3)))
        for i, name in enumerate(CLASS_NAMES)
    )
    return Table(headers, rows, f"Test set, mean and standard deviation over {len(runs)} runs")


def class_scores(experiment: Experiment, runs: Sequence[Run]) -> Table:
    """Show a printed classification report beside ours, with a verdict for every cell.

    Parameters
    ----------
    experiment : Experiment
        Whose report; without one the table is empty.
    runs : sequence of Run
        Its runs.
    """
    headers = ("class", "precision", "recall", "F1")
    if experiment.scores is None:
        return Table(headers, (), "No classification report is printed")
    by_id = {claim.id: vd.judge(experiment, claim, runs) for claim in experiment.scores.claims()}
    cells = {name: Scored(verdict) for name, verdict in by_id.items()}
    rows = tuple(
        (row.label, *(cells[f"{name}-{i}"] for name in ("precision", "recall", "f1")))
        for i, row in enumerate(experiment.scores.rows)
    )
    words = vd.count_words(v for v in by_id.values() if v.claim.kind == "measured")
    summary = ", ".join(f"{n} {word}" for word, n in words.items() if n)
    return Table(headers, rows, f"{experiment.scores.where}, reported and ours: {summary}")


def study(runs_by_label: Mapping[str, Sequence[Run]], changed: str = "setting") -> Table:
    """Compare trainings of our own: accuracy of every choice, and how far it overfits.

    Parameters
    ----------
    runs_by_label : mapping of str to sequence of Run
        Each choice's runs.
    changed : str
        What the labels say, the header of the first column.
    """
    rows = []
    for label, runs in runs_by_label.items():
        train, test = (
            np.array([100 * getattr(run.final, split).accuracy for run in runs])
            for split in ("train", "test")
        )
        rows.append((label, str(len(runs)), _spread(train), _spread(test), _spread(train - test)))
    headers = (changed, "seeds", "training (%)", "test (%)", "gap (points)")
    return Table(headers, tuple(rows), "Accuracy after the last epoch, mean ± standard deviation")


def _spread(values: np.ndarray) -> str:
    if values.size < 2:
        return f"{values[0]:.2f}" if values.size else ""
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"


def equivalence(comparisons: Sequence[Comparison]) -> Table:
    """Show whether another way of training is equivalent to ours, experiment by experiment."""
    rows = []
    for item in comparisons:
        found = item.difference
        verdict = "too few runs"
        if found is not None:
            verdict = "equivalent" if found.equivalent else "not equivalent"
        rows.append(
            (
                item.experiment.title,
                _spread(np.array(item.other)),
                _spread(np.array(item.ours)),
                f"{found.mean:+.2f} [{found.low:+.2f}, {found.high:+.2f}]" if found else "",
                f"{found.p:.2g}" if found else "",
                verdict,
            )
        )
    headers = ("experiment", "other (%)", "ours (%)", "difference, 90 % interval", "p", "verdict")
    caption = f"Test accuracy over {SEEDS} seeds each; margin ±{MARGIN} percentage points"
    return Table(headers, tuple(rows), caption)


def cited(report: Report) -> Table:
    """List the numbers that a report quotes from other work."""
    rows = tuple(
        (_placed_claim(claim), reported_text(claim))
        for claim in report.claims
        if claim.quantity == "cited"
    )
    return Table(("quoted", "number"), rows, "Numbers from other work, which our runs do not test")


def counts(report: Report, store: RunStore | None = None) -> Table:
    """Count one report's verdicts by word, with what each word means."""
    found = vd.count_words(vd.judge_report(report, store or RunStore()))
    rows = tuple((Badge(word), str(n), _MEANING[word]) for word, n in found.items() if n)
    return Table(("verdict", "claims", "meaning"), rows, f"{sum(found.values())} claims judged")


_MEANING = {
    Word.REPRODUCED: "inside our prediction interval, and that interval is narrow",
    Word.CLOSE: "outside our interval, yet the difference is too small to matter",
    Word.IMPRECISE: "inside our interval, which is too wide to be sure",
    Word.CONSISTENT: "inside our interval; no margin is set for this quantity",
    Word.NOT_REPRODUCED: "outside our interval, by more than the margin",
    Word.PENDING: "fewer than three runs so far",
    Word.EQUAL: "an exact quantity, and the same",
    Word.FOLLOWED: "a setting that our runs use as stated",
    Word.DIFFERS: "an exact quantity, and not the same",
    Word.NOT_TESTED: "a number from other work, or a time on other hardware",
}


def findings(report: Report, store: RunStore | None = None) -> Table:
    """List where a report contradicts itself, cannot be right, or cannot be followed.

    Parameters
    ----------
    report : Report
        The report to hold against itself.
    store : RunStore, optional
        Whose runs tell how far apart seeds lie; the shipped ones and ``./runs`` by default.
    """
    found = audit.audit_report(report, store or RunStore())
    rows = tuple(
        (
            SeverityBadge(item.severity),
            Stacked(_sentence(item.claimed), item.where),
            Stacked(_sentence(item.because), item.consequence),
        )
        for item in found
    )
    headers = ("severity", "what is stated, or left out", "the arithmetic, and what follows")
    return Table(headers, rows, f"The report against itself: {len(found)} findings")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def audit_counts(store: RunStore | None = None) -> Table:
    """Count the findings of every report by severity."""
    store = store or RunStore()
    rows = []
    for report_id in list_reports():
        report = load_report(report_id)
        found = audit.count_severities(audit.audit_report(report, store))
        rows.append((_short_name(report), *map(str, found.values()), str(sum(found.values()))))
    meanings = "; ".join(f"{word}: {meaning}" for word, meaning in SEVERITIES.items())
    headers = ("report", *SEVERITIES, "all")
    return Table(headers, tuple(rows), f"Findings of the audit, report by report ({meanings})")


def _short_name(report: Report) -> str:
    """Name a report by its authors, or by its title when it has none."""
    return ", ".join(name.split()[-1] for name in report.authors) or report.title


def scoreboard(store: RunStore | None = None) -> Table:
    """Count the verdicts of every report: what was measured, then what was exact."""
    store = store or RunStore()
    rows = []
    for report_id in list_reports():
        report = load_report(report_id)
        found = vd.judge_report(report, store)
        by_word = vd.count_words(found)
        numbers = sum(verdict.claim.numbers for verdict in found)
        columns = [sum(by_word[word] for word in words) for words in _COLUMNS.values()]
        rows.append((_short_name(report), str(numbers), *map(str, columns)))
    headers = ("report", "numbers", *_COLUMNS)
    return Table(headers, tuple(rows), "Verdicts on every claim, report by report")


_COLUMNS = {
    "reproduced": (Word.REPRODUCED,),
    "close": (Word.CLOSE,),
    "consistent": (Word.IMPRECISE, Word.CONSISTENT),
    "not reproduced": (Word.NOT_REPRODUCED,),
    "pending": (Word.PENDING,),
    "exact": (Word.EQUAL, Word.FOLLOWED),
    "differs": (Word.DIFFERS,),
    "not tested": (Word.NOT_TESTED,),
}
