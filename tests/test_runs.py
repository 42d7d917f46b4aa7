"""Run records: what is kept, what is noticed, and what ships."""

import errno
import functools
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import (
    TEST_LABELS,
    diverged_run,
    make_run,
    of_revision,
    predict,
    with_new_digest,
    with_value,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mutations import many_mutations, mutations, try_to
from numpy.typing import NDArray

from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import DataError
from fmnist_utils.models.spec import MLP, DenseBlock
from fmnist_utils.reports.claim import Claim
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.load import list_reports, load_report, reports_folder
from fmnist_utils.reports.protocol import EarlyStopping, Optimizer, Validation, split_rows
from fmnist_utils.runs import reading
from fmnist_utils.runs.packing import (
    pack_confidences,
    pack_predictions,
    unpack_confidences,
    unpack_predictions,
)
from fmnist_utils.runs.publish import publish_run
from fmnist_utils.runs.reading import data_fault, protocol_fault, read_run
from fmnist_utils.runs.record import Method, Run, RunError, confusion, fingerprint
from fmnist_utils.runs.store import RunStore, write_run
from fmnist_utils.verdicts.equivalence import BFLOAT16 as equivalence_BFLOAT16
from fmnist_utils.verdicts.equivalence import EXPERIMENTS, SEEDED_FIT
from fmnist_utils.verdicts.equivalence import PLAIN_FIT as equivalence_PLAIN_FIT

BFLOAT16 = Method("mixed_bfloat16")
PLAIN_FIT = Method(plain_fit=True)
SHIPPED = sorted(reports_folder().glob("*/runs/*.json"))


@functools.cache
def shipped(path: Path) -> Run:
    """Read a shipped run, once for all tests."""
    return read_run(path)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return load_report("baltzi")["mlp-1-hidden"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setattr(reading, "labels_at_hand", lambda: TEST_LABELS)
    return RunStore(tmp_path / "runs", published=tmp_path / "published")


# --- predictions ---------------------------------------------------------------------------------

classes = hnp.arrays(np.uint8, st.integers(0, 300), elements=st.integers(0, 9))


@given(classes)
def test_packed_predictions_come_back_as_they_were(predicted: NDArray[np.uint8]) -> None:
    unpacked = unpack_predictions(pack_predictions(predicted))
    assert unpacked.dtype == np.uint8
    assert np.array_equal(unpacked, predicted)


def test_ten_thousand_predictions_take_few_bytes() -> None:
    predicted = np.random.default_rng(0).integers(10, size=10_000, dtype=np.uint8)
    assert len(pack_predictions(predicted)) < 7_000


@given(hnp.arrays(np.float32, st.integers(0, 300), elements=st.floats(0, 1, width=32)))
def test_packed_confidences_come_back_to_half_a_percent(probabilities: NDArray[np.float32]) -> None:
    percents = unpack_confidences(pack_confidences(probabilities), probabilities.size)
    assert percents.shape == probabilities.shape
    assert np.all(np.abs(percents - 100 * probabilities) <= 0.5 + 1e-4)


def test_a_record_from_before_confidences_has_none(experiment: Experiment) -> None:
    assert make_run(experiment).confidences is None


@given(classes, st.randoms(use_true_random=False))
def test_confusion_counts_each_image_once(labels: NDArray[np.uint8], dice: Any) -> None:
    predicted = np.array(dice.choices(range(10), k=len(labels)), np.uint8)
    counts = confusion(labels, predicted)
    assert counts.shape == (10, 10)
    assert np.array_equal(counts.sum(axis=1), np.bincount(labels, minlength=10))
    assert np.array_equal(counts.sum(axis=0), np.bincount(predicted, minlength=10))
    assert np.trace(counts) == np.sum(labels == predicted)
    for label, guess in zip(labels, predicted, strict=True):
        assert counts[label, guess] > 0


# --- the digest ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def record(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(experiment, seed=12, epochs=5, best_epoch=3)
    return write_run(run, tmp_path_factory.mktemp("records"))


def test_a_run_is_read_as_it_was_written(experiment: Experiment, record: Path) -> None:
    run = read_run(record)
    assert run == make_run(experiment, seed=12, epochs=5, best_epoch=3)
    assert run.is_intact and run.with_digest() == run
    assert record.name == run.filename == f"mlp-1-hidden.seed12.{run.fingerprint[:8]}.json"


@settings(
    max_examples=200,
    # The record is only read, and the damaged copy is written anew each time.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_any_single_changed_digit_is_noticed(
    record: Path, tmp_path: Path, data: st.DataObject
) -> None:
    text = record.read_text()
    # Half of the tries outside the packed predictions, which hold most of the digits.
    packed = re.search(r'"test_predictions":"[^"]*"', text)
    assert packed is not None
    outside = data.draw(st.booleans())
    digits = [
        match.start()
        for match in re.finditer(r"\d", text)
        if (packed.start() <= match.start() < packed.end()) != outside
    ]
    at = data.draw(st.sampled_from(digits))
    new = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != text[at]]))
    damaged = tmp_path / record.name
    damaged.write_text(text[:at] + new + text[at + 1 :])
    with pytest.raises(RunError, match=re.escape(record.name)):
        read_run(damaged)


