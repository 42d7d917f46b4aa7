"""The audit: consistent reports raise nothing; what those of the book raise, and how it is told."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from drawn_reports import consistent_reports, printed_scores
from factories import make_run
from hypothesis import given
from made_up_reports import (
    Content,
    audited,
    derived,
    layers,
    tiny,
)
from typer.testing import CliRunner

from fmnist_utils import audit, cli, tables
from fmnist_utils.audit.fault import KINDS
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.report import SEVERITIES, Finding, Report
from fmnist_utils.reports.yaml_file import ReportError, read_report
from fmnist_utils.runs.record import Method, Run
from fmnist_utils.runs.store import RunStore
from fmnist_utils.tables.report_tables import found_table

# --- no false alarms -----------------------------------------------------------------------------


def test_a_consistent_report_raises_nothing() -> None:
    assert audited(tiny()) == []


@pytest.mark.slow
@given(consistent_reports())
def test_honest_rounding_is_never_a_finding(content: Content) -> None:
    assert audited(content) == []


@pytest.mark.slow
@given(printed_scores())
def test_a_rounded_classification_report_is_never_a_finding(printed: tuple[str, Content]) -> None:
    stated, table = printed
    content = tiny()
    content["experiments"]["large"]["scores"] = table
    content["experiments"]["large"]["claims"][1]["value"] = stated
    content["claims"] = content["derivations"] = []
    assert audited(content) == []


# --- the reports of the book ---------------------------------------------------------------------

#: Layer tables printed by the reports, as the audit must read them.
PRINTED = {
    "padded 4-layer CNN": (
        layers(
            ("Conv2D", (28, 28, 32), 320),
            ("BatchNormalization", (28, 28, 32), 128),
            ("Conv2D", (28, 28, 32), 9248),
            ("BatchNormalization", (28, 28, 32), 128),
            ("MaxPooling2D", (14, 14, 32), 0),
            ("Dropout", (14, 14, 32), 0),
            ("Flatten", (6272,), 0),
            ("Dense", (512,), 3211776),
            ("BatchNormalization", (512,), 2048),
            ("Dense", (10,), 5130),
        ),
        [],
    ),
    "LeNet-5 on images of another size": (
        layers(
            ("Conv2D", (32, 32, 6), 156),
            ("MaxPooling2D", (16, 16, 6), 0),
            ("Conv2D", (16, 16, 16), 2416),
            ("MaxPooling2D", (8, 8, 16), 0),
            ("Flatten", (1024,), 0),
            ("Dense", (120,), 123000),
            ("Dense", (84,), 10164),
            ("Dense", (10,), 850),
        ),
        ["layers-small"],
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_printed_layer_tables(name: str) -> None:
    table, found = PRINTED[name]
    content = tiny()
    content["experiments"]["small"]["table"] = table
    assert audited(content) == found


@pytest.fixture(scope="module", params=list_reports())
def report(request: pytest.FixtureRequest) -> Report:
    return load_report(request.param)


@pytest.fixture(scope="module")
def findings(report: Report) -> list[Finding]:
    return audit.audit_report(report, RunStore())


@pytest.fixture(scope="module")
def baltzi() -> Report:
    return load_report("baltzi")


def test_baltzi_is_found_out(baltzi: Report) -> None:
    findings = {finding.id: finding for finding in audit.audit(baltzi)}
    computed = set(findings) - {finding.id for finding in baltzi.findings}
    assert computed == {
        "ordering-best-mlp",
        "protocol",
        "unstated-model",
        "single-runs",
        "attempts",
        "criterion-accuracy",
        "unstated-training",
        "unstated-reading",
        "unstated-means",
    }
    assert "92.72 % − 89.18 % = 3.54 points ahead" in findings["ordering-best-mlp"].because
    assert "dropout rate of 4 layers" in findings["unstated-model"].claimed
    assert "learning rate" in findings["unstated-training"].claimed


#: What is counted is a layer of the report's networks, not of our copies of them.
LAYERS = {
    "anastasopoulos-mpofu-smith": ["kernel size of 4", "pooling window of 2", "activation of 2"],
    "fashion-mnist-report": ["dropout rate of 11", "activation of 18"],
    "chalkiopoulos-tsoukalelis": ["activation of 11", "dropout rate of 1"],
    "mendez": ["pooling window of 2", "dropout rate of 1"],
}


@pytest.mark.parametrize("report_id", LAYERS)
def test_layers_are_counted_once(report_id: str) -> None:
    (unstated,) = [f for f in audit.audit(load_report(report_id)) if f.id == "unstated-model"]
    assert all(f"{text} layer" in unstated.claimed for text in LAYERS[report_id])


class FirstRuns(RunStore):
    """What holds of three runs of each need not hold of more; these three stay."""

    def runs(self, experiment: Experiment, method: Method | None = None) -> list[Run]:
        return super().runs(experiment, method)[:3]


def test_what_runs_show_of_the_reports() -> None:
    store, found = FirstRuns(), {}
    for name in list_reports():
        for finding in audit.audit_report(load_report(name), store):
            found[name, finding.id] = finding
    counts = audit.count_severities(found.values())
    assert 0 < counts["high"] < counts["medium"] < len(found) / 2
    label = found["fashion-mnist-report", "other-protocol-one-conv-fold"]
    assert "60,000 images, plain, 50 epochs" in label.because
    assert found["mendez", "other-protocol-listing"].because.endswith("; 5 of 6 numbers fit")
    assert found["anastasopoulos-mpofu-smith", "noise"].severity == "low"
    # 92.51 % is printed once, though two networks may have it.
    assert found["fashion-mnist-report", "noise"].claimed.count("92.51 %") == 2
    gone = {"noise-four-conv-padded-four-conv-full-augmented-validation", "capacity"}
    assert not gone & {id_ for _, id_ in found}


def test_the_score_table_of_mendez_needs_whole_numbers_of_images() -> None:
    """An independent search found 9,099 to 9,160 recognised images."""
    from fmnist_utils.audit.score_checks import _counts, _recognised

    table = load_report("mendez")["listing"].scores
    assert table is not None
    every = [_counts(row, table) or _counts(row, table, with_f1=False) for row in table.rows]
    right = _recognised(every)
    assert right and (right[0], right[-1]) == (9_099, 9_160)


# --- how findings are told -----------------------------------------------------------------------


def test_findings_are_told_alike(report: Report, findings: list[Finding]) -> None:
    for keys in ([f.id for f in findings], [f.title for f in findings]):
        assert len(set(keys)) == len(keys)
    ranks = [list(SEVERITIES).index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks)
    for finding in findings:
        places = finding.where.split("; ")
        assert len(set(places)) == len(places)
        assert not finding.title[:1].islower() and not finding.title.endswith(".")
        assert finding.consequence[:1].isupper() and finding.consequence.endswith(".")
        assert not re.search(r"[.!?] [A-Z]", finding.consequence), "one sentence"
        assert not finding.because.endswith(".") and not finding.claimed.endswith(".")
        assert "{" not in finding.model_dump_json()[1:], "a formula was not filled in"


def test_severities_sort(findings: list[Finding]) -> None:
    counts = audit.count_severities(findings)
    assert counts["high"] <= counts["medium"] <= len(findings) / 2


def test_written_findings_stand_and_tell_of_what_is_found(
    report: Report, findings: list[Finding]
) -> None:
    assert {item.id for item in report.findings} <= {finding.id for finding in findings}


NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"


def test_no_number_of_a_claim_is_written_out_in_a_finding(report: Report) -> None:
    stated = {
        abs(claim.value) for _, claim in report.all_claims() if isinstance(claim.value, Decimal)
    }
    for item in report.findings:
        for text in item.texts.values():
            literals = re.findall(NUMBER, re.sub(r"\{[^{}]*\}", "", text))
            telling = [t for t in literals if "." in t or len(t) > 2]
            copied = [t for t in telling if Decimal(t.replace(",", "")) in stated]
            assert not copied, f"{item.id}: {copied}"


def test_sums_in_findings_are_right(findings: list[Finding]) -> None:
    sides = rf"({NUMBER}(?: %)?(?: [+−×/] {NUMBER}(?: %)?)+) = (−?{NUMBER})( %)?"
    for finding in findings:
        for text in (finding.claimed, finding.because, finding.consequence):
            for left, right, percent in re.findall(sides, text):
                terms = left.replace(",", "").replace(" %", "")
                value = eval(terms.translate(str.maketrans("−×", "-*")))  # noqa: S307 (digits)
                value *= 100 if percent and "/" in left else 1
                stated = right.replace(",", "").replace("−", "-")
                places = len(stated.partition(".")[2])
                assert abs(value - float(stated)) <= 0.5 * 10**-places + 1e-9, (
                    f"{finding.id}: {left}"
                )


def test_every_kind_fills_its_words() -> None:
    """A title that names a word no check gives would break the audit of some report only."""
    words = {"of", "than", "subject", "consequence", "tried"}
    for kind in KINDS.values():
        for text in (kind.title, kind.consequence):
            assert set(re.findall(r"\{(\w+)\}", text)) <= words


# --- the file, the tables, the command -----------------------------------------------------------


def wrong(**keys: Any) -> dict[str, Any]:
    texts = {key: "A" for key in ("title", "where", "claimed", "because", "consequence")}
    return {"findings": [{"id": "f", "severity": "low", **texts, **keys}]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"derivations": [derived("d", "sum", "3", "nowhere/c")]}, "no claim nowhere/c"),
        ({"derivations": [derived("d", "sum", "nowhere", "1")]}, "no claim nowhere"),
        ({"derivations": [derived("d", "sum", "3", "1")] * 2}, "d stands twice"),
        ({"derivations": [derived("d", "guess", "3", "1")]}, "derivations"),
        ({"findings": [{"id": "f", "severity": "grave"}]}, "findings.0."),
        (wrong(because="{nowhere/c}"), "finding f: report baltzi has no claim nowhere/c"),
        (wrong(because="{train-labels}"), "train-labels has no single number"),
        (wrong(because="{1 +}"), "it ends with an operator"),
        (wrong(because="{1 2}"), "names and operators take turns"),
        (wrong(because="{1 / 0}"), "has no value"),
        (wrong(when=["1 + 1"]), "is no relation"),
    ],
)
def test_a_mistake_in_what_the_file_declares_is_named(
    tmp_path: Path, change: Content, words: str
) -> None:
    content = yaml.safe_load((Path(cli.__file__).parent / "reports/baltzi/report.yaml").read_text())
    path = tmp_path / "report.yaml"
    path.write_text(yaml.safe_dump(content | yaml.safe_load(yaml.safe_dump(plain(change)))))
    with pytest.raises(ReportError, match=re.escape(words)):
        read_report(path)


def plain(value: Any) -> Any:
    """Turn tuples into lists, which are all that YAML has."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def test_findings_are_shown_with_title_place_reason_and_consequence(baltzi: Report) -> None:
    table = found_table(audit.audit(baltzi), baltzi.title)
    assert len(table.rows) == len(audit.audit(baltzi))
    html = table._repr_html_().replace("<wbr>", "")
    for item in audit.audit(baltzi):
        assert item.severity in html
        for text in (item.id, item.title, item.claimed[1:], item.where, item.because[1:]):
            assert text.replace("'", "&#x27;").replace(">", "&gt;") in html


