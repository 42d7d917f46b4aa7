"""Read a report file, and say at which line it is wrong."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.protocol import NOT_SUPPORTED
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.settings import SettingError
from fmnist_utils.reports.values import not_a_number

#: Far above the reports of the book, of which the largest has 57 kB, 2,741 values and a depth of 7.
#: A few hundred bytes of aliases of aliases can stand for billions of values.
MAX_BYTES, MAX_VALUES, MAX_DEPTH = 1_000_000, 50_000, 20
#: What an escape such as "\\e" or "\\ud800" smuggles into a text: it would steer a terminal, end a
#: program that quotes it, or cannot be written to a file at all.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class ReportError(FmnistError):
    """A report file that cannot be read, or does not fit the schema.

    `every` has one sentence for each thing that is wrong, in the order of the file.
    """

    def __init__(self, sentence: str, every: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.every = tuple(every) or (sentence,)


def read_report(path: Path) -> Report:
    """Read and validate one ``report.yaml``.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    Report

    Raises
    ------
    ReportError
        Naming file, line and key of the first thing that is wrong.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: cannot be read ({error})") from error
    if len(raw) > MAX_BYTES:
        raise ReportError(f"{path}: larger than {MAX_BYTES:,} bytes, which no report needs")
    try:
        root, content = _load(text)
    except yaml.YAMLError as error:
        raise _error(path, *_problem(text, error)) from error
    if root is None or not isinstance(content, dict):
        raise _error(path, 1, "a report is a mapping that starts with its id")
    try:
        return Report.model_validate(_named(content, path, root))
    except ValidationError as error:
        raise _wrong(path, root, error) from error


def line_of(path: Path, *keys: int | str) -> int:
    """Return the line, from 1, at which something stands in a report's file that can be read.

    Parameters
    ----------
    path : pathlib.Path
        The report's file.
    *keys : int or str
        Keys and indices that lead there.
    """
    root = _Loader(path.read_text(encoding="utf-8")).get_single_node()
    return _locate(root, keys)[1] if root else 1


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Read ``setting=value`` as it is typed; the value as YAML, ``none`` leaves a feature out.

    Raises
    ------
    SettingError
        When one is not written so, or a setting is named twice.

    Examples
    --------
    >>> parse_settings(["dropout=0.3", "early_stopping={monitor: val_loss, patience: 5}"])
    {'dropout': '0.3', 'early_stopping': {'monitor': 'val_loss', 'patience': '5'}}
    """
    settings: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise SettingError(
                f"{_line(text)} is no setting: write it as dropout=0.3, without spaces."
            )
        if name in settings:
            raise SettingError(f"{_line(name)} is set twice.")
        try:
            read = _load(value)[1]
        except yaml.YAMLError as error:
            raise SettingError(f"{_line(text)}: {_problem(value, error)[1]}.") from error
        settings[name] = None if value.lower() in ("none", "null") else read
    return settings


def _load(text: str) -> tuple[yaml.Node | None, Any]:
    """Read YAML within limits: its first node, and what that stands for."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return root, root and loader.construct_document(root)
    except (ValueError, OverflowError) as error:  # of an escape beyond Unicode, or a long version
        at = loader.get_mark()
        raise _Refused(f"a number is too large for YAML ({error})", at) from error


def _problem(text: str, error: yaml.YAMLError) -> tuple[int, str]:
    """Return the line, from 1, in which YAML is wrong, and what is wrong there."""
    if isinstance(error, yaml.reader.ReaderError):
        return text.count("\n", 0, error.position) + 1, f"not valid YAML: {error.reason}"
    assert isinstance(error, yaml.MarkedYAMLError)
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    what = "" if isinstance(error, _Refused) else "not valid YAML: "
    return line, f"{what}{error.problem}"


class _Refused(yaml.MarkedYAMLError):
    """Valid YAML that no report may have."""

    def __init__(self, problem: str, at: Any) -> None:
        super().__init__(problem=problem, problem_mark=at)