def test_every_digit_of_a_recorded_accuracy_counts(record: Path, tmp_path: Path) -> None:
    text = record.read_text()
    found = re.search(r'"test":\{"loss":[\d.]+,"accuracy":(0\.\d+)', text)
    assert found is not None
    damaged = tmp_path / record.name
    for at in range(found.start(1) + 2, found.end(1)):
        new = "1" if text[at] != "1" else "2"
        damaged.write_text(text[:at] + new + text[at + 1 :])
        with pytest.raises(RunError, match="never edited by hand"):
            read_run(damaged)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff\xfe\x00", b'{"report": "baltzi"', b'{"seed": "one"}'],
)
def test_damaged_record_is_an_error_of_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mlp.seed01.json"
    path.write_bytes(content)
    with pytest.raises(
        RunError, match=r"^mlp\.seed01\.json is not a run record \([^:].*train again\.$"
    ):
        read_run(path)


def test_record_cut_short_or_with_a_key_too_many_is_refused(record: Path, tmp_path: Path) -> None:
    text = record.read_text()
    path = tmp_path / record.name
    for damaged in (text[: len(text) // 2], text.replace("{", '{"mood":1,', 1)):
        path.write_text(damaged)
        with pytest.raises(RunError, match="is not a run record"):
            read_run(path)


# --- numbers that cannot be ----------------------------------------------------------------------

OTHERS = pack_predictions(np.zeros(10_000, np.uint8))
ROW = [10_000, *[0] * 9]

IMPOSSIBLE: list[tuple[str, Any, str]] = [
    *(
        ("final.test.accuracy", value, "final.test.accuracy")
        for value in (5.0, -1, math.nan, 0.9999)
    ),
    ("best.test.accuracy", 0.9999, "best.test.accuracy"),
    ("best.validation.loss", -0.5, "loss is negative"),
    ("history.loss", [1.0, -math.inf, 1.0, 1.0, 1.0], "loss is negative"),
    ("history.accuracy", [0.1, 0.2, 0.3, 0.4, 1.1], "not between 0 and 1"),
    ("history.val_accuracy", [0.1, 0.2, 0.3, math.nan, 0.1], "not between 0 and 1"),
    ("history.val_loss", [], "last epoch is 5"),
    ("history.loss", [1.0] * 4, r"have \[4, 5\]"),
    ("history.mood", [1.0] * 5, "does not hold"),
    ("history", {}, "does not hold"),
    ("seconds_per_epoch", [1.0], "last epoch is 5"),
    *(("seconds_per_epoch", [1, 1, 1, 1, x], "seconds_per_epoch.4") for x in (0, -1, math.inf)),
    ("final.epoch", 4, "last epoch is 4"),
    ("best.epoch", 4, "epoch 4 is best by no"),
    ("best.epoch", 6, "epoch 6 is best by no"),
    ("best.epoch", 0, "best.epoch"),
    ("best.epoch", 5, "epoch 5 is best by no"),
    ("seed", -1, "seed"),
    ("seed", 2**32, "seed"),
    ("images", {}, "not some images"),
    ("images.test", 1, "counts 10000 of 1 test"),
    ("images.train", 0, "not some images"),
    ("images.other", 3, "not some images"),
    ("final.test_confusion", [[10_000]], "final.test_confusion"),
    ("final.test_confusion.0.0", -5, "final.test_confusion.0.0"),
    ("final.test_confusion.0.0", 1, "final.test_confusion counts"),
    ("best.test_confusion", [ROW, *[[0] * 10] * 9], "best.test.accuracy"),
    ("test_predictions", OTHERS, "not those that final.test_confusion counts"),
    ("test_predictions", OTHERS.replace("10000:", "\x1b[2J:"), "are not of 10000 test images"),
    ("test_predictions", "10000:abc", "cannot be unpacked"),
    ("test_predictions", "10000:é", "cannot be unpacked"),
    ("test_predictions", pack_predictions(np.zeros(10**7, np.uint8)), "cannot be unpacked"),
    ("test_predictions", pack_predictions(np.full(10_000, 11, np.uint8)), "not those that"),
    ("provenance.threads", 0, "provenance.threads"),
    ("provenance.device", "\x1b[2J", "provenance.device"),
    ("provenance.revision", "a" * 1_001, "provenance.revision"),
    ("provenance.versions", {"keras\x07": "3"}, "provenance.versions"),
]


@pytest.mark.parametrize(("path", "value", "reason"), IMPOSSIBLE, ids=str)
def test_a_number_that_no_training_gives_is_refused_though_the_digest_fits(
    record: Path, tmp_path: Path, path: str, value: Any, reason: str
) -> None:
    forged = tmp_path / record.name
    forged.write_text(with_new_digest(with_value(json.loads(record.read_text()), path, value)))
    with pytest.raises(RunError, match=f"^{record.name} [^\n]*{reason}[^\n]*train again\\.$"):
        read_run(forged)


@pytest.mark.parametrize(
    ("path", "value"),
    [("report", "other"), ("experiment", "other"), ("seed", 2), ("provenance.plain_fit", True)],
)
def test_a_record_under_anothers_name_is_refused(
    record: Path, tmp_path: Path, path: str, value: Any
) -> None:
    moved = tmp_path / record.name
    moved.write_text(with_new_digest(with_value(json.loads(record.read_text()), path, value)))
    with pytest.raises(RunError, match=f"^{record.name} is the record of another run .*{tmp_path}"):
        read_run(moved, "baltzi")


FIFTH = {"fraction": 0.2, "take": "last"}
SIZES = [
    # what is held out, the cap, training and validation images, and whether they can be
    (FIFTH, None, 48_000, 12_000, True),
    (FIFTH, None, 480, 120, True),
    (FIFTH, None, 1, 12_000, False),
    (FIFTH, None, 48_000, 1, False),
    (FIFTH, 10_000, 10_000, 12_000, True),
    (FIFTH, 10_000, 400, 100, True),
    (FIFTH, 10_000, 10_001, 12_000, False),
    (FIFTH, 10_000, 10_000, 100, False),
    ({"count": 6_000, "take": "last"}, None, 54_000, 6_000, True),
    ({"count": 6_000, "take": "last"}, None, 54_000, 5_999, False),
    ({"take": "test"}, None, 60_000, 10_000, True),
    ({"take": "test"}, None, 60_000, 12_000, False),
    ({"take": "none"}, 5, 6, 10_000, False),
]


@pytest.mark.parametrize(("held_out", "cap", "train", "validation", "fits"), SIZES)
def test_numbers_of_images_that_the_protocol_cannot_give_are_refused(
    experiment: Experiment,
    held_out: dict[str, Any],
    cap: int | None,
    train: int,
    validation: int,
    fits: bool,
) -> None:
    """Whatever the size of the data set, which a run does not say."""
    protocol = {"validation": Validation(**held_out), "images": cap}
    changed = experiment.training.model_copy(update=protocol)
    run = make_run(experiment)
    images = run.images | {"train": train, "validation": validation}
    told = protocol_fault(
        run.model_copy(update={"images": images}),
        experiment.model_copy(update={"training": changed}),
    )
    assert (told is None) is fits
    assert told is None or f"{train} training and {validation} validation images" in told


@given(st.floats(0.01, 0.99), st.integers(2, 60_000), st.none() | st.integers(1, 60_000))
def test_every_split_that_a_protocol_gives_is_taken(
    fraction: float, n: int, cap: int | None
) -> None:
    experiment = load_report("baltzi")["mlp-1-hidden"]
    held_out = Validation(fraction=fraction, take="last")
    spec = experiment.training.model_copy(update={"validation": held_out, "images": cap})
    try:
        train, validation = split_rows(spec, n)
    except DataError:
        return
    assert validation is not None
    run = make_run(experiment)
    images = run.images | {"train": len(train), "validation": len(validation)}
    changed = experiment.model_copy(update={"training": spec})
    assert protocol_fault(run.model_copy(update={"images": images}), changed) is None


def test_what_was_predicted_at_the_best_epoch_is_held_against_its_confusion(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "labels_at_hand", lambda: TEST_LABELS)
    run = make_run(experiment, best_accuracy=0.95)
    with pytest.raises(RunError, match="does not keep what was predicted at its best epoch"):
        run.at_best()
    kept = {"best_confidences": pack_confidences(np.full(10_000, 0.9, np.float32))}
    right = pack_predictions(predict(TEST_LABELS, 0.95, run.seed))
    whole = read_run(write_run(run.model_copy(update=kept | {"best_predictions": right}), tmp_path))
    classes, percents = whole.at_best()
    assert np.array_equal(confusion(TEST_LABELS, classes), whole.best.test_confusion)
    assert np.all(percents == 90) and data_fault(whole, experiment) is None
    forged = run.model_copy(update=kept | {"best_predictions": run.test_predictions})
    with pytest.raises(RunError, match="not those that best\\.test_confusion counts"):
        read_run(write_run(forged, tmp_path))


def test_a_last_epoch_that_is_best_has_the_same_numbers(
    experiment: Experiment, tmp_path: Path
) -> None:
    run = make_run(experiment, epochs=3)
    best = run.best.model_copy(update={"train": run.best.validation})
    path = write_run(run.model_copy(update={"best": best}), tmp_path)
    with pytest.raises(RunError, match="has other numbers"):
        read_run(path)


def test_confidences_are_checked_when_they_are_looked_at(
    store: RunStore, experiment: Experiment
) -> None:
    run = make_run(experiment)
    for percents, reason in (([50] * 9_999, "10000 bytes"), ([50] * 9_999 + [101], "101 %")):
        packed = pack_confidences(np.array(percents, np.float32) / 100)
        wrong = run.model_copy(update={"test_confidences": packed})
        with pytest.raises(RunError, match=f"{run.filename}: .*{reason}"):
            _ = wrong.confidences
        with pytest.raises(RunError, match=reason):
            data_fault(
                make_run(experiment).model_copy(update={"test_confidences": packed}), experiment
            )


def test_what_is_no_file_or_has_no_end_is_one_sentence(tmp_path: Path) -> None:
    fifo, large = tmp_path / "a.seed01.0.json", tmp_path / "b.seed01.0.json"
    os.mkfifo(fifo)
    large.write_bytes(b" " * 3_000_000)
    for path, reason in ((fifo, "no regular file"), (large, "more than 2,000,000 bytes")):
        with pytest.raises(RunError, match=f"^{path.name} cannot be read .*{reason}"):
            read_run(path)


def test_a_diverged_run_is_read(experiment: Experiment, tmp_path: Path) -> None:
    run = read_run(write_run(diverged_run(experiment), tmp_path))
    assert run.diverged and not make_run(experiment).diverged


# --- any damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("new_digest", [False, True], ids=["found", "with new digest"])
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_record_is_read_or_refused(
    record: Path, tmp_path: Path, new_digest: bool, data: st.DataObject
) -> None:
    damaged = tmp_path / record.name
    damaged.write_bytes(
        data.draw(mutations(record.read_bytes(), with_new_digest if new_digest else None))
    )
    try_to(lambda: read_run(damaged, "baltzi"), RunError)


@pytest.mark.slow
@pytest.mark.parametrize("new_digest", [False, True], ids=["found", "with new digest"])
def test_a_hundred_thousand_damaged_records_are_read_or_refused_at_once(
    record: Path, tmp_path: Path, new_digest: bool
) -> None:
    content, damaged = record.read_bytes(), tmp_path / record.name
    for mutant in many_mutations(content, 50_000, with_new_digest if new_digest else None):
        damaged.write_bytes(mutant)
        try_to(lambda: read_run(damaged, "baltzi"), RunError, seconds=2)


# --- the fingerprint -----------------------------------------------------------------------------


def changed(experiment: Experiment, **training: Any) -> Experiment:
    spec = experiment.training.model_copy(update=training)
    return experiment.model_copy(update={"training": spec})


def test_fingerprint_changes_with_every_setting_that_matters(experiment: Experiment) -> None:
    variants = [
        experiment,
        changed(experiment, batch_size=127),
        changed(experiment, epochs=101),
        changed(experiment, loss="sparse_categorical_crossentropy"),
        changed(experiment, optimizer=Optimizer(name="adam", learning_rate=0.002)),
        changed(experiment, optimizer=Optimizer(name="sgd", learning_rate=0.001)),
        changed(experiment, validation=Validation(fraction=0.2, take="first")),
        changed(experiment, validation=Validation(fraction=0.1, take="last")),
        changed(experiment, validation=Validation(count=12_000, take="last")),
        changed(experiment, validation=Validation(fraction=0.2, take="random")),
        changed(experiment, validation=Validation(fraction=0.2, take="random", seed=1)),
        changed(experiment, validation=Validation(fraction=0.2, take="random", seed=2)),
        changed(experiment, early_stopping=None),
        changed(experiment, early_stopping=EarlyStopping(monitor="val_accuracy", patience=9)),
        changed(experiment, early_stopping=EarlyStopping(monitor="val_loss", patience=10)),
        *(
            experiment.model_copy(update={"model": MLP(builder="mlp", **model)})
            for model in (
                {},
                {"hidden": (DenseBlock(units=255),)},
                {"hidden": (DenseBlock(units=256, activation="tanh"),)},
                {"hidden": (DenseBlock(units=256, dropout=0.4),)},
                {"hidden": (DenseBlock(units=256), DenseBlock(units=256))},
                {"hidden": (DenseBlock(units=256),), "input_shape": (784,)},
            )
        ),
    ]
    prints = [fingerprint(variant) for variant in variants]
    assert len(set(prints)) == len(prints)


def test_fingerprint_changes_with_data_and_trainer(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(experiment)
    with monkeypatch.context() as patch:
        patch.setattr("fmnist_utils.runs.record.TRAINER_VERSION", 10**6)
        assert fingerprint(experiment) != before
    with monkeypatch.context() as patch:
        patch.setattr("fmnist_utils.runs.record.official_fingerprint", lambda: "other images")
        assert fingerprint(experiment) != before
    assert fingerprint(experiment) == before


def test_fingerprint_ignores_what_the_report_only_says(experiment: Experiment) -> None:
    words = experiment.model_copy(
        update={
            "id": "renamed",
            "title": "Another title",
            "where": "elsewhere",
            "assumed": (),
            "table": None,
            "stated": (
                Claim(id="x", quantity="epochs_trained", value=Decimal(1), where=("p. 9",)),
            ),
        }
    )
    assert fingerprint(words) == fingerprint(experiment)


def test_new_feature_that_is_not_used_leaves_runs_valid(experiment: Experiment) -> None:
    class Newer(type(experiment.training)):  # type: ignore[misc]
        learning_rate_schedule: str | None = None

    content = experiment.training.model_dump()
    unused = experiment.model_copy(update={"training": Newer(**content)})
    used = experiment.model_copy(
        update={"training": Newer(**content, learning_rate_schedule="cosine")}
    )
    assert fingerprint(unused) == fingerprint(experiment) != fingerprint(used)


def test_fingerprint_is_the_same_in_every_process(experiment: Experiment) -> None:
    code = (
        "from fmnist_utils.reports.load import load_report\n"
        "from fmnist_utils.runs.record import fingerprint\n"
        "print(fingerprint(load_report('baltzi')['mlp-1-hidden']))"
    )
    for seed in ("0", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == fingerprint(experiment)


# --- the store -----------------------------------------------------------------------------------


def test_store_gives_one_valid_run_per_seed_in_order(
    store: RunStore, experiment: Experiment
) -> None:
    assert store.runs(experiment) == [] and store.missing(experiment, [1, 2]) == [1, 2]
    for seed in (3, 1, 10):
        store.add(make_run(experiment, seed))
    write_run(make_run(experiment, 2), store.published / experiment.report / "runs")
    write_run(make_run(experiment, 3, accuracy=0.8), store.published / experiment.report / "runs")
    runs = store.runs(experiment)
    assert [run.seed for run in runs] == [1, 2, 3, 10]
    assert runs[2].final.test.accuracy == 0.8, "what is published counts first"
    assert store.missing(experiment, range(1, 6)) == [4, 5]


def test_stale_run_is_shown_but_not_used(store: RunStore, experiment: Experiment) -> None:
    older = changed(experiment, batch_size=64)
    for seed in (1, 2):
        store.add(make_run(older, seed))
    store.add(make_run(experiment, 2))
    assert [run.seed for run in store.runs(experiment)] == [2]
    assert store.missing(experiment, [1, 2]) == [1]
    assert len(store.all_runs(experiment)) == 3, "new evidence does not overwrite old"


@pytest.mark.parametrize("method", [BFLOAT16, PLAIN_FIT])
def test_runs_of_other_methods_are_not_mixed_in(
    store: RunStore, experiment: Experiment, method: Method
) -> None:
    store.add(make_run(experiment, 1, method=method))
    store.add(make_run(experiment, 2))
    assert [run.seed for run in store.runs(experiment)] == [2]
    assert store.missing(experiment, [1, 2]) == [1]


def test_experiments_do_not_see_each_others_runs(store: RunStore) -> None:
    report = load_report("baltzi")
    for experiment in report.trainable.values():
        store.add(make_run(experiment, method=Method.of(experiment)))
    for experiment in report.trainable.values():
        assert [run.experiment for run in store.runs(experiment)] == [experiment.id]


def test_damaged_record_stops_the_store_and_is_named(
    store: RunStore, experiment: Experiment
) -> None:
    path = store.add(make_run(experiment))
    path.write_text(path.read_text().replace('"seed":1', '"seed":2'))
    with pytest.raises(RunError, match=re.escape(path.name)):
        store.runs(experiment)


# --- publishing ----------------------------------------------------------------------------------


def test_published_runs_are_evidence_and_publishing_again_changes_nothing(
    store: RunStore, experiment: Experiment
) -> None:
    runs = [make_run(experiment, seed) for seed in (1, 2, 3)]
    assert [publish_run(run, experiment, store) for run in runs] == [True] * 3
    assert [publish_run(run, experiment, store) for run in runs] == [False] * 3
    assert store.runs(experiment) == runs


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": 3}, "leave a gap: seed 2"),
        ({"method": BFLOAT16}, "leave a gap: seed 1"),
        ({"seed": 1, "accuracy": 0.5}, "differs from the published run of seed 1"),
    ],
)
def test_run_that_must_not_count_is_not_published(
    store: RunStore, experiment: Experiment, change: dict[str, Any], sentence: str
) -> None:
    publish_run(make_run(experiment, 1), experiment, store)
    with pytest.raises(RunError, match=sentence):
        publish_run(make_run(experiment, **{"seed": 2} | change), experiment, store)
    assert len(store.runs(experiment)) == 1


def test_each_method_is_published_and_read_by_itself(
    store: RunStore, experiment: Experiment
) -> None:
    methods = (Method(), BFLOAT16, PLAIN_FIT)
    runs = [make_run(experiment, method=method) for method in methods]
    assert all(publish_run(run, experiment, store) for run in runs)
    assert store.runs(experiment) == runs[:1]
    for method, run in zip(methods, runs, strict=True):
        assert store.runs(experiment, method) == [run]
        assert store.missing(experiment, [1, 2], method) == [2]


def test_an_experiment_may_say_in_which_precision_the_book_trains_it(
    store: RunStore, experiment: Experiment
) -> None:
    half = experiment.model_copy(update={"precision": "mixed_bfloat16"})
    for run in (make_run(half, 1), make_run(half, 2, method=BFLOAT16)):
        store.add(run)
    assert [run.seed for run in store.runs(half)] == [2]
    assert fingerprint(half) == fingerprint(experiment), "that is no part of the protocol"


def test_a_field_that_runs_gain_later_leaves_older_records_intact(
    experiment: Experiment, tmp_path: Path
) -> None:
    class LaterRun(Run):
        temperature: float = 20.0

    path = write_run(make_run(experiment), tmp_path)
    assert LaterRun.model_validate_json(path.read_text()).is_intact


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epochs": 5, "best_epoch": 1}, "do not end as the protocol does"),
        ({"epochs": 101, "best_epoch": 91}, "do not end as the protocol does"),
        ({"epochs": 11, "best_epoch": 1, "labels": np.roll(TEST_LABELS, 1)}, "with the labels"),
        ({"epochs": 11, "best_epoch": 1, "labels": TEST_LABELS // 2}, "numbers of each class"),
        ({"epochs": 11, "best_epoch": 1, "labels": TEST_LABELS[:50]}, "other images"),
    ],
)
def test_a_run_that_the_protocol_does_not_give_is_not_published(
    store: RunStore, experiment: Experiment, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RunError, match=reason):
        publish_run(make_run(experiment, **change), experiment, store)


def test_evaluations_are_those_of_the_history(store: RunStore, experiment: Experiment) -> None:
    run = make_run(experiment)
    for name, reason in (
        ("val_accuracy", "is not the best by val_acc"),
        ("val_loss", "not that of"),
    ):
        values = list(run.history[name])
        values[5] = 0.99
        values[-1] = 0.5
        wrong = run.model_copy(
            update={"history": run.history | {name: tuple(values)}}
        ).with_digest()
        with pytest.raises(RunError, match=reason):
            publish_run(wrong, experiment, store)


def test_edited_stale_or_diverged_run_is_not_published(
    store: RunStore, experiment: Experiment
) -> None:
    run = make_run(experiment)
    edited = run.model_copy(update={"seconds_per_epoch": (0.1,)})
    stale = make_run(changed(experiment, batch_size=64))
    unknown = of_revision(run, "unknown")
    for wrong, sentence in [
        (edited, "digest"),
        (stale, "stale"),
        (diverged_run(experiment), "not finite: seed 1 is no evidence"),
        (unknown, r"of no commit \(unknown\)"),
    ]:
        with pytest.raises(RunError, match=sentence):
            publish_run(wrong, experiment, store)
    assert store.runs(experiment) == []


# --- writing under faults ------------------------------------------------------------------------


def everything_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("call", ["fsync", "replace", "fdopen"])
def test_full_disk_leaves_no_file_and_one_sentence(
    store: RunStore, experiment: Experiment, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kept = store.add(make_run(experiment, 1))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(RunError, match=r"seed02.* cannot be written .*No space left"):
            store.add(make_run(experiment, 2))
    assert everything_under(store.written) == [kept]
    assert store.add(make_run(experiment, 2)).exists()


def test_limit_on_file_size_in_a_real_process(store: RunStore, record: Path) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from fmnist_utils.runs.reading import read_run\n"
        "from fmnist_utils.runs.record import RunError\n"
        "from fmnist_utils.runs.store import write_run\n"
        "run = read_run(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_run(run, Path(sys.argv[2]))\n"
        "except RunError as error:\n"
        "    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(record), str(store.written)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert re.fullmatch(r"Run mlp\S+ cannot be written to .*File too large\.\n", done.stdout)
    assert everything_under(store.written) == []


@pytest.mark.slow
def test_kill_in_mid_write_leaves_no_half_record(
    store: RunStore, experiment: Experiment, record: Path
) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from fmnist_utils.runs.reading import read_run\n"
        "from fmnist_utils.runs.store import write_run\n"
        "run = read_run(Path(sys.argv[1]))\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_run(run, Path(sys.argv[2]))"
    )
    kept = store.add(make_run(experiment, 1))
    command = [sys.executable, "-c", code, str(record), str(kept.parent)]
    assert subprocess.run(command).returncode == -9
    assert list(store.written.rglob("*.json")) == [kept]
    assert [run.seed for run in store.runs(experiment)] == [1]
    write_run(make_run(experiment, 12), kept.parent)
    assert [run.seed for run in store.runs(experiment)] == [1, 12]


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, experiment: Experiment) -> None:
    # A file in the way stops every user, root included.
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(RunError, match=r"cannot be written to .*\.$"):
        RunStore(tmp_path / "runs", published=tmp_path).add(make_run(experiment))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_write_permission_is_one_sentence(
    store: RunStore, experiment: Experiment
) -> None:
    folder = store.written / experiment.report
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    with pytest.raises(RunError, match="Permission denied"):
        store.add(make_run(experiment))


def test_many_writers_of_one_record_leave_one_valid_file(
    store: RunStore, experiment: Experiment
) -> None:
    path = store.add(make_run(experiment))
    errors: list[BaseException] = []

    def write(accuracy: float) -> None:
        try:
            for _ in range(5):
                store.add(make_run(experiment, accuracy=accuracy))
        except BaseException as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(0.5 + i / 10,)) for i in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert read_run(path).seed == 1
    for writer in writers:
        writer.join()
    assert errors == []
    assert everything_under(store.written) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_diverged_run_is_never_an_unreadable_record(
    store: RunStore, experiment: Experiment
) -> None:
    run = make_run(experiment)
    diverged = run.model_copy(update={"history": run.history | {"loss": (math.nan,) * run.epochs}})
    store.add(diverged)
    assert math.isnan(store.runs(experiment)[0].history["loss"][0])