def test_audit_counts_add_up(tmp_path: Path) -> None:
    table = tables.audit_counts(RunStore(tmp_path, tmp_path))
    assert len(table.rows) == len(list_reports())
    for _, *counts, total in table.rows:
        assert sum(map(int, counts)) == int(total)


@pytest.mark.slow
def test_the_command_prints_one_report_or_all() -> None:
    one = CliRunner().invoke(cli.app, ["audit", "baltzi"], env={"COLUMNS": "400"})
    assert one.exit_code == 0
    assert "3.54 points" in one.output and "[ordering-best-mlp]" in one.output
    assert re.search(r"^baltzi: \d+ high, \d+ medium, \d+ low$", one.output, re.MULTILINE)
    everything = CliRunner().invoke(cli.app, ["audit"])
    assert everything.exit_code == 0
    assert all(f"\n{name}: " in everything.output for name in list_reports())


def test_the_command_refuses_an_unknown_report() -> None:
    result = CliRunner().invoke(cli.app, ["audit", "nothing"])
    assert result.exit_code == 2 and "There is no report 'nothing'" in result.output


# --- single runs and seeds -----------------------------------------------------------------------


def runs_of(report: Report, spread: float, centre: float = 0.8) -> dict[str, list[Any]]:
    return {
        name: [make_run(report[name], seed, accuracy=centre + spread * seed) for seed in (1, 2, 3)]
        for name in report.experiments
    }


