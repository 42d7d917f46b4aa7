"""An experiment as a plain Keras program."""
