"""A reader's own experiments: how they are made, trained, kept out of the evidence, compared."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from factories import TEST_LABELS, diverged_run, make_run
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import fmnist_utils as fu
from fmnist_utils import cli
from fmnist_utils.book.chapter_setup import Chapter
from fmnist_utils.book.reproduce import ParameterError
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.experiment import Experiment, Variant
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.reports.settings import SettingError
from fmnist_utils.reports.yaml_file import parse_settings
from fmnist_utils.runs import reading as run_reading
from fmnist_utils.runs import store as run_store
from fmnist_utils.runs.contrast import ContrastError, compare
from fmnist_utils.runs.record import Method, Run, fingerprint
from fmnist_utils.runs.store import RunStore, write_run
from fmnist_utils.stats import runs_for_power, welch_interval
from fmnist_utils.training.train import compiled_model
from fmnist_utils.tuning import trials as run_trials


@pytest.fixture
def cnn() -> Experiment:
    return load_report("baltzi")["cnn-1-conv"]


def fmnist(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments)


# --- varying -------------------------------------------------------------------------------------


def test_a_short_name_stands_for_every_place_that_uses_the_setting(cnn: Experiment) -> None:
    mine = cnn.vary(dropout=0.3, epochs=20)
    changed = {path for path, value in mine.settings.items() if cnn.settings[path] != value}
    assert changed == {
        "model.conv.0.dropout", "model.dense.0.dropout", "model.dense.1.dropout",
        "model.dense.2.dropout", "training.epochs",
    }  # fmt: skip
    assert {mine.settings[path] for path in changed} == {0.3, 20}
    assert mine.claims == () and mine.variant_of == "cnn-1-conv" and mine.is_own
    assert mine.title == "1 CNN Layer + Best MLP, dropout 0.3, epochs 20"
    assert mine.id == "cnn-1-conv-own-dropout-0-3-epochs-20"


def test_a_path_sets_one_place_and_counts_more_than_a_short_name(cnn: Experiment) -> None:
    for mine in (
        cnn.vary({"model.dense.0.dropout": 0.1}, dropout=0.3),
        cnn.vary({"dropout": 0.3, "dense.0.dropout": 0.1}),
    ):
        assert [block.dropout for block in mine.model.dense] == [0.1, 0.3, 0.3]


def test_whole_features_and_layers_can_be_given_or_left_out(cnn: Experiment) -> None:
    assert cnn.vary(early_stopping=None).training.early_stopping is None
    stopping = cnn.vary(early_stopping={"monitor": "val_loss", "patience": 5})
    assert stopping.training.early_stopping.patience == 5
    assert [block.units for block in cnn.vary(dense=[{"units": 64}]).model.dense] == [64]
    assert cnn.vary({"dense.0": {"units": 64}}).model.dense[0].dropout is None
    assert cnn.vary({"conv.0.batch_norm": True}).model.conv[0].batch_norm is True
    assert cnn.vary(images=1000).training.images == 1000  # used nowhere, but there is one place


def test_own_experiments_can_be_varied_again(cnn: Experiment) -> None:
    mine = cnn.vary(dropout=0.3).vary(epochs=20)
    assert fingerprint(mine) == fingerprint(cnn.vary(dropout=0.3, epochs=20))
    assert mine.variant_of == "cnn-1-conv"
    of_variant = load_report("baltzi")["cnn-1-conv-dropout-20"].vary(epochs=20)
    assert of_variant.variant_of == "cnn-1-conv" and of_variant.model.conv[0].dropout == 0.2


def test_it_is_what_a_variant_in_the_file_is() -> None:
    for report in map(load_report, list_reports()):
        for name, variant in report.variants.items():
            mine = report[variant.of].vary(variant.settings)
            assert fingerprint(mine) == fingerprint(report[name]), name


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dropot": 0.3}, "baltzi/cnn-1-conv has no setting dropot: did you mean dropout?"),
        ({"zzz": 1}, "has no setting zzz: it has activation, augmentation, batch_norm, "),
        ({"": 1}, "has no setting : it has"),
        ({"dense.7.units": 1}, "has no setting dense.7.units: did you mean units?"),
        ({"batch_norm": True}, "uses no batch_norm: say where, such as model.conv.0.batch_norm."),
        ({"dropout": 1.5}, "varied so: model.conv.0.dropout: Input should be less than 1."),
        ({"epochs": "many"}, "training.epochs: Input should be a valid integer"),
        ({"epochs": True}, "training.epochs: Input should be a valid integer"),
        ({"name": "lion"}, "training.optimizer.name: Input should be 'adam', "),
        ({"pool": 40}, "layer 1: a pooling of 40 does not fit 28 × 28 pixels."),
        ({"fraction": None}, "training.validation: a validation split needs either a fraction"),
        ({"dense": 5}, "model.dense: Input should be a valid tuple."),
        ({"training": None}, "training: Input should be a valid dictionary"),
        ({"validation": {"take": "test"}, "take": "first"}, "is a part of training.validation: "),
        ({"folds": 5}, "folds is not supported: there is one split, by validation."),
        ({"momentum": 0.9}, "training.optimizer: adam takes no momentum: sgd and rmsprop do."),
        ({}, "Name a setting of baltzi/cnn-1-conv to vary, such as epochs=20."),
    ],
    ids=repr,
)
def test_what_cannot_be_varied_is_said_in_one_sentence(cnn, settings, said) -> None:
    with pytest.raises(SettingError) as error:
        cnn.vary(settings)
    assert said in str(error.value) and "\n" not in str(error.value)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)


@given(
    name=st.sampled_from(
        ["dropout", "epochs", "units", "take", "early_stopping", "conv", "model.dense.1", "model"]
    ),
    value=VALUES | st.lists(VALUES, max_size=2) | st.dictionaries(st.text(max_size=5), VALUES),
)
def test_no_value_ends_in_anything_but_an_experiment_or_a_sentence(name: str, value: Any) -> None:
    base = load_report("baltzi")["cnn-1-conv"]
    try:
        mine = base.vary({name: value})
    except FmnistError as error:
        assert str(error)
    else:
        assert mine.is_own and len(mine.id) <= 100
        mine.build  # noqa: B018 - it is a method


@given(st.lists(st.sampled_from([0.1, 0.3, 0.12345678901234567]), min_size=1, max_size=12))
def test_ids_name_files_however_much_is_varied(rates: list[float]) -> None:
    mine = load_report("baltzi")["cnn-1-conv"]
    for rate in rates:
        mine = mine.vary(dropout=rate, learning_rate=rate / 10)
    assert len(mine.id) <= 100 and mine.id.startswith("cnn-1-conv-own-")


def test_settings_and_experiments_complete_their_names(cnn: Experiment) -> None:
    assert "cnn-1-conv-dropout-20" in load_report("baltzi")._ipython_key_completions_()
    assert all(cnn.setting(path) == value for path, value in cnn.settings.items())
    assert cnn.settings["model.dense.0.units"] == 256
    assert "training.augmentation" not in cnn.settings


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True}},
        {"name": "adamw", "weight_decay": 0.01},
        {"label_smoothing": 0.1},
    ],
    ids=repr,
)
def test_its_program_compiles_as_the_trainer_does(cnn: Experiment, settings: Any) -> None:
    mine = cnn.vary(settings)
    model = compiled_model(mine, Method(plain_fit=True))
    program = fu.keras_code(mine)
    names: dict[str, Any] = {}
    start = program.index("model.compile(")
    call = program[start : program.index("\n)\n", start) + 2]
    exec(call.replace("model.compile(", "compiled = dict("), {"keras": keras}, names)
    compiled, same = names["compiled"], {"name": ""}
    assert compiled["optimizer"].get_config() | same == model.optimizer.get_config() | same
    if isinstance(model.loss, str):
        assert compiled["loss"] == model.loss
    else:
        assert compiled["loss"].get_config() == model.loss.get_config()


def test_its_program_says_what_was_changed(cnn: Experiment) -> None:
    program = fu.keras_code(cnn.vary(dropout=0.3, early_stopping=None))
    assert "It differs from cnn-1-conv: dropout rate = 0.3 in Dropout1, Dropout2" in program
    assert "; no early stopping." in program and "layers.Dropout(0.3" in program
    assert "EarlyStopping" not in program and "dropout rate = 0.4" not in program


# --- the command ---------------------------------------------------------------------------------


def test_settings_are_read_as_they_are_typed() -> None:
    assert parse_settings(["dropout=0.3", "l2=none", "conv.0={filters: 8, kernel: 3}"]) == {
        "dropout": "0.3", "l2": None, "conv.0": {"filters": "8", "kernel": "3"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["dropout"], "dropout is no setting: write it as dropout=0.3, without spaces."),
        (["dropout="], "dropout= is no setting"),
        (["=3"], "=3 is no setting"),
        (["a=1", "a=2"], "a is set twice."),
        (["a={b"], "a={b: not valid YAML: "),
        (["a=" + "[" * 5_000], "nested more than 20 deep."),
        (["a=&a [*a]"], "alias a stands inside of itself."),
        (["a={b: 1, b: 2}"], "key b stands twice."),
        (["a\x1b=\x01"], "a =: not valid YAML: special characters are not allowed."),
        (['a="\\UFFFFFFFF"'], "a number is too large for YAML"),
        (['a="\\e[2J"'], "a text holds the character U+001B"),
        (["dropot=0.3"], "baltzi/cnn-1-conv has no setting dropot: did you mean dropout?"),
    ],
    ids=repr,
)
def test_a_wrong_setting_ends_the_command(settings: list[str], said: str) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    result = fmnist("run", "baltzi", "cnn-1-conv", *options)
    assert result.exit_code == 2 and said in result.stderr
    assert len(result.stderr.splitlines()) == 1 and result.stderr[:-1].isprintable()


def test_set_needs_a_name() -> None:
    result = fmnist("run", "baltzi", "--set", "dropout=0.3")
    assert result.exit_code == 2
    assert result.stderr == "--set changes the experiments that are named: name one.\n"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnn: Experiment) -> Path:
    """Work in an empty folder, with four published runs of one experiment."""
    for module in (run_store, run_trials):
        monkeypatch.setattr(module, "reports_folder", lambda: tmp_path / "package")
    monkeypatch.setattr(run_reading, "labels_at_hand", lambda: TEST_LABELS)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "package/baltzi/runs"
    folder.mkdir(parents=True)
    for seed in range(1, 5):
        write_run(make_run(cnn, seed, accuracy=0.9 + seed / 1000), folder)
    return folder


def test_the_command_trains_it_and_compares(shipped, cnn, monkeypatch) -> None:
    def train(missing: Any, store: RunStore, **settings: Any) -> list[Run]:
        asked.extend(missing)
        runs = [make_run(job.experiment, job.seed, accuracy=0.92) for job in missing]
        for run in runs:
            store.add(run)
        return runs

    asked: list[Any] = []
    monkeypatch.setattr("fmnist_utils.campaign.launch.train_missing", train)
    arguments = ("run", "baltzi", "cnn-1-conv", "--set", "model.dense.0.dropout=0.3")
    first = fmnist(*arguments, "--seeds", "2")
    assert first.exit_code == 0
    mine = cnn.vary({"model.dense.0.dropout": 0.3})
    assert [(job.experiment, job.seed) for job in asked] == [(mine, 1), (mine, 2)]
    assert "2 runs written to runs.\n" in first.output and "publish" not in first.output
    assert f"  92.00 %, 2 runs of baltzi/{mine.id}\n  90.25 %, 4" in first.output
    again = fmnist(*arguments, "--seeds", "2")
    assert len(asked) == 2 and "Nothing to train" in again.output and "92.00" in again.output


# --- training, and what is evidence --------------------------------------------------------------


@pytest.mark.slow
def test_reproduce_trains_it_and_keeps_it_in_runs(tmp_path: Path, real_data_dir: Path) -> None:
    mine = load_report("baltzi")["mlp-baseline"].vary(epochs=1, images=2_000)
    data, store = fu.load_data(), RunStore(tmp_path / "runs", tmp_path / "package")
    (run,) = fu.reproduce(mine, data, seeds=1, mode="full", store=store)
    assert run.experiment == mine.id and run.epochs == 1 and run.images["train"] == 2_000
    assert [path.name for path in (tmp_path / "runs/baltzi").glob("*.json")] == [run.filename]
    assert fu.reproduce(mine, data, seeds=1, store=store) == [run], "replay reads it"


def test_its_runs_are_no_evidence(shipped: Path, cnn: Experiment, tmp_path: Path) -> None:
    mine = cnn.vary(dropout=0.3)
    path = write_run(make_run(mine), tmp_path / "runs/baltzi")
    result = fmnist("publish-runs")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Refused: {path.name} is of an experiment of your own, which no report states: it is no "
        "evidence, and stays in runs/baltzi.\n"
    )
    assert len(list(shipped.iterdir())) == 4


def test_status_lists_them_apart(shipped: Path, cnn: Experiment, tmp_path: Path) -> None:
    mine = cnn.vary(dropout=0.3)
    for seed in (2, 1):
        write_run(make_run(mine, seed), tmp_path / "runs/baltzi")
    result = fmnist("status")
    (line,) = (line for line in result.output.splitlines() if mine.id in line)
    assert line.split()[1:3] == ["2", "1–2"] and line.rstrip().endswith("no evidence")
    assert "runs of no experiment" not in result.output


def test_full_mode_on_synthetic_images_is_refused_at_the_setup() -> None:
    with pytest.raises(
        ParameterError, match='Full mode records evidence, so it needs DATA = "real"'
    ):
        fu.check_parameters({"MODE": "full", "DATA": "synthetic", "SEEDS": 1})
    fu.check_parameters({"MODE": "smoke", "DATA": "synthetic", "SEEDS": 1})


# --- comparing -----------------------------------------------------------------------------------


def runs_of(experiment: Experiment, *accuracies: float) -> list[Run]:
    return [make_run(experiment, seed, accuracy=a) for seed, a in enumerate(accuracies, start=1)]


def test_a_difference_has_welch_s_interval_and_its_price(cnn: Experiment) -> None:
    found = compare(
        runs_of(cnn.vary(dropout=0.3), 0.91, 0.92, 0.93), runs_of(cnn, 0.90, 0.905, 0.91)
    )
    assert found.difference == pytest.approx(1.5)
    assert (found.low, found.high) == pytest.approx((-0.58, 3.58), abs=0.01)  # as in stats.py
    assert found.seeds == runs_for_power(1.0, 0.5, 1.0)
    assert str(found).splitlines() == [
        "Accuracy on test images",
        "  92.00 %, 3 runs of baltzi/cnn-1-conv-own-dropout-0-3",
        "  90.50 %, 3 runs of baltzi/cnn-1-conv",
        "Difference: +1.50 points, 95 % interval -0.58 to +3.58",
        "Seeds alone can explain it.",
        f"{found.seeds} runs of each find one point of difference in 4 of 5 tries.",
    ]
    assert repr(found) == str(found)
    # A page shows so many letters of code and of what it prints.
    assert max(map(len, str(found).splitlines())) <= 78


def test_a_clear_difference_is_called_one(cnn: Experiment) -> None:
    found = compare(runs_of(cnn, 0.92, 0.921, 0.922), runs_of(cnn, 0.90, 0.901, 0.902))
    assert "Seeds alone do not explain it." in str(found)


def test_one_run_is_held_against_the_prediction_interval(cnn: Experiment) -> None:
    several = runs_of(cnn, 0.90, 0.905, 0.91)
    found = compare(runs_of(cnn, 0.92), several)
    assert found.seeds is None and found.high is not None and found.low is not None
    assert found.high - found.difference == pytest.approx(0.5 * 4.303 * np.sqrt(4 / 3), abs=1e-3)
    assert compare(several, runs_of(cnn, 0.92)).low == pytest.approx(-found.high)
    alone = compare(runs_of(cnn, 0.92), runs_of(cnn, 0.91))
    assert alone.low is None and "One run shows no spread, so train more seeds." in str(alone)


def test_equal_runs_differ_by_nothing(cnn: Experiment) -> None:
    runs = runs_of(cnn, 0.9, 0.9, 0.9, 0.9)
    found = compare(runs[:2], runs[2:])
    assert (found.low, found.difference, found.high, found.seeds) == (0, 0, 0, 2)


def test_runs_that_cannot_be_compared(cnn: Experiment) -> None:
    with pytest.raises(ContrastError, match=r"no runs in mine: train some with fu\.repro"):
        compare([], runs_of(cnn, 0.9))
    with pytest.raises(ContrastError, match="There are no runs in others"):
        compare(runs_of(cnn, 0.9), [])
    for wrong, said in (({"split": "tset"}, "train, validation, test"), ({"at": 3}, "final, best")):
        with pytest.raises(ContrastError, match=f"is one of {said}, not "):
            compare(runs_of(cnn, 0.9), runs_of(cnn, 0.9), **wrong)
    few = make_run(cnn, labels=TEST_LABELS[:100])
    with pytest.raises(ContrastError, match="tested on 100 and 10,000 images cannot be compared"):
        compare([few], runs_of(cnn, 0.9))


def test_runs_that_diverged_are_left_out_and_told(cnn: Experiment) -> None:
    kept, lost = runs_of(cnn, 0.9, 0.91), diverged_run(cnn, 9)
    found, plain = compare([*kept, lost], kept), compare(kept, kept)
    assert (found.means, found.runs, found.low) == (plain.means, plain.runs, plain.low)
    assert "2 runs of baltzi/cnn-1-conv, 1 more diverged\n" in str(found)
    with pytest.raises(ContrastError, match="Every run in others diverged"):
        compare(kept, [lost])


def trained_elsewhere(run: Run) -> Run:
    """Return a run as another machine has trained it, with another version."""
    changes = {"device": "Tesla T4", "versions": {"keras": "3.10.0", "tensorflow": "2.19.0"}}
    provenance = run.provenance.model_copy(update=changes)
    return run.model_copy(update={"provenance": provenance}).with_digest()


def test_other_machines_versions_and_precisions_are_named(cnn: Experiment) -> None:
    mine = trained_elsewhere(make_run(cnn, method=Method("mixed_bfloat16")))
    text = str(compare([mine], runs_of(cnn, 0.9)))
    assert (
        "Mine were trained on Tesla T4 (Keras 3.10.0, TensorFlow 2.19.0), the others on "
        "cpu (Keras 3.0.0)." in text
    )
    assert "Mine were trained in mixed_bfloat16, the others in float32." in text


MIXED = " (runs: 4 on cpu (Keras 3.0.0), 1 on Tesla T4 (Keras 3.10.0, TensorFlow 2.19.0))"


def test_own_runs_beside_shipped_ones_are_told_of_wherever_they_are_judged(
    shipped: Path, cnn: Experiment
) -> None:
    book = Chapter("baltzi", seeds=5)
    alone = [fu.tables.verdicts(cnn, book.runs(cnn)), book.judged("cnn-1-conv/test")]
    assert not any("(runs:" in table.caption for table in alone)
    write_run(trained_elsewhere(make_run(cnn, 5)), Path("runs/baltzi"))
    book = Chapter("baltzi", seeds=5)
    runs = {cnn.id: book.runs(cnn)}
    tables = [
        fu.tables.verdicts(cnn, runs[cnn.id]),
        fu.tables.results(book.report, runs),
        fu.tables.readings(cnn, "test", runs[cnn.id]),
        book.judged("cnn-1-conv/test"),
        book.in_short("cnn-1-conv/test"),
    ]
    assert [table.caption[-len(MIXED) :] for table in tables] == [MIXED] * len(tables)
    assert "(runs:" not in book.judged("mlp-baseline/test").caption, "none of its runs is mixed"
    assert f"several machines or versions{MIXED}." in fmnist("report", "baltzi").output


@pytest.mark.parametrize(
    ("effect", "runs"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17), (1.2, 12)]
)
def test_runs_for_power_are_those_of_cohen_s_tables(effect: float, runs: int) -> None:
    # Power 0.8 of the two-sided test at 5 %, as G*Power gives them.
    assert runs_for_power(1.0, 1.0, effect) == runs


def test_runs_for_power_have_the_power_that_they_promise() -> None:
    draw = np.random.default_rng(0)
    n = runs_for_power(0.4, 0.9, 1.0)
    assert n is not None
    told = 0
    for _ in range(2_000):
        a, b = draw.normal(1.0, 0.4, n), draw.normal(0.0, 0.9, n)
        found = welch_interval((1, a), (-1, b))
        told += found is not None and not found[1] <= 0 <= found[2]
    assert 0.77 < told / 2_000 < 0.87


def test_runs_for_power_are_found_where_scipy_knows_no_number_for_the_wrong_sign() -> None:
    assert (
        runs_for_power(0.02516611478423459, 0.08757853618324561, 1.0) == 2
    )  # with a power of 0.91


def test_runs_for_power_at_the_ends() -> None:
    assert runs_for_power(0.0, 0.0, 1.0) == 2
    assert runs_for_power(50.0, 50.0, 1.0, most=100) is None


def test_variants_of_files_stay_as_they_were(cnn: Experiment) -> None:
    variant = Variant(of="cnn-1-conv", title="x", settings={"training.epochs": "5"})
    assert cnn.varied("x", variant).training.epochs == 5


def test_trainings_that_begin_alike_are_compared_seed_by_seed(cnn: Experiment) -> None:
    longer = [make_run(cnn, seed, 6, 0.9 + seed / 1000) for seed in range(1, 5)]
    shorter = [
        run.model_copy(
            update={
                "history": {name: values[:3] for name, values in run.history.items()},
                "seconds_per_epoch": run.seconds_per_epoch[:3],
            }
        )
        for run in longer
    ]
    found = compare(shorter, longer)
    assert (found.low, found.high, found.seeds) == (0, 0, None)  # nor is there anything to find
    assert "each seed is compared with itself" in str(found)
    alone = compare(shorter[:1], longer)  # one pair has no spread, the other runs have one
    assert alone.runs == (1, 4) and alone.low is not None
    apart = compare([run.model_copy(update={"seed": 9}) for run in shorter[:2]], longer[2:])
    assert apart.low is not None and apart.low < 0
    assert "compared with itself" not in str(apart)
    one_shared = compare(shorter[:3], longer[2:])  # no spread of pairs, but one of either side
    assert one_shared.runs == (3, 2) and "compared with itself" not in str(one_shared)
    assert one_shared.low is not None and one_shared.low < one_shared.difference < 0
