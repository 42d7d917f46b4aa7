"""The ledger's exact rows, computed again from YAML, images and runs without the package."""

import gzip
import json
import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

REPORTS = Path(__file__).resolve().parents[1] / "fmnist_utils/reports"

Content = dict[str, Any]

#: What the trainer always does.
READINGS = {
    "reading.pixel scaling": "divided by 255",
    "reading.pixel range": ["0", "1"],
    "reading.strides": ["1", "1"],
    "reading.dilation": ["1", "1"],
}


def plain(value: Any) -> Any:
    """Turn numbers, in text too, into floats, and words into small letters; lists item by item."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    try:
        return float(Decimal(str(value)))
    except InvalidOperation:
        return str(value).lower()


def same(stated: Any, ours: Any) -> bool:
    """Compare; a list of words is stated as one text."""
    if isinstance(stated, str) and isinstance(ours, list):
        ours = ", ".join(ours)
    return bool(plain(stated) == plain(ours))


def followed(value: Any, path: str) -> Any:
    """Follow a dotted path through what a file holds, defaults included."""
    for part in path.split("."):
        if part == "count" and isinstance(value, list):
            return len(value)
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def completed(model: Content) -> Content:
    """Fill in the defaults that claims are about."""
    usual = {"padding": "same", "activation": "relu"}
    shape = ["28", "28", "1"] if model["builder"] == "cnn" else ["28", "28"]
    blocks = {
        part: [usual | block for block in model.get(part, ())]
        for part in ("conv", "dense", "hidden")
    }
    return {"input_shape": shape, **model, **blocks}


# --- networks by arithmetic ----------------------------------------------------------------------

#: Kind, shape, parameters, and how many of these are not trained.
Row = tuple[str, list[int], int, int]


def after(block: Content, shape: list[int]) -> Iterator[Row]:
    """Yield what follows a layer with weights: normalisation, pooling, dropout."""
    if block.get("batch_norm") == "true":
        yield "BatchNormalization", shape, 4 * shape[-1], 2 * shape[-1]
    if window := int(block.get("pool", 0)):
        whole = math.ceil if block.get("pool_padding") == "same" else math.floor
        shape = [whole(side / window) for side in shape[:2]] + shape[2:]
        yield "MaxPooling2D", shape, 0, 0
    if "dropout" in block:
        yield "Dropout", shape, 0, 0


def network(model: Content) -> list[Row]:
    model = completed(model)
    shape = [int(side) for side in model["input_shape"]]
    rows: list[Row] = [("InputLayer", shape, 0, 0)]
    for block in model["conv"]:
        kernel, filters, channels = int(block["kernel"]), int(block["filters"]), shape[-1]
        less = 0 if block["padding"] == "same" else kernel - 1
        shape = [shape[0] - less, shape[1] - less, filters]
        rows.append(("Conv2D", shape, (kernel * kernel * channels + 1) * filters, 0))
        rows += after(block, shape)
        shape = rows[-1][1]
    if len(shape) > 1:
        shape = [math.prod(shape)]
        rows.append(("Flatten", shape, 0, 0))
    for block in [*model["hidden"], *model["dense"], {"units": "10"}]:
        units = int(block["units"])
        rows.append(("Dense", [units], (shape[0] + 1) * units, 0))
        shape = [units]
        rows += after(block, shape)
    return rows


def totals(model: Content) -> dict[str, int]:
    total, frozen = (sum(row[i] for row in network(model)) for i in (2, 3))
    return {
        "total_params": total,
        "trainable_params": total - frozen,
        "non_trainable_params": frozen,
    }


def cells(experiment: Content) -> Iterator[tuple[Content, Any]]:
    """Yield every cell of a printed layer table as a claim, with what the network has there."""
    table = experiment.get("table")
    if table is None:
        return
    built, printed = network(experiment["model"]), table["layers"]
    if printed[0]["type"] != "InputLayer":
        built = built[1:]
    assert [row[0] for row in built] == [row["type"] for row in printed]
    for i, (row, ours) in enumerate(zip(printed, built, strict=True), start=1):
        yield {"id": f"layer-{i}-shape", "value": row["shape"], "quantity": "layer_shape"}, ours[1]
        yield {"id": f"layer-{i}-params", "value": row["params"], "quantity": "params"}, ours[2]
    for name, ours in totals(experiment["model"]).items():
        key = name.removesuffix("_params")
        yield {"id": name.replace("_", "-"), "value": table[key], "quantity": name}, ours


# --- data and splits -----------------------------------------------------------------------------


def idx(path: Path) -> Any:
    """Read a file of the data set: four bytes, as many sizes as the last of them says, values."""
    content = gzip.decompress(path.read_bytes())
    axes = np.frombuffer(content, ">i4", content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(axes)


@pytest.fixture(scope="module")
def facts(real_data_dir: Path) -> Content:
    images, labels, tests, answers = (
        idx(real_data_dir / f"{part}-ubyte.gz")
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3",
                     "t10k-labels-idx1")
    )  # fmt: skip
    every, classes = len(images) + len(tests), np.unique(labels).tolist()
    assert classes == np.unique(answers).tolist()
    return {
        "train_images": len(images), "test_images": len(tests), "total_images": every,
        "train_share": len(images) / every, "test_share": len(tests) / every,
        "image_shape": images.shape[1:], "image_shape_with_channel": (*tests.shape[1:], 1),
        "pixels": images[0].size, "table_columns": images[0].size + 1,
        "pixel_min": images.min(), "pixel_max": images.max(),
        "classes": len(classes), "labels": classes, "first_class": classes[0],
        "last_class": classes[-1], "train_onehot_shape": (len(labels), len(classes)),
        "test_onehot_shape": (len(answers), len(classes)),
        "test_images_per_class": np.bincount(answers)[0],
    }  # fmt: skip


def images(claim: Content, experiment: Content, facts: Content) -> Any:
    """Count the images of a split, or give the shape of its array."""
    spec, every = experiment["training"], facts["train_images"]
    held_out = spec["validation"]
    part = int(held_out.get("count", 0)) or round(every * float(held_out.get("fraction", 0)))
    sizes = {
        "train": int(spec.get("images", every - part)),
        "validation": part or facts["test_images"],
        "test": facts["test_images"],
    }
    n = sizes[claim["split"]]
    if "label" in claim:
        return facts["test_images_per_class"]
    if isinstance(claim["value"], list):
        return [n, *(28, 28, 1)[: len(claim["value"]) - 1]]
    return 100 * n / facts["total_images"] if claim.get("unit") == "percent" else n


# --- every row -----------------------------------------------------------------------------------


def exact(claim: Content, experiment: Content, facts: Content, used: bool) -> tuple[Any, str]:
    """Return what a claim is compared with, and the word; `used` by a training of ours."""
    quantity, percent = claim["quantity"], claim.get("unit") == "percent"
    if quantity == "setting":
        own = {**experiment, "model": completed(experiment["model"])}
        path = claim["setting"]
        ours = READINGS[path] if path in READINGS else followed(own, path)
        if percent:
            ours = 100 * float(ours)
    elif quantity == "images":
        ours = images(claim, experiment, facts)
    elif quantity == "data":
        ours = 100 * facts[claim["fact"]] if percent else facts[claim["fact"]]
    else:
        ours = totals(experiment["model"])[quantity]
    if percent:
        half = 0.5 * 10.0 ** int(Decimal(claim["value"]).as_tuple().exponent)
        equal = abs(float(claim["value"]) - ours) <= half
    else:
        equal = same(claim["value"], ours)
    ours_was_set = quantity == "setting" or (quantity == "images" and claim["split"] != "test")
    if not equal:
        return ours, "differs"
    return ours, ("followed" if used else "not tested") if ours_was_set else "equal"


def searched(claim: Content, search: Content, trials: Path) -> tuple[Any, str]:
    """Return what our search has, and whether a trial followed it."""
    ours = followed(search, claim["setting"])
    assert same(claim["value"], ours)
    used = trials.exists() and not claim["setting"].endswith(".default")
    return ours, "followed" if used else "not tested"


def minutes(folder: Path, files: list[str]) -> float:
    """Return how long our runs took, on average."""
    runs = [json.loads((folder / "runs" / file).read_text()) for file in files]
    return float(np.mean([sum(run["seconds_per_epoch"]) / 60 for run in runs]))


@pytest.mark.slow
@pytest.mark.parametrize("report_id", sorted(path.parent.name for path in REPORTS.glob("*/*.yaml")))
def test_exact_rows_follow_from_files_and_arithmetic(
    report_id: str, ledgers: dict[str, list[Content]], facts: Content
) -> None:
    folder = REPORTS / report_id
    report = yaml.load((folder / "report.yaml").read_text(), yaml.BaseLoader)
    words = ("equal", "followed", "differs", "not tested")
    left = {row["address"]: row for row in ledgers[report_id] if row["word"] in words}

    def check(address: str, claim: Content, ours: Any, word: str) -> None:
        row = left.pop("/".join((report_id, address)))
        assert row["word"] == word, address
        assert plain(row["ours"]) == pytest.approx(plain(ours)), address
        assert same(claim["value"], row["value"]), address

    for claim in report["claims"]:
        if claim["quantity"] == "data":
            check(claim["id"], claim, *exact(claim, {}, facts, used=False))
        if claim["quantity"] == "cited":
            check(claim["id"], claim, None, "not tested")
    for name, search in report.get("searches", {}).items():
        trials = folder / "searches" / f"{name}.json"
        for claim in search.get("claims", ()):
            check(claim["id"], claim, *searched(claim, search, trials))
    for name, experiment in report["experiments"].items():
        used = any((folder / "runs").glob(f"{name}.seed*.json"))
        for claim in experiment.get("claims", ()):
            address = f"{name}/{claim['id']}"
            if claim["quantity"] == "minutes":
                row = left[f"{report_id}/{address}"]
                assert row["mean"] == pytest.approx(minutes(folder, row["run_files"])), address
                check(address, claim, None, "not tested")
            elif f"{report_id}/{address}" in left:
                check(address, claim, *exact(claim, experiment, facts, used))
        for i, row in enumerate(experiment.get("scores", {}).get("rows", ())):
            support = {"id": f"support-{i}", "value": row["support"]}
            check(f"{name}/{support['id']}", support, facts["test_images_per_class"], "equal")
        for claim, ours in cells(experiment):
            word = "equal" if same(claim["value"], ours) else "differs"
            check(f"{name}/{claim['id']}", claim, ours, word)
    assert not left
