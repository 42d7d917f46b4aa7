"""Compare two trainings with a core each against one training with both.

    python benchmarks/side_by_side.py [--nets mlp,lenet-5] [--rounds 7] [--out figures.json]

Three processes of each net take turns: one on both cores, then two pinned to a core each, at the
same time. A figure is the median over rounds of training images per second, those of the two added
up, in the precision that the book trains most networks in.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from throughput import NETS, Contender, ours, timed

from fmnist_utils.machine import usable_cores
from fmnist_utils.reports.load import load_report


def worker(name: str, cores: Sequence[int], pipe: Connection) -> None:
    """Train as many images as asked for, again and again, and answer with the seconds."""
    os.sched_setaffinity(0, cores)
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(len(cores))
    net = NETS[name]
    draw = np.random.default_rng(0)
    most = 200 * net.batch_size
    images = draw.integers(0, 256, (most, *net.spec.input_shape), dtype=np.uint8)
    labels = np.eye(10, dtype=np.float32)[draw.integers(0, 10, most)]
    experiment = load_report("baltzi")["mlp-1-hidden"].model_copy(update={"model": net.spec})
    train = ours(experiment, net, images, labels, "mixed_bfloat16")
    contender = Contender(name, train, True)
    timed(contender, 2 * net.batch_size)  # trace and compile
    while (n := pipe.recv()) is not None:
        pipe.send(timed(contender, n))


def measure(name: str, rounds: int, seconds: float) -> dict[str, float]:
    """Return the images per second of one training on all cores, and of one on each core."""
    cores = usable_cores()
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for share in (cores, *((core,) for core in cores)):
        ours_end, theirs = context.Pipe()
        processes.append(context.Process(target=worker, args=(name, share, theirs), daemon=True))
        processes[-1].start()
        pipes.append(ours_end)
    one, *each = pipes
    batch = NETS[name].batch_size

    def rate(workers: Sequence[Connection], n: int) -> float:
        for pipe in workers:
            pipe.send(n)
        return sum(n / pipe.recv() for pipe in workers)

    slowest = 2 * batch / rate([one], 2 * batch)
    rate(each, 2 * batch)
    n = batch * int(min(200, max(2, 2 * seconds / slowest)))
    rates: dict[str, list[float]] = {"one": [], "side by side": []}
    for _ in range(rounds):
        rates["one"].append(rate([one], n))
        rates["side by side"].append(rate(each, n))
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join()
    return {key: statistics.median(values) for key, values in rates.items()}


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", help="which nets, by parts of their names, comma separated")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each (7)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a turn (4)")
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args()
    wanted = (options.nets or "").lower().split(",")
    chosen = [name for name in NETS if any(part in name.lower() for part in wanted)]
    if not chosen:
        parser.error(f"no net is called {options.nets}; there are {', '.join(NETS)}")
    console = Console(width=120)
    table = Table(title=f"Training images per second, {len(usable_cores())} cores, bfloat16")
    for heading in ("net", "one on all cores", "one on each core", "ratio"):
        table.add_column(heading, justify="left" if heading == "net" else "right")
    figures, ratios = {}, []
    for name in chosen:
        with console.status(name):
            figures[name] = rates = measure(name, options.rounds, options.seconds)
        ratios.append(rates["side by side"] / rates["one"])
        table.add_row(
            name, f"{rates['one']:,.0f}", f"{rates['side by side']:,.0f}", f"{ratios[-1]:.2f}"
        )
    console.print(table)
    console.print(f"Geometric mean of the ratios: {statistics.geometric_mean(ratios):.2f}")
    if options.out:
        content = {"machine": platform.processor() or platform.machine(), "images_per_s": figures}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
