"""Train one experiment with one seed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.data.inputs import Resize, input_images, one_hot
from fmnist_utils.models.keras_import import import_keras
from fmnist_utils.models.spec import CNN
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import Augmentation, Training, split_rows
from fmnist_utils.runs.packing import pack_confidences, pack_predictions
from fmnist_utils.runs.record import Evaluation, Method, Run, Snapshot, confusion, fingerprint
from fmnist_utils.training.augment import Augmenter
from fmnist_utils.training.checkpoint import Checkpoint
from fmnist_utils.training.engines import Augmenters, Engine, LabelledImages, make_engine
from fmnist_utils.training.interrupts import ctrl_c_at_checks
from fmnist_utils.training.keras_fit import _plain_fit
from fmnist_utils.training.optimizers import (
    keras_optimizer,
    loss_of,
    make_optimizer,
    plateau_call,
)
from fmnist_utils.training.provenance import provenance_of
from fmnist_utils.training.state import Progress, TrainingState

if TYPE_CHECKING:
    import keras


def train(
    experiment: Experiment,
    seed: int,
    data: FashionMNIST,
    on_epoch: Callable[[Progress], None] | None = None,
    *,
    method: Method | None = None,
    checkpoint: Checkpoint | None = None,
    on_check: Callable[[], None] | None = None,
) -> Run:
    """Train an experiment once, by its own protocol.

    Parameters
    ----------
    experiment : Experiment
        What to train.
    seed : int
        Seeds weight initialisation, dropout and shuffling, and the split where the protocol leaves
        that to the run; the same seed on the same machine, with
        the same library versions and as many threads, gives the same history.
    data : FashionMNIST
        The images; uint8 until a batch needs floats.
    on_epoch : callable, optional
        Told of every finished epoch.
    method : Method, optional
        Precision and trainer; by default as the book trains the experiment.
    checkpoint : Checkpoint, optional
        Where to keep what is trained so far, and to go on from: with the same result as without a
        break. Plain fit takes none.
    on_check : callable, optional
        Called about once a second, between two batches; what it raises ends the training.

    Returns
    -------
    Run
        With history, evaluations of the last and of the best validation epoch, predictions and
        provenance; not yet written anywhere.

    Raises
    ------
    DataError
        When the images do not fit the model.
    TrainingError
        When plain fit is asked to augment.
    BackendError
        When Keras or its backend cannot be imported.
    CheckpointError
        When the checkpoint cannot be written.
    KeyboardInterrupt
        After Ctrl-C, between two batches; the checkpoint keeps what it has.
    """
    method = method or Method.of(experiment)
    identity = fingerprint(experiment, data.fingerprint)
    with ctrl_c_at_checks(on_check) as check:
        keras = import_keras()
        provenance = provenance_of(method)
        environment = provenance.model_dump(exclude={"date", "revision"})
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        spec = experiment.training
        model = compiled_model(experiment, method)
        resize = experiment.model.resize if isinstance(experiment.model, CNN) else None
        parts = split_parts(data, spec, experiment.model.input_shape, resize, seed)
        augmenters = _augmenters(spec.augmentation, seed)
        engine = make_engine(model, parts, spec.batch_size, check, augmenters)
        if method.plain_fit:
            if method.unseeded and keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                tf.random.set_seed(None)  # the weights are drawn; only the order is left to chance
            state = _plain_fit(model, parts, spec, check, on_epoch)
        else:
            training_id = {"seed": seed, "of": identity, "by": environment}
            resumable = (
                _Resumable.of(checkpoint, model, augmenters, training_id) if checkpoint else None
            )
            images = parts["train"].labels.shape[0]
            state = (resumable and resumable.load()) or TrainingState()
            if not provenance.is_committed:
                state.uncommitted = provenance.revision
            _fit(model, engine, spec, images, seed, on_epoch, resumable, state)
            revision = state.uncommitted or provenance.revision
            provenance = provenance.model_copy(update={"revision": revision})
        final, probabilities = _snapshot(engine, state.epochs, data.test_labels)
        best, kept = final, {}
        if state.best_epoch != state.epochs:
            model.set_weights(state.best_weights)
            best, then = _snapshot(engine, state.best_epoch, data.test_labels)
            if spec.restores_best:
                kept = _packed("best", then)
    return Run(
        report=experiment.report,
        experiment=experiment.id,
        seed=seed,
        fingerprint=identity,
        images={name: int(part.labels.shape[0]) for name, part in parts.items()},
        history={key: tuple(map(_short, values)) for key, values in state.history.items()},
        final=final,
        best=best,
        **_packed("test", probabilities),
        **kept,
        seconds_per_epoch=tuple(round(seconds, 3) for seconds in state.seconds),
        provenance=provenance,
    ).with_digest()


def compiled_model(experiment: Experiment, method: Method) -> keras.Model:
    """Build the experiment's model and compile it with the experiment's optimizer and loss.

    Variables, loss and output stay float32 in either precision.

    Parameters
    ----------
    experiment : Experiment
        Its network, optimizer and loss.
    method : Method
        Says in which precision layers compute, and whether Keras' own optimizer is used.
    """
    keras = import_keras()
    spec = experiment.training
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(method.precision)
    try:
        model = experiment.build(plain=method.plain_fit)
    finally:
        keras.config.set_dtype_policy(before)
    optimizer = (keras_optimizer if method.plain_fit else make_optimizer)(spec.optimizer)
    loss = loss_of(spec)
    loss = loss if isinstance(loss, str) else loss.make(keras)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model


def _augmenters(spec: Augmentation | None, seed: int) -> Augmenters:
    """Build the augmenters of a protocol, with streams of their own for training and validation."""
    if spec is None:
        return Augmenters()
    return Augmenters(
        train=Augmenter(spec, 2 * seed),
        validation=Augmenter(spec, 2 * seed + 1) if spec.validation else None,
    )


def split_parts(
    data: FashionMNIST,
    spec: Training,
    input_shape: tuple[int, ...],
    resize: Resize | None = None,
    seed: int | None = None,
) -> dict[str, LabelledImages]:
    """Split the images as the protocol says, shaped for the model: train, validation, test.

    Parameters
    ----------
    data : FashionMNIST
        All images.
    spec : Training
        The protocol.
    input_shape : tuple of int
        Shape of one image as the model takes it.
    resize : {"pad", "bilinear"}, optional
        How images get another size; see `input_images`.
    seed : int, optional
        Of the run; needed where each run draws a split of its own.

    Raises
    ------
    DataError
        When the images have another size than the model takes, and `resize` does not help; when a
        split is to be drawn without a seed.
    """
    train, validation = split_rows(spec, len(data.train_labels), seed)
    sparse = spec.loss == "sparse_categorical_crossentropy"

    def part(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> LabelledImages:
        shaped = input_images(images, input_shape, resize)
        return LabelledImages(shaped, labels.astype(np.int32) if sparse else one_hot(labels))

    test = part(data.test_images, data.test_labels)
    return {
        "train": part(data.train_images[train], data.train_labels[train]),
        "validation": test
        if validation is None
        else part(data.train_images[validation], data.train_labels[validation]),
        "test": test,
    }


def _fit(
    model: keras.Model,
    engine: Engine,
    spec: Training,
    images: int,
    seed: int,
    on_epoch: Callable[[Progress], None] | None,
    resumable: _Resumable | None,
    state: TrainingState,
) -> None:
    """Run the epochs; stop as ``keras.callbacks.EarlyStopping`` would, keeping both weights."""
    shuffle = np.random.default_rng(seed)
    for _ in range(state.epochs):
        shuffle.permutation(images)
    stopping, plateau = spec.early_stopping, _plateau(model, spec, state)
    for epoch in range(state.epochs + 1, spec.epochs + 1):
        start = time.perf_counter()
        metrics = engine.train_epoch(shuffle.permutation(images).astype(np.int32))
        metrics |= {f"val_{key}": value for key, value in engine.evaluate("validation").items()}
        state.add(metrics, time.perf_counter() - start, spec, model.get_weights)
        if plateau:
            plateau.on_epoch_end(epoch - 1, dict(metrics))
        if on_epoch is not None:
            on_epoch(Progress(epoch, spec.epochs, metrics, state.seconds[-1]))
        if stopping and epoch - state.best_epoch >= stopping.patience:
            break
        if resumable:
            resumable.save(state)


def _plateau(model: keras.Model, spec: Training, state: TrainingState) -> Any:
    """Return Keras' callback that lowers the learning rate, as it stands by now; or None.

    What it has counted is in no checkpoint: it is told of the past again.
    """
    if spec.reduce_lr_on_plateau is None:
        return None
    rule = spec.reduce_lr_on_plateau
    # Keras would tell from the metrics of `fit`, which is not called.
    mode = "max" if rule.monitor.endswith("accuracy") else "min"
    callback = plateau_call(rule).make(import_keras(), mode=mode)
    callback.set_model(model)
    callback.on_train_begin()
    model.optimizer.learning_rate = spec.optimizer.learning_rate
    for epoch in range(state.epochs):
        past = {name: values[epoch] for name, values in state.history.items()}
        callback.on_epoch_end(epoch, past)
    return callback


class _Resumable(NamedTuple):
    """A checkpoint with what is kept in it."""

    checkpoint: Checkpoint
    training_id: dict[str, Any]
    variables: list[Any]

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, model: keras.Model, augmenters: Augmenters, training_id: Any
    ) -> _Resumable:
        model.optimizer.build(model.trainable_variables)
        drawing = [each.variables for each in augmenters if isinstance(each, Augmenter)]
        variables = [*model.variables, *model.optimizer.variables, *itertools.chain(*drawing)]
        return cls(checkpoint, training_id, variables)

    def load(self) -> TrainingState | None:
        return self.checkpoint.load(self.training_id, self.variables)

    def save(self, state: TrainingState) -> None:
        self.checkpoint.save(self.training_id, state, self.variables)


def _snapshot(
    engine: Engine, epoch: int, test_labels: NDArray[np.uint8]
) -> tuple[Snapshot, NDArray[np.float32]]:
    """Evaluate the weights as they are on every split; also return the test probabilities."""
    parts = {
        name: Evaluation(**{key: _short(value) for key, value in engine.evaluate(name).items()})
        for name in ("train", "validation", "test")
    }
    probabilities = engine.predict("test")
    classes = probabilities.argmax(axis=1).astype(np.uint8)
    counts = tuple(tuple(map(int, row)) for row in confusion(test_labels, classes))
    return Snapshot(epoch=epoch, **parts, test_confusion=counts), probabilities


def _packed(name: str, probabilities: NDArray[np.float32]) -> dict[str, str]:
    """Pack what is predicted, and how sure the model is of it, as two fields of a record."""
    classes = probabilities.argmax(axis=1).astype(np.uint8)
    return {
        f"{name}_predictions": pack_predictions(classes),
        f"{name}_confidences": pack_confidences(probabilities.max(axis=1)),
    }


def _short(value: float) -> float:
    """Six decimals: finer than one image in 60,000, and a third of the file's size."""
    return round(float(value), 6)
