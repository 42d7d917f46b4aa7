"""Compare training speed: plain ``model.fit``, PyTorch where installed, and this book's trainer.

    python benchmarks/throughput.py [--nets mlp,lenet-5] [--rounds 5] [--out figures.json]

Contenders take turns within one run, so that a machine whose speed drifts treats them alike. A
figure is the median over rounds of training images per second, optimizer steps included, on random
images: what is learned does not change the speed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from fmnist_utils.models.build import build
from fmnist_utils.models.cost import multiply_adds
from fmnist_utils.models.keras_import import import_keras
from fmnist_utils.models.spec import CNN, MLP, ConvBlock, DenseBlock
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import load_report
from fmnist_utils.reports.protocol import Precision
from fmnist_utils.runs.record import Method
from fmnist_utils.training.engines import LabelledImages, make_engine
from fmnist_utils.training.train import compiled_model


class Net(NamedTuple):
    """A network with the batch size that its report trains it with."""

    spec: MLP | CNN
    batch_size: int


def conv(filters: int, kernel: int = 3, **settings: Any) -> ConvBlock:
    """Shorten the lists below."""
    return ConvBlock(filters=filters, kernel=kernel, **settings)


def dense(units: int, **settings: Any) -> DenseBlock:
    """Shorten the lists below."""
    return DenseBlock(units=units, **settings)


NETS = {
    "MLP 784-256-10": Net(MLP(builder="mlp", hidden=(dense(256),)), 128),
    "LeNet-5": Net(
        CNN(
            builder="cnn",
            input_shape=(32, 32, 1),
            conv=(conv(6, 5, pool=2), conv(16, 5, pool=2)),
            dense=(dense(120), dense(84)),
        ),
        32,
    ),
    "4-conv, 83 k": Net(
        CNN(
            builder="cnn",
            conv=(
                conv(16, padding="valid"),
                conv(16, padding="valid", pool=2, dropout=0.5),
                conv(32, padding="valid"),
                conv(32, padding="valid", pool=2, dropout=0.3),
            ),
            dense=(dense(128, dropout=0.2),),
        ),
        128,
    ),
    "3-conv, 897 k": Net(
        CNN(
            builder="cnn",
            conv=(conv(32, pool=2), conv(64, pool=2), conv(128)),
            dense=(dense(128, dropout=0.5),),
        ),
        128,
    ),
    "4-conv, 190 k": Net(
        CNN(
            builder="cnn",
            conv=(
                conv(64, padding="valid"),
                conv(64, padding="valid", pool=2, dropout=0.25),
                conv(128, padding="valid"),
                conv(32, padding="valid", pool=2, dropout=0.25),
            ),
            dense=(dense(80, dropout=0.15),),
        ),
        32,
    ),
    "4-conv BN, 3.38 M": Net(
        CNN(
            builder="cnn",
            conv=(
                conv(32, batch_norm=True),
                conv(32, batch_norm=True, pool=2, dropout=0.25),
                conv(64, batch_norm=True, dropout=0.25),
                conv(128, batch_norm=True, pool=2, dropout=0.25),
            ),
            dense=(
                dense(512, batch_norm=True, dropout=0.5),
                dense(128, batch_norm=True, dropout=0.5),
            ),
        ),
        256,
    ),
    "4-conv, 5.82 M": Net(
        CNN(
            builder="cnn",
            conv=(
                conv(512, 5, pool=2),
                conv(512, 3),
                conv(128, 7, batch_norm=True, pool=2),
                conv(64, 5, dropout=0.2),
            ),
        ),
        64,
    ),
}


class Contender(NamedTuple):
    """Something that trains on the first n images, and the precision it does it in."""

    name: str
    train: Callable[[int], None]
    bfloat16: bool


# --- contenders ----------------------------------------------------------------------------------


def contenders(net: Net, images: np.ndarray, labels: np.ndarray) -> Iterator[Contender]:
    """Set up everything that trains a net; labels are one-hot."""
    experiment = load_report("baltzi")["mlp-1-hidden"].model_copy(update={"model": net.spec})
    yield Contender("fit", plain_fit(experiment, net, images, labels), False)
    yield Contender("ours", ours(experiment, net, images, labels, "float32"), False)
    yield Contender("ours bf16", ours(experiment, net, images, labels, "mixed_bfloat16"), True)
    if importlib.util.find_spec("torch"):
        yield Contender("torch", pytorch(net, images, labels, False), False)
        yield Contender("torch bf16", pytorch(net, images, labels, True), True)


def plain_fit(
    experiment: Experiment, net: Net, images: np.ndarray, labels: np.ndarray
) -> Callable[[int], None]:
    """Do as the reports do: numpy floats, Keras' own Adam, ``model.fit``."""
    floats = images.astype(np.float32) / 255
    model = experiment.build(plain=True)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])

    def train(n: int) -> None:
        model.fit(floats[:n], labels[:n], batch_size=net.batch_size, epochs=1, verbose=0)

    return train


def ours(
    experiment: Experiment, net: Net, images: np.ndarray, labels: np.ndarray, precision: Precision
) -> Callable[[int], None]:
    """Train as the book does."""
    model = compiled_model(experiment, Method(precision))
    engine = make_engine(model, {"train": LabelledImages(images, labels)}, net.batch_size)
    draw = np.random.default_rng(0)

    def train(n: int) -> None:
        engine.train_epoch(draw.permutation(n).astype(np.int32))

    return train


