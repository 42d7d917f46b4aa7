"""Classic classifiers and the fast training: what they are, and that their numbers are theirs."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist_utils import tables
from fmnist_utils.baselines import classifiers, fast_training
from fmnist_utils.baselines.classifiers import CLASSIFIERS, Result
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.data.synthetic import load_synthetic
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.tables import baseline_tables
from fmnist_utils.verdicts.outcome import Outcome

ROOT = Path(__file__).parents[1]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


speedrun, paper_classifiers = script("speedrun"), script("paper_classifiers")


@pytest.fixture(scope="module")
def data() -> FashionMNIST:
    return load_synthetic(400, 100)


# --- classifiers ---------------------------------------------------------------------------------

#: Settings of 2017 that scikit-learn spells otherwise today.
RESPELLED = {"loss=deviance": "loss=log_loss", "penalty=l1": "l1_ratio=1"}

#: What scikit-learn took in 2017 where the paper prints nothing.
DEFAULTS_OF_2017 = {
    "svc": {"gamma": "auto"},
    "mlp": {"n_iter_no_change": 2},  # version 0.20 made it a setting, with 10
    "random-forest": {"max_features": "sqrt"},  # then "auto", which meant it
    "linear-svc": {"max_iter": 1000},
    "logistic-regression": {"estimator__max_iter": 100},
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_estimators_have_the_settings_that_the_paper_prints(name: str) -> None:
    given_ = paper_classifiers.estimator(name, 1).get_params()
    flat = {key.removeprefix("estimator__"): value for key, value in given_.items()}
    for printed in CLASSIFIERS[name].settings.replace("[0.1, 0.1, ...]", "").split(", "):
        key, value = RESPELLED.get(printed, printed).split("=")
        if key == "multi_class":  # ovr: one classifier for each class
            assert "estimator" in flat or flat["multi_class"] == value
        elif value:
            assert str(flat[key]) == value


@pytest.mark.parametrize(("name", "default"), DEFAULTS_OF_2017.items())
def test_estimators_have_the_defaults_of_the_papers_time(
    name: str, default: dict[str, object]
) -> None:
    assert default.items() <= paper_classifiers.estimator(name, 1).get_params().items()


def test_a_classifier_is_judged_by_its_own_trainings_alone() -> None:
    near = [Result("mlp", seed, 8710 + seed, 10_000, 1.0) for seed in range(1, 6)]
    far = [Result("svc", seed, 5000 + seed, 10_000, 1.0) for seed in range(1, 6)]
    assert classifiers.judge_classifier("mlp", near + far).word is Outcome.REPRODUCED
    assert classifiers.judge_classifier("svc", near + far).word is Outcome.NOT_REPRODUCED
    assert classifiers.judge_classifier("mlp", near[:2] + far).word is Outcome.PENDING


def test_a_classifier_that_no_seed_changes_is_judged_by_its_margin_alone() -> None:
    same = [Result("naive-bayes", seed, 5108, 10_000, 1.0) for seed in range(1, 4)]
    assert classifiers.judge_classifier("naive-bayes", same).word is Outcome.REPRODUCED
    other = [each._replace(correct=5200) for each in same]
    assert classifiers.judge_classifier("naive-bayes", other).word is Outcome.CLOSE


def test_training_a_classifier_depends_on_its_seed_alone(data: FashionMNIST) -> None:
    once, again = (paper_classifiers.correct_answers("decision-tree", 3, data) for _ in range(2))
    assert once == again
    assert once > len(data.test_labels) / 5


def test_shipped_trainings_are_of_all_test_images_and_each_seed_once() -> None:
    shipped = classifiers.read_results()
    assert {each.images for each in shipped} == {10_000}
    assert len({(each.classifier, each.seed) for each in shipped}) == len(shipped)
    for name in {each.classifier for each in shipped}:  # none left out
        seeds = sorted(each.seed for each in shipped if each.classifier == name)
        assert seeds == list(range(1, len(seeds) + 1)), name


# --- the fast training ---------------------------------------------------------------------------


def pictures(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, 28, 28, 1), dtype=np.uint8)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 40), st.integers(0, 3), st.booleans(), st.integers(0, 2**32))
def test_augmentation_moves_an_image_and_changes_no_pixel(
    n: int, shifts: int, flips: bool, seed: int
) -> None:
    images = pictures(n)
    recipe = speedrun.Recipe(shifts=shifts, flips=flips)
    moved = speedrun.augmented(images, recipe, np.random.default_rng(seed))
    assert moved.shape == images.shape and moved.dtype == np.uint8
    size = 28 - 2 * shifts
    for before, after in zip(images[..., 0], moved[..., 0], strict=True):
        padded = np.pad(before, shifts)
        ways = [padded, padded[:, ::-1]] if flips else [padded]
        corners = [(i, j) for i in range(2 * shifts + 1) for j in range(2 * shifts + 1)]
        assert any(
            np.array_equal(way[i : i + 28, j : j + 28], after) for way in ways for i, j in corners
        )
    assert size > 0


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 6), st.integers(1, 6))
def test_gradients_by_products_are_those_of_the_convolution(
    n: int, side: int, inputs: int, outputs: int
) -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(n)
    shapes = ((n, side, side, inputs), (3, 3, inputs, outputs), (n, side, side, outputs))
    x, kernel, above = (tf.constant(rng.normal(size=shape)) for shape in shapes)

    def gradients(convolution: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            total = tf.reduce_sum(convolution(x, kernel) * above)
        return tape.gradient(total, (x, kernel))

    usual = gradients(lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME"))
    for ours, theirs in zip(gradients(speedrun.convolve), usual, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 2**32))
def test_orthogonal_steps_go_about_as_far_in_every_direction(
    rows: int, columns: int, seed: int
) -> None:
    matrix = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    found = np.linalg.svd(speedrun.orthogonal(matrix).numpy(), compute_uv=False)
    before = np.linalg.svd(matrix, compute_uv=False)
    large = before > 0.05 * np.linalg.norm(matrix)
    assert np.all((found[large] > 0.5) & (found[large] < 1.3))


def test_a_validated_training_never_reads_a_test_image(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def images(part: str) -> Any:
        asked.append(part)
        return pictures(55_000)[:, :, :, :], np.zeros(55_000, np.int32)

    seen: list[int] = []
    monkeypatch.setattr(speedrun, "images_and_labels", images)
    monkeypatch.setattr(speedrun, "train", lambda recipe, images, *_: seen.append(len(images)))
    monkeypatch.setattr(speedrun, "count_correct", lambda *args: len(args[2]))
    row = speedrun.run_once("trial", None, validate=True, seed=1)
    assert asked == ["train"] and seen == [54_000]
    assert (row["split"], row["images"], row["correct"]) == ("validation", 1_000, 1_000)


@pytest.mark.slow
def test_the_network_learns_garments(data: FashionMNIST) -> None:
    recipe = speedrun.Recipe(widths=(8, 16, 16), epochs=30, by_products=True)
    images, labels = data.train_images[..., None], data.train_labels.astype(np.int32)
    many = np.resize(images, (2 * speedrun.BATCH, 28, 28, 1)), np.resize(labels, 2 * speedrun.BATCH)
    network = speedrun.train(recipe, *many, seed=1)
    right = speedrun.count_correct(network, recipe, *many)
    assert right > 0.5 * len(many[0])


def test_parts_are_left_out_of_the_trial_only(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [sys.executable, str(ROOT / "benchmarks/speedrun.py"), "--goal", "93.61"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stopped:
        patch.setattr(sys, "argv", [*argv[1:], "--without", "flips"])
        speedrun.main()
    assert stopped.value.code == 2
    assert "trial only" in capsys.readouterr().err


def test_the_trial_is_never_measured_on_test_images(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stopped:
        patch.setattr(sys, "argv", ["speedrun.py", "--goal", "trial", "--without", "flips"])
        speedrun.main()
    assert stopped.value.code == 2
    assert "--validate" in capsys.readouterr().err


def test_what_two_processes_find_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speedrun, "RESULTS", tmp_path / "fast.json")
    row = {"goal": "93.61", "without": None, "split": "test", "correct": 1, "images": 2}
    for seed in (2, 1):  # neither process knows of the other's
        speedrun.keep({**row, "seed": seed})
    assert [key[-1] for key in speedrun.kept()] == [1, 2]
    results = tmp_path / "classifiers.json"
    monkeypatch.setattr(paper_classifiers, "RESULTS", results)
    monkeypatch.setattr(
        paper_classifiers, "read_results", lambda: classifiers.read_results(results)
    )
    for name in ("svc", "mlp"):
        paper_classifiers.keep(Result(name, 1, 1, 2, 0.5))
    assert [each.classifier for each in classifiers.read_results(results)] == ["mlp", "svc"]


def test_the_start_of_a_process_is_no_part_of_what_a_trick_gains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def runs(split: str, part: str | None) -> dict[str, list[fast_training.FastRun]]:
        # Ten seconds to start, and five for each of eight or four epochs.
        accuracy = 5400 if part in ("half-the-epochs", "muon") else 5460
        seconds = 30.0 if part == "half-the-epochs" else 50.0
        made = [fast_training.FastRun("trial", part, split, seed, accuracy + seed, 6000, seconds,
                                      "", "", 2) for seed in (1, 2, 3)]  # fmt: skip
        return {"trial": made}

    monkeypatch.setattr(baseline_tables, "read_fast_runs", runs)
    (muon,) = (row for row in tables.tricks().rows if row[0] == "Muon")
    assert str(muon[3]).startswith("40 [")  # eight epochs more


def test_shipped_fast_runs_are_of_known_recipes_and_of_consecutive_seeds() -> None:
    rows = json.loads(fast_training.RESULTS.read_text())["runs"]
    groups: dict[Any, list[int]] = {}
    for row in rows:
        assert row["goal"] in speedrun.RECIPES and row["without"] in {None, *speedrun.TRICKS}
        assert row["images"] == {"test": 10_000, "validation": 6_000}[row["split"]]
        groups.setdefault((row["goal"], row["without"], row["split"]), []).append(row["seed"])
    for key, seeds in groups.items():
        assert sorted(seeds) == list(range(1, len(seeds) + 1)), key


def test_every_part_that_was_left_out_has_words_on_the_page() -> None:
    assert set(baseline_tables.PARTS) <= set(speedrun.TRICKS)


def test_tables_say_how_many_runs_reach_the_goal() -> None:
    for row in tables.fast_trainings().rows:
        runs = fast_training.read_fast_runs()[str(row[0])]
        reached = sum(run.accuracy >= float(run.goal) for run in runs)
        assert row[4] == f"{reached} of {len(runs)}"


@pytest.mark.parametrize("names", [("baltzi", "mendez"), tuple(list_reports())])
def test_fast_trainings_are_held_to_the_highest_number_of_the_reports(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    reports = [load_report(name) for name in names]
    stated = (claim for report in reports for _, claim in report.all_claims())
    highest = max(c.percent for c in stated if c.about.is_accuracy and c.split != "train")
    monkeypatch.setattr(baseline_tables, "every_report", lambda: reports)
    assert f" reach {highest:.2f} %, the highest number of the " in str(tables.in_minutes())
