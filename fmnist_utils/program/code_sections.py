"""The parts of a Keras program, each as lines of code with what is assumed in comments."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fmnist_utils.data.fashion_mnist import NUM_CLASSES, count
from fmnist_utils.models.keras_calls import Call, as_python, layer_calls
from fmnist_utils.models.spec import CNN
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import (
    SPLIT_STREAM,
    Augmentation,
    EarlyStopping,
    Training,
    split_sizes,
)
from fmnist_utils.training.optimizers import (
    loss_of,
    optimizer_call,
    plateau_call,
    stopping_call,
)

#: Characters of a line, where it can be broken.
WIDTH = 75

#: What a layer is called, by our name for it and by the paths of its settings.
Names = Mapping[str, str]

#: Comments on what is assumed, by part.
Reasons = Mapping[str, list[str]]


def comment(text: str) -> list[str]:
    """Wrap a text as a comment."""
    lines = textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False, break_long_words=False)
    return [f"# {line}" for line in lines]


def images_lines(experiment: Experiment, why: Reasons) -> list[str]:
    """Load the images, as the network takes them.

    Parameters
    ----------
    experiment : Experiment
        Whose network says the shape.
    why : Reasons
        Comments on what is assumed.
    """
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
    if resize is None or shape[:2] == (old, old):
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


def split_lines(training: Training, why: Reasons) -> list[str]:
    """Hold images out, as the protocol does.

    Parameters
    ----------
    training : Training
        The protocol.
    why : Reasons
        Comments on what is assumed.
    """
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
    return [*comment(told), *why["split"], *lines]


def model_lines(experiment: Experiment, names: Names, why: Reasons) -> list[str]:
    """Build the network.

    Parameters
    ----------
    experiment : Experiment
        Whose network.
    names : Names
        Our name of a layer to the one that the program gives it.
    why : Reasons
        Comments on what is assumed.
    """
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


def compile_lines(training: Training, why: Reasons) -> list[str]:
    """Name optimizer and loss.

    Parameters
    ----------
    training : Training
        The protocol.
    why : Reasons
        Comments on what is assumed.
    """
    return [
        *why["compile"],
        "model.compile(",
        *_item(optimizer_call(training.optimizer), "    optimizer="),
        f"    loss={as_python(loss_of(training))},",
        '    metrics=["accuracy"],',
        ")",
    ]


def fit_lines(experiment: Experiment, why: Reasons, best: bool) -> list[str]:
    """Train.

    Parameters
    ----------
    experiment : Experiment
        Whose protocol; its network says how images are augmented.
    why : Reasons
        Comments on what is assumed.
    best : bool
        Whether to go back to the best epoch at the end.
    """
    training, lines = experiment.training, []
    images, validation, size = "x_train, y_train", "(x_val, y_val)", training.batch_size
    if (spec := training.augmentation) and any(_moves(spec)):
        lines = [*_augmentation(spec, experiment.model.input_shape, size), "", ""]
        images = "augmented(x_train, y_train)"
        validation = "augmented(x_val, y_val)" if spec.validation else validation
    watched = training.validation.take != "none"
    endless = best and not training.early_stopping
    drawn = training.validation.drawn_by_run
    seeded = "The seed draws nothing but the split" if drawn else "No seed is set"
    return [
        *lines,
        f"# {seeded}: every training gives other numbers.",
        *why["fit"],
        *(["# It never stops early, but goes back to the best epoch at the end."] * endless),
        "model.fit(",
        f"    {images},",
        *([f"    validation_data={validation},"] * watched),
        "    shuffle=False,  # it is done above" if lines else f"    batch_size={size},",
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
        *comment(told),
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


def evaluate_lines(training: Training, why: Reasons) -> list[str]:
    """Print loss and accuracy of each part of the images.

    Parameters
    ----------
    training : Training
        The protocol, which says whether there is a validation set.
    why : Reasons
        Comments on what is assumed.
    """
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
