"""The plain Keras program of an experiment, held against what the package builds and trains."""

import functools
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from fmnist_utils import cli
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.data.inputs import input_images
from fmnist_utils.models.spec import CNN
from fmnist_utils.program.code_sections import images_lines
from fmnist_utils.program.keras_code import Program, _title, keras_code
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.training.optimizers import keras_optimizer
from fmnist_utils.training.train import split_parts

#: Between them: each way of holding images out, resizing, augmentation and early stopping.
QUICK = (
    "anastasopoulos-mpofu-smith/tuned", "baltzi/mlp-3-hidden-dropout", "baltzi/cnn-1-conv",
    "chalkiopoulos-tsoukalelis/mlp-512-256-augmentation",
    "chalkiopoulos-tsoukalelis/mlp-512-256-l2", "chalkiopoulos-tsoukalelis/mlp-optimised-6000",
    "fashion-mnist-report/lenet-5",
    "fashion-mnist-report/lenet-5-bilinear", "fashion-mnist-report/one-conv-fold",
    "fashion-mnist-report/one-conv-full-augmented-more", "mendez/listing",
)  # fmt: skip


def experiment(path: str) -> Experiment:
    report, name = path.split("/")
    return load_report(report)[name]


ALL = [f"{report}/{name}" for report in list_reports() for name in load_report(report).trainable]


@functools.cache
def images() -> FashionMNIST:
    """Return as many images as there are, all of noise."""
    draw = np.random.default_rng(0)
    return FashionMNIST(
        draw.integers(256, size=(60_000, 28, 28), dtype=np.uint8),
        draw.integers(10, size=60_000, dtype=np.uint8),
        draw.integers(256, size=(10_000, 28, 28), dtype=np.uint8),
        draw.integers(10, size=10_000, dtype=np.uint8),
        "synthetic",
    )


@pytest.fixture
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    data = images()
    train, test = (data.train_images, data.train_labels), (data.test_images, data.test_labels)
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: (train, test))


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch, no_download: None) -> dict[str, Any]:
    """Return what `fit` was called with; nothing is trained."""
    calls: dict[str, Any] = {}

    def fit(model: Any, x: Any, y: Any = None, **settings: Any) -> None:
        calls.update(settings, x=x, y=y)

    monkeypatch.setattr(keras.Model, "fit", fit)
    monkeypatch.setattr(keras.Model, "evaluate", lambda model, x, y, verbose: (0.5, 0.9))
    return calls


def run(program: Program) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, "program", "exec"), names)
    return names


