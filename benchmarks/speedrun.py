"""Train a network to the best accuracy of the reports in minutes, on two cores.

    python benchmarks/speedrun.py [--goal 93.61] [--seeds 1-10] [--validate] [--without flips]

Each run is a process of its own; its seconds count from the start of that process to the last
prediction, reading the images included. With --validate the recipe trains on the first 54,000
training images and is measured on the other 6,000, and no choice below used others; without,
it trains on all 60,000 and is measured on the test images, once. --without leaves one trick out.
Every run that ends is kept in the results file, which the book shows, and none is trained twice.
What was tried before the recipes were fixed is not in it.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

RESULTS = Path(__file__).parents[1] / "fmnist_utils" / "baselines" / "speedruns.json"


@dataclass(frozen=True)
class Recipe:
    """What decides how good a training gets, and how long it takes.

    `by_products` computes the gradients of the last two kernels as products of matrices.
    """

    widths: tuple[int, int, int] = (32, 64, 128)
    epochs: int = 11
    flips: bool = True
    shifts: int = 1
    smoothing: float = 0.1
    muon: bool = True
    both_ways: bool = True
    halves: bool = True
    by_products: bool = False


BATCH = 512
#: By the test accuracy, in percent, that each is made for; no test image had a part in any choice.
RECIPES = {
    "trial": Recipe(widths=(16, 32, 64), epochs=8),
    "93.61": Recipe(),
    "94.5": Recipe(widths=(48, 96, 192), epochs=20),
    "95": Recipe(widths=(64, 128, 256), epochs=32, by_products=True),
}
#: What can be left out of the trial, which is small so that each can be tried with many seeds.
TRICKS: dict[str, dict[str, Any]] = {
    "flips": {"flips": False, "both_ways": False},
    "shifts": {"shifts": 0},
    "smoothing": {"smoothing": 0.0},
    "muon": {"muon": False},
    "both-ways": {"both_ways": False},
    "halves": {"halves": False},
    "half-the-epochs": {"epochs": RECIPES["trial"].epochs // 2},
}


# --- images --------------------------------------------------------------------------------------


def read(folder: str, name: str, header: int) -> np.ndarray:
    """Read one file of the data set as bytes, without its header."""
    with gzip.open(Path(folder) / f"{name}-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def images_and_labels(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images of shape (n, 28, 28, 1) and int32 labels of shape (n,)."""
    folder = os.environ["FMNIST_DATA_DIR"]
    images = read(folder, f"{part}-images-idx3", 16).reshape(-1, 28, 28, 1)
    return images, read(folder, f"{part}-labels-idx1", 8).astype(np.int32)