# --- what ships ----------------------------------------------------------------------------------


def check_shipped(check: Callable[[Path], None]) -> None:
    """Hold every shipped run to a check, and name all that fail."""
    faulty = []
    for path in SHIPPED:
        try:
            check(path)
        except Exception as error:
            faulty.append(f"{path.parent.parent.name}/{path.name}: {error or repr(error)}")
    if faulty:
        pytest.fail(f"{len(faulty)} of {len(SHIPPED)} runs:\n" + "\n".join(faulty), pytrace=False)


def test_every_faulty_run_is_named() -> None:
    def check(path: Path) -> None:
        assert path not in SHIPPED[:2], "too good to be true"

    with pytest.raises(pytest.fail.Exception) as caught:
        check_shipped(check)
    first, *rest = str(caught.value).splitlines()
    assert first == f"2 of {len(SHIPPED)} runs:"
    for path in SHIPPED[:2]:
        name = f"{path.parent.parent.name}/{path.name}: too good to be true"
        assert sum(line.startswith(name) for line in rest) == 1


def test_shipped_runs_are_intact_and_not_stale() -> None:
    def check(path: Path) -> None:
        run = shipped(path)
        report = load_report(path.parent.parent.name)
        assert (run.report, run.filename) == (report.id, path.name)
        assert run.experiment in report.trainable, "a run of no experiment is no evidence"
        wanted = fingerprint(report.trainable[run.experiment])
        assert run.fingerprint == wanted, f"{path.name} is stale: train it again or delete it"
        methods = {Method.of(report.trainable[run.experiment])}
        if (run.report, run.experiment) in EXPERIMENTS:
            methods |= {equivalence_PLAIN_FIT, SEEDED_FIT, equivalence_BFLOAT16}
        assert run.provenance.method in methods, "evidence of nothing that the book shows"

    check_shipped(check)