@pytest.mark.parametrize(("spread", "told_apart"), [(0.001, True), (0.02, False)])
def test_two_models_are_told_apart_by_more_than_seed_noise(spread: float, told_apart: bool) -> None:
    report = Report.model_validate(tiny())
    findings = audit.audit(report, runs_of(report, spread))
    assert [finding.id for finding in findings] == ["noise"] * (not told_apart)
    if findings:
        # t with four degrees of freedom
        assert "2.78 × √(2.000² + 2.000²) = 7.85 points" in findings[0].because
        assert findings[0].claimed.endswith("are told apart by one run each")


@pytest.mark.parametrize(("quantity", "ranked"), [("ordering", True), ("match", False)])
def test_models_said_to_be_as_good_are_not_ranked(quantity: str, ranked: bool) -> None:
    content = tiny()
    content["claims"][0]["quantity"] = quantity
    del content["claims"][1]  # the difference ranks them, too
    report = Report.model_validate(content)
    findings = audit.audit(report, runs_of(report, 0.02))
    assert [finding.id for finding in findings] == ["noise"] * ranked


def test_a_mean_of_several_runs_has_less_seed_noise() -> None:
    report = Report.model_validate(tiny())
    averaged = {
        name: experiment.model_copy(
            update={"stated": tuple(c.model_copy(update={"mean_of": 4}) for c in experiment.stated)}
        )
        for name, experiment in report.experiments.items()
    }
    runs = runs_of(report, 0.02)
    (found,) = audit.audit(report.model_copy(update={"experiments": averaged}), runs)
    assert "√(1.000² + 1.000²) = 3.93 points" in found.because
    assert found.claimed.endswith("are told apart by 4 and 4 runs")