def augmented(images: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """Shift each image, and mirror half of them, at random."""
    n, most = len(images), recipe.shifts
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    out, steps = np.empty_like(images), 2 * most + 1
    where = rng.integers(steps * steps, size=n)
    for step in range(steps * steps):  # all images that move alike at once
        chosen, (down, right) = np.flatnonzero(where == step), divmod(step, steps)
        out[chosen] = padded[chosen, down : down + 28, right : right + 28]
    if recipe.flips:
        mirrored = rng.random(n) < 0.5
        out[mirrored] = out[mirrored, :, ::-1]
    return out


MEAN, DEVIATION = 73, 90  # of the pixels of the training images, rounded


# --- the network ---------------------------------------------------------------------------------


def convolve(x: Any, kernel: Any) -> Any:
    """Convolve with a 3 × 3 kernel, whose gradient is computed as nine products of matrices.

    On maps of 7 × 7 an Intel Xeon needs half the time of TensorFlow's own operation, or less.
    """
    import tensorflow as tf

    def kernel_gradient(above: Any) -> Any:
        (high, wide), (inputs, outputs) = x.shape[1:3], kernel.shape[2:]
        padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        moved = [padded[:, i : i + high, j : j + wide] for i in range(3) for j in range(3)]
        flat = tf.reshape(above, [-1, outputs])
        each = [tf.matmul(tf.reshape(m, [-1, inputs]), flat, transpose_a=True) for m in moved]
        return tf.reshape(tf.stack(each), kernel.shape)

    @tf.custom_gradient
    def apply(x: Any, kernel: Any) -> Any:
        def gradients(above: Any) -> tuple[Any, Any]:
            back = tf.nn.conv2d_transpose(above, kernel, tf.shape(x), 1, "SAME")
            return back, kernel_gradient(above)

        return tf.nn.conv2d(x, kernel, 1, "SAME"), gradients

    return apply(x, kernel)


class Convolution:
    """A 3 × 3 convolution in bfloat16, batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, seed: int, by_products: bool) -> None:
        import tensorflow as tf

        self.by_products = by_products
        start = tf.random.stateless_normal([3, 3, inputs, outputs], [seed, inputs * outputs])
        self.kernel = tf.Variable(start * (2 / (9 * inputs)) ** 0.5)
        self.gain, self.shift = tf.Variable(tf.ones(outputs)), tf.Variable(tf.zeros(outputs))
        self.mean, self.variance = tf.Variable(tf.zeros(outputs)), tf.Variable(tf.ones(outputs))

    def __call__(self, x: Any, training: bool, pool: bool = False) -> Any:
        """Apply it; with `pool` to a map of half the size."""
        import tensorflow as tf

        kernel = tf.cast(self.kernel, x.dtype)
        x = convolve(x, kernel) if self.by_products else tf.nn.conv2d(x, kernel, 1, "SAME")
        x = tf.nn.max_pool2d(x, 2, 2, "VALID") if pool else x
        own = (tf.zeros(0), tf.zeros(0)) if training else (self.mean, self.variance)
        x, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=self.gain, offset=self.shift, mean=own[0], variance=own[1],
            is_training=training,
        )  # fmt: skip
        if training:
            self.mean.assign_sub(0.1 * (self.mean - mean))
            self.variance.assign_sub(0.1 * (self.variance - variance))
        return tf.nn.relu(x)


class Network:
    """Five convolutions, two of them with a way around, and the largest value of each map."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        import tensorflow as tf

        first, second, third = recipe.widths
        pairs = [(1, first), (first, second), (second, second), (second, third), (third, third)]
        self.layers = [
            Convolution(*pair, seed + i, recipe.by_products and i > 2)
            for i, pair in enumerate(pairs)
        ]
        start = tf.random.stateless_normal([third, 10], [seed, 10])
        self.head = tf.Variable(start / third**0.5)

    @property
    def trained(self) -> list[Any]:
        """The variables that the optimizer changes."""
        return [v for c in self.layers for v in (c.kernel, c.gain, c.shift)] + [self.head]

    def __call__(self, images: Any, training: bool) -> Any:
        """Return the logits, shape (n, 10), of uint8 images, shape (n, 28, 28, 1)."""
        import tensorflow as tf

        one, two, three, four, five = self.layers
        x = (tf.cast(images, tf.bfloat16) - MEAN) / DEVIATION
        x = two(one(x, training, pool=True), training)
        x = tf.nn.max_pool2d(x + three(x, training), 2, 2, "VALID")
        x = four(x, training)
        x = x + five(x, training)
        return tf.cast(tf.reduce_max(x, [1, 2]), tf.float32) @ self.head


# --- training ------------------------------------------------------------------------------------


def orthogonal(matrix: Any) -> Any:
    """Return about the nearest matrix whose singular values are 1, by five steps of Newton-Schulz.

    The coefficients are those of Jordan and others (2024), "Muon", which make small singular
    values grow fast and end anywhere near 1.
    """
    import tensorflow as tf

    x = matrix / (tf.norm(matrix) + 1e-7)
    for _ in range(5):
        square = tf.matmul(x, x, transpose_a=True)
        x = 3.4445 * x + x @ (-4.7750 * square + 2.0315 * square @ square)
    return x


def make_step(network: Network, recipe: Recipe) -> Any:
    """Return a compiled function that takes images, labels and a share of the learning rate."""
    import tensorflow as tf

    momenta = [tf.Variable(tf.zeros_like(v)) for v in network.trained]

    def loss(images: Any, labels: Any) -> Any:
        right = tf.one_hot(labels, 10) * (1 - recipe.smoothing) + recipe.smoothing / 10
        logits = network(images, training=True)
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(right, logits))

    def update(variable: Any, momentum: Any, gradient: Any, rate: Any) -> None:
        kernel = len(variable.shape) == 4
        if kernel and recipe.muon:
            momentum.assign(0.6 * momentum + gradient)
            flat = tf.reshape(gradient + 0.6 * momentum, [-1, variable.shape[-1]])
            unit = variable * (variable.shape[-1] ** 0.5 / tf.norm(variable))
            variable.assign(unit - MUON_RATE * rate * tf.reshape(orthogonal(flat), variable.shape))
            return
        if len(variable.shape) > 1:
            gradient = gradient + 5e-4 * variable
        momentum.assign(0.9 * momentum + gradient)
        variable.assign_sub(SGD_RATE * rate * (gradient + 0.9 * momentum))

    @tf.function
    def step(images: Any, labels: Any, rate: Any) -> None:
        with tf.GradientTape() as tape:
            # Each core takes half of the batch, which is faster than both on one operation.
            parts = 2 if recipe.halves else 1
            pairs = zip(tf.split(images, parts), tf.split(labels, parts), strict=True)
            total = tf.add_n([loss(*pair) for pair in pairs]) / parts
        gradients = tape.gradient(total, network.trained)
        for each in zip(network.trained, momenta, gradients, strict=True):
            update(*each, rate)

    return step


MUON_RATE, SGD_RATE, WARM_UP = 0.12, 0.2, 0.15


