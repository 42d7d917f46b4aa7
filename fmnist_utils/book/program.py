"""Write an experiment as a plain Keras program, which needs nothing of this package."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fmnist_utils.data.fashion_mnist import NUM_CLASSES, count
from fmnist_utils.models.calls import Call, as_python, layer_calls
from fmnist_utils.models.spec import CNN
from fmnist_utils.reports.claim import Assumption
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.protocol import (
    SPLIT_STREAM,
    Augmentation,
    EarlyStopping,
    Training,
    split_sizes,
)
from fmnist_utils.text import key_text, listed, setting_name
from fmnist_utils.training.optimizers import (
    loss_of,
    optimizer_call,
    plateau_call,
    stopping_call,
)

#: Characters of a line, where it can be broken.
WIDTH = 75

#: Where a program tells of a setting, by how its path begins: the first that fits.
_PARTS = {
    "images": ("model.input_shape", "model.resize", "reading.normalisation", "reading.pixel",
               "reading.data"),
    "split": ("training.validation", "training.images", "reading.1 fold"),
    "model": ("model", "reading.initialiser"),
    "compile": ("training.optimizer", "training.loss", "training.label_smoothing",
                "reading.defaults"),
    "fit": ("training", "reading.fill mode"),
    "evaluate": ("",),
}  # fmt: skip

#: What a layer is called, by our name for it and by the paths of its settings.
Names = Mapping[str, str]

#: Comments on what is assumed, by part.
Reasons = Mapping[str, list[str]]


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
        _images(experiment, why),
        _split(experiment.training, why),
        _model(experiment, names, why),
        _compile(experiment.training, why),
        _fit(experiment, why, best),
        _evaluate(experiment.training, why),
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
    # Early stopping has several settings; they go together.
    changed += ["no early stopping"] * any("early_stopping" in path for path in gone)
    changed += [f"no {key_text(path)}" for path in gone if "early_stopping" not in path]
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
    """Leave out what a variant sets otherwise than its experiment."""
    old, new = base.settings, experiment.settings
    return [item for item in base.assumed if old.get(item.setting) == new.get(item.setting)]


def _reasons(assumed: Iterable[Assumption], names: Names) -> Reasons:
    """Write, for each part, a comment for all that is assumed for the same reason."""
    grouped: dict[tuple[str, str], list[tuple[str, Any]]] = defaultdict(list)
    for item in assumed:
        part = next(part for part, starts in _PARTS.items() if item.setting.startswith(starts))
        grouped[part, item.because].append((item.setting, item.chosen))
    told: dict[str, list[str]] = {part: [] for part in _PARTS}
    for (part, because), chosen in grouped.items():
        told[part] += _comment(f"Assumed: {'; '.join(_settings(chosen, names))}. Why: {because}.")
    return told


def _comment(text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False, break_long_words=False)
    return [f"# {line}" for line in lines]


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


# --- its parts -----------------------------------------------------------------------------------


def _images(experiment: Experiment, why: Reasons) -> list[str]:
    shape = experiment.model.input_shape
    reshape = f".reshape(-1, {', '.join(map(str, shape))})" if shape != (28, 28) else ""
    lines = [
        "# The images, their grey levels from 0 to 1.",
        *why["images"],
        "(x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()",
        *_resized(experiment),
        f'x_train = x_train{reshape}.astype("float32") / 255',
        f'x_test = x_test{reshape}.astype("float32") / 255',
    ]
    if experiment.training.loss == "categorical_crossentropy":
        for part in ("train", "test"):
            lines.append(f"y_{part} = keras.utils.to_categorical(y_{part}, {NUM_CLASSES})")
    return lines


def _resized(experiment: Experiment) -> list[str]:
    shape, old = experiment.model.input_shape, count("image_height")
    resize = experiment.model.resize if isinstance(experiment.model, CNN) else None
    if resize is None or shape[0] == old:
        return []
    if resize == "pad":
        before = [(side - old) // 2 for side in shape[:2]]
        edges = tuple((n, side - old - n) for n, side in zip(before, shape, strict=False))
        return [
            f"border = {((0, 0), *edges)}  # of zeros, around each image",
            "x_train, x_test = np.pad(x_train, border), np.pad(x_test, border)",
        ]
    return [
        "",
        "",
        "def resized(images):",
        '    images = images[..., None].astype("float32")',
        f'    images = keras.ops.image.resize(images, {shape[:2]}, "bilinear")',
        "    return np.rint(keras.ops.convert_to_numpy(images))  # whole grey levels",
        "",
        "",
        "x_train, x_test = resized(x_train), resized(x_test)",
    ]


def _split(training: Training, why: Reasons) -> list[str]:
    sizes, take = split_sizes(training), training.validation.take
    held = sizes["validation"]
    if take == "none":
        told, lines = "No training image is held out, and no other is looked at.", []
    elif take == "test":
        told = "No training image is held out: the test images are looked at during training."
        lines = ["x_val, y_val = x_test, y_test"]
    elif take == "random":
        told = f"{held:,} training images are held out for validation, drawn at random."
        seed, lines = str(training.validation.seed), []
        if training.validation.drawn_by_run:
            told += " Each run of the book draws its own, by its seed."
            seed, lines = f"(seed, {SPLIT_STREAM})", ["seed = 1"]
        lines += [
            f"order = np.random.default_rng({seed}).permutation(len(x_train))",
            f"held_out, kept = np.sort(order[:{held}]), np.sort(order[{held}:])",
            "x_val, y_val = x_train[held_out], y_train[held_out]",
            "x_train, y_train = x_train[kept], y_train[kept]",
        ]
    else:
        told = f"The {take} {held:,} training images are held out for validation."
        out, kept = (f":{held}", f"{held}:") if take == "first" else (f"-{held}:", f":-{held}")
        lines = [
            f"x_val, y_val = x_train[{out}], y_train[{out}]",
            f"x_train, y_train = x_train[{kept}], y_train[{kept}]",
        ]
    if (images := training.images) is not None:
        others = "other " * training.validation.holds_out
        told += f" Of the {others}training images, the first {images:,} are trained on."
        lines.append(f"x_train, y_train = x_train[:{images}], y_train[:{images}]")
    return [*_comment(told), *why["split"], *lines]


def _model(experiment: Experiment, names: Names, why: Reasons) -> list[str]:
    calls = [Call("Input", (experiment.model.input_shape,), {"name": names["Input"]})]
    for name, call, _ in layer_calls(experiment.model):
        calls.append(call._replace(keywords={**call.keywords, "name": names[name]}))
    return [*why["model"], *_sequential("model", calls)]


def _sequential(name: str, calls: Iterable[Call | str]) -> list[str]:
    lines = (line for call in calls for line in _item(call))
    return [f"{name} = keras.Sequential(", "    [", *lines, "    ]", ")"]


def _item(call: Call | str, before: str = " " * 8) -> list[str]:
    """Write a call as an item of a list; its arguments on a line of their own where it is long."""
    line = f"{before}{call},"
    if isinstance(call, str) or len(line) <= WIDTH:
        return [line]
    function, _, _ = str(call).partition("(")
    indent = " " * (len(before) - len(before.lstrip()))
    together = f"{indent}    {', '.join(call.arguments)}"
    given = [("", value) for value in call.positional]
    given += [(f"{key}=", value) for key, value in call.keywords.items()]
    written = ((key, x if isinstance(x, Call) else as_python(x)) for key, x in given)
    apart = [line for key, x in written for line in _item(x, f"{indent}    {key}")]
    broken = [together] if len(together) <= WIDTH else apart
    return [f"{before}{function}(", *broken, f"{indent}),"]


def _compile(training: Training, why: Reasons) -> list[str]:
    return [
        *why["compile"],
        "model.compile(",
        *_item(optimizer_call(training.optimizer), "    optimizer="),
        f"    loss={as_python(loss_of(training))},",
        '    metrics=["accuracy"],',
        ")",
    ]


def _fit(experiment: Experiment, why: Reasons, best: bool) -> list[str]:
    training, lines = experiment.training, []
    images, validation, size = "x_train, y_train", "(x_val, y_val)", training.batch_size
    if spec := training.augmentation:
        lines = [*_augmentation(spec, experiment.model.input_shape, size), "", ""]
        images = "augmented(x_train, y_train)"
        validation = "augmented(x_val, y_val)" if spec.validation else validation
    watched = training.validation.take != "none"
    endless = best and not training.early_stopping
    return [
        *lines,
        "# No seed is set: every training gives other numbers.",
        *why["fit"],
        *(["# It never stops early, but goes back to the best epoch at the end."] * endless),
        "model.fit(",
        f"    {images},",
        *([f"    validation_data={validation},"] * watched),
        "    shuffle=False,  # it is done above" if spec else f"    batch_size={size},",
        f"    epochs={training.epochs},",
        *_callbacks(training, best),
        ")",
    ]


def _callbacks(training: Training, best: bool) -> list[str]:
    stopping, plateau, calls = training.early_stopping, training.reduce_lr_on_plateau, []
    if best and not stopping:
        stopping = EarlyStopping(monitor=training.monitor, patience=training.epochs)
    if stopping:
        restored = {"restore_best_weights": True} if best else {}
        calls.append(stopping_call(stopping.model_copy(update=restored)))
    if plateau:
        calls.append(plateau_call(plateau))
    lines = (line for call in calls for line in _item(call))
    return ["    callbacks=[", *lines, "    ],"] if calls else []


def _augmentation(spec: Augmentation, shape: Sequence[int], size: int) -> list[str]:
    moves = list(_moves(spec))
    told = "Images are moved at random."
    if sum("fill_mode" in call for call in moves) > 1:
        told += (
            " Each layer resamples them, which blurs; the book draws the same and resamples once."
        )
    if len(shape) < 3:  # the layers want an axis of channels
        moves = [f"layers.Reshape({(28, 28, 1)})", *moves, f"layers.Reshape({tuple(shape)})"]
    return [
        *_comment(told),
        *_sequential("augment", moves),
        "",
        "",
        "def augmented(x, y):",
        "    images = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x))",
        f"    batches = images.batch({size})",
        "    return batches.map(lambda x, y: (augment(x, training=True), y))",
    ]


def _moves(spec: Augmentation) -> Iterator[str]:
    """Write the layers in the order in which our augmenter moves."""
    fill = 'fill_mode="nearest"'
    if spec.rotation_degrees:
        yield f"layers.RandomRotation({spec.rotation_degrees:g} / 360, {fill})"
    if spec.shift:
        yield f"layers.RandomTranslation({spec.shift}, {spec.shift}, {fill})"
    if spec.shear_degrees:
        yield f"layers.RandomShear(np.tan(np.radians({spec.shear_degrees})), {fill})"
    if spec.zoom:
        yield f"layers.RandomZoom({spec.zoom}, {spec.zoom}, {fill})"
    for mode, used in (("horizontal", spec.horizontal_flip), ("vertical", spec.vertical_flip)):
        if used:
            yield f'layers.RandomFlip("{mode}")'


def _evaluate(training: Training, why: Reasons) -> list[str]:
    watched = training.validation.take != "none"
    return [
        *why["evaluate"],
        "parts = {",
        '    "training": (x_train, y_train),',
        *(['    "validation": (x_val, y_val),'] * watched),
        '    "test": (x_test, y_test),',
        "}",
        "for name, (x, y) in parts.items():",
        "    loss, accuracy = model.evaluate(x, y, verbose=0)",
        '    print(f"{name}: loss {loss:.4f}, accuracy {accuracy:.4f}")',
    ]
