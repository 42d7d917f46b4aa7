"""Tests of trainings that are stopped and go on."""

import errno
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.models.spec import CNN, ConvBlock, DenseBlock
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.protocol import Augmentation, EarlyStopping
from fmnist_utils.runs.record import Method, Run
from fmnist_utils.training import checkpoint as checkpoint_module
from fmnist_utils.training import provenance
from fmnist_utils.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    checkpoint_threads,
    finished_epochs,
)
from fmnist_utils.training.state import Progress, TrainingState
from fmnist_utils.training.train import train

#: Everything that has a state of its own: moving statistics, random masks and random moves.
NET = CNN(
    builder="cnn",
    conv=(ConvBlock(filters=2, kernel=3, batch_norm=True, pool=4),),
    dense=(DenseBlock(units=8, dropout=0.5),),
)
MOVED = Augmentation(rotation_degrees=20, shift=0.1, horizontal_flip=True, validation=True)


def experiment(**protocol: Any) -> Experiment:
    base = load_report("baltzi")["mlp-1-hidden"]
    protocol = {"batch_size": 32, "epochs": 4, "early_stopping": None} | protocol
    spec = base.training.model_copy(update=protocol)
    return base.model_copy(update={"model": NET, "training": spec})


@pytest.fixture(scope="module")
def data() -> FashionMNIST:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (300, 28, 28), dtype=np.uint8)
    labels = draw.integers(10, size=300, dtype=np.uint8)
    return FashionMNIST(images[:200], labels[:200], images[200:], labels[200:], "real")


def evidence(run: Run) -> dict[str, Any]:
    return run.model_dump(exclude={"digest", "seconds_per_epoch"})


class Stopped(Exception):
    pass


def stop_after(epoch: int) -> Any:
    def on_epoch(progress: Progress) -> None:
        if progress.epoch == epoch:
            raise Stopped

    return on_epoch


def half_done(path: Path, data: FashionMNIST, what: Experiment, method: Method | None) -> None:
    """Stop a training in its third epoch; two are on disk."""
    with pytest.raises(Stopped):
        train(what, 1, data, stop_after(3), method=method, checkpoint=Checkpoint(path, 0))


@pytest.mark.parametrize(
    ("protocol", "method"),
    [
        ({}, None),
        pytest.param({"augmentation": MOVED}, None, marks=pytest.mark.slow),
        pytest.param(
            {"epochs": 30, "early_stopping": EarlyStopping(monitor="val_loss", patience=2)},
            None,
            marks=pytest.mark.slow,
        ),
        pytest.param({}, Method("mixed_bfloat16"), marks=pytest.mark.slow),
    ],
)
def test_stopped_training_ends_as_if_it_had_not_been_stopped(
    tmp_path: Path, data: FashionMNIST, protocol: dict[str, Any], method: Method | None
) -> None:
    what, path = experiment(**protocol), tmp_path / "runs" / "a.npz"
    half_done(path, data, what, method)
    told: list[Progress] = []
    resumed = train(what, 1, data, told.append, method=method, checkpoint=Checkpoint(path))
    assert told[0].epoch == 3, "two epochs were kept"
    assert evidence(resumed) == evidence(train(what, 1, data, method=method))
    assert len(resumed.seconds_per_epoch) == resumed.final.epoch


def revised(path: Path, begun: str, ended: str, data: FashionMNIST) -> str:
    """Train three parts, the first by code of one revision, and return the one of the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "revision", lambda: begun)
        half_done(path, data, experiment(), None)
        patch.setattr(provenance, "revision", lambda: ended)
        with pytest.raises(Stopped):
            train(experiment(), 1, data, stop_after(4), checkpoint=Checkpoint(path, 0))
        run = train(experiment(), 1, data, checkpoint=Checkpoint(path))
    return run.provenance.revision


@pytest.mark.parametrize(
    ("begun", "ended", "recorded"),
    [("0-dirty", "1", "0-dirty"), pytest.param("0", "1-dirty", "1-dirty", marks=pytest.mark.slow)],
)
def test_a_run_of_which_a_part_is_of_no_commit_is_of_none(
    tmp_path: Path, data: FashionMNIST, begun: str, ended: str, recorded: str
) -> None:
    assert revised(tmp_path / "a.npz", begun, ended, data) == recorded


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, data: FashionMNIST) -> bytes:
    """Return the checkpoint of a training that was stopped in its third epoch."""
    path = tmp_path_factory.mktemp("kept") / "a.npz"
    half_done(path, data, experiment(), None)
    return path.read_bytes()


class Loaded(Exception):
    """Carries what a training found in its checkpoint."""


class Watched(Checkpoint):
    """Ends the training where it begins, for only that is asked."""

    def load(self, *training_id: Any) -> Any:
        raise Loaded(super().load(*training_id))


def found(path: Path, what: Experiment, seed: int, data: FashionMNIST, **more: Any) -> Any:
    with pytest.raises(Loaded) as caught:
        train(what, seed, data, checkpoint=Watched(path), **more)
    return caught.value.args[0]


@pytest.mark.parametrize("changed", ["nothing", "seed", "protocol", "precision", "images"])
def test_the_checkpoint_of_another_training_is_left_alone(
    tmp_path: Path, kept: bytes, data: FashionMNIST, changed: str
) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(kept)
    what = experiment(batch_size=16) if changed == "protocol" else experiment()
    images = replace(data, source="synthetic") if changed == "images" else data
    method = Method("mixed_bfloat16") if changed == "precision" else None
    state = found(path, what, 2 if changed == "seed" else 1, images, method=method)
    assert state.epochs == 2 if changed == "nothing" else state is None
    assert path.read_bytes() == kept


@pytest.mark.parametrize("damage", [lambda all: all[: len(all) // 2], lambda all: b"", bytes.upper])
def test_damaged_checkpoint_holds_nothing(
    tmp_path: Path, kept: bytes, data: FashionMNIST, damage: Any
) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(damage(kept))
    assert found(path, experiment(), 1, data) is None


class Variable:
    """Stands in for a variable of Keras, and notices an assignment."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.assigned = shape, False

    def assign(self, value: Any) -> None:
        self.assigned = True