def train(recipe: Recipe, images: np.ndarray, labels: np.ndarray, seed: int) -> Network:
    """Train by the recipe: the learning rate rises for 15 % of the steps, then falls to zero."""
    import tensorflow as tf

    rng, network = np.random.default_rng(seed), Network(recipe, seed)
    step, per_epoch = make_step(network, recipe), len(images) // BATCH
    total = recipe.epochs * per_epoch
    for epoch in range(recipe.epochs):
        order = rng.permutation(len(images))
        moved = tf.constant(augmented(images, recipe, rng)[order])
        known = tf.constant(labels[order])
        for i in range(per_epoch):
            done = (epoch * per_epoch + i) / total
            rate = min(done / WARM_UP, (1 - done) / (1 - WARM_UP) + 1e-3)
            here = slice(i * BATCH, (i + 1) * BATCH)
            step(moved[here], known[here], tf.constant(rate, tf.float32))
    return network


def count_correct(network: Network, recipe: Recipe, images: np.ndarray, labels: np.ndarray) -> int:
    """Count the images that the network gets right, by its logits for each and for its mirror."""
    import tensorflow as tf

    predict = tf.function(lambda x: network(x, training=False))
    correct = 0
    for start in range(0, len(images), 1000):
        x = images[start : start + 1000]
        logits = predict(x)
        if recipe.both_ways:
            logits += predict(x[:, :, ::-1].copy())
        correct += int(np.sum(np.argmax(logits, axis=1) == labels[start : start + 1000]))
    return correct


# --- runs ----------------------------------------------------------------------------------------


def share_cores(by_halves: bool) -> None:
    """Let two operations run side by side with a core each, or one at a time with both."""
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(2 if by_halves else 1)
    tf.config.threading.set_intra_op_parallelism_threads(1 if by_halves else 2)


def run_once(goal: str, without: str | None, validate: bool, seed: int) -> dict[str, Any]:
    """Train once in this process and return the row of the results file."""
    from fmnist_utils.training.provenance import processor

    recipe = replace(RECIPES[goal], **TRICKS[without] if without else {})
    images, labels = images_and_labels("train")
    if validate:
        images, unseen = images[:54_000], images[54_000:]
        labels, known = labels[:54_000], labels[54_000:]
    else:
        unseen, known = images_and_labels("t10k")
    network = train(recipe, images, labels, seed)
    correct = count_correct(network, recipe, unseen, known)
    seconds = time.time() - psutil.Process().create_time()
    return {
        "goal": goal, "without": without, "split": "validation" if validate else "test",
        "seed": seed, "correct": correct, "images": len(known), "seconds": round(seconds, 1),
        "tensorflow": importlib.metadata.version("tensorflow"), "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
    }  # fmt: skip


def seeds_named(text: str) -> range:
    """Return the seeds that ``3`` or ``1-10`` names."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Train what the results file lacks, each run in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--goal", choices=RECIPES, default="93.61")
    parser.add_argument("--seeds", default="1-10", type=seeds_named, help="one, or as 1-10")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--without", choices=TRICKS)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without and options.goal != "trial":
        parser.error("--without takes parts of the recipe for --goal trial only")
    if options.goal == "trial" and not options.validate:
        parser.error("the trial is measured on validation images only: add --validate")
    if "FMNIST_DATA_DIR" not in os.environ:
        parser.error("FMNIST_DATA_DIR must name the folder with the four files of the data set")
    if options.one is not None:
        share_cores(by_halves=options.without != "halves")
        row = run_once(options.goal, options.without, options.validate, options.one)
        print(json.dumps(row))
        return
    split = "validation" if options.validate else "test"
    for seed in options.seeds:
        wanted = {"goal": options.goal, "without": options.without, "split": split, "seed": seed}
        if key(wanted) in kept():
            continue
        argv = [sys.executable, __file__, *sys.argv[1:], "--one", str(seed)]
        told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout  # noqa: S603
        row = json.loads(told.splitlines()[-1])
        print(f"seed {seed}: {row['correct'] / row['images']:.2%}, {row['seconds']} s")
        keep(row)


Key = tuple[str, str, str, int]


def key(row: dict[str, Any]) -> Key:
    """Return what no two rows share: recipe, part left out, split and seed."""
    return row["goal"], row["without"] or "", row["split"], row["seed"]


def kept() -> dict[Key, dict[str, Any]]:
    """Return the rows of the results file."""
    rows = json.loads(RESULTS.read_text())["runs"] if RESULTS.exists() else []
    return {key(row): row for row in rows}


def keep(row: dict[str, Any]) -> None:
    """Add a row to those that the results file has now, which another process may have added to."""
    from fmnist_utils.records import write_atomically

    rows = kept() | {key(row): row}
    content = {"runs": [rows[each] for each in sorted(rows)]}
    write_atomically(RESULTS, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
