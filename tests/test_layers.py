"""Fused layers give what Keras gives."""

from typing import Any

import numpy as np
import pytest

from fmnist_utils.models.build import build, layer_table
from fmnist_utils.models.fused import batch_normalization
from fmnist_utils.models.spec import CNN, ConvBlock, DenseBlock


def step(layer: Any, images: Any) -> tuple[Any, list[Any]]:
    """Take a training step: dtype of the outputs; outputs, gradients, moving statistics."""
    import tensorflow as tf

    layer.build(images.shape)
    draw = np.random.default_rng(1)
    layer.gamma.assign(draw.uniform(0.5, 2, layer.gamma.shape))
    layer.beta.assign(draw.normal(size=layer.beta.shape))
    images = tf.constant(images)
    weights = tf.constant(draw.normal(size=images.shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * weights)
    gradients = tape.gradient(loss, [images, layer.gamma.value, layer.beta.value])
    evaluated = layer(images, training=False)
    moving = (layer.moving_mean.value, layer.moving_variance.value)
    return outputs.dtype, [
        tf.cast(x, tf.float32).numpy() for x in (outputs, *gradients, *moving, evaluated)
    ]


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 2e-4), ("mixed_bfloat16", 0.04)])
@pytest.mark.parametrize("shape", [(8, 5, 4, 3), (16, 6)])
def test_fused_batch_normalization_steps_like_keras(
    policy: str, tolerance: float, shape: tuple[int, ...]
) -> None:
    import keras

    images = np.random.default_rng(0).normal(2, 3, shape).astype(np.float32)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        dtype, ours = step(batch_normalization("ours"), images)
        expected_dtype, theirs = step(keras.layers.BatchNormalization(), images)
    finally:
        keras.config.set_dtype_policy(before)
    assert dtype == expected_dtype
    for found, expected in zip(ours, theirs, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, atol=tolerance * scale)


def test_a_model_with_batch_normalization_is_listed_and_saved_as_keras_would(
    tmp_path: Any,
) -> None:
    blocks = (ConvBlock(filters=2, kernel=3, batch_norm=True),)
    dense = (DenseBlock(units=4, batch_norm=True),)
    model = build(CNN(builder="cnn", conv=blocks, dense=dense))
    rows = [row for row in layer_table(model) if row.type == "BatchNormalization"]
    assert [row.params for row in rows] == [8, 16]
    model.save_weights(tmp_path / "model.weights.h5")
    model.load_weights(tmp_path / "model.weights.h5")


def test_plain_models_have_keras_own_layers() -> None:
    import keras

    blocks = (ConvBlock(filters=2, kernel=3, batch_norm=True),)
    spec = CNN(builder="cnn", conv=blocks, dense=(DenseBlock(units=4, batch_norm=True),))
    for plain in (True, False):
        kinds = {type(layer) for layer in build(spec, plain=plain).layers}
        assert (keras.layers.BatchNormalization in kinds) == plain