def layers_of(model: Any) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield kind, settings and output shape; neither names nor where a number is computed."""
    for layer in model.layers:
        if type(layer).__name__ != "InputLayer":
            config = {k: v for k, v in layer.get_config().items() if k not in ("name", "dtype")}
            yield type(layer).__name__, config, layer.output.shape


def check(wanted: Experiment, fitted: dict[str, Any]) -> None:
    """Hold all that a program does against the experiment."""
    fitted.clear()
    spec, program = wanted.training, keras_code(wanted)
    assert "fmnist_utils" not in program and max(map(len, program.splitlines())) <= 88
    names = run(program)
    model = names["model"]

    assert list(layers_of(model)) == list(layers_of(wanted.build(plain=True)))
    assert model.input_shape[1:] == wanted.model.input_shape
    same = {"name": ""}  # which Keras counts
    optimizer = keras_optimizer(spec.optimizer)
    assert type(model.optimizer) is type(optimizer)
    assert model.optimizer.get_config() | same == optimizer.get_config() | same
    assert model.loss == spec.loss

    resize = wanted.model.resize if isinstance(wanted.model, CNN) else None
    parts = split_parts(images(), spec, wanted.model.input_shape, resize, seed=1)
    assert ("x_val" in names) == (spec.validation.take != "none")
    for name, short in (("train", "train"), ("validation", "val"), ("test", "test")):
        if f"x_{short}" not in names:
            continue
        x, y = names[f"x_{short}"], names[f"y_{short}"]
        assert x.dtype == np.float32 and x.shape == parts[name].images.shape
        # Where interpolation ends half way between two grey levels, either may be taken.
        grey = np.abs(np.rint(x * 255) - parts[name].images)
        assert grey.max() <= (resize == "bilinear") and grey.mean() < 1e-3
        assert np.array_equal(y, parts[name].labels)

    check_protocol(wanted, fitted, names)


def check_protocol(wanted: Experiment, fitted: dict[str, Any], names: dict[str, Any]) -> None:
    spec, validation = wanted.training, fitted.get("validation_data")
    assert (validation is None) == (spec.validation.take == "none")
    assert fitted["epochs"] == spec.epochs
    if spec.augmentation:
        assert int(fitted["x"].cardinality()) == -(-len(names["x_train"]) // spec.batch_size)
        assert isinstance(validation, tuple) != bool(spec.augmentation.validation)
        kinds = [type(layer).__name__ for layer in names["augment"].layers]
        for setting, kind in (
            ("rotation_degrees", "RandomRotation"), ("zoom", "RandomZoom"),
            ("shift", "RandomTranslation"), ("shear_degrees", "RandomShear"),
        ):  # fmt: skip
            assert (kind in kinds) == bool(getattr(spec.augmentation, setting))
        flips = bool(spec.augmentation.horizontal_flip) + bool(spec.augmentation.vertical_flip)
        assert kinds.count("RandomFlip") == flips
    else:
        assert fitted["batch_size"] == spec.batch_size
        assert fitted["x"] is names["x_train"]
        assert validation is None or validation[0] is names["x_val"]
    best = any("best" in str(a.chosen) for a in wanted.assumed if a.setting == "reading.weights")
    stopping = spec.early_stopping
    best |= spec.restores_best
    plateau, callbacks = spec.reduce_lr_on_plateau, list(fitted.get("callbacks", []))
    if plateau:
        lowering = callbacks.pop()
        assert lowering.patience == plateau.patience and lowering.factor == plateau.factor
        assert lowering.monitor == plateau.monitor
    for callback in callbacks:
        assert callback.monitor == spec.monitor
        assert callback.patience == (stopping.patience if stopping else spec.epochs)
        assert callback.restore_best_weights == best or wanted.variant_of
        assert callback.min_delta == (stopping.min_delta or 0 if stopping else 0)
    assert stopping is None or len(callbacks) == 1


@pytest.mark.slow
@pytest.mark.parametrize("path", QUICK)
def test_program_is_the_experiment(path: str, fitted: dict[str, Any]) -> None:
    check(experiment(path), fitted)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_program_draws_the_images_of_the_run(seed: int, fitted: dict[str, Any]) -> None:
    wanted = experiment("baltzi/mlp-baseline").vary(
        {"training.validation": {"take": "random", "count": 5_000}}
    )
    program = keras_code(wanted)
    assert "draws its own, by its seed" in program and program.count("seed = 1\n") == 1
    names = run(Program(program.replace("seed = 1\n", f"seed = {seed}\n")))
    parts = split_parts(images(), wanted.training, wanted.model.input_shape, seed=seed)
    for name, short in (("train", "train"), ("validation", "val")):
        assert np.array_equal(np.rint(names[f"x_{short}"] * 255), parts[name].images)
        assert np.array_equal(names[f"y_{short}"], parts[name].labels)


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in ALL if path not in QUICK])
def test_every_program_is_its_experiment(path: str, fitted: dict[str, Any]) -> None:
    check(experiment(path), fitted)


@pytest.mark.parametrize(
    ("size", "resize"),
    [((28, 32, 1), "pad"), ((32, 28, 1), "pad"), ((14, 56, 1), "bilinear"), ((28, 28, 1), "pad")],
)
def test_a_program_resizes_each_side(size: tuple[int, ...], resize: Any) -> None:
    lenet = experiment("fashion-mnist-report/lenet-5")
    model = lenet.model.model_copy(update={"input_shape": size, "resize": resize})
    wanted = lenet.model_copy(update={"model": model})
    train, test = images().train_images[:30], images().test_images[:20]
    data = SimpleNamespace(load_data=lambda: ((train, train[:, 0, 0]), (test, test[:, 0, 0])))
    names = {"np": np, "keras": keras, "fashion_mnist": data}
    exec("\n".join(images_lines(wanted, defaultdict(list))), names)
    ours = input_images(train, size, resize)
    assert np.abs(np.rint(names["x_train"] * 255) - ours).max() <= (resize == "bilinear")


@pytest.mark.parametrize(
    "augmentation", [{"rotation_degrees": 0}, {"horizontal_flip": False, "validation": True}]
)
def test_a_program_without_a_move_augments_nothing(augmentation, fitted) -> None:
    wanted = experiment("mendez/listing").vary({"training.augmentation": augmentation})
    names = run(keras_code(wanted))
    assert fitted["x"] is names["x_train"] and fitted["batch_size"] == wanted.training.batch_size
    assert "augment" not in names


def test_a_program_says_what_of_early_stopping_is_left_out() -> None:
    base = experiment("baltzi/cnn-1-conv")
    stopping = {"monitor": "val_loss", "patience": 3, "min_delta": 0.001}
    base = base.vary({"training.early_stopping": stopping})
    for left_out, told in (
        ("training.early_stopping.min_delta", ": no least improvement for early stopping."),
        ("training.early_stopping", ": no early stopping."),
    ):
        assert told in " ".join(" ".join(_title(base.vary({left_out: None}), base, {})).split())


def own_experiments() -> list[str]:
    """List what reports have, and of variants those that move images in a way of their own."""
    found, seen = [], set()
    for path in ALL:
        item = experiment(path)
        moved = repr(item.training.augmentation)
        if item.variant_of is None or moved not in seen:
            found.append(path)
        seen.add(moved)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", own_experiments())
def test_every_program_trains(path, no_download, monkeypatch, capsys) -> None:
    def few(x: Any, n: int = 32) -> Any:
        if x is None or isinstance(x, np.ndarray):
            return x if x is None else x[:n]
        return x.take(1)

    def fit(model: Any, x: Any, y: Any = None, *, validation_data: Any, **settings: Any) -> Any:
        if isinstance(validation_data, tuple):
            validation_data = tuple(map(few, validation_data))
        else:
            validation_data = few(validation_data)
        settings |= {"epochs": 1, "verbose": 0, "validation_data": validation_data}
        return trained(model, few(x), few(y), **settings)

    def evaluate(model: Any, x: Any, y: Any = None, **settings: Any) -> Any:
        return evaluated(model, few(x), few(y), **settings)

    trained, evaluated = keras.Model.fit, keras.Model.evaluate
    monkeypatch.setattr(keras.Model, "fit", fit)
    monkeypatch.setattr(keras.Model, "evaluate", evaluate)
    model = run(keras_code(experiment(path)))["model"]
    assert np.isfinite(model.get_weights()[0]).all() and int(model.optimizer.iterations) == 1
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == ["training", "validation", "test"]


# --- what it says --------------------------------------------------------------------------------


def test_layers_have_the_names_of_the_report() -> None:
    wanted = load_report("baltzi")["cnn-1-conv"]
    program = keras_code(wanted)
    assert wanted.table is not None
    for layer in wanted.table.layers:
        assert f'name="{layer.name}"' in program
    assert 'name="MaxPool2D1"' in keras_code(load_report("baltzi")["cnn-1-conv-dropout-20"])


@pytest.mark.parametrize(
    "change", [{"layers": "repeated"}, {"layers": "short"}, {"name": "a/b"}], ids=repr
)
def test_a_table_whose_names_keras_cannot_take_is_left_aside(change, fitted) -> None:
    wanted = load_report("baltzi")["mlp-1-hidden"]
    assert wanted.table is not None
    rows = list(wanted.table.layers)
    if "name" in change:
        rows[1] = rows[1].model_copy(update=change)
    elif change["layers"] == "repeated":
        rows[1] = rows[1].model_copy(update={"name": rows[0].name})
    else:
        rows = rows[1:-1]
    table = wanted.table.model_copy(update={"layers": tuple(rows)})
    model = run(keras_code(wanted.model_copy(update={"table": table})))["model"]
    assert [layer.name for layer in model.layers] == ["Flatten", "Hidden1", "Output"]


def test_each_assumption_has_a_comment() -> None:
    for path in ALL:
        wanted, program = experiment(path), keras_code(experiment(path))
        told = " ".join(line.removeprefix("# ") for line in program.splitlines())
        for item in wanted.assumed:
            if item.setting == "precision":  # no program has it
                assert f"trains it in {item.chosen}, this program in float32." in told, path
                continue
            assert f"Why: {' '.join(item.because.split())}." in told, path
            assert f"= {item.chosen}" in told, path


def test_a_variant_says_what_it_changes_and_assumes_that_no_more() -> None:
    program = keras_code(load_report("baltzi")["cnn-1-conv-dropout-20"])
    assert "It differs from cnn-1-conv: dropout rate = 0.2 in Dropout1." in program
    assert "Assumed: dropout rate = 0.4 in Dropout2, Dropout3 and Dropout4." in program
    assert "Assumed: dropout rate = 0.4 in Dropout1" not in program


@pytest.mark.parametrize("text", ['"""\nimport os\n"""', "\\", "a\r\nimport os", "```\nb", 'c"'])
def test_no_text_of_a_report_becomes_code(text: str, fitted: dict[str, Any]) -> None:
    wanted = load_report("baltzi")["mlp-1-hidden"]
    assert wanted.table is not None
    assumed = tuple(item.model_copy(update={"because": text}) for item in wanted.assumed)
    rows = [
        row.model_copy(update={"name": f"{text}{i}"}) for i, row in enumerate(wanted.table.layers)
    ]
    table = wanted.table.model_copy(update={"layers": tuple(rows)})
    program = keras_code(
        wanted.model_copy(update={"title": text, "assumed": assumed, "table": table})
    )
    names = run(program)
    assert "os" not in names and names["model"].layers[-1].name == f"{text}3"
    fence = program._repr_markdown_().partition("python")[0]
    assert fence not in program


def test_a_notebook_shows_highlighted_code_and_a_shell_the_text() -> None:
    program = keras_code(load_report("baltzi")["mlp-baseline"])
    assert program._repr_markdown_() == f"```python\n{program}```"
    assert repr(program) == str(program) and program.endswith("\n")


def test_the_text_needs_no_keras() -> None:
    code = (
        "import sys, fmnist_utils as fu; fu.keras_code(fu.load_report('baltzi')['cnn-1-conv']);"
        "sys.exit('keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_prints_the_program() -> None:
    done = CliRunner().invoke(cli.app, ["code", "baltzi", "cnn-1-conv"])
    assert done.exit_code == 0
    assert done.stdout == keras_code(load_report("baltzi")["cnn-1-conv"])
    wrong = CliRunner().invoke(cli.app, ["code", "baltzi", "cnn-9"])
    assert wrong.exit_code == 2 and "has no experiment 'cnn-9'; it has mlp-base" in wrong.stderr