def test_two_runs_are_too_few_to_know_the_noise() -> None:
    report = Report.model_validate(tiny())
    runs = {name: [make_run(report[name], 1, accuracy=a) for a in (0.8, 0.9)]
            for name in report.experiments}  # fmt: skip
    assert audit.audit(report, runs) == []


def test_equal_numbers_are_not_told_apart() -> None:
    content = tiny()
    content["claims"] = [content["claims"][0]]
    content["derivations"] = []
    content["experiments"]["large"]["claims"][1]["value"] = "88.40"
    del content["experiments"]["large"]["scores"]
    report = Report.model_validate(content)
    assert audit.audit(report, runs_of(report, 0.02)) == []


@pytest.mark.parametrize(("ours", "found"), [(0.884, False), (0.80, True)])
def test_numbers_that_fit_another_training_are_found(ours: float, found: bool) -> None:
    content = tiny()
    content["claims"] = content["derivations"] = []
    content["variants"] = {
        "longer": {"of": "small", "title": "Longer", "settings": {"training.epochs": 200}}
    }
    report = Report.model_validate(content)
    runs = {
        name: [make_run(report[name], seed, accuracy=centre + seed / 1000) for seed in (1, 2, 3)]
        for name, centre in (("small", ours), ("longer", 0.884))
    }
    findings = audit.audit(report, runs)
    assert [item.id for item in findings] == ["other-protocol-small"] * found
    assert not findings or "Longer gives 88.60 and 88.60" in findings[0].because
