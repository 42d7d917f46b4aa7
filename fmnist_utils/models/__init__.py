"""Networks as data, and as Keras models."""