class _Loader(yaml.BaseLoader):
    """Leaves every scalar as the text in the file, 84.60 keeps its zero; refuses what runs away."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        #: How many values a node stands for, its aliases expanded.
        self._values: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(f"nested more than {MAX_DEPTH} deep", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            if node not in self._values:
                raise _Refused(f"alias {event.anchor} stands inside of itself", event.start_mark)
        elif node is not None:
            if isinstance(node, yaml.ScalarNode) and (odd := _CONTROLS.search(node.value)):
                problem = f"a text holds the character U+{ord(odd[0]):04X}, which nothing can show"
                raise _Refused(problem, event.start_mark)
            self._values[node] = 1 + sum(self._values[child] for child in _children(node))
            if self._values[node] > MAX_VALUES:
                problem = f"more than {MAX_VALUES:,} values, aliases written out"
                raise _Refused(problem, event.start_mark)
        return node


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    """Yield what a node holds, its keys checked: YAML readers would keep the last of equal ones."""
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused("a key must be a word, not a list or a mapping", key.start_mark)
            if key.value == "<<":
                problem = "merge keys (<<) are not read: write the keys out, or alias the whole"
                raise _Refused(f"{problem} mapping (key: *name)", key.start_mark)
            if key.value in seen:
                raise _Refused(f"key {key.value} stands twice", key.start_mark)
            seen.add(key.value)
            yield value


def _named(content: dict[str, Any], path: Path, root: yaml.Node) -> dict[str, Any]:
    """Give experiments and searches the id they stand under, experiments that of the report too."""
    named = dict(content)
    for kind, given in (("experiments", {"report": content.get("id")}), ("searches", {})):
        items = content.get(kind)
        if not isinstance(items, dict):
            continue
        for key, item in items.items():
            if isinstance(item, dict) and (own := {"id", *given} & item.keys()):
                _, line = _locate(root, (kind, key, min(own)))
                problem = f"{kind}.{key}: unknown key {min(own)}: it is implied"
                raise _error(path, line, problem)
        named[kind] = {
            key: {**item, **given, "id": key} if isinstance(item, dict) else item
            for key, item in items.items()
        }
    return named


def _wrong(path: Path, root: yaml.Node, error: ValidationError) -> ReportError:
    # A misspelt key is also a missing one: name the key that stands in the file.
    found = error.errors(include_url=False)
    # A default that follows from another key is wrong only because that key is.
    errors = [item for item in found if item["type"] != "default_factory_not_called"] or found
    errors.sort(key=lambda item: item["type"] != "extra_forbidden")
    problems = list(dict.fromkeys(found for item in errors for found in _problems(root, item)))
    (line, message), *more = problems
    tail = f" (and {len(more)} more)" if more else ""
    every = [_sentence(path, *problem) for problem in sorted(problems)]
    return ReportError(_sentence(path, line, f"{message}{tail}"), every)


def _problems(root: yaml.Node, item: Any) -> Iterator[tuple[int, str]]:
    """Yield line and message of one error of pydantic, and of those that came with it."""
    cause = item.get("ctx", {}).get("error")
    if cause is None:
        keys, line = _locate(root, item["loc"])
        if item["type"] == "missing":
            keys = [*keys, str(item["loc"][-1])]
        yield line, f"{'.'.join(keys) or 'report'}: {_message(item)}"
        return
    for error in (cause, *_all_more(cause)):
        keys, line = _locate(root, (*item["loc"], *getattr(error, "loc", ())))
        yield line, f"{'.'.join(keys) or 'report'}: {error}"


def _all_more(error: ValueError) -> Iterator[ValueError]:
    for other in getattr(error, "more", ()):
        yield from (other, *_all_more(other))


#: What pydantic says of a value of the wrong kind, in the words of YAML.
_KINDS = {
    "tuple_type": "this must be a list",
    "dict_type": "this must be a mapping of keys to values",
    "model_type": "this must be a mapping of keys to values",
    "model_attributes_type": "this must be a mapping of keys to values",
}


def _message(item: Any) -> str:
    """Say what is wrong with one value."""
    kind = item["type"]
    if kind == "extra_forbidden":
        known = NOT_SUPPORTED.get(str(item["loc"][-1]))
        return f"not supported: {known}" if known else "unknown key"
    if kind == "missing":
        return "this key is required"
    given = item["input"]
    if given == "":
        return "nothing stands here: fill it in, or delete the key"
    if kind in ("int_parsing", "int_from_float", "float_parsing"):
        return not_a_number(str(given), whole=kind != "float_parsing")
    if kind == "literal_error":
        return f"{given} is not supported{_why(given)}: it takes {item['ctx']['expected']}"
    if kind == "union_tag_not_found":
        return "builder is missing: mlp or cnn"
    word = item["ctx"]["tag"] if kind == "union_tag_invalid" else given
    if item["loc"][-1] == "model" and isinstance(word, str):
        return f"{word} is not supported{_why(word)}: write {{builder: mlp}} or {{builder: cnn}}"
    return _KINDS.get(kind) or str(item["msg"])


def _why(word: Any) -> str:
    known = NOT_SUPPORTED.get(str(word))
    return f" ({known})" if known else ""


def _sentence(path: Path, line: int, message: str) -> str:
    """Put file and line before a message, in one line whatever text of the file it quotes."""
    return f"{path}, line {line}: {_line(message)}"


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _error(path: Path, line: int, message: str) -> ReportError:
    return ReportError(_sentence(path, line, message))


def _flat(node: yaml.SequenceNode) -> list[yaml.Node]:
    items = (item.value if isinstance(item, yaml.SequenceNode) else [item] for item in node.value)
    return list(itertools.chain(*items))


def _locate(node: yaml.Node, loc: tuple[int | str, ...]) -> tuple[list[str], int]:
    """Follow a pydantic location into the file; return the keys on the way and the line, from 1.

    A location also names the branches of unions, which stand nowhere in the file.
    """
    keys: list[str] = []
    line = node.start_mark.line
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                continue
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            # Assumptions may stand in lists within their list.
            items = _flat(node) if keys[-1:] == ["assumed"] else node.value
            if part >= len(items):  # of a list that the schema has made longer
                continue
            line, node = items[part].start_mark.line, items[part]
        else:
            continue
        keys.append(str(part))
    return keys, line + 1
