"""The prose of the notebooks: every number is traced to evidence, and a chapter is short."""

import ast
import html
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode, v4

from fmnist_utils.data.fashion_mnist import FACTS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = [ROOT / "index.ipynb", *sorted((ROOT / "chapters").glob("*.ipynb"))]
#: The chapters about one report.
REBUILT = tuple(
    sorted(
        path.name
        for path in (ROOT / "fmnist_utils/reports").iterdir()
        if path.is_dir() and (path / "report.yaml").exists()
    )
)
#: Pages of another kind whose numbers are traced too.
TRACED = (
    *REBUILT,
    "dataset",
    "index",
    "one-protocol",
    "rule",
    "side-by-side",
    "training",
    "two-cores",
)

MOST_WORDS = 2_500
#: Tags of cells of which a reader of the page sees no code, or no output, before unfolding it.
NO_INPUT = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
NO_OUTPUT = {"hide-output", "remove-output", "hide-cell", "remove-cell"}


def every(names: Iterable[str]) -> pytest.MarkDecorator:
    paths = [path for path in NOTEBOOKS if path.stem in names]
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


rebuilt = every(REBUILT)


# --- numbers -------------------------------------------------------------------------------------


class Number(NamedTuple):
    """A number as it is written."""

    written: str
    unit: str = ""

    @property
    def value(self) -> Decimal:
        return Decimal(self.written.replace(",", ""))

    @property
    def decimals(self) -> int:
        return -int(self.value.as_tuple().exponent)

    def stands_for(self, found: Decimal) -> bool:
        """Whether the evidence is this number, or rounds to it; a whole number must be equal.

        A count, which has no unit, is written without decimals in the evidence, too.
        """
        if not self.unit and not self.decimals and found.as_tuple().exponent != 0:
            return False
        ways = [found, 100 * found] if self.unit else [found]
        near = Decimal(5) / 10 ** (self.decimals + 1) if self.decimals else 0
        return any(abs(abs(way) - self.value) <= near for way in ways)


# Not in a name (LeNet-5, Conv2D), nor a part of another number.
_NUMBER = re.compile(
    r"(?<![\w.])(?<![A-Za-z]-)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?=(\s*%|\s+points?\b)?)"
    r"(?:st|nd|rd|th)?(?!\w|-?[A-Za-z]+\d)"
)
#: What is no number of the evidence, wherever it stands.
_EXEMPT = re.compile(
    r"^```.*?^```"  # a block of code, or a directive
    r"|`[^`\n]*`"  # code in a sentence; the target of a citation or of a glossary term
    r"|\$[^$\n]*\$"  # a formula
    r"|^#+ [^\n]*$"  # the title of a section
    r"|^\s*\d+[.)](?=\s)"  # the number of an item in a list
    r"|(?<=\])\([^)\s]*\)"  # where a link leads
    r"|\((?:[^()]*\s)?(?:19|20)\d\d\)"  # the year of a citation
    r"|\b\d{4}-\d\d-\d\d\b"  # a date
    r"|<[^>]+>",
    re.MULTILINE | re.DOTALL,
)
#: Where something stands in the report.
_PLACE = re.compile(r"\b(?:Figures?|Tables?|pages?|pp?\.)\s+(\d+)")


def numbers(text: str) -> list[Number]:
    return [Number(found[1], (found[2] or "").strip()) for found in _NUMBER.finditer(text)]


def values(text: str) -> set[Decimal]:
    return {number.value for number in numbers(text)}


class Evidence(NamedTuple):
    """What the numbers of a notebook may rest on.

    Values, numbers of pages and figures, and values that are seen with a percent sign: a whole one
    of these stands for no count.
    """

    values: frozenset[Decimal]
    places: frozenset[Decimal] = frozenset()
    percents: frozenset[Decimal] = frozenset()

    def untraced(self, prose: str) -> list[str]:
        prose = _EXEMPT.sub(" ", prose)
        places = {Decimal(found[1]) for found in _PLACE.finditer(prose)}
        lost = [str(place) for place in sorted(places - self.places)]
        return lost + [
            number.written
            for number in numbers(_PLACE.sub(" ", prose))
            if not any(map(number.stands_for, self.values))
            and not (
                (number.unit == "%" or number.decimals)
                and any(map(number.stands_for, self.percents))
            )
        ]


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def shown(cell: NotebookNode) -> str:
    """Return the text that a cell shows: attributes of HTML and whatever nbval ignores are none."""
    texts = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        texts += [output.get("text", ""), data.get("text/plain", "")]
        texts += [html.unescape(re.sub(r"<[^>]*>", " ", data.get("text/html", "")))]
    return "\n".join(texts)


