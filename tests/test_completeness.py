"""Every number that a report prints is a claim, or ignored with a reason; section by section."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from fmnist_utils.contribute.printed_numbers import REFERENCE
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.report import Report

SOURCES = Path(__file__).resolve().parents[2] / "shared/reports"

#: How each section of a report's text begins, and how places in it are named in the report's file.
SECTIONS = {
    "anastasopoulos-mpofu-smith": [
        (r"Classifying MNIST", "Title page"),
        (r"Contents", "Contents"),
        (r"Declaration", "Declaration"),
        (r"1 Introduction", "Section 1"),
        (r"2 Dataset", "Section 2|Figure 1, "),
        (r"3.1 Data", r"Section 3\.1"),
        (r"3.2 Data", r"Section 3\.2"),
        (r"4 Baseline", "Section 4"),
        (r"5 Presentation", "Section 5|Figures? 5"),
        (r"6 Employment", "Section 6|Figures? ([79]|10|11)|Figures 5 and 7"),
        (r"7 Conclusion", "Section 7"),
        (r"Bibliography", "Bibliography"),
    ],
    "baltzi": [
        (r"# Fashion", "Title"),
        (r"## Contents", "Contents"),
        (r"## Introduction", r"p\. 2, (Introduction|text above)"),
        (r"## Data", r"p\. 2, Data"),
        (r"## Architecture 1", r"p\. 3|Figure 2"),
        (r"### Baseline \+ 1", r"p\. 4|Figure 4"),
        (r"### Baseline \+ 3", r"p\. 5|Figure 6"),
        (r"## Architecture 2", r"p\. 6|Figure 8"),
        (r"## 2 CNN", r"p\. [78]|Figure 9"),
        (r"## Discussion", r"p\. 8, Discussion|Table 1"),
    ],
    "chalkiopoulos-tsoukalelis": [
        (r"# Deep Learning", "Title"),
        (r"# CONTENTS", "Contents"),
        (r"# Problem", r"p\. 2"),
        (r"# Weights", r"p\. 3"),
        (r"# Visualize", r"p\. 4"),
        (r"# Multilayer.*", r"p\. [5-9]"),
        (r"## Convolutional", r"p\. 10"),
        (r"# Convolutional", r"p\. 1[1-6]"),
    ],
    "fashion-mnist-report": [
        (r"#### \*\*Problem", "Problem Statement"),
        (r"## Idea", "Idea and approach|First layer table"),
        (r"#### LeNet-5", "LeNet-5|(Second|Third|Fourth) layer table"),
        (r"### Results", "Results"),
        (r"# Future", "Future"),
    ],
    "mendez": [
        (r"# Deep Learning", "Title"),
        (r"## Abstract", "Abstract"),
        (r"## 1", "Section 1"),
        (r"## 2", "Section 2"),
        (r"## 3", r"Section 3|Figure 1"),
        (r"## 4", r"Section 4|Table 1"),
        (r"## 5", r"Section 5|Listing 1"),
        (r"## 6", "Section 6"),
        (r"## 7", "Section 7|Table 2"),
        (r"## 8", "Section 8"),
        (r"## References", "References"),
    ],
}

#: Numbers spelt as no reader of numbers takes them.
SPELT = {
    "693, 932": "693932", "70 000": "70000", "83 322": "83322", "91,32%": "91.32%",
    "1e^{-4}": "0.0001", "1e^{-3}": "0.001", "1e^{-2}": "0.01", "0utput": "Output",
}  # fmt: skip

#: Numbers in words. One is left out: it is an article and a pronoun more often than a number.
WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "doubled": 2, "hundreds of millions": 100_000_000,
}  # fmt: skip
_WORD = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)

_CAPTION = re.compile(r"\**(Figure|Table|Listing) \d+")
_HEADING = re.compile(r"#+ (?!of)|\d(\.\d)? [A-Z]\w+|\d+$")
#: How places of captions and of headings are named.
_CAPTIONS, _HEADINGS = "Captions|.*, caption", "Headings|.*, title"


def numbers_in(text: str) -> set[Decimal]:
    """Read the numbers of a text, also in words; digits within a name, as in conv2d_1, are none."""
    for spelt, meant in SPELT.items():
        text = text.replace(spelt, meant)
    text = _WORD.sub(lambda found: f" {WORDS[found[1].lower()]} ", text)
    text = re.sub(r"https?://\S+|(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"(?<=\d)[x×](?=\d)", " ", text)
    return {
        Decimal(found).normalize() for found in re.findall(r"(?<!\w)(?<!\d\.)\d+(?:\.\d+)?", text)
    }


def sections(report_id: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a report with the pattern of their places; captions, headings apart."""
    known = SECTIONS.get(report_id, [("", ".*")])
    pattern, parts = "", dict[str, str]()
    for line in text.split("\n"):
        starts = [place for start, place in known if re.match(start, line)]
        pattern = starts[0] if starts else pattern
        apart = _CAPTIONS if _CAPTION.match(line) else _HEADINGS if _HEADING.match(line) else ""
        key = apart or pattern
        parts[key] = parts.get(key, "") + (line if apart else REFERENCE.sub("", line)) + "\n"
    yield from parts.items()


