"""The Fashion-MNIST images: where they come from, and what a protocol takes of them."""
