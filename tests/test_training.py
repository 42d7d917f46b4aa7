"""The trainer: Keras semantics, step by step, on images few enough to train on in seconds."""

import datetime
import getpass
import importlib.util
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import DataError, FashionMNIST
from fmnist_utils.models.keras_import import BackendError
from fmnist_utils.models.spec import CNN, MLP, ConvBlock, DenseBlock
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.protocol import (
    Augmentation,
    EarlyStopping,
    Optimizer,
    Validation,
    split_rows,
)
from fmnist_utils.runs.pairing import nested
from fmnist_utils.runs.record import Method, Run, fingerprint
from fmnist_utils.training import train as training
from fmnist_utils.training.augment import Augmenter
from fmnist_utils.training.engines import Augmenters, LabelledImages, make_engine
from fmnist_utils.training.state import Progress, TrainingError, TrainingState
from fmnist_utils.training.train import _fit, compiled_model, split_parts, train

PLAIN = MLP(builder="mlp", hidden=(DenseBlock(units=8),))
DROPOUT = MLP(builder="mlp", hidden=(DenseBlock(units=32, dropout=0.6),))
PLAIN_FIT = Method(plain_fit=True)
CONVOLUTION = CNN(builder="cnn", conv=(ConvBlock(filters=2, kernel=3, pool=4),))


def tiny(model: Any = PLAIN, **protocol: Any) -> Experiment:
    """Return an experiment that trains in a blink."""
    experiment = load_report("baltzi")["mlp-1-hidden"]
    protocol = {"batch_size": 32, "epochs": 2, "early_stopping": None} | protocol
    spec = experiment.training.model_copy(update=protocol)
    return experiment.model_copy(update={"model": model, "training": spec})


