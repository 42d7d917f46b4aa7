"""Write an experiment as a plain Keras program, which needs nothing of this package."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from fmnist_utils.models.keras_calls import layer_calls
from fmnist_utils.program.code_sections import (
    WIDTH,
    Names,
    Reasons,
    comment,
    compile_lines,
    evaluate_lines,
    fit_lines,
    images_lines,
    model_lines,
    split_lines,
)
from fmnist_utils.reports.claim import Assumption
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.text import key_text, listed, setting_name

#: Where a program tells of a setting, by how its path begins: the first that fits.
_PARTS = {
    "images": ("model.input_shape", "model.resize", "reading.normalisation", "reading.pixel",
               "reading.data"),
    "split": ("training.validation", "training.images", "reading.1 fold"),
    "model": ("model", "reading.initialiser", "reading.layers"),
    "compile": ("training.optimizer", "training.loss", "training.label_smoothing",
                "reading.defaults"),
    "fit": ("training", "reading.fill mode"),
    "evaluate": ("",),
}  # fmt: skip


class Program(str):
    """The text of a Python program, which a notebook shows highlighted."""

    __slots__ = ()

    def __repr__(self) -> str:  # noqa: D105
        return str(self)

    def _repr_markdown_(self) -> str:
        fence = "```"
        while fence in self:  # no comment may end the block
            fence += "`"
        return f"{fence}python\n{self}{fence}"


def keras_code(experiment: Experiment) -> Program:
    """Write an experiment as a complete program in plain Keras 3.

    It loads the data, builds the network, trains it by the report's protocol and evaluates it.
    Layers have the names of the report's table where there is one. A comment tells of each setting
    that the report leaves out.

    Parameters
    ----------
    experiment : Experiment
        One of a report, or a variant of one.

    Returns
    -------
    Program
        A `str`: print it, or write it to a file. A notebook shows it as highlighted code.

    Examples
    --------
    >>> program = fu.keras_code(experiment)
    >>> "model.fit(" in program, "fmnist_utils" in program
    (True, False)
    """
    base = _base(experiment)
    names = _layer_names(experiment, base)
    assumed = _assumed(experiment, base)
    why = _reasons(assumed, names)
    best = experiment.training.restores_best or any(
        item.setting == "reading.weights" and "best" in str(item.chosen) for item in assumed
    )
    parts = (
        images_lines(experiment, why),
        split_lines(experiment.training, why),
        model_lines(experiment, names, why),
        compile_lines(experiment.training, why),
        fit_lines(experiment, why, best),
        evaluate_lines(experiment.training, why),
    )
    body = "\n\n".join("\n".join(part) for part in parts)
    modules = {"numpy": "np", "tensorflow": "tf"}
    imports = [
        f"import {name} as {short}" for name, short in modules.items() if f"{short}." in body
    ]
    head = [
        *_title(experiment, base, names),
        "",
        "import keras",
        *imports,
        "from keras import layers",
        "from keras.datasets import fashion_mnist",
    ]
    return Program("\n".join([*head, "", body, ""]))


# --- what it says of the report ------------------------------------------------------------------


def _base(experiment: Experiment) -> Experiment:
    """Return the report's own experiment that a variant varies; of no variant, itself."""
    if experiment.variant_of is None or experiment.report not in list_reports():
        return experiment
    return load_report(experiment.report).experiments[experiment.variant_of]


def _title(experiment: Experiment, base: Experiment, names: Names) -> list[str]:
    whose = experiment.report
    if whose in list_reports():
        report = load_report(whose)
        whose = report.short_name + (f" ({report.year})" if report.year else "")
    told = [f"{experiment.title}: {experiment.id} of {whose}, in plain Keras 3."]
    old, new = base.settings, experiment.settings
    changed = _settings(((path, new[path]) for path in new if old.get(path) != new[path]), names)
    gone = [path for path in old if path not in new]
    # Early stopping has several settings, which may go together.
    whole = () if experiment.training.early_stopping else {p for p in gone if ".early_stop" in p}
    changed += ["no early stopping"] * bool(whole)
    changed += [f"no {key_text(path)}" for path in gone if path not in whole]
    if changed:
        told.append(f"It differs from {base.id}: {'; '.join(changed)}.")
    if experiment.precision != "float32":
        told.append(f"The book trains it in {experiment.precision}, this program in float32.")
    # What a report calls its models must not end the docstring.
    safe = (text.replace("\\", "\\\\").replace('"', "'") for text in told)
    first, *more = ("\n".join(textwrap.wrap(text, WIDTH - 6)) for text in safe)
    return [f'"""{first}', *(f"\n{text}" for text in more), '"""'] if more else [f'"""{first}"""']


def _settings(chosen: Iterable[tuple[str, Any]], names: Names) -> list[str]:
    """Write settings as ``dropout = 0.4 in Dropout1 and Dropout2``."""
    layers: dict[str, list[str]] = defaultdict(list)
    for path, value in chosen:
        layer = names.get(path)
        key = setting_name(path) if layer else key_text(path)
        layers[f"{key} = {value}"] += [layer] if layer else []
    return [text + (f" in {listed(where)}" if where else "") for text, where in layers.items()]


def _assumed(experiment: Experiment, base: Experiment) -> list[Assumption]:
    """Leave out what a variant sets otherwise than its experiment, and the precision.

    The program has that of Keras, which its first lines tell.
    """
    old, new = base.settings, experiment.settings
    kept = [item for item in base.assumed if item.setting != "precision"]
    return [item for item in kept if old.get(item.setting) == new.get(item.setting)]


def _reasons(assumed: Iterable[Assumption], names: Names) -> Reasons:
    """Write, for each part, a comment for all that is assumed for the same reason."""
    grouped: dict[tuple[str, str], list[tuple[str, Any]]] = defaultdict(list)
    for item in assumed:
        part = next(part for part, starts in _PARTS.items() if item.setting.startswith(starts))
        grouped[part, item.because].append((item.setting, item.chosen))
    told: dict[str, list[str]] = {part: [] for part in _PARTS}
    for (part, because), chosen in grouped.items():
        told[part] += comment(f"Assumed: {'; '.join(_settings(chosen, names))}. Why: {because}.")
    return told


def _layer_names(experiment: Experiment, base: Experiment) -> Names:
    """Name each layer as the report does, by our own name for it and by its settings.

    Where the report's table has other layers than the model, or a name that Keras does not take,
    ours are used.
    """
    calls = list(layer_calls(experiment.model))
    built = [("Input", "InputLayer")]
    built += [(name, call.function.removeprefix("layers.")) for name, call, _ in calls]
    printed = [(layer.name, layer.type) for layer in base.table.layers] if base.table else []
    if printed and printed[0][1] != "InputLayer":
        printed.insert(0, built[0])
    fits = [kind for _, kind in built] == [kind for _, kind in printed]
    distinct = len({name for name, _ in printed}) == len(printed)
    allowed = not any("/" in name or not name for name, _ in printed)  # by Keras
    chosen = printed if fits and distinct and allowed else built
    names = {ours: name for (ours, _), (name, _) in zip(built, chosen, strict=True)}
    return names | {path: names[name] for name, _, paths in calls for path in paths}