def pytorch(
    net: Net, images: np.ndarray, labels: np.ndarray, bfloat16: bool
) -> Callable[[int], None]:
    """Train eagerly in PyTorch: channels last, fused Adam, autocast for bfloat16."""
    import torch

    model = torch.nn.Sequential(*torch_layers(net.spec)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss = torch.nn.CrossEntropyLoss()
    channels_first = images if isinstance(net.spec, MLP) else images.transpose(0, 3, 1, 2)
    x_all = torch.from_numpy(np.ascontiguousarray(channels_first))
    y_all = torch.from_numpy(labels.argmax(axis=1))

    def train(n: int) -> None:
        order = torch.randperm(n)
        for start in range(0, n, net.batch_size):
            rows = order[start : start + net.batch_size]
            x = x_all[rows].float().div_(255)
            if x.ndim == 4:
                x = x.to(memory_format=torch.channels_last)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                value = loss(model(x), y_all[rows])
            value.backward()
            optimizer.step()

    return train


def torch_layers(spec: MLP | CNN) -> Iterator[Any]:
    """Translate a specification; sizes follow from the layers before."""
    from torch import nn

    size: Any = spec.input_shape
    blocks = () if isinstance(spec, MLP) else spec.conv
    for block in blocks:
        side, channels = size[0], size[2]
        yield nn.Conv2d(channels, block.filters, block.kernel, padding=block.padding)
        yield nn.ReLU()
        if block.batch_norm:
            yield nn.BatchNorm2d(block.filters)
        side -= 0 if block.padding == "same" else block.kernel - 1
        if block.pool:
            yield nn.MaxPool2d(block.pool)
            side //= block.pool
        if block.dropout:
            yield nn.Dropout(block.dropout)
        size = (side, side, block.filters)
    yield nn.Flatten()
    width = int(np.prod(size))
    for layer in spec.hidden if isinstance(spec, MLP) else spec.dense:
        yield nn.Linear(width, layer.units)
        yield nn.ReLU()
        if layer.batch_norm:
            yield nn.BatchNorm1d(layer.units)
        if layer.dropout:
            yield nn.Dropout(layer.dropout)
        width = layer.units
    yield nn.Linear(width, 10)


# --- measuring -----------------------------------------------------------------------------------


def measure(net: Net, rounds: int, seconds: float) -> dict[str, float]:
    """Return the median images per second of each contender, which take turns.

    Each pass is as long as makes the slowest contender take about `seconds`.
    """
    most = 200 * net.batch_size
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (most, *net.spec.input_shape), dtype=np.uint8)
    labels = np.eye(10, dtype=np.float32)[draw.integers(0, 10, most)]
    running = list(contenders(net, images, labels))
    for contender in running:
        contender.train(2 * net.batch_size)  # trace and compile
    slowest = max(timed(contender, 2 * net.batch_size) for contender in running)
    batches = int(min(200, max(2, 2 * seconds / slowest)))
    rates: dict[str, list[float]] = {contender.name: [] for contender in running}
    for _ in range(rounds):
        for contender in running:
            n = batches * net.batch_size
            rates[contender.name].append(n / timed(contender, n))
    return {name: statistics.median(values) for name, values in rates.items()}


def timed(contender: Contender, n: int) -> float:
    """Return the seconds that one pass over n images takes."""
    start = time.perf_counter()
    contender.train(n)
    return time.perf_counter() - start


def operations(spec: MLP | CNN) -> float:
    """Count the multiplications and additions of training on one image.

    Two per weight and place where it is used, three times: forward, and backward to the inputs and
    to the weights.
    """
    return 3.0 * 2 * multiply_adds(build(spec))


def product_rate(bfloat16: bool, size: int = 2048, seconds: float = 2.0) -> float:
    """Measure the machine's own rate of a large matrix product, operations per second."""
    keras = import_keras()
    a = keras.random.normal((size, size), dtype="bfloat16" if bfloat16 else "float32")
    keras.ops.matmul(a, a)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        float(keras.ops.cast(keras.ops.matmul(a, a)[0, 0], "float32"))  # waits for the product
        count += 1
    return count * 2 * size**3 / (time.perf_counter() - start)


# --- the command ---------------------------------------------------------------------------------


def show(figures: dict[str, dict[str, float]], peaks: dict[bool, float]) -> Table:
    """Lay out images per second, their ratio to plain fit, and the share of the product rate."""
    names = list(next(iter(figures.values())))
    table = Table(title="Training images per second (times plain fit; % of the product rate)")
    table.add_column("net")
    for name in names:
        table.add_column(name, justify="right")
    for net, rates in figures.items():
        work = operations(NETS[net].spec)
        cells = [
            f"{rate:,.0f}  ({rate / rates['fit']:.2f}x; {share(rate, work, name, peaks):.0f} %)"
            for name, rate in rates.items()
        ]
        table.add_row(net, *cells)
    return table


def share(rate: float, work: float, name: str, peaks: dict[bool, float]) -> float:
    """Return how much of the machine's matrix-product rate training reaches, in percent."""
    return 100 * rate * work / peaks["bf16" in name]


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", help="which nets, by parts of their names, comma separated")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of the slowest pass (2)")
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args()
    wanted = (options.nets or "").lower().split(",")
    import_keras()
    console = Console(width=160)
    figures = {}
    for name, net in NETS.items():
        if any(part in name.lower() for part in wanted):
            with console.status(name):
                figures[name] = measure(net, options.rounds, options.seconds)
    if not figures:
        parser.error(f"no net is called {options.nets}; there are {', '.join(NETS)}")
    peaks = {bfloat16: product_rate(bfloat16) for bfloat16 in (False, True)}
    console.print(show(figures, peaks))
    rates = ", ".join(
        f"{peak / 1e9:,.0f} GFLOP/s in {'bfloat16' if bf else 'float32'}"
        for bf, peak in peaks.items()
    )
    console.print(f"Matrix product of this machine: {rates}.")
    if options.out:
        content = {"machine": platform.processor() or platform.machine(), "images_per_s": figures}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
