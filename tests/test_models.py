"""Every built model against its printed layer table, and the builders against arithmetic."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fmnist_utils.models.build import build, layer_table
from fmnist_utils.models.spec import CNN, MLP, ConvBlock, DenseBlock
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.runs.record import Method
from fmnist_utils.training.train import compiled_model
from fmnist_utils.verdicts.exact import aligned_layers


def distinct_networks() -> dict[str, list[Experiment]]:
    """Group the experiments of all reports by their network, which has the first one's name."""
    groups: dict[str, list[Experiment]] = {}
    for report_id in list_reports():
        for experiment in load_report(report_id).trainable.values():
            groups.setdefault(experiment.model.model_dump_json(), []).append(experiment)
    return {f"{group[0].report}-{group[0].id}": group for group in groups.values()}


NETWORKS = distinct_networks()


@pytest.mark.parametrize("name", NETWORKS)
def test_built_model_is_the_printed_one_and_gives_probabilities(name: str) -> None:
    compiled = {}
    for experiment in NETWORKS[name]:
        spec = experiment.training
        how = (spec.optimizer, spec.loss)
        if how not in compiled:
            compiled[how] = compiled_model(experiment, Method())
        model = compiled[how]
        if experiment.table is not None:
            printed = [(row.type, row.shape, row.params) for row in experiment.table.layers]
            rows = aligned_layers(experiment, layer_table(model))
            assert [(row.type, row.shape, row.params) for row in rows] == printed, experiment.id
            trainable = sum(weight.numpy().size for weight in model.trainable_weights)
            assert trainable == experiment.table.trainable, experiment.id
            assert model.count_params() == experiment.table.total, experiment.id
            non_trainable = experiment.table.total - trainable
            assert non_trainable == experiment.table.non_trainable, experiment.id
    images = np.random.default_rng(0).random((3, *experiment.model.input_shape), np.float32)
    probabilities = model.predict(images, verbose=0)
    assert probabilities.shape == (3, 10) and probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_dropout_rates_and_activations_are_those_of_the_specification() -> None:
    spec = CNN(
        builder="cnn",
        conv=(ConvBlock(filters=2, kernel=3, activation="tanh", pool=2, dropout=0.1),),
        dense=(DenseBlock(units=4, activation="sigmoid", dropout=0.3), DenseBlock(units=3)),
    )
    layers = build(spec).layers
    assert [layer.rate for layer in layers if hasattr(layer, "rate")] == [0.1, 0.3]
    assert [layer.activation.__name__ for layer in layers if hasattr(layer, "activation")] == [
        "tanh", "sigmoid", "relu", "softmax",
    ]  # fmt: skip
    assert len({layer.name for layer in layers}) == len(layers)


dense_blocks = st.lists(
    st.builds(
        DenseBlock,
        units=st.integers(1, 40),
        activation=st.sampled_from(["relu", "sigmoid", "tanh", "linear"]),
        batch_norm=st.sampled_from([None, True]),
        dropout=st.none() | st.sampled_from([0.0, 0.25, 0.5]),
    ),
    max_size=3,
).map(tuple)
conv_blocks = st.lists(
    st.builds(
        ConvBlock,
        filters=st.integers(1, 8),
        kernel=st.integers(1, 3),
        padding=st.sampled_from(["same", "valid"]),
        batch_norm=st.sampled_from([None, True]),
        pool=st.none() | st.integers(1, 3),
        dropout=st.none() | st.just(0.25),
    ),
    min_size=1,
    max_size=2,
).map(tuple)
specs = st.builds(MLP, builder=st.just("mlp"), hidden=dense_blocks) | st.builds(
    CNN, builder=st.just("cnn"), conv=conv_blocks, dense=dense_blocks
)


def counted(spec: MLP | CNN) -> tuple[int, int]:
    """Count layers and parameters with nothing but arithmetic."""
    params, layers, width = 0, 3, 784
    if isinstance(spec, CNN):
        side, channels = 28, 1
        for block in spec.conv:
            params += (block.kernel**2 * channels + 1 + 4 * bool(block.batch_norm)) * block.filters
            side -= 0 if block.padding == "same" else block.kernel - 1
            side //= block.pool or 1
            channels = block.filters
            layers += 1 + (block.pool is not None) + (block.dropout is not None)
            layers += bool(block.batch_norm)
        width = side**2 * channels
    for dense in spec.hidden if isinstance(spec, MLP) else spec.dense:
        params += (width + 1 + 4 * bool(dense.batch_norm)) * dense.units
        width = dense.units
        layers += 1 + (dense.dropout is not None) + bool(dense.batch_norm)
    return layers, params + (width + 1) * 10


@settings(max_examples=20)
@given(specs)
def test_layers_and_parameters_follow_from_the_specification(spec: MLP | CNN) -> None:
    model = build(spec)
    table = layer_table(model)
    assert (len(table), model.count_params()) == counted(spec)
    assert sum(layer.params for layer in table) == model.count_params()
    assert model.input_shape == (None, *spec.input_shape)
    assert table[-1].shape == model.output_shape[1:] == (10,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"builder": "mlp", "hidden": [{"units": 0}]},
        {"builder": "mlp", "hidden": [{"units": 8, "dropout": 1.0}]},
        {"builder": "mlp", "hidden": [{"units": 8, "l2": 0}]},
        {"builder": "mlp", "layers": []},
        {"builder": "mlp", "hidden": [{"units": 8, "activation": "maxout"}]},
        {"builder": "mlp", "input_shape": [28, 0]},
        {"builder": "mlp", "resize": "pad"},
    ],
)
def test_impossible_architecture_is_refused_before_keras_sees_it(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MLP.model_validate(wrong)


def test_batch_normalisation_comes_before_pooling_and_dropout() -> None:
    block = ConvBlock(filters=2, kernel=3, batch_norm=True, pool=2, dropout=0.2)
    dense = DenseBlock(units=4, batch_norm=True, dropout=0.5)
    table = layer_table(build(CNN(builder="cnn", conv=(block,), dense=(dense,))))
    assert [layer.type for layer in table] == [
        "InputLayer", "Conv2D", "BatchNormalization", "MaxPooling2D", "Dropout", "Flatten",
        "Dense", "BatchNormalization", "Dropout", "Dense",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["pad", "bilinear"])
def test_resizing_changes_no_layer_and_is_a_choice_between_two(how: str) -> None:
    small = {"builder": "cnn", "conv": [{"filters": 2, "kernel": 5}], "input_shape": [32, 32, 1]}
    plain, resized = CNN.model_validate(small), CNN.model_validate({**small, "resize": how})
    assert layer_table(build(plain)) == layer_table(build(resized))
    assert "resize" not in plain.model_dump(exclude_none=True), "older fingerprints stay"
    with pytest.raises(ValidationError):
        CNN.model_validate({**small, "resize": "crop"})


def test_l2_penalises_the_kernel_of_its_layer_alone_and_is_no_layer() -> None:
    plain = MLP(builder="mlp", hidden=(DenseBlock(units=4), DenseBlock(units=3)))
    penalised = plain.model_copy(
        update={"hidden": (DenseBlock(units=4), DenseBlock(units=3, l2=0.5))}
    )
    model = build(penalised)
    (penalty,) = model.losses
    kernel = model.get_layer("Hidden2").kernel.numpy()
    assert float(penalty) == pytest.approx(0.5 * (kernel**2).sum(), rel=1e-5)
    assert layer_table(model) == layer_table(build(plain))
    assert "l2" not in plain.model_dump_json(exclude_none=True), "older fingerprints stay"