def images_like(labels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Draw noise, brighter in the rows that belong to the label."""
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 120, (len(labels), 28, 28))
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 6] += 60
    return images.astype(np.uint8)


@pytest.fixture(scope="module")
def data() -> FashionMNIST:
    draw = np.random.default_rng(0)
    train_labels, test_labels = (draw.integers(10, size=n, dtype=np.uint8) for n in (600, 100))
    return FashionMNIST(
        images_like(train_labels, 1), train_labels, images_like(test_labels, 2), test_labels, "real"
    )


@pytest.fixture(scope="module")
def told() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def run(data: FashionMNIST, told: list[Progress]) -> Run:
    return train(tiny(DROPOUT, epochs=3), 1, data, told.append)


def evidence(run: Run) -> dict[str, Any]:
    return run.model_dump(exclude={"digest", "seconds_per_epoch", "seed"})


# --- a run ---------------------------------------------------------------------------------------


def test_same_seed_gives_the_same_run(data: FashionMNIST, run: Run) -> None:
    assert evidence(train(tiny(DROPOUT, epochs=3), 1, data)) == evidence(run)


def test_where_the_best_weights_are_restored_their_predictions_are_kept(
    data: FashionMNIST, run: Run
) -> None:
    assert run.best_predictions is None  # this protocol restores none
    stopping = EarlyStopping(
        monitor="val_loss", patience=2, min_delta=5.0, restore_best_weights=True
    )
    restored = train(tiny(DROPOUT, epochs=3, early_stopping=stopping), 1, data)
    assert restored.best.epoch == 1 < restored.epochs
    classes, percents = restored.at_best()
    assert restored.best.test.accuracy == np.mean(data.test_labels == classes)
    assert percents.shape == classes.shape and percents.min() >= 10
    assert not np.array_equal(classes, restored.predictions)


@pytest.mark.slow
def test_another_seed_gives_another_run(data: FashionMNIST, run: Run) -> None:
    other = train(tiny(DROPOUT, epochs=3), 2, data)
    for name, values in run.history.items():
        assert other.history[name] != values, name


def test_run_is_whole_and_agrees_with_itself(data: FashionMNIST, run: Run) -> None:
    assert run.is_intact and run.fingerprint == fingerprint(tiny(DROPOUT, epochs=3))
    assert run.images == {"train": 480, "validation": 120, "test": 100}
    assert {len(values) for values in run.history.values()} == {3} == {run.epochs}
    assert len(run.seconds_per_epoch) == 3 and min(run.seconds_per_epoch) > 0
    assert run.final.epoch == 3
    assert run.final.validation.accuracy == run.history["val_accuracy"][-1]
    assert run.final.validation.loss == pytest.approx(run.history["val_loss"][-1], abs=1e-5)
    correct = data.test_labels == run.predictions
    assert run.final.test.accuracy == np.mean(correct)
    assert np.trace(run.final.test_confusion) == correct.sum()
    assert np.sum(run.final.test_confusion) == 100
    assert run.confidences is not None
    assert run.confidences.shape == run.predictions.shape
    assert run.confidences.min() >= 10  # the most probable of ten classes


def test_best_is_the_first_best_validation_epoch(run: Run) -> None:
    curve = run.history["val_accuracy"]
    assert run.best.epoch == int(np.argmax(curve)) + 1
    assert run.best.validation.accuracy == max(curve)


def test_running_training_accuracy_is_not_the_evaluated_one(run: Run) -> None:
    # During the epoch dropout is on and the weights are still worse.
    assert run.history["loss"][-1] > run.final.train.loss
    assert run.history["accuracy"][-1] < run.final.train.accuracy


def test_every_epoch_is_told(run: Run, told: list[Progress]) -> None:
    assert [(epoch.epoch, epoch.epochs) for epoch in told] == [(1, 3), (2, 3), (3, 3)]
    for name, values in run.history.items():
        assert [epoch.metrics[name] for epoch in told] == pytest.approx(values, abs=1e-6)


def test_ctrl_c_ends_the_training_at_the_next_check_and_is_never_lost(data: FashionMNIST) -> None:
    """Even while TensorFlow traces a function, where it would become a TypeError."""
    timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train(tiny(epochs=100_000), 1, data)
    timer.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_interrupt_reaches_the_caller(data: FashionMNIST) -> None:
    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny(), 1, data, interrupt)


@pytest.mark.slow
def test_integer_labels_train_as_one_hot_labels_do(data: FashionMNIST, run: Run) -> None:
    sparse = tiny(DROPOUT, epochs=3, loss="sparse_categorical_crossentropy")
    for name, values in train(sparse, 1, data).history.items():
        assert values == pytest.approx(run.history[name], abs=1e-3), name


def test_provenance_is_filled_and_names_no_machine(run: Run) -> None:
    provenance = run.provenance
    assert provenance.backend == "tensorflow" and provenance.precision == "float32"
    assert {"python", "fmnist-utils", "keras", "tensorflow", "numpy"} == set(provenance.versions)
    assert all(re.match(r"\d+\.\d+", version) for version in provenance.versions.values())
    day = datetime.date.fromisoformat(provenance.date)
    assert abs(day - datetime.datetime.now(datetime.UTC).date()) <= datetime.timedelta(days=1)
    assert re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?|unknown", provenance.revision)
    assert provenance.device.strip()
    text = run.model_dump_json()
    places = (Path.cwd(), Path.home(), Path(training.__file__).parent, sys.prefix)
    for place in map(str, (*places, tempfile.gettempdir())):
        assert len(place) < 2 or place not in text
    for name in (socket.gethostname(), getpass.getuser()):
        assert f'"{name}"' not in text


# --- splits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "train_images"),
    [("mlp-baseline", 48_000), ("cnn-1-conv", 48_000), ("cnn-2-conv", 54_000)],
)
def test_parts_are_those_of_the_protocol_and_stay_bytes(name: str, train_images: int) -> None:
    order = np.arange(60_000)
    labels = (order % 10).astype(np.uint8)
    images = np.zeros((60_000, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = order // 256, order % 256
    data = FashionMNIST(images, labels, images[:10_000], labels[:10_000], "real")
    experiment = load_report("baltzi")[name]
    parts = split_parts(data, experiment.training, experiment.model.input_shape)
    sizes = {name: len(part.images) for name, part in parts.items()}
    assert sizes == {"train": train_images, "validation": 60_000 - train_images, "test": 10_000}
    for part in parts.values():
        assert part.images.dtype == np.uint8
        assert part.images.shape[1:] == experiment.model.input_shape
        assert part.labels.shape == (len(part.images), 10)
    flat = parts["validation"].images.reshape(-1, 784).astype(int)
    assert np.array_equal(flat[:, 0] * 256 + flat[:, 1], order[train_images:])
    assert np.array_equal(parts["validation"].labels.argmax(axis=1), labels[train_images:])


def test_random_split_is_the_same_for_every_seed(data: FashionMNIST) -> None:
    held_out = Validation(count=100, take="random", seed=5)
    spec = tiny(validation=held_out).training
    first, again = (split_parts(data, spec, (28, 28), seed=seed) for seed in (1, 2))
    assert len(first["validation"].images) == 100
    assert np.array_equal(first["validation"].images, again["validation"].images)


@given(
    share=st.one_of(st.fixed_dictionaries({"fraction": st.floats(0.01, 0.99)}),
                    st.fixed_dictionaries({"count": st.integers(1, 999)})),
    seeds=st.lists(st.integers(1, 2**31 - 1), min_size=2, max_size=2, unique=True),
    images=st.integers(1, 1_000),
)  # fmt: skip
def test_a_split_without_a_seed_is_drawn_by_the_run(
    share: dict[str, Any], seeds: list[int], images: int
) -> None:
    spec = tiny(validation=Validation(take="random", **share), images=images).training
    (train, held_out), again, (_, other) = (
        split_rows(spec, 1_000, seed) for seed in (seeds[0], *seeds)
    )
    assert held_out is not None and again[1] is not None and other is not None
    assert np.array_equal(train, again[0]) and np.array_equal(held_out, again[1])
    assert not set(train) & set(held_out) and len(train) == min(images, 1_000 - len(held_out))
    assert len(other) == len(held_out)
    if 50 < len(held_out) < 950:  # else two draws may be the same
        assert not np.array_equal(held_out, other)
    # Neither a fixed split nor the first order of images is drawn from the same stream.
    order = np.random.default_rng(seeds[0]).permutation(1_000)[: len(held_out)]
    if 50 < len(held_out) < 950:
        assert not np.array_equal(np.sort(order), held_out)
    with pytest.raises(DataError, match="give a seed"):
        split_rows(spec, 1_000)


@pytest.mark.slow
def test_runs_of_one_seed_share_their_split_and_those_of_two_do_not(data: FashionMNIST) -> None:
    drawn = tiny(validation=Validation(count=100, take="random"))
    longer = drawn.vary(epochs=drawn.training.epochs + 1)
    one, more, other = train(drawn, 1, data), train(longer, 1, data), train(drawn, 2, data)
    assert nested([one], [more]) and one.images == other.images
    n = one.epochs
    assert one.history["val_loss"][:n] == more.history["val_loss"][:n]
    # The same weights and order on other images: what differs is the split alone.
    fixed = drawn.vary({"training.validation.seed": 7})
    assert train(fixed, 1, data).history["val_loss"][0] != one.history["val_loss"][0]


# --- images of another size than the model takes -------------------------------------------------


def resized(
    data: FashionMNIST, how: Any, size: tuple[int, ...] = (32, 32, 1)
) -> dict[str, LabelledImages]:
    return split_parts(data, tiny().training, size, how)


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((32, 32, 1), slice(2, 30), slice(2, 30)),
        ((31, 28, 1), slice(1, 29), slice(0, 28)),  # an odd row more goes below
    ],
)
def test_padding_puts_the_image_in_the_middle_of_zeros(
    data: FashionMNIST, size: tuple[int, ...], rows: slice, columns: slice
) -> None:
    plain = split_parts(data, tiny().training, (28, 28, 1))
    for name, part in resized(data, "pad", size).items():
        assert part.images.dtype == np.uint8 and part.images.shape[1:] == size
        assert np.array_equal(part.images[:, rows, columns], plain[name].images)
        assert part.images.sum(dtype=int) == plain[name].images.sum(dtype=int)
        assert np.array_equal(part.labels, plain[name].labels)


def constant_images(grey: int) -> FashionMNIST:
    images = np.full((20, 28, 28), grey, np.uint8)
    labels = np.zeros(20, np.uint8)
    return FashionMNIST(images, labels, images, labels, "real")


@pytest.mark.parametrize("grey", [0, 1, 127, 254, 255])
@pytest.mark.parametrize("size", [(32, 32, 1), (33, 20, 1)])
def test_interpolation_leaves_a_constant_image_constant(grey: int, size: tuple[int, ...]) -> None:
    for part in resized(constant_images(grey), "bilinear", size).values():
        assert part.images.dtype == np.uint8 and part.images.shape[1:] == size
        assert (part.images == grey).all()


@pytest.mark.parametrize("size", [(32, 32, 1), (56, 30, 1), (28, 32, 1), (14, 56, 1)])
def test_interpolation_is_that_of_keras(data: FashionMNIST, size: tuple[int, ...]) -> None:
    from keras import ops

    ours = resized(data, "bilinear", size)["test"].images
    floats = data.test_images[..., None].astype(np.float32)
    theirs = ops.convert_to_numpy(ops.image.resize(floats, size[:2], interpolation="bilinear"))
    assert np.abs(ours - theirs).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("how", ["pad", "bilinear"])
def test_resizing_leaves_images_of_the_right_size_alone(data: FashionMNIST, how: str) -> None:
    parts = resized(data, how, (28, 28, 1))
    assert np.array_equal(parts["test"].images[..., 0], data.test_images)


@pytest.mark.parametrize(
    ("how", "size", "hint"),
    [
        (None, (32, 32, 1), "give it resize: pad or bilinear"),
        ("pad", (24, 32, 1), "resize: pad cannot do that"),
        ("bilinear", (32, 32, 3), "resize: bilinear cannot do that"),
        ("bilinear", (1024,), "resize: bilinear cannot do that"),
    ],
)
def test_size_that_images_cannot_be_brought_to_is_named(
    data: FashionMNIST, how: Any, size: tuple[int, ...], hint: str
) -> None:
    taken = " × ".join(map(str, size))
    sentence = rf"^The images are 28 × 28 pixels and the model takes {taken}: {hint}\.$"
    with pytest.raises(DataError, match=sentence):
        resized(data, how, size)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["pad", "bilinear"])
def test_a_model_for_larger_images_trains(data: FashionMNIST, how: str) -> None:
    model = CONVOLUTION.model_copy(update={"input_shape": (32, 32, 1), "resize": how})
    run = train(tiny(model), 1, data)
    assert run.epochs == 2 and run.fingerprint != fingerprint(tiny(CONVOLUTION))
    with pytest.raises(DataError, match="32 × 32 × 1"):
        train(tiny(model.model_copy(update={"resize": None})), 1, data)


# --- the engines ---------------------------------------------------------------------------------


class PlainKeras:
    """What the engines are held against: Keras' own `fit`, `evaluate` and `predict`."""

    def __init__(self, model: Any, parts: dict[str, LabelledImages], batch_size: int) -> None:
        self.model, self.batch_size = model, batch_size
        self.parts = {
            name: (part.images.astype(np.float32) / 255, part.labels)
            for name, part in parts.items()
        }

    def train_epoch(self, order: Any) -> dict[str, float]:
        ordered = [array[order] for array in self.parts["train"]]
        told = self.model.fit(*ordered, self.batch_size, shuffle=False, verbose=0)
        return {key: values[0] for key, values in told.history.items()}

    def evaluate(self, name: str) -> dict[str, float]:
        return dict(self.model.evaluate(*self.parts[name], verbose=0, return_dict=True))

    def predict(self, name: str) -> Any:
        return self.model.predict(self.parts[name][0], verbose=0)


def test_every_image_is_seen_once_per_epoch_and_the_last_batch_is_used() -> None:
    import keras

    images = 601  # 76 batches of 8: more than one call of the compiled graph, and a batch of one.

    class TimesSeen(keras.metrics.Metric):  # type: ignore[misc]
        """Counts how often each label was met; labels are unique here."""

        def __init__(self) -> None:
            super().__init__(name="accuracy")
            self.times = self.add_weight(shape=(images,), initializer="zeros")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            ids = keras.ops.cast(y_true[:, 0], "int32")
            self.times.assign(self.times + keras.ops.sum(keras.ops.one_hot(ids, images), axis=0))

        def result(self) -> Any:
            return keras.ops.sum(keras.ops.cast(self.times == 1, "float32"))

    ids = np.arange(images, dtype=np.float32)[:, None]
    part = LabelledImages(np.zeros((images, 2), np.uint8), ids)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", metrics=[TimesSeen()])
    engine = make_engine(model, {"train": part}, 8)
    for epoch in (1, 2):
        order = np.random.default_rng(epoch).permutation(images).astype(np.int32)
        assert engine.train_epoch(order)["accuracy"] == images
        assert int(model.optimizer.iterations) == epoch * 76
    assert engine.evaluate("train")["accuracy"] == images
    assert int(model.optimizer.iterations) == 2 * 76, "evaluation does not train"


@pytest.fixture(scope="module", params=[PLAIN, CONVOLUTION], ids=["mlp", "cnn"])
def both(request: pytest.FixtureRequest, data: FashionMNIST) -> Iterator[dict[str, Any]]:
    """Train two epochs with the engine and without, from the same weights, in the same order."""
    import keras

    experiment = tiny(request.param)
    parts = split_parts(data, experiment.training, experiment.model.input_shape)
    results = {}
    kinds: dict[str, Any] = {"compiled": make_engine, "plain": PlainKeras}
    for kind, made in kinds.items():
        keras.utils.set_random_seed(3)
        model = compiled_model(experiment, Method())
        engine = made(model, parts, 32)
        orders = [np.random.default_rng(i).permutation(480).astype(np.int32) for i in range(2)]
        results[kind] = {
            "epochs": [engine.train_epoch(order) for order in orders],
            "evaluated": {name: engine.evaluate(name) for name in parts},
            "predicted": engine.predict("test"),
            "model": model,
        }
    yield results


def test_compiled_epochs_are_plain_keras_epochs(both: dict[str, Any]) -> None:
    ours, plain = both["compiled"], both["plain"]
    for mine, theirs in zip(ours["epochs"], plain["epochs"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    for name in ("train", "validation", "test"):
        assert ours["evaluated"][name] == pytest.approx(plain["evaluated"][name], rel=1e-4)
    assert ours["predicted"] == pytest.approx(plain["predicted"], abs=1e-4)
    for mine, theirs in zip(ours["model"].get_weights(), plain["model"].get_weights(), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-4)


def test_evaluation_is_what_keras_evaluate_and_predict_say(
    both: dict[str, Any], data: FashionMNIST
) -> None:
    result = both["compiled"]
    model = result["model"]
    floats = (data.test_images / np.float32(255)).reshape(-1, *model.input_shape[1:])
    labels = np.eye(10, dtype=np.float32)[data.test_labels]
    theirs = model.evaluate(floats, labels, verbose=0, return_dict=True)
    assert result["evaluated"]["test"] == pytest.approx(theirs, rel=1e-5)
    assert result["predicted"] == pytest.approx(model.predict(floats, verbose=0), abs=1e-5)


def test_a_backend_without_compiled_epochs_is_one_sentence(
    data: FashionMNIST, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with pytest.raises(BackendError, match="not with torch: set KERAS_BACKEND=tensorflow"):
        make_engine(None, {}, 32)  # type: ignore[arg-type]


# --- early stopping ------------------------------------------------------------------------------


class Script:
    """An engine that plays back the validation metrics of a script, and a model to go with it.

    The only weight counts epochs, so that weights tell when they were taken.
    """

    def __init__(self, accuracies: list[float], losses: list[float]) -> None:
        self.validation = [
            {"loss": loss, "accuracy": accuracy}
            for loss, accuracy in zip(losses, accuracies, strict=True)
        ]
        self.orders: list[NDArray[np.int32]] = []

    def train_epoch(self, order: NDArray[np.int32]) -> dict[str, float]:
        self.orders.append(order)
        return {"loss": 1.0, "accuracy": 0.5}

    def evaluate(self, name: str) -> dict[str, float]:
        assert name == "validation"
        return self.validation[len(self.orders) - 1]

    def get_weights(self) -> list[NDArray[np.float32]]:
        return [np.array([len(self.orders)], np.float32)]


def play(script: Script, **protocol: Any) -> Any:
    spec = tiny(epochs=len(script.validation), **protocol).training
    state = TrainingState()
    _fit(script, script, spec, 50, 1, None, None, state)  # type: ignore[arg-type]
    return state


# Few different values, so that ties and plateaus are common; all exact in single precision.
eighths = st.integers(0, 8).map(lambda n: n / 8)


def series(values: st.SearchStrategy[float], epochs: int) -> st.SearchStrategy[list[float]]:
    return st.lists(values, min_size=epochs, max_size=epochs)


# A diverged training has no loss, but still an accuracy.
curves = st.integers(1, 25).flatmap(
    lambda n: st.tuples(series(eighths, n), series(eighths | st.just(math.nan), n))
)


@settings(max_examples=150)
@given(curves, st.sampled_from(["val_accuracy", "val_loss"]), st.integers(1, 6))
def test_training_stops_when_keras_early_stopping_does(
    curve: tuple[list[float], list[float]], monitor: str, patience: int
) -> None:
    from keras.callbacks import EarlyStopping as KerasEarlyStopping

    accuracies, losses = curve
    fitted = play(
        Script(accuracies, losses),
        early_stopping=EarlyStopping(monitor=monitor, patience=patience),  # type: ignore[arg-type]
    )

    class Model:
        stop_training = False

        def get_weights(self) -> list[Any]:
            return []

    callback = KerasEarlyStopping(
        monitor=monitor,
        patience=patience,
        mode="max" if monitor == "val_accuracy" else "min",
        restore_best_weights=True,
    )
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    epoch = 0
    for epoch, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True)):
        callback.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": loss})
        if model.stop_training:
            break
    assert fitted.epochs == epoch + 1
    assert fitted.best_epoch == callback.best_epoch + 1
    assert fitted.best_weights[0][0] == fitted.best_epoch
    assert fitted.history["val_loss"] == losses[: epoch + 1]


@given(curves)
def test_without_early_stopping_all_epochs_run_and_the_first_best_is_kept(
    curve: tuple[list[float], list[float]],
) -> None:
    accuracies, losses = curve
    fitted = play(Script(accuracies, losses))
    assert fitted.epochs == len(accuracies)
    assert fitted.best_epoch == int(np.argmax(accuracies)) + 1
    assert fitted.best_weights[0][0] == fitted.best_epoch


def test_each_epoch_has_its_own_order_of_all_images() -> None:
    script = Script([0.5] * 4, [1.0] * 4)
    play(script)
    for order in script.orders:
        assert np.array_equal(np.sort(order), np.arange(50))
    assert len({tuple(order) for order in script.orders}) == 4


def test_early_stopping_ends_a_real_training_that_has_learnt(data: FashionMNIST) -> None:
    stopping = EarlyStopping(monitor="val_accuracy", patience=2)
    protocol = {"epochs": 60, "batch_size": 8, "early_stopping": stopping}
    run = train(tiny(MLP(builder="mlp"), **protocol), 1, data)
    assert run.final.test.accuracy > 0.5, "ten classes: chance is 0.1"
    assert run.epochs < 60
    assert run.best.epoch == run.epochs - 2 == int(np.argmax(run.history["val_accuracy"])) + 1
    assert run.best.validation.accuracy == max(run.history["val_accuracy"])
    assert run.best.train != run.final.train


# --- augmentation -------------------------------------------------------------------------------


class Marked:
    """Replace the images of a batch by one grey, so that a model can tell they came this way."""

    def __init__(self, grey: float) -> None:
        self.grey = grey

    def __call__(self, images: Any) -> Any:
        return images * 0 + self.grey


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_augmentation_reaches_training_and_validation_batches_alone() -> None:
    import keras

    class Brightness(keras.metrics.Mean):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="accuracy")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            super().update_state(y_pred)

    part = LabelledImages(np.full((10, 1), 51, np.uint8), np.zeros((10, 1), np.float32))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
    model.compile(optimizer="sgd", loss="mse", metrics=[Brightness()])
    marks = Augmenters(train=Marked(0.5), validation=Marked(0.75))
    parts = dict.fromkeys(("train", "validation", "test"), part)
    engine = make_engine(model, parts, 4, augmenters=marks)
    order = np.arange(10, dtype=np.int32)
    assert engine.train_epoch(order)["accuracy"] == pytest.approx(0.5)
    seen = {name: engine.evaluate(name)["accuracy"] for name in parts}
    assert seen == pytest.approx({"train": 0.2, "validation": 0.75, "test": 0.2})
    assert engine.predict("validation") == pytest.approx(0.2)


def test_each_batch_is_moved_anew_by_the_draws_that_are_next() -> None:
    images = np.arange(10 * 28 * 28, dtype=np.uint32).reshape(10, 28, 28, 1).astype(np.uint8)
    part = LabelledImages(images, np.eye(10, dtype=np.float32))
    spec = Augmentation(rotation_degrees=10, zoom=0.1, horizontal_flip=True)
    used, alone = Augmenter(spec, 3), Augmenter(spec, 3)
    model = compiled_model(tiny(CONVOLUTION), Method())
    engine = make_engine(model, {"train": part}, 4, augmenters=Augmenters(train=used))
    engine.train_epoch(np.arange(10, dtype=np.int32))
    for size in (4, 4, 2):
        alone(images[:size] / np.float32(255))
    for one, other in zip(used.variables, alone.variables, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.slow
def test_augmented_training_repeats_itself_and_differs_from_plain(data: FashionMNIST) -> None:
    moved = tiny(CONVOLUTION, augmentation=Augmentation(rotation_degrees=10, shift=0.1))
    first, again = (train(moved, 1, data) for _ in range(2))
    assert evidence(first) == evidence(again)
    plain = train(tiny(CONVOLUTION), 1, data)
    assert first.history["loss"] != plain.history["loss"]
    assert first.fingerprint != plain.fingerprint


# --- the optimizer, and bfloat16 ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"name": "sgd", "momentum": 0.9, "nesterov": True}, "SGD"),
        ({"name": "rmsprop", "momentum": 0.5}, "RMSprop"),
        ({"name": "adam", "weight_decay": 0.01}, "Adam"),
        ({"name": "adamw", "weight_decay": 0.01}, "AdamW"),
        ({"name": "adamw"}, "AdamW"),
        ({"name": "nadam"}, "Nadam"),
        ({"name": "adagrad"}, "Adagrad"),
    ],
    ids=repr,
)
def test_every_optimizer_is_keras_own_with_its_settings(
    settings: dict[str, Any], kind: str, data: FashionMNIST
) -> None:
    spec = Optimizer(learning_rate=0.05, **settings)
    optimizer = compiled_model(tiny(optimizer=spec), Method()).optimizer
    assert type(optimizer).__name__ == kind
    config = optimizer.get_config()
    assert config["learning_rate"] == pytest.approx(0.05)
    assert {key: config[key] for key in settings if key != "name"} == pytest.approx(
        {key: value for key, value in settings.items() if key != "name"}
    )
    if kind == "AdamW" and "weight_decay" not in settings:
        assert config["weight_decay"] == 0.004, "what is not named stays at the Keras default"
    run = train(tiny(optimizer=spec, epochs=3), 1, data)
    assert run.history["loss"][-1] < run.history["loss"][0]