def test_shipped_runs_agree_with_themselves() -> None:
    def check(path: Path) -> None:
        run = shipped(path)
        assert not run.diverged
        experiment = load_report(run.report).trainable[run.experiment]
        assert protocol_fault(run, experiment) is data_fault(run, experiment) is None

    check_shipped(check)


def test_shipped_predictions_reproduce_confusion_and_accuracy(real_data_dir: Path) -> None:
    labels = load_data(folder=real_data_dir).test_labels

    def check(path: Path) -> None:
        run = shipped(path)
        assert np.array_equal(confusion(labels, run.predictions), run.final.test_confusion)
        assert run.final.test.accuracy == np.mean(labels == run.predictions)

    check_shipped(check)


def test_shipped_seeds_run_from_one_without_a_gap() -> None:
    seeds: dict[tuple[str, str, Method], set[int]] = defaultdict(set)
    for run in map(shipped, SHIPPED):
        seeds[run.report, run.experiment, run.provenance.method].add(run.seed)
    for found in seeds.values():
        assert found == set(range(1, len(found) + 1)), "seeds are not chosen"


CHAPTERS = [
    report_id
    for report_id in list_reports()
    if (Path(__file__).parents[1] / "chapters" / f"{report_id}.ipynb").exists()
]


@pytest.mark.parametrize("report_id", CHAPTERS)
def test_every_experiment_of_a_chapter_ships_with_five_runs_or_three_long_ones(
    report_id: str, tmp_path: Path
) -> None:
    store, report = RunStore(tmp_path), load_report(report_id)
    for name in report.experiments:
        runs = store.runs(report[name])
        seconds = [sum(run.seconds_per_epoch) for run in runs]
        enough = 3 if len(runs) >= 3 and min(seconds) > 60 else 5
        assert len(runs) >= enough, f"{name}: fmnist run {report_id}"


def test_no_two_shipped_runs_are_the_same_training() -> None:
    """Unless two protocols differ in what stops them alone: a seed may then take one course."""
    known: dict[str, tuple[int, str]] = {}
    for run in map(shipped, SHIPPED):
        spec = load_report(run.report)[run.experiment]
        protocol = spec.training.model_dump()
        for stops in ("early_stopping", "epochs"):
            protocol.pop(stops)
        # A tenth, and 6,000 of 60,000, are the same images.
        protocol |= dict.fromkeys(("validation", "images"))
        images = [
            rows is not None and hashlib.sha256(rows.tobytes()).hexdigest()
            for rows in split_rows(spec.training, 60_000, run.seed)
        ]
        trained = (run.seed, f"{run.report} {spec.model} {spec.precision} {protocol} {images}")
        digest = hashlib.sha256(repr(run.history).encode()).hexdigest()
        assert known.setdefault(digest, trained) == trained, f"{run.filename} is another's copy"