def variables_of(kept: bytes) -> tuple[dict[str, Any], list[Variable]]:
    with np.load(io.BytesIO(kept)) as file:
        notes = json.loads(str(file["notes"]))
        shapes = [file[str(i)].shape for i in range(len(file.files) - 1)]
    return notes["whose"], [Variable(shape) for shape in shapes[notes["best_weights"] :]]


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bits_leave_all_as_it_was_or_are_not_noticed_in_the_weights(
    tmp_path: Path, kept: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(kept) - 1))
    bit = data.draw(st.integers(0, 7))
    path = tmp_path / "a.npz"
    path.write_bytes(kept[:at] + bytes([kept[at] ^ 1 << bit]) + kept[at + 1 :])
    training_id, variables = variables_of(kept)
    state = Checkpoint(path).load(training_id, variables)
    assert {variable.assigned for variable in variables} == {state is not None}


@pytest.mark.parametrize("content", [[1.0, 2.0, 3.0], {"a": 1}, "text"])
def test_a_foreign_file_is_no_checkpoint(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "a.npz"
    with path.open("wb") as file:
        np.save(file, np.array(json.dumps(content) if isinstance(content, dict) else content))
    assert Checkpoint(path).load({}, []) is None
    assert checkpoint_threads(path) is None and finished_epochs(path) == 0


def test_a_pipe_is_no_checkpoint_and_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.npz"
    os.mkfifo(path)
    assert Checkpoint(path).load({}, []) is None
    assert (checkpoint_threads(path), finished_epochs(path)) == (None, 0)


def test_a_checkpoint_from_before_revisions_were_kept_is_gone_on_from(
    tmp_path: Path, kept: bytes, data: FashionMNIST
) -> None:
    with np.load(io.BytesIO(kept)) as file:
        arrays = dict(file)
    notes = json.loads(str(arrays.pop("notes")))
    notes.pop("revision", None)
    np.savez(tmp_path / "a.npz", notes=np.array(json.dumps(notes)), **arrays)
    assert found(tmp_path / "a.npz", experiment(), 1, data).epochs == 2


def test_weights_of_another_shape_are_left_alone(tmp_path: Path, kept: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(kept)
    training_id, variables = variables_of(kept)
    variables[-1].shape = (1, 2, 3)
    assert Checkpoint(path).load(training_id, variables) is None
    assert not any(variable.assigned for variable in variables)


def test_checkpoint_that_holds_nothing_means_training_anew(
    tmp_path: Path, kept: bytes, data: FashionMNIST
) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(kept[: len(kept) // 2])
    told: list[Progress] = []
    train(experiment(), 1, data, told.append, checkpoint=Checkpoint(path))
    assert [progress.epoch for progress in told] == [1, 2, 3, 4]


def test_short_training_writes_nothing(tmp_path: Path, data: FashionMNIST) -> None:
    train(experiment(), 1, data, checkpoint=Checkpoint(tmp_path / "a.npz"))
    assert not list(tmp_path.iterdir())


def test_full_disk_is_one_sentence_and_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "a.npz", 0)
    checkpoint.save({"seed": 1}, TrainingState(seconds=[1.0]), [])

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint_module, "write_atomically", full)
    with pytest.raises(CheckpointError, match=r"^Checkpoint a.npz cannot be written to .*space"):
        checkpoint.save({"seed": 1}, TrainingState(seconds=[1.0, 1.0]), [])
    state = checkpoint.load({"seed": 1}, [])
    assert state is not None and state.epochs == 1