@pytest.mark.slow
def test_smoothed_labels_cost_what_keras_says(data: FashionMNIST) -> None:
    plain, smooth = (train(tiny(label_smoothing=value, epochs=1), 1, data) for value in (None, 0.2))
    assert smooth.final.test.loss > plain.final.test.loss
    loss = compiled_model(tiny(label_smoothing=0.2), Method()).loss
    assert loss.get_config()["label_smoothing"] == 0.2
    assert compiled_model(tiny(), Method()).loss == "categorical_crossentropy"


def test_fused_adam_takes_the_steps_that_keras_adam_takes(data: FashionMNIST) -> None:
    import keras

    models = [compiled_model(tiny(PLAIN), Method()) for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    models[1].compile(
        keras.optimizers.Adam(0.001), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    assert type(models[0].optimizer) is not keras.optimizers.Adam
    images = data.train_images[:64] / np.float32(255)
    labels = np.eye(10)[data.train_labels[:64]]
    for _ in range(20):
        losses = [model.train_on_batch(images, labels)[0] for model in models]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert int(models[0].optimizer.iterations) == 20
    for ours, theirs in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("model", [DROPOUT, CONVOLUTION], ids=["dense", "convolution"])
def test_bfloat16_computes_in_it_and_keeps_variables_and_output_in_float32(
    model: Any, data: FashionMNIST
) -> None:
    import keras

    built = compiled_model(tiny(model), Method("mixed_bfloat16"))
    inner = [layer for layer in built.layers if layer.weights and layer.name != "Output"]
    assert {layer.compute_dtype for layer in inner} <= {"bfloat16"}
    assert {weight.dtype for weight in built.weights} == {"float32"}
    assert built.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32", "the policy is put back"
    run = train(tiny(model), 1, data, method=Method("mixed_bfloat16"))
    assert run.provenance.precision == "mixed_bfloat16"
    assert run.fingerprint == fingerprint(tiny(model)), "the experiment is the same"
    plain = train(tiny(model), 1, data)
    assert run.history["loss"] != plain.history["loss"]
    assert run.history["loss"] == pytest.approx(plain.history["loss"], rel=0.05)


# --- another backend -----------------------------------------------------------------------------


NEEDS_JAX = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs jax: the jax extra"
)
NORMALISED = CNN(builder="cnn", conv=(ConvBlock(filters=2, kernel=3, batch_norm=True, pool=4),))


def on_jax(*command: str) -> str:
    """Run Python in a process whose Keras computes with JAX; return what it prints."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=Path(__file__).parent,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def few_images() -> FashionMNIST:
    labels = np.tile(np.arange(10, dtype=np.uint8), 20)
    images = images_like(labels, 1)
    return FashionMNIST(images, labels, images[:50], labels[:50], "real")


def two_epochs(weights: Path) -> str:
    """Train two epochs from the weights in a file, which is made where there is none: as JSON."""
    import keras

    experiment = tiny(NORMALISED)
    parts = split_parts(few_images(), experiment.training, experiment.model.input_shape)
    model = compiled_model(experiment, Method())
    if not weights.exists():
        np.savez(weights, *model.get_weights())
    with np.load(weights) as stored:
        model.set_weights([stored[name] for name in stored.files])
    engine = make_engine(model, parts, 32)
    assert type(engine).__name__.lower() == f"{keras.backend.backend()}engine"
    orders = [np.random.default_rng(i).permutation(160).astype(np.int32) for i in range(2)]
    epochs = [engine.train_epoch(order) for order in orders]
    found = [*epochs, *(engine.evaluate(name) for name in parts)]
    return json.dumps({"found": found, "predicted": engine.predict("test").tolist()})


@NEEDS_JAX
@pytest.mark.slow
def test_jax_trains_as_tensorflow_does_from_the_same_weights(tmp_path: Path) -> None:
    weights = tmp_path / "weights.npz"
    ours = json.loads(two_epochs(weights))
    code = "import pathlib, sys, test_training as t; print(t.two_epochs(pathlib.Path(sys.argv[1])))"
    theirs = json.loads(on_jax("-c", code, str(weights)))
    for one, other in zip(ours["found"], theirs["found"], strict=True):
        assert one == pytest.approx(other, rel=1e-3)
    np.testing.assert_allclose(ours["predicted"], theirs["predicted"], atol=1e-3)


@NEEDS_JAX
@pytest.mark.slow
def test_the_engine_of_jax_passes_the_tests_of_engines() -> None:
    names = (
        "every_image_is_seen", "compiled_epochs", "evaluation_is_what", "augmentation_reaches",
        "augmented_training_repeats", "each_batch_is_moved_anew", "not_been_stopped",
    )  # fmt: skip
    files = ("test_training.py", "test_checkpoints.py")
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *files)
    printed = on_jax(*command, "-k", " or ".join(names))
    assert "12 passed" in printed and "failed" not in printed and "skipped" not in printed


@NEEDS_JAX
@pytest.mark.slow
def test_jax_trains_too_and_repeats_itself() -> None:
    code = (
        "from test_training import DROPOUT, few_images, tiny, train\n"
        "for _ in range(2):\n"
        "    print(train(tiny(DROPOUT), 1, few_images()).model_dump_json())\n"
    )
    first, again = (Run.model_validate_json(line) for line in on_jax("-c", code).splitlines())
    assert first.provenance.backend == "jax" and "jax" in first.provenance.versions
    assert evidence(first) == evidence(again)
    assert json.loads(first.model_dump_json())["images"]["validation"] == 40


# --- Keras' own fit, which the trainer is held against --------------------------------------------


def test_plain_fit_is_keras_own_training(data: FashionMNIST) -> None:
    import keras

    experiment = tiny(epochs=3)
    run = train(experiment, 5, data, method=PLAIN_FIT)
    parts = split_parts(data, experiment.training, experiment.model.input_shape)
    keras.utils.set_random_seed(5)
    model = experiment.build()
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    x, y, held_out_x, held_out_y = (
        array
        for name in ("train", "validation")
        for array in (parts[name].images / np.float32(255), parts[name].labels)
    )
    history = model.fit(
        x, y, validation_data=(held_out_x, held_out_y), batch_size=32, epochs=3, verbose=0
    ).history
    assert {key: list(values) for key, values in run.history.items()} == {
        key: pytest.approx(values, abs=1e-6) for key, values in history.items()
    }
    assert run.provenance.method == PLAIN_FIT
    assert run.fingerprint == fingerprint(experiment), "the experiment is the same"


@pytest.mark.slow
def test_plain_fit_keeps_the_best_epoch_and_stops_early(data: FashionMNIST) -> None:
    stopping = EarlyStopping(monitor="val_accuracy", patience=2)
    protocol = {"epochs": 60, "batch_size": 8, "early_stopping": stopping}
    told: list[int] = []
    run = train(
        tiny(MLP(builder="mlp"), **protocol),
        1,
        data,
        lambda progress: told.append(progress.epoch),
        method=PLAIN_FIT,
    )
    assert told == list(range(1, run.epochs + 1)) and run.epochs < 60
    assert run.best.epoch == run.epochs - 2 == int(np.argmax(run.history["val_accuracy"])) + 1
    assert run.best.validation.accuracy == pytest.approx(max(run.history["val_accuracy"]))


@pytest.mark.slow
@pytest.mark.parametrize("unseeded", [False, True])
def test_a_global_seed_freezes_the_order_of_plain_fit(
    data: FashionMNIST, monkeypatch: pytest.MonkeyPatch, unseeded: bool
) -> None:
    """Why the reports' own way, without a seed, is what our trainer is held against."""
    import keras

    batches: list[bytes] = []
    plain = compiled_model

    def watched(*arguments: Any) -> keras.Model:
        model = plain(*arguments)
        step = model.train_step
        model.run_eagerly = True
        model.train_step = lambda batch: batches.append(batch[0].numpy().tobytes()) or step(batch)
        return model

    monkeypatch.setattr(training, "compiled_model", watched)
    method = Method(plain_fit=True, unseeded=unseeded)
    run = train(tiny(batch_size=400), 1, data, method=method)
    half = len(batches) // 2
    assert (batches[:half] == batches[half:]) == (not unseeded)
    assert run.provenance.method == method


def test_plain_fit_refuses_what_it_cannot_do(data: FashionMNIST) -> None:
    with pytest.raises(TrainingError, match="no augmentation"):
        train(tiny(augmentation=Augmentation(zoom=0.1)), 1, data, method=PLAIN_FIT)


def test_many_trainings_in_a_row_are_not_warned_about(data: FashionMNIST) -> None:
    import logging

    import tensorflow as tf

    def trace_often() -> None:
        @tf.function  # type: ignore[untyped-decorator]
        def traced_for_each_number(number: int) -> int:
            return number

        for number in range(8):
            traced_for_each_number(number)

    told: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = told.append  # type: ignore[method-assign]
    logger = tf.get_logger()
    filters = logger.filters[:]
    logger.addHandler(handler)
    try:
        logger.filters.clear()
        trace_often()
        assert "triggered tf.function retracing" in told.pop().getMessage()
        told.clear()
        parts = split_parts(data, tiny().training, tiny().model.input_shape)
        make_engine(compiled_model(tiny(), Method()), parts, batch_size=32)
        trace_often()
        logger.warning("another warning")
    finally:
        logger.removeHandler(handler)
        logger.filters[:] = filters
    assert [record.getMessage() for record in told] == ["another warning"]
