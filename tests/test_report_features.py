"""What reports state of networks and protocols beside the plain ones: built, trained, written."""

# ruff: noqa: F401, F811 - fixtures of other files

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_reports import experiment as made_up
from pydantic import TypeAdapter, ValidationError
from test_program import check, fitted, no_download
from test_training import data, tiny

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.models.build import build, layer_table
from fmnist_utils.models.layer_rules import kernel_weights, layer_misfit, windows
from fmnist_utils.models.spec import ModelSpec
from fmnist_utils.program.keras_code import keras_code
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.protocol import Training
from fmnist_utils.runs.reading import fault, protocol_fault
from fmnist_utils.runs.record import Method, Run, fingerprint
from fmnist_utils.training.checkpoint import Checkpoint
from fmnist_utils.training.train import train

CONV = {"filters": 4, "kernel": 3}
UNITS = {"units": 8}
FIRST = {"batch_norm": "before"}
LEAKY = {"activation": "leaky_relu", "negative_slope": 0.1}

#: What a network may have: the settings, and the kinds of layers with their output shapes.
NETWORKS: dict[str, tuple[dict[str, Any], list[tuple[str, tuple[int, ...]]]]] = {
    "strides": (
        {"conv": [CONV | {"strides": 2}, CONV | {"strides": 3, "padding": "valid"}]},
        [("Conv2D", (14, 14, 4)), ("Conv2D", (4, 4, 4)), ("Flatten", (64,))],
    ),
    "average pooling": (
        {"conv": [CONV | {"pool": 2, "pool_kind": "average"}]},
        [("Conv2D", (28, 28, 4)), ("AveragePooling2D", (14, 14, 4)), ("Flatten", (784,))],
    ),
    "overlapping pooling": (
        {"conv": [CONV | {"pool": 3, "pool_strides": 2}]},
        [("Conv2D", (28, 28, 4)), ("MaxPooling2D", (13, 13, 4)), ("Flatten", (676,))],
    ),
    "global average pooling": (
        {"conv": [CONV], "global_pool": "average"},
        [("Conv2D", (28, 28, 4)), ("GlobalAveragePooling2D", (4,))],
    ),
    "global max pooling": (
        {"conv": [CONV], "global_pool": "max", "dense": [UNITS]},
        [("Conv2D", (28, 28, 4)), ("GlobalMaxPooling2D", (4,)), ("Dense", (8,))],
    ),
    "batch normalisation before": (
        {"conv": [CONV | FIRST | {"pool": 2}], "dense": [UNITS | FIRST]},
        [("Conv2D", (28, 28, 4)), ("BatchNormalization", (28, 28, 4)), ("Activation", (28, 28, 4)),
         ("MaxPooling2D", (14, 14, 4)), ("Flatten", (784,)), ("Dense", (8,)),
         ("BatchNormalization", (8,)), ("Activation", (8,))],
    ),
    "leaky relu": (
        {"conv": [CONV | LEAKY | {"batch_norm": "true"}]},
        [("Conv2D", (28, 28, 4)), ("LeakyReLU", (28, 28, 4)), ("BatchNormalization", (28, 28, 4)),
         ("Flatten", (3136,))],
    ),
    "elu, initialiser": (
        {"hidden": [UNITS | {"activation": "elu", "initializer": "he_normal"}]},
        [("Flatten", (784,)), ("Dense", (8,))],
    ),
    "l1 and l2": (
        {"conv": [CONV | {"l1": 0.01, "l2": 0.02}], "dense": [UNITS | {"l1": 0.03}]},
        [("Conv2D", (28, 28, 4)), ("Flatten", (3136,)), ("Dense", (8,))],
    ),
    "dropout on the input": (
        {"hidden": [UNITS], "input_dropout": 0.2},
        [("Flatten", (784,)), ("Dropout", (784,)), ("Dense", (8,))],
    ),
    "dropout on the images": (
        {"conv": [CONV], "input_dropout": 0.2},
        [("Dropout", (28, 28, 1)), ("Conv2D", (28, 28, 4)), ("Flatten", (3136,))],
    ),
}  # fmt: skip
EACH_NETWORK = pytest.mark.parametrize("name", NETWORKS)


def network(name: str) -> Any:
    settings = {"builder": "cnn" if "conv" in NETWORKS[name][0] else "mlp", **NETWORKS[name][0]}
    return TypeAdapter(ModelSpec).validate_python(settings)


@EACH_NETWORK
def test_a_network_has_the_layers_that_a_report_prints(name: str) -> None:
    spec = network(name)
    _, *rows, output = layer_table(build(spec))
    assert [(row.type, row.shape) for row in rows] == NETWORKS[name][1]
    assert output.shape == (10,)
    inputs = [spec.input_shape, *(row.shape for row in rows)]
    for before, row in zip(inputs, [*rows, output], strict=False):
        assert layer_misfit(row.type, before, row.shape, row.params) == ""
    for *_, after in windows(spec):
        assert any(row.shape[:2] == after for row in rows)