def evidence(notebook: NotebookNode, report: dict[str, Any]) -> Evidence:
    """Collect what nbval holds the notebook to, the report's file, and facts about the data."""
    found, percents = values(" ".join(map(str, FACTS.values()))), set()
    for cell in notebook.cells:
        if "nbval-ignore-output" not in tags(cell) and not told_in_code(cell):
            for number in numbers(shown(cell)):
                (percents if number.unit == "%" else found).add(number.value)
    places: set[Decimal] = set()
    for key, scalar in leaves(report):
        if key == "where":
            places |= values(re.sub(r"[^\d]", " ", scalar))
        elif key not in ("id", "claimed", "because", "consequence"):
            found |= values(str(scalar))
    return Evidence(frozenset(found), frozenset(places), frozenset(percents))


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, item in node.items():
            yield from leaves(item, str(name))
    elif isinstance(node, list):
        for item in node:
            yield from leaves(item, key)
    else:
        yield key, node


def told_in_code(cell: NotebookNode) -> list[str]:
    """Return the captions and alternative texts that a cell gives to `panels`, which shows them."""
    if cell.cell_type != "code" or "plots.panels(" not in cell.source:
        return []
    strings = [node.value for node in ast.walk(ast.parse(cell.source)) if hasattr(node, "value")]
    return [text for text in strings if isinstance(text, str) and " " in text]


