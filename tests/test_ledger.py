"""The ledger: every claim of a report once, with its verdict and what that rests on."""

import functools
import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import optimize, special, stats
from typer.testing import CliRunner

import fmnist_utils
from fmnist_utils.cli import app
from fmnist_utils.reports.load import list_reports, load_report

Rows = dict[str, list[dict[str, Any]]]


@pytest.mark.slow
def test_the_command_prints_the_ledger(
    ledgers: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", "baltzi", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == ledgers["baltzi"]


@pytest.mark.slow
@pytest.mark.parametrize("report_id", list_reports())
def test_every_claim_has_one_row_with_an_address_of_its_own(report_id: str, ledgers: Rows) -> None:
    rows, report = ledgers[report_id], load_report(report_id)
    stated = [
        "/".join((report_id, *([experiment.id] if experiment else []), claim.id))
        for experiment, claim in report.all_claims()
    ]
    assert sorted(row["address"] for row in rows) == sorted(stated)
    for row in rows:
        assert row["places"] and row["printed"] and row["word"]
        assert bool(row["run_files"]) == bool(row["runs"])
        outside = row["p"] is not None and row["word"] in ("close", "not reproduced")
        assert (row["survives"] is not None) == outside
        assert row["pooled_word"] is None or row["p"] is not None
        assert not row["survives"] or row["p"] < 0.05
        if row["word"] in ("equal", "followed") and isinstance(row["value"], float):
            assert row["ours"] == pytest.approx(row["value"], abs=0.5), "both in one unit"


# --- an independent recomputation: YAML as text, runs as JSON, no line of the package -------------

REPORTS = Path(fmnist_utils.__file__).parent / "reports"
POINTS = {"accuracy": 1, "precision": 3, "recall": 3, "f1": 3, "confused": 3}
T = stats.t.ppf


def stated(experiment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every number that runs of one experiment decide, cells of tables included."""
    yield from (claim for claim in experiment.get("claims", ()) if claim["quantity"] in READ)
    for table in experiment.get("epoch_tables", ()):
        for quantity, i in itertools.product(("loss", "accuracy"), range(len(table["loss"]))):
            value = Decimal(table[quantity][i])
            unit = table.get("unit", "plain") if quantity == "accuracy" else "plain"
            yield {
                "id": f"{table['split']}-{quantity}-epoch-{i + 1}", "split": table["split"],
                "value": round(value, int(table.get("decimals", 9))) if "decimals" in table
                else value, "quantity": quantity, "epoch": i + 1, "unit": unit,
            }  # fmt: skip
    for i, row in enumerate(experiment.get("scores", {}).get("rows", ())):
        for name in ("precision", "recall", "f1"):
            yield {"id": f"{name}-{i}", "quantity": name, "label": i, "value": row[name],
                   "unit": experiment["scores"].get("unit", "plain"), "split": "test"}  # fmt: skip


def metric(run: dict[str, Any], claim: dict[str, Any]) -> float:
    name, (at, _, how) = claim["quantity"], claim.get("reading", "final").partition("-")
    if "epoch" in claim:
        key = f"val_{name}" if claim["split"] == "validation" else name
        return run["history"][key][int(claim["epoch"]) - 1]
    if how == "running":
        return run["history"][name][run[at]["epoch"] - 1]
    parts = ["train", "validation"] if how == "all" else [claim["split"]]
    sizes = [run["images"][part] for part in parts]
    return np.average([run[at][part][name] for part in parts], weights=sizes)


def score(run: dict[str, Any], claim: dict[str, Any]) -> float:
    counts, i = np.array(run[claim.get("reading", "final")]["test_confusion"]), int(claim["label"])
    if "predicted" in claim:
        return counts[i, int(claim["predicted"])] / counts[i].sum()
    precision, recall = counts[i, i] / counts[:, i].sum(), counts[i, i] / counts[i].sum()
    f1 = 2 * precision * recall / (precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1}[claim["quantity"]]


READ: dict[str, Any] = dict.fromkeys(("accuracy", "loss"), metric) | {
    "epochs_trained": lambda run, claim: len(run["history"]["loss"]),
    "lowest_val_loss_epoch": lambda run, claim: 1 + np.argmin(run["history"]["val_loss"]),
} | dict.fromkeys(("precision", "recall", "f1", "confused"), score)  # fmt: skip


def image_variance(experiment: dict[str, Any], claim: dict[str, Any], mean: float, n: int) -> float:
    """Return what two draws of images differ by, on the scale, where the split is unknown."""
    # Lists that experiments share stand in one another.
    open_split = "'setting': 'training.validation.take'" in str(experiment["assumed"])
    held_out = experiment["training"]["validation"]
    drawn_by_run = held_out["take"] == "random" and "seed" not in held_out
    if (
        not open_split or held_out["take"] == "test"
        or claim.get("split", "test") == "test" or claim.get("reading", "").endswith("-all")
    ):  # fmt: skip
        return 0.0
    per_image = mean * (1 - mean) if claim["quantity"] == "accuracy" else min(2 * mean, 0.6) ** 2
    slope = 1 / (mean * (1 - mean)) if claim["quantity"] == "accuracy" else 1 / mean
    # Ours and theirs; with splits of our own, what the mean of trainings on one split averages not.
    draws = 1 - 1 / int(claim.get("mean_of", 1)) if drawn_by_run else 2
    return draws * per_image / n * (1 - n / 60_000) * slope**2


def on_scale(claim: dict[str, Any], runs: list[dict[str, Any]]) -> tuple[Any, Any]:
    """Return what is read off the runs, and the same as a logit or logarithm."""
    x = np.array([READ[claim["quantity"]](run, claim) for run in runs])
    half = 0.5 / (1_000 if "label" in claim else 10_000)
    y = special.logit(np.clip(x, half, 1 - half)) if claim["quantity"] in POINTS else np.log(x)
    return x, np.full(len(x), y.mean()) if np.ptp(x) == 0 else y


def recomputed(
    claim: dict[str, Any], experiment: dict[str, Any], runs: list[dict[str, Any]], pooled: bool
) -> tuple[list[float], str]:
    """Return mean, deviation, the ends of the interval, p, and the word."""
    whole, n = 100 if claim.get("unit") == "percent" else 1, len(runs)
    share = claim["quantity"] in POINTS
    x, y = on_scale(claim, runs)
    variance, spare = y.var(ddof=1), n - 1.0
    if pooled:
        variance, spare = moderated(variance, spare, [on_scale(claim, r)[1] for r in pool(claim)])
    own = variance * (1 / int(claim.get("mean_of", 1)) + 1 / n)
    images = runs[0]["images"][claim.get("split", "test")]
    both = own + image_variance(experiment, claim, x.mean(), images)
    freedom = both**2 / (own**2 / spare) if own and np.isfinite(spare) else spare

    def ends(p: float) -> Any:
        reach = max(T(p, spare) * own**0.5, T(p, freedom) * both**0.5)
        z = y.mean() + np.array([-reach, reach])
        return whole * (special.expit(z) if share else np.exp(z))

    value = Decimal(claim["value"])
    v, rho = float(value), 0.5 * 10.0 ** int(value.as_tuple().exponent)
    nearest = np.array([max(v - rho, 1e-12), v + rho]) / whole
    low, high = special.logit(np.minimum(nearest, 1)) if share else np.log(nearest)
    apart = max(low - y.mean(), y.mean() - high, 0)
    cases = [(spare, own), (freedom, both)]
    p = max(2 * stats.t.sf(apart / q**0.5, df) if apart else 1.0 for df, q in cases if q or apart)
    inside, shown = p >= 0.05, ends(0.975)
    if "epoch" in claim["quantity"]:
        shown = np.clip(shown, 1, int(experiment["training"]["epochs"]))
        word = "consistent" if inside else "not reproduced"
    else:
        margin = whole * POINTS[claim["quantity"]] / 100 if share else 0.1 * v
        near = v + rho - margin <= ends(0.95)[0] and ends(0.95)[1] <= v - rho + margin
        word = {(1, 1): "reproduced", (1, 0): "consistent", (0, 1): "close"}.get(
            (inside, near), "not reproduced"
        )
    return [whole * x.mean(), whole * x.std(ddof=1), *shown, p], word


@functools.cache
def experiments() -> list[list[dict[str, Any]]]:
    """Return the runs of all experiments, each training once, where none stayed at chance level."""
    found: list[list[dict[str, Any]]] = []
    for name in list_reports():
        report = yaml.load((REPORTS / name / "report.yaml").read_text(), yaml.BaseLoader)
        for own, item in (report["experiments"] | report.get("variants", {})).items():
            base = report["experiments"][item.get("of", own)]
            precision = item.get("precision", base.get("precision", "float32"))
            files = sorted((REPORTS / name / "runs").glob(f"{own}.seed*.json"))
            read = [json.loads(file.read_text()) for file in files if ".fit." not in file.name]
            runs = [run for run in read if run["provenance"]["precision"] == precision]
            low = [run["final"]["test"]["accuracy"] < 0.2 for run in runs]
            if len(runs) >= 3 and all(low) == any(low) and not any(same(runs, x) for x in found):
                found.append(runs)
    return found


def same(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> bool:
    """Say whether most seeds that two experiments share gave the same predictions."""
    others = {run["seed"]: run["test_predictions"] for run in b}
    pairs = [run["test_predictions"] == others[run["seed"]] for run in a if run["seed"] in others]
    return 2 * sum(pairs) > len(pairs)


def pool(claim: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the experiments that have what a claim is about."""
    epoch = int(claim.get("epoch", 0))
    return [runs for runs in experiments()
            if min(len(run["history"]["loss"]) for run in runs) >= epoch]  # fmt: skip


def moderated(variance: float, spare: float, samples: list[Any]) -> tuple[float, float]:
    """Return the posterior variance of Smyth (2004) and its degrees of freedom."""
    varying = [y for y in samples if np.ptp(y) > 0]
    half = np.array([len(y) - 1 for y in varying]) / 2
    logs = np.log([y.var(ddof=1) for y in varying]) - special.digamma(half) + np.log(half)
    excess = logs.var(ddof=1) - special.polygamma(1, half).mean()
    if excess <= 0:
        return float(np.exp(logs.mean())), np.inf
    d = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-3, 1e6)
    prior = np.exp(logs.mean() + special.digamma(d) - np.log(d))
    return float((2 * d * prior + spare * variance) / (2 * d + spare)), 2 * d + spare


def newcombe(share: float, a: int, b: int) -> tuple[float, float]:
    """Return the roots of (|share - p| - 1 / 2ab)² = 1.96² V(p)."""

    def off(p: float, near: float) -> float:
        spread = 1 + ((a + b) / 2 - 1) * ((1 - p) / (2 - p) + p / (1 + p))
        return (near - p) ** 2 - stats.norm.ppf(0.975) ** 2 * p * (1 - p) * spread / (a * b)

    down, up = share - 0.5 / (a * b), share + 0.5 / (a * b)
    low = optimize.brentq(off, 1e-12, down, (down,)) if down > 0 else 0.0
    return low, optimize.brentq(off, up, 1 - 1e-12, (up,)) if up < 1 else 1.0


def clopper_pearson(kept: float, n: int) -> tuple[float, float]:
    low = stats.beta.ppf(0.025, kept, n - kept + 1) if kept else 0.0
    return low, stats.beta.ppf(0.975, kept + 1, n - kept) if kept < n else 1.0


def compared(
    claim: dict[str, Any], runs: dict[str, list[dict[str, Any]]], pooled: bool
) -> tuple[list[float | None], str]:
    """Return mean, deviation, the ends of the interval, and the word for two experiments."""
    accuracy = claim | {"quantity": "accuracy"}
    x, y = (np.array([metric(run, accuracy) for run in runs.get(claim.get(key, ""), ())])
            for key in ("of", "than"))  # fmt: skip
    a, b = len(x), len(y)
    if claim["quantity"] in ("difference", "match"):
        value = Decimal(claim.get("value", "0.00"))
        known = [(np.var(side, ddof=1), len(side) - 1.0) for side in (x, y)]
        if pooled:
            others = [np.array([metric(run, accuracy) for run in sample]) for sample in pool(claim)]
            known = [moderated(*side, others) for side in known]
        parts = [var * (1 + 1 / n) for (var, _), n in zip(known, (a, b), strict=True)]
        own = sum(q**2 / n for q, (_, n) in zip(parts, known, strict=True))
        freedom = sum(parts) ** 2 / own if own else np.inf
        t = abs(100 * (x.mean() - y.mean()) - float(value))
        rho, q = 0.5 * 10.0 ** int(value.as_tuple().exponent), 100 * sum(parts) ** 0.5
        reach, mean = T(0.975, freedom) * q, 100 * (x.mean() - y.mean())
        inside, near = t - rho <= reach, t + rho + T(0.95, freedom) * q <= 1
        word = ("reproduced" if near else "consistent") if inside else "not reproduced"
        sd = 100 * (x.var(ddof=1) + y.var(ddof=1)) ** 0.5
        p = 2 * stats.t.sf(max(t - rho, 0) / q, freedom)
        return [mean, sd, mean - reach, mean + reach, p], word
    if claim["quantity"] == "ordering":
        share = ((x[:, None] > y) + (x[:, None] == y) / 2).mean()
        low, high = newcombe(share, a, b)
    else:
        whole, v = 100 if claim.get("unit") == "percent" else 1, Decimal(claim["value"])
        beyond = whole * x - float(v)
        beyond *= 1 if claim["relation"] in ("at_least", "above") else -1
        rho = 0.5 * 10.0 ** int(v.as_tuple().exponent)
        kept = (beyond > 0 if claim["relation"] in ("above", "below") else beyond >= -rho).sum()
        share, (low, high) = kept / a, clopper_pearson(kept, a)
    return [share, None, low, high], word_of(share, low, high)


def word_of(share: float, low: float, high: float) -> str:
    word = "reproduced" if share >= 0.75 and low > 0.5 else "consistent"
    return "not reproduced" if high < 0.75 else word


def ordered(claim: dict[str, Any], runs: list[dict[str, Any]]) -> tuple[list[float], str]:
    """Return the worst of the comparisons of two classes that a sentence makes."""
    recalls = {label: np.array([score(run, claim | {"quantity": "recall", "label": label})
                                for run in runs]) for label in map(str, range(10))}  # fmt: skip
    pairs = itertools.product(claim["labels"], claim["than_labels"])
    shares = [((recalls[i] > recalls[j]) + (recalls[i] == recalls[j]) / 2).mean() for i, j in pairs]
    found = [(share, *clopper_pearson(share * len(runs), len(runs))) for share in shares]
    words = ("not reproduced", "consistent", "reproduced")
    share, low, high = min(found, key=lambda ends: (words.index(word_of(*ends)), ends[0]))
    return [share, low, high], word_of(share, low, high)


@pytest.mark.slow
@pytest.mark.parametrize("report_id", list_reports())
def test_a_script_without_the_package_comes_to_the_same_numbers_and_words(
    report_id: str, ledgers: Rows
) -> None:
    folder = REPORTS / report_id
    report = yaml.load((folder / "report.yaml").read_text(), yaml.BaseLoader)
    words = {row["address"]: row["word"] for row in ledgers[report_id]}
    rows = {row["address"]: row for row in ledgers[report_id] if row["p"] is not None}
    for name, experiment in report["experiments"].items():
        for claim in stated(experiment):
            address = f"{report_id}/{name}/{claim['id']}"
            row = rows.pop(address, None)
            if row is None:
                assert words[address] == "pending", address
                continue
            runs = [json.loads((folder / "runs" / file).read_text()) for file in row["run_files"]]
            numbers, word = recomputed(claim, experiment, runs, pooled=False)
            ours = [row[key] for key in ("mean", "sd", "low", "high", "p")]
            assert ours == pytest.approx(numbers, rel=1e-6, abs=1e-9), row["address"]
            assert row["word"].partition(",")[0] == word, row["address"]
            word = recomputed(claim, experiment, runs, pooled=True)[1]
            assert row["pooled_word"].partition(",")[0] == word, row["address"]
        for claim in experiment.get("claims", ()):
            if claim["quantity"] == "class_ordering":
                row = next(r for r in ledgers[report_id]
                           if r["address"] == f"{report_id}/{name}/{claim['id']}")  # fmt: skip
                files = (folder / "runs" / file for file in row["run_files"])
                numbers, word = ordered(claim, [json.loads(file.read_text()) for file in files])
                ours = [row[key] for key in ("mean", "low", "high")]
                assert ours == pytest.approx(numbers, rel=1e-6, abs=1e-6), row["address"]
                assert row["word"].partition(",")[0] == word, row["address"]
    assert {row["experiment"] for row in rows.values()} <= {None}, "what is left compares"
    rows = {row["claim"]: row for row in ledgers[report_id] if row["experiment"] is None}
    for claim in report["claims"]:
        row = rows[claim["id"]]
        if claim["quantity"] in ("difference", "match", "ordering", "bound"):
            if row["mean"] is None:
                assert row["word"] == "pending", row["address"]
                continue
            if claim["quantity"] in ("difference", "match"):
                assert row["unit"] == "points", "as mean, deviation and interval"
            runs: dict[str, list[dict[str, Any]]] = {}
            for file in row["run_files"]:
                content = json.loads((folder / "runs" / file).read_text())
                runs.setdefault(content["experiment"], []).append(content)
            numbers, word = compared(claim, runs, pooled=False)
            # A share of pairs or runs has no deviation.
            theirs = [x for x in numbers if x is not None]
            keys = ("mean", "sd", "low", "high", "p")
            ours = [row[key] for key in keys if row[key] is not None]
            assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6), row["address"]
            assert row["word"].partition(",")[0] == word, row["address"]
            if claim["quantity"] in ("difference", "match"):
                word = compared(claim, runs, pooled=True)[1]
                assert row["pooled_word"].partition(",")[0] == word, row["address"]


@pytest.mark.slow
def test_who_survives_follows_from_all_p_values(ledgers: Rows) -> None:
    rows = [row for found in ledgers.values() for row in found if row["p"] is not None]
    order = sorted(range(len(rows)), key=lambda i: rows[i]["p"])
    below = [k for k, i in enumerate(order, 1) if rows[i]["p"] <= 0.05 * k / len(rows)]
    kept = set(order[: max(below, default=0)])
    for i, row in enumerate(rows):
        if row["survives"] is not None:
            assert row["survives"] == (i in kept), row["address"]