@EACH_NETWORK
def test_the_weights_that_are_counted_before_building_are_those_built(name: str) -> None:
    spec = network(name)
    *layers, _ = build(spec).layers
    assert kernel_weights(spec) == sum(
        layer.kernel.numpy().size for layer in layers if hasattr(layer, "kernel")
    )


@pytest.mark.slow
@EACH_NETWORK
def test_a_network_is_written_as_the_program_that_builds_it(
    name: str,
    fitted: dict[str, Any],
) -> None:
    check(own(model=network(name)), fitted)


def own(model: Any = None, **protocol: Any) -> Experiment:
    """Return an experiment of no report, with these settings."""
    base = load_report("baltzi")["mlp-1-hidden"]
    training = base.training.model_dump(exclude_none=True) | protocol
    training = {key: value for key, value in training.items() if value is not None}
    changes = {
        "model": model or base.model,
        "training": Training.model_validate(training),
        "table": None,
        "report": "tiny",
    }
    return base.model_copy(update=changes)


def test_activations_initialisers_and_penalties_are_those_of_the_settings() -> None:
    (layer,) = [x for x in build(network("elu, initialiser")).layers if x.name == "Hidden1"]
    assert layer.activation.__name__ == "elu"
    assert type(layer.kernel_initializer).__name__ == "HeNormal"
    model = build(network("leaky relu"))
    assert model.get_layer("ConvActivation1").negative_slope == pytest.approx(0.1)
    assert model.get_layer("Conv1").activation.__name__ == "linear"
    model = build(network("l1 and l2"))
    kernels = [model.get_layer(name).kernel.numpy() for name in ("Conv1", "Hidden1")]
    wanted = [
        0.01 * np.abs(kernels[0]).sum() + 0.02 * (kernels[0] ** 2).sum(),
        0.03 * np.abs(kernels[1]).sum(),
    ]
    assert sorted(map(float, model.losses)) == pytest.approx(sorted(wanted), rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"conv": [CONV | {"activation": "leaky_relu"}]}, "needs a negative_slope"),
        ({"conv": [CONV | {"negative_slope": 0.1}]}, "no other takes one"),
        ({"conv": [CONV | {"pool_kind": "average"}]}, "pool_kind needs pool"),
        ({"conv": [CONV | {"pool_strides": 2}]}, "pool_strides needs pool"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        TypeAdapter(ModelSpec).validate_python({"builder": "cnn", **wrong})


@pytest.mark.parametrize(
    ("kind", "before", "shape", "parameters", "sentence"),
    [
        ("GlobalAveragePooling2D", (7, 7, 64), (32,), 0, "7 × 7 × 64 becomes 64 values, not 32"),
        ("GlobalMaxPooling2D", (7, 7, 64), (64,), 64, "no parameters"),
        ("LeakyReLU", (7, 7, 64), (7, 7, 32), 0, "cannot become"),
        ("ELU", (64,), (64,), 1, "no parameters"),
    ],
)
def test_the_audit_knows_what_the_new_layers_can_be(
    kind: str, before: Any, shape: Any, parameters: int, sentence: str
) -> None:
    assert sentence in layer_misfit(kind, before, shape, parameters)


# --- protocols -----------------------------------------------------------------------------------

STOPPING = {"monitor": "val_loss", "patience": 3}
PLATEAU = {"monitor": "val_loss", "factor": 0.5, "patience": 1}

FALLING = {
    "name": "adam",
    "learning_rate": 0.001,
    "schedule": {"kind": "exponential", "decay_steps": 1000, "decay_rate": 0.96, "staircase": True},
}

PROTOCOLS: dict[str, dict[str, Any]] = {
    "min_delta": {"early_stopping": STOPPING | {"min_delta": 0.01}},
    "restored": {"early_stopping": STOPPING | {"restore_best_weights": True}},
    "monitor": {"early_stopping": STOPPING | {"monitor": "loss"}},
    "plateau": {"early_stopping": None, "reduce_lr_on_plateau": PLATEAU},
    "plateau and stopping": {"early_stopping": STOPPING, "reduce_lr_on_plateau": PLATEAU},
    "exponential": {"optimizer": FALLING},
    "cosine": {
        "optimizer": FALLING | {"schedule": {"kind": "cosine", "decay_steps": 5000}, "name": "sgd"}
    },
    "no validation": {"early_stopping": None, "validation": {"take": "none"}},
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_written_as_the_program_that_follows_it(
    name: str,
    fitted: dict[str, Any],
) -> None:
    check(own(**PROTOCOLS[name]), fitted)


def test_features_that_are_not_used_leave_no_trace_in_a_fingerprint() -> None:
    plain = load_report("baltzi")["cnn-2-conv"]
    seen = {fingerprint(plain)}
    for feature in (*PROTOCOLS.values(), {"early_stopping": None}):
        seen.add(fingerprint(own(model=plain.model, **feature)))
    for name in NETWORKS:
        seen.add(fingerprint(own(model=network(name))))
    assert len(seen) == len(PROTOCOLS) + len(NETWORKS) + 2
    dumped = plain.training.model_dump(exclude_none=True)
    assert not {"reduce_lr_on_plateau"} & dumped.keys()
    assert dumped["early_stopping"].keys() == {"monitor", "patience"}


curves = st.lists(
    st.sampled_from([0.1, 0.2, 0.21, 0.25, 0.3, 0.5, float("nan")]), min_size=1, max_size=12
)


@given(
    curves,
    st.sampled_from(["val_accuracy", "val_loss", "loss", "accuracy"]),
    st.sampled_from([None, 0.05, 0.1]),
)
def test_the_best_epoch_is_that_of_keras(
    curve: list[float], monitor: str, delta: float | None
) -> None:
    spec = own(early_stopping={"monitor": monitor, "patience": 99, "min_delta": delta}).training
    mode = "max" if "accuracy" in monitor else "min"
    callback = keras.callbacks.EarlyStopping(monitor, min_delta=delta or 0, patience=99, mode=mode)
    callback.set_model(keras.Sequential())
    callback.on_train_begin()
    for epoch, value in enumerate(curve):
        callback.on_epoch_end(epoch, {monitor: value})
    assert spec.best_epoch({monitor: curve}) == callback.best_epoch + 1


@pytest.mark.slow
def test_min_delta_ends_a_training_that_improves_too_little(data: FashionMNIST) -> None:
    def trained(delta: float | None, method: Method | None = None) -> Run:
        stopping = {"monitor": "val_loss", "patience": 2, "min_delta": delta}
        protocol = own(early_stopping=stopping, batch_size=32, epochs=6).training
        return train(tiny(**{**vars(protocol)}), 1, data, method=method)

    assert trained(None).epochs == 6
    for method in (Method(), Method(plain_fit=True)):
        early = trained(5.0, method)
        assert (early.epochs, early.best.epoch) == (3, 1) and fault(early) is None
    assert early.history["val_loss"][1] < early.history["val_loss"][0]


@pytest.mark.slow
def test_a_plateau_lowers_the_rate_as_keras_does_and_survives_a_break(
    data: FashionMNIST,
    tmp_path: Path,
) -> None:
    def protocol(epochs: int, **more: Any) -> Experiment:
        rule = PLATEAU | {"min_delta": 9.0, **more}  # nothing improves by so much
        return tiny(
            **vars(
                own(
                    early_stopping=None, reduce_lr_on_plateau=rule, batch_size=32, epochs=epochs
                ).training
            )
        )

    rates: list[float] = []

    def noted(*_: Any) -> None:
        rates.append(float(seen[-1].optimizer.learning_rate))

    seen: list[Any] = []
    made = keras.callbacks.ReduceLROnPlateau.set_model

    def set_model(self: Any, model: Any) -> None:
        seen.append(model)
        made(self, model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.callbacks.ReduceLROnPlateau, "set_model", set_model)
        whole = train(protocol(4), 1, data, noted)
        assert rates == pytest.approx([0.001, 0.0005, 0.00025, 0.000125])

        class Broken(Exception):
            pass

        def stop(progress: Any) -> None:
            if progress.epoch == 3:
                raise Broken

        checkpoint = Checkpoint(tmp_path / "c.npz", seconds=0)
        with pytest.raises(Broken):
            train(protocol(4), 1, data, stop, checkpoint=checkpoint)
        rates.clear()
        again = train(protocol(4), 1, data, noted, checkpoint=checkpoint)
    assert again.history == whole.history and rates == pytest.approx([0.00025, 0.000125])
    assert train(protocol(4, factor=0.9), 1, data).history["loss"][:2] == whole.history["loss"][:2]
    assert train(protocol(4, factor=0.9), 1, data).history["loss"][3] != whole.history["loss"][3]


@pytest.mark.slow
def test_a_schedule_lowers_the_rate_from_step_to_step(data: FashionMNIST) -> None:
    def trained(rate: float) -> Run:
        schedule = {"kind": "exponential", "decay_steps": 1, "decay_rate": rate}
        optimizer = {"name": "adam", "learning_rate": 0.001, "schedule": schedule}
        spec = own(early_stopping=None, optimizer=optimizer, batch_size=32, epochs=2).training
        return train(tiny(**vars(spec)), 1, data)

    # After a step there is nothing left of the rate.
    one, two = trained(1e-6).history["val_loss"]
    assert one == pytest.approx(two, abs=2e-6)
    one, two = trained(0.99).history["val_loss"]
    assert one != pytest.approx(two, abs=2e-4)


@pytest.mark.parametrize(
    ("protocol", "sentence"),
    [
        ({"optimizer": FALLING, "reduce_lr_on_plateau": PLATEAU}, "not both"),
        (
            {"optimizer": FALLING | {"schedule": {"kind": "exponential", "decay_steps": 9}}},
            "needs a decay_rate",
        ),
        (
            {"optimizer": FALLING | {"schedule": {"kind": "step", "decay_steps": 9}}},
            "'exponential', 'inverse_time' or 'cosine'",
        ),
    ],
)
def test_a_schedule_that_is_none_is_refused(protocol: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        own(**protocol)


def test_without_a_validation_split_all_images_are_trained_on(data: FashionMNIST) -> None:
    spec = own(early_stopping=None, validation={"take": "none"}, batch_size=32, epochs=2).training
    run = train(tiny(**vars(spec)), 1, data)
    assert run.images == {"train": 600, "validation": 100, "test": 100}
    assert run.final.validation == run.final.test and fault(run) is None
    assert spec.best_epoch(run.history) == run.best.epoch


@pytest.mark.parametrize("key", ["early_stopping", "reduce_lr_on_plateau"])
def test_what_is_not_held_out_cannot_be_watched(key: str) -> None:
    rule = STOPPING if key == "early_stopping" else PLATEAU
    protocol = {"early_stopping": None, "validation": {"take": "none"}, key: rule}
    with pytest.raises(ValidationError, match=r"no image is held out, so .* cannot watch val_loss"):
        own(**protocol)
    assert own(**protocol | {key: rule | {"monitor": "loss"}}).training.monitor in (
        "loss",
        "accuracy",
    )


def stating(*claims: dict[str, Any], **protocol: Any) -> Experiment:
    """Return an experiment with claims, all other settings of which are claimed too."""
    content = made_up("e", *claims)
    content["training"] |= protocol
    content["training"] = {k: v for k, v in content["training"].items() if v is not None}
    assumed = [
        {"setting": f"training.{key}.{name}", "chosen": str(value), "because": "b"}
        for key, item in protocol.items() if isinstance(item, dict)
        for name, value in item.items()
    ]  # fmt: skip
    redone = {item["setting"] for item in assumed} | {f"training.{key}" for key in protocol}
    content["claims"] = [
        item for item in content["claims"]
        if not str(item.get("setting")).startswith(tuple(redone or {"-"}))
        and not any(str(item.get("setting")).startswith(f"training.{key}.") for key in protocol)
    ]  # fmt: skip
    content["assumed"] = [*content["assumed"], *assumed]
    return Experiment.model_validate(content)


def accuracy(**keys: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "quantity": "accuracy",
        "split": "test",
        "value": "0.9",
        "where": "p. 1",
        **keys,
    }


def test_restored_weights_are_what_a_claim_is_about_unless_it_says_otherwise() -> None:
    restoring = {"monitor": "val_accuracy", "patience": 10, "restore_best_weights": True}
    assert stating(accuracy())["a"].reading == "final"
    assert stating(accuracy(), early_stopping=restoring)["a"].reading == "best"
    said = accuracy(reading="final")
    assert stating(said, early_stopping=restoring)["a"].reading == "final"
    assert "restore_best_weights=True" in keras_code(own(early_stopping=restoring))


def test_a_claim_about_images_that_are_not_held_out_is_refused() -> None:
    none = {"early_stopping": None, "validation": {"take": "none"}}
    assert stating(accuracy(), **none)["a"].reading == "final"
    epoch = {"split": None, "value": "2"}
    for keys in (
        {"split": "validation"},
        {"quantity": "gap", "split": "train", "than_split": "validation"},
        {"quantity": "gap", "split": "validation", "than_split": "test"},
        {"quantity": "lowest_val_loss_epoch", **epoch},
        {"quantity": "highest_val_accuracy_epoch", **epoch},
    ):
        with pytest.raises(ValidationError, match="e has no validation images"):
            stating(accuracy(**keys), **none)
    assert stating(accuracy(quantity="epochs_trained", **epoch), **none)
    with pytest.raises(ValidationError, match="e holds no training images out"):
        stating(accuracy(split="train", reading="final-all"), **none)


def test_a_run_of_another_best_epoch_than_its_protocol_gives_is_refused(data: FashionMNIST) -> None:
    spec = own(early_stopping=STOPPING | {"min_delta": 5.0}, batch_size=32, epochs=3).training
    run = train(tiny(**vars(spec)), 1, data)
    assert run.best.epoch == 1
    plain = tiny(**vars(own(early_stopping=STOPPING, batch_size=32, epochs=3).training))
    told = protocol_fault(run, plain)
    assert told is not None and "epoch 1 is not the best by val_loss" in told