def accounted_for(report: Report, pattern: str) -> set[Decimal]:
    """Return the numbers of a report's claims, and of what it ignores, in some places."""
    found: set[Decimal] = set()

    def here(places: tuple[str, ...]) -> bool:
        return any(re.match(pattern, place) for place in places)

    for _, claim in report.all_claims():
        if here(claim.where):
            found |= values_of(claim)
    for item in report.ignored:
        if here(item.where):
            found |= numbers_in(" ".join(item.number))
    return found


def values_of(claim: Claim) -> set[Decimal]:
    values = claim.value if isinstance(claim.value, tuple) else (claim.value,)
    numbers = {value.normalize() for value in values if isinstance(value, Decimal)}
    # 3 × 3 and (3, 3) are one setting.
    if claim.epoch:
        numbers.add(Decimal(claim.epoch))
    return numbers | (numbers_in(claim.value) if isinstance(claim.value, str) else set())


@pytest.mark.parametrize("report_id", list_reports())
def test_every_number_that_a_report_prints_is_accounted_for(report_id: str) -> None:
    source = SOURCES / f"{report_id}.txt"
    if not source.exists():
        pytest.skip(f"needs the report's text in ../shared/reports/{report_id}.txt")
    report = load_report(report_id)
    missing = {
        pattern: sorted(map(str, left))
        for pattern, text in sections(report_id, source.read_text(encoding="utf-8"))
        if (left := numbers_in(text) - accounted_for(report, pattern or "Title"))
    }
    assert not missing


@pytest.mark.parametrize("report_id", list_reports())
def test_what_is_ignored_stands_in_the_report(report_id: str) -> None:
    source = SOURCES / f"{report_id}.txt"
    if not source.exists():
        pytest.skip(f"needs the report's text in ../shared/reports/{report_id}.txt")
    parts = dict(sections(report_id, source.read_text(encoding="utf-8")))
    for item in load_report(report_id).ignored:
        places = [p for p in parts if any(re.match(p or "Title", where) for where in item.where)]
        printed = {number for place in places for number in numbers_in(parts[place])}
        assert numbers_in(" ".join(item.number)) <= printed, item


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("60,000 images of 28x28, 91.32% and 2.6", ["60000", "28", "91.32", "2.6"]),
        ("shape [60,000, 10] and (256, 512, 512)", ["60000", "10", "256", "512"]),
        ("conv2d_1 (Conv2D) flatten_6 https://a.b/2", []),
        ("after the 30<sup>th</sup> epoch, 4s 3ms", ["30", "4", "3"]),
        ("Two of ten, hundreds of millions, seventeen", ["2", "10", "100000000"]),
        ("within [1e^{-4}, 1e^{-2}], 70 000 in all", ["0.0001", "0.01", "70000"]),
    ],
)
def test_numbers_are_read_as_they_are_printed(text: str, numbers: list[str]) -> None:
    assert numbers_in(text) == {Decimal(number).normalize() for number in numbers}


@pytest.mark.parametrize("report_id", list_reports())
def test_what_is_ignored_is_read_also_in_words(report_id: str) -> None:
    """Else an entry could be taken out, and nobody would miss it."""
    for item in load_report(report_id).ignored:
        left_out = {"one", "first", "one-dimensional"}
        assert numbers_in(" ".join(item.number)) or set(item.number) <= left_out, item


def test_a_number_without_a_claim_is_noticed() -> None:
    report = load_report("baltzi")
    experiment = report["mlp-1-hidden"]
    without = [claim for claim in experiment.stated if claim.id != "test"]
    changed = experiment.model_copy(update={"stated": tuple(without)})
    fewer = report.model_copy(
        update={"experiments": {**report.experiments, "mlp-1-hidden": changed}}
    )
    there, gone = (accounted_for(item, r"p\. 4") for item in (report, fewer))
    assert there - gone == {Decimal("89.18")}