def prose(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """Yield what a person wrote for the reader: Markdown, captions and alternative texts."""
    for i, cell in enumerate(notebook.cells):
        yield from ((i, text) for text in told_in_code(cell))
        if cell.cell_type == "markdown":
            yield i, cell.source
        about = cell.metadata.get("mystnb", {})
        for text in (about.get("figure", {}).get("caption"), about.get("image", {}).get("alt")):
            if text:
                yield i, text


def untraced(notebook: NotebookNode, report: dict[str, Any]) -> list[str]:
    known = evidence(notebook, report)
    return [f"cell {i}: {n}" for i, text in prose(notebook) for n in known.untraced(text)]


def report_of(path: Path) -> dict[str, Any]:
    file = ROOT / "fmnist_utils/reports" / path.stem / "report.yaml"
    return yaml.safe_load(file.read_text()) if file.exists() else {}


@every(TRACED)
def test_every_number_in_prose_is_traced(path: Path) -> None:
    lost = untraced(nbformat.read(path, as_version=4), report_of(path))
    assert not lost, f"{path.name} states numbers that no output and no claim holds: {lost}"


def chapter_of(prose: str, *outputs: str, ignored: bool = False) -> NotebookNode:
    cells = [v4.new_markdown_cell(prose)]
    for text in outputs:
        output = v4.new_output("execute_result", {"text/html": text}, execution_count=1)
        cells.append(v4.new_code_cell("x", outputs=[output]))
        cells[-1].metadata["tags"] = ["nbval-ignore-output"] if ignored else []
    return v4.new_notebook(cells=cells)


@pytest.mark.parametrize(
    "sentence",
    [
        "Ours is 92.21 %, or 92.2, over 60,000 images of 28 by 28 pixels.",
        "It held out 20 % (p. 8; Table 1), then 0.2.",
        "# In 2 steps\n\n1. Two cores suffice {cite}`lakens2017` (Lakens 2017), since 2026-11-26.",
        "LeNet-5, Conv2D, F1 and `SEEDS = 20` are names; $t_{.975}$ is a formula.",
        "```python\nx = 3\n```\n[the record](claims.html#12) is a link.",
        "In the 43rd epoch.",
    ],
)
def test_what_is_in_the_evidence_or_no_number_of_it_passes(sentence: str) -> None:
    report = {"claims": [{"where": "p. 8; Table 1", "value": 43}], "fraction": 0.2}
    table = '<td style="width:77.7%">92.214</td>'
    assert untraced(chapter_of(sentence, table), report) == []


@pytest.mark.parametrize(
    ("sentence", "lost"),
    [
        ("Ours is 92.22 %.", "92.22"),
        ("Ours is 92 %.", "92"),
        ("A width of 77.7 %.", "77.7"),
        ("See p. 9.", "9"),
        ("Of 37 runs.", "37"),
        ("In the 44th epoch.", "44"),
        ("It says 1,234 or 3-fold.", "1,234"),
    ],
)
def test_any_other_number_fails_with_its_cell(sentence: str, lost: str) -> None:
    report = {"claims": [{"where": "p. 8; Table 1", "value": 43}], "fraction": 0.2}
    table = '<td style="width:77.7%">92.214</td>'
    assert untraced(chapter_of(sentence, table), report)[0] == f"cell 0: {lost}"


def test_a_percentage_is_no_count() -> None:
    for shown in ("50 %", "50.0"):
        assert untraced(chapter_of("Of 50 images.", shown), {}) == ["cell 0: 50"]
    assert (
        untraced(chapter_of("Of 50 images, 50 %, 92.5 and 93.5 %.", "92.5 %, 93.5, 50"), {}) == []
    )


def test_what_nbval_ignores_is_no_evidence() -> None:
    assert untraced(chapter_of("It took 12.5 s.", "12.5"), {}) == []
    assert untraced(chapter_of("It took 12.5 s.", "12.5", ignored=True), {}) == ["cell 0: 12.5"]


def test_captions_and_alternative_texts_are_prose() -> None:
    notebook = chapter_of("", "92.2")
    notebook.cells[1].metadata["mystnb"] = {
        "image": {"alt": "A dot at 92.2."},
        "figure": {"caption": "Of 17 runs."},
    }
    assert untraced(notebook, {}) == ["cell 1: 17"]
    code = 'loss = "It is 55."\nfu.plots.panels(curves("mlp-7"), alt=[loss], caption="Of 33 runs")'
    panels = v4.new_output("execute_result", {"text/plain": "Panels(55, 33)"}, execution_count=1)
    notebook.cells = [v4.new_code_cell(code, outputs=[panels])]
    assert untraced(notebook, {}) == ["cell 0: 55", "cell 0: 33"]


_two_decimals = st.decimals("0.01", "9999", places=2).map(lambda value: f"{value:.2f}")


@given(st.lists(_two_decimals, min_size=1, max_size=5), _two_decimals)
def test_a_number_passes_when_the_evidence_has_it_and_only_then(
    known: list[str], written: str
) -> None:
    lost = Evidence(frozenset(map(Decimal, known))).untraced(f"It is {written}.")
    assert lost == ([] if Decimal(written) in map(Decimal, known) else [written])


# --- length, and the model by hand ---------------------------------------------------------------


def visible(cells: Iterable[NotebookNode]) -> str:
    """Return what a page shows before anything is unfolded."""
    texts: list[str] = []
    for cell in cells:
        if cell.cell_type == "markdown":
            folded = re.sub(r"<details>.*?</details>", " ", cell.source, flags=re.DOTALL)
            texts.append(re.sub(r"<[^>]+>|(?<=\])\([^)]*\)", " ", folded))
            continue
        texts += [cell.source] if not tags(cell) & NO_INPUT else []
        if not tags(cell) & NO_OUTPUT:
            for output in cell.outputs:
                data = output.get("data", {})
                texts.append(output.get("text", ""))
                texts += [data.get("text/plain", "")] if "image/png" not in data else []
            texts.append(cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", ""))
    return "\n".join(texts)


@rebuilt
def test_a_chapter_is_short(path: Path) -> None:
    words = re.findall(r"\S*\w\S*", visible(nbformat.read(path, as_version=4).cells))
    assert len(words) <= MOST_WORDS


@every((*REBUILT, "dataset", "one-protocol", "rule", "side-by-side", "training", "two-cores"))
def test_code_fits_its_box(path: Path) -> None:
    """At 1280 pixels a page shows so many letters of code; what is folded may scroll."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and not tags(cell) & NO_INPUT:
            assert max(map(len, cell.source.splitlines())) <= 78, cell.source


@rebuilt
def test_a_chapter_opens_with_the_answer(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    headings = re.findall(
        r"^## (.*)$", "\n".join(text for _, text in prose(notebook)), re.MULTILINE
    )
    assert headings[0] == "In short"
    first = next(cell for cell in notebook.cells if "book = fu.setup(" in cell.get("source", ""))
    assert "book.in_short(" in first.source
    assert tags(first) == {"hide-input"}


@rebuilt
def test_a_chapter_builds_trains_and_judges_once_by_hand(path: Path) -> None:
    """The reader sees Keras and NumPy at work before the helpers take over."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    shown_cells = [cell.source for cell in cells if not tags(cell) & NO_INPUT]
    for once in ("keras.Sequential(", ".fit("):
        assert sum(once in source for source in shown_cells) == 1, once
    for what in (r"assert .*layer_table\(", r"\.plot\(", r"np\.sqrt\("):
        assert any(re.search(what, source) for source in shown_cells), what
