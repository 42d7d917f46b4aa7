"""Read a report file, and say at which line it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.report import Report


class ReportError(FmnistError):
    """A report file that cannot be read, or does not fit the schema."""


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
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: cannot be read ({error})") from error
    try:
        # BaseLoader leaves every scalar as the text in the file: 84.60 keeps its zero.
        root = yaml.compose(text, Loader=yaml.BaseLoader)
        content = yaml.load(text, Loader=yaml.BaseLoader)
        if root is None or not isinstance(content, dict):
            raise ReportError(f"{path}, line 1: a report is a mapping that starts with its id")
        _refuse_duplicates(root, path)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ReportError(f"{path}, line {line}: not valid YAML: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ReportError(f"{path}, line {line}: not valid YAML: {error.problem}") from error
    _name_experiments(content, path)
    try:
        return Report.model_validate(content)
    except ValidationError as error:
        raise ReportError(_sentence(path, root, error)) from error


def _name_experiments(content: dict[str, Any], path: Path) -> None:
    """Give experiments and searches the id they stand under, experiments that of the report too."""
    for kind, given in (("experiments", {"report": content.get("id")}), ("searches", {})):
        items = content.get(kind)
        for key, item in items.items() if isinstance(items, dict) else ():
            if isinstance(item, dict):
                if own := {"id", *given} & item.keys():
                    raise ReportError(
                        f"{path}: {kind}.{key}: unknown key {min(own)}: it is implied"
                    )
                item.update(given, id=key)


def _refuse_duplicates(node: yaml.Node, path: Path) -> None:
    """YAML readers keep the last of two equal keys; a report's first would vanish silently."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise ReportError(f"{path}, line {line}: key {key.value} stands twice")
            seen.add(key.value)
            _refuse_duplicates(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, path)


def _sentence(path: Path, root: yaml.Node, error: ValidationError) -> str:
    # A misspelt key is also a missing one: name the key that stands in the file.
    errors = error.errors(include_url=False)
    first = min(errors, key=lambda item: item["type"] != "extra_forbidden")
    keys, line = _locate(root, first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "unknown key"
    elif first["type"] == "missing":
        keys, message = [*keys, str(first["loc"][-1])], "this key is required"
    tail = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{path}, line {line}: {'.'.join(keys) or 'report'}: {message}{tail}"


def _locate(node: yaml.Node, loc: tuple[int | str, ...]) -> tuple[list[str], int]:
    """Follow a pydantic location into the file; return the keys on the way and the line, from 1.

    A location also names the branches of unions, which stand nowhere in the file.
    """
    keys, line = [], node.start_mark.line
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                continue
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
        else:
            continue
        keys.append(str(part))
    return keys, line + 1
