"""What a chapter calls."""

import dataclasses
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from factories import make_run
from hypothesis import given
from hypothesis import strategies as st

import fmnist_utils as fu
from fmnist_utils.book import chapter_setup, reproduce
from fmnist_utils.book.chapter_setup import Chapter
from fmnist_utils.book.reproduce import ParameterError
from fmnist_utils.campaign import launch
from fmnist_utils.campaign.jobs import Watcher
from fmnist_utils.campaign.progress import CampaignProgress
from fmnist_utils.campaign.tracking import TrackingError
from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.runs.store import RunStore
from fmnist_utils.text import interval_text, ours_text
from fmnist_utils.training import train as training
from fmnist_utils.training.provenance import hardware
from fmnist_utils.tuning import Trial
from fmnist_utils.verdicts.outcome import Outcome, Verdict
from fmnist_utils.verdicts.report_verdicts import (
    judge_claims,
    judge_experiment,
    judge_layers,
    judge_search,
)


@pytest.fixture
def experiment():
    return load_report("baltzi")["mlp-baseline"]


@pytest.fixture
def few_images():
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (60, 28, 28), dtype=np.uint8)
    labels = np.tile(np.arange(10, dtype=np.uint8), 6)
    return FashionMNIST(images, labels, images[:20], labels[:20], "synthetic")


def test_replay_reads_the_store_and_touches_no_image(experiment, tmp_path):
    store = RunStore(tmp_path / "runs", tmp_path / "published")
    for seed in (1, 2, 3):
        store.add(make_run(experiment, seed))
    found = fu.reproduce(experiment, None, seeds=2, store=store)
    assert [run.seed for run in found] == [1, 2]


def test_smoke_records_nothing(experiment, few_images, tmp_path):
    store = RunStore(tmp_path / "runs", tmp_path / "published")
    (run,) = fu.reproduce(experiment, few_images, mode="smoke", store=store)
    assert run.epochs == 2
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def trained(monkeypatch):
    """List what smoke mode trains, as if it were the first to be asked for in this process."""
    done, train = [], training.train

    def watched(experiment, *settings, **more):
        done.append(experiment.id)
        return train(experiment, *settings, **more)

    monkeypatch.setattr(reproduce, "_smoke_runs", {})
    monkeypatch.setattr(training, "train", watched)
    return done


def test_smoke_trains_once_what_has_one_graph_and_records_each_by_its_own_name(
    few_images, trained, tmp_path
):
    report = fu.load_report("baltzi")
    names = ("mlp-baseline", "mlp-1-hidden", "mlp-1-hidden-again")
    again = report["mlp-1-hidden"].model_copy(update={"id": "mlp-1-hidden-again"})
    first_half = again.training.validation.model_copy(update={"fraction": 0.5})
    protocol = again.training.model_copy(update={"batch_size": 16, "validation": first_half})
    asked = [*(report[name] for name in names[:2]), again.model_copy(update={"training": protocol})]
    runs = [
        run
        for experiment in asked
        for run in fu.reproduce(experiment, few_images, mode="smoke", store=RunStore(tmp_path))
    ]
    assert trained == ["mlp-baseline", "mlp-1-hidden"]
    assert [run.experiment for run in runs] == list(names)
    assert all(run.is_intact for run in runs)
    assert len({run.fingerprint for run in runs}) == 3
    assert [run.images["train"] for run in runs] == [48, 48, 30]
    assert runs[2].history == runs[1].history != runs[0].history


def test_smoke_builds_what_it_does_not_train(
    experiment, few_images, trained, tmp_path, monkeypatch
):
    def smoke(**changes):
        protocol = experiment.training.model_copy(update=changes)
        asked = experiment.model_copy(update={"training": protocol})
        return fu.reproduce(asked, few_images, mode="smoke", store=RunStore(tmp_path))

    smoke()
    monkeypatch.setattr(training, "compiled_model", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        smoke(batch_size=16)
    assert trained == [experiment.id]


def test_smoke_computes_in_float32_whatever_the_book_trains_in(
    experiment, few_images, trained, tmp_path
):
    half = experiment.model_copy(update={"precision": "mixed_bfloat16"})
    (run,) = fu.reproduce(half, few_images, mode="smoke", store=RunStore(tmp_path))
    assert run.provenance.precision == "float32"


@pytest.mark.slow
def test_smoke_shrinks_counts_of_images_with_the_images(few_images, tmp_path):
    report = fu.load_report("mendez")
    assert report["listing"].training.validation.count == 10_000 > len(few_images.train_labels)
    assert report["study-lr-1e-3-batch-128"].training.images == 10_000
    for name in ("prose", "study-lr-1e-3-batch-128"):
        (run,) = fu.reproduce(report[name], few_images, mode="smoke", store=RunStore(tmp_path))
        assert 0 < run.images["validation"] < run.images["train"] < len(few_images.train_labels)


def test_a_smoke_run_is_no_evidence_even_if_it_were_stored(experiment, few_images, tmp_path):
    store = RunStore(tmp_path / "runs", tmp_path / "published")
    (run,) = fu.reproduce(experiment, few_images, mode="smoke", store=store)
    store.add(run)
    assert store.runs(experiment) == []


def test_full_refuses_to_record_synthetic_images(experiment, few_images, tmp_path):
    store = RunStore(tmp_path / "runs", tmp_path / "published")
    with pytest.raises(ParameterError, match='DATA = "real"'):
        fu.reproduce(experiment, few_images, mode="full", seeds=1, store=store)


def test_full_trains_only_what_is_missing(experiment, tmp_path):
    store = RunStore(tmp_path / "runs", tmp_path / "published")
    store.add(make_run(experiment, 1))
    assert len(fu.reproduce(experiment, None, seeds=1, mode="full", store=store)) == 1


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"MODE": "fast"}, "MODE is 'fast'; it takes replay, smoke, full."),
        ({"DATA": "mnist"}, "DATA is 'mnist'; it takes real, synthetic."),
        ({"SEEDS": 0}, "SEEDS is 0; it takes a whole number of at least 1."),
        ({"SEEDS": "5"}, "SEEDS is '5'; it takes a whole number of at least 1."),
        (
            {"EPOCHS": 3},
            "There is no parameter EPOCHS; a chapter takes MODE, DATA, SEEDS, TRACKER.",
        ),
        ({"SEEDS": True}, "SEEDS is True; it takes a whole number of at least 1."),
        *(
            (names, f"There is no parameter {name}; a chapter takes MODE, DATA, SEEDS, TRACKER.")
            for name, names in {
                "mode": {"MODE": "replay", "mode": "smoke"},
                "Seeds": {"Seeds": 3},
                "data": {"data": "synthetic"},
                "epochs": {"epochs": 3, "In": ["", "# Parameters\nepochs = 3\n"]},
                "_mode": {"_mode": 3, "In": ["", "# Parameters\n_mode = 3\n"]},
            }.items()
        ),
        ({"TRACKER": "mlflow"}, "TRACKER is 'mlflow'; it takes none, wandb."),
    ],
)
def test_a_wrong_parameter_is_one_sentence(names, sentence):
    with pytest.raises(ParameterError) as caught:
        fu.check_parameters(names)
    assert str(caught.value) == sentence
    assert caught.value._render_traceback_() == [f"ParameterError: {sentence}"]


@pytest.mark.parametrize("data", [None, object(), np.zeros(3)], ids=["unset", "images", "array"])
def test_a_chapter_may_call_its_images_data(data):
    own = {} if data is None else {"data": data}
    cells = ["", "# Parameters\nMODE = 'smoke'\n", "# Parameters\n%time data = 1", "x = 1"]
    fu.check_parameters({"MODE": "smoke", "SEEDS": 3, "x": 1, "In": cells, **own})


def test_the_tracker_hears_of_what_full_mode_trains(experiment, tmp_path, monkeypatch):
    heard = []

    def run_jobs(jobs, store, executor, watchers):
        heard.extend(type(watcher) for watcher in watchers)
        return []

    monkeypatch.setattr(launch, "run_jobs", run_jobs)
    monkeypatch.setitem(sys.modules, "wandb", None)
    store = RunStore(tmp_path / "runs", tmp_path / "published")
    real = SimpleNamespace(source="real")
    fu.reproduce(experiment, real, mode="full", seeds=1, store=store, tracker="none")
    with pytest.raises(TrackingError, match=r"pip install fmnist-utils\[wandb\]"):
        fu.reproduce(experiment, real, mode="full", seeds=1, store=store, tracker="wandb")
    assert heard == [CampaignProgress, Watcher]


def test_replay_and_smoke_mode_track_nothing(experiment, few_images, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    store = RunStore(tmp_path / "runs", tmp_path / "published")
    assert fu.reproduce(experiment, None, store=store, tracker="wandb") == []
    assert fu.reproduce(experiment, few_images, mode="smoke", store=store, tracker="wandb")


@pytest.fixture
def some_trials(monkeypatch):
    """Nineteen trials of twenty are there."""
    trial = Trial(number=1, settings={}, failure="too small")
    found = SimpleNamespace(trials=[trial] * 19)
    monkeypatch.setattr("fmnist_utils.book.reproduce.load_trials", lambda report, name: found)
    return found


@pytest.mark.parametrize("mode", ["replay", "smoke"])
def test_trials_are_shown_as_they_are(some_trials, mode):
    report = load_report("anastasopoulos-mpofu-smith")
    assert fu.search(report, "as-listed", None, mode=mode) is some_trials


def test_full_mode_goes_on_with_a_search(some_trials, monkeypatch):
    def run_search(report, search, data):
        asked.append((report.id, search.id, data.source))
        some_trials.trials.append(some_trials.trials[0])
        return some_trials

    asked = []
    monkeypatch.setattr("fmnist_utils.campaign.launch.run_search", run_search)
    report, real = load_report("anastasopoulos-mpofu-smith"), SimpleNamespace(source="real")
    for _ in range(2):  # the second time all are there
        assert fu.search(report, "as-listed", real, mode="full") is some_trials
    assert len(some_trials.trials) == 20
    assert asked == [("anastasopoulos-mpofu-smith", "as-listed", "real")]


def test_full_mode_searches_on_no_synthetic_images(some_trials, few_images):
    with pytest.raises(ParameterError, match='DATA = "real"'):
        fu.search(load_report("anastasopoulos-mpofu-smith"), "as-listed", few_images, mode="full")


def test_right_parameters_and_other_names_pass():
    fu.check_parameters({"MODE": "replay", "DATA": "real", "SEEDS": 3, "TRACKER": "wandb"})
    fu.check_parameters({"MODE": "smoke", "DATA": "real", "SEEDS": 3, "_ID": 1, "In": [], "x": 2})


def test_the_package_names_what_notebooks_see():
    for name in dir(fu):
        assert getattr(fu, name) is not None
    assert dir(fu) == [
        "check_parameters", "compare", "difference", "equivalence", "keras_code", "load_data",
        "load_report", "multiply_adds", "nested", "plots", "read_fast_runs", "reproduce", "search",
        "setup", "tables", "verdicts",
    ]  # fmt: skip
    with pytest.raises(AttributeError, match="no attribute 'modelz'"):
        _ = fu.modelz


# --- opening a chapter ---------------------------------------------------------------------------


@pytest.fixture
def book(experiment, tmp_path):
    """Open a chapter whose report has four runs of its first experiment."""
    store = RunStore(tmp_path / "runs", tmp_path / "published")
    for seed in (1, 2, 3, 4):
        store.add(make_run(experiment, seed, accuracy=0.84 + seed / 1000))
    return Chapter("baltzi", seeds=3, store=store)


def test_a_chapter_remembers_its_parameters(monkeypatch, few_images):
    heard = []
    monkeypatch.setattr(chapter_setup, "reproduce", lambda *asked, **more: heard.append(more) or [])
    monkeypatch.setattr(chapter_setup, "load_data", lambda name: heard.append(name) or few_images)
    names = {"MODE": "smoke", "DATA": "synthetic", "SEEDS": 4, "TRACKER": "wandb", "x": 1}
    fu.setup(names, "baltzi").runs("mlp-baseline")
    source, more = heard
    assert source == "synthetic"
    assert (more["mode"], more["seeds"], more["tracker"]) == ("smoke", 4, "wandb")


def test_replay_loads_no_image(book, monkeypatch):
    monkeypatch.setattr(chapter_setup, "load_data", lambda source: pytest.fail("loaded"))
    assert [run.seed for run in book.runs("mlp-baseline")] == [1, 2, 3]
    assert book.runs(book.report["mlp-baseline"]) is book.runs("mlp-baseline")
    assert book.runs_by_id() == {}
    assert book.runs_by_id("cnn-1-conv") == {"cnn-1-conv": []}


@pytest.mark.parametrize(
    ("names", "report", "sentence"),
    [
        ({"MODE": "fast"}, "baltzi", "MODE is 'fast'; it takes replay, smoke, full."),
        ({"EPOCHS": 3}, None, "There is no parameter EPOCHS"),
        ({"MODE": "full", "DATA": "synthetic"}, "baltzi", 'needs DATA = "real"'),
    ],
)
def test_a_chapter_with_wrong_parameters_does_not_open(names, report, sentence):
    with pytest.raises(ParameterError, match=sentence):
        fu.setup(names, report)


def test_full_mode_tells_what_it_will_train_when_the_chapter_opens(capsys):
    fu.setup({"MODE": "full", "SEEDS": 3}, "baltzi")
    nothing = "Full mode: all runs of seeds 1 to 3 are here, there is nothing to train.\n"
    assert capsys.readouterr().out == nothing
    fu.setup({"MODE": "full", "SEEDS": 11}, "baltzi")
    shipped = RunStore()
    trained = (len(shipped.runs(item)) for item in load_report("baltzi").trainable.values())
    jobs = sum(max(0, 11 - runs) for runs in trained)
    said = capsys.readouterr().out
    assert f"of all, {jobs} runs on {hardware()}" in said and " recorded" in said
    fu.setup({"MODE": "smoke", "SEEDS": 11}, "baltzi")
    assert capsys.readouterr().out == ""


def test_full_mode_with_a_tracker_that_cannot_log_does_not_open(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(__version__="0.23.1", init=print))
    with pytest.raises(TrackingError, match=r"wandb 0\.23\.1 .* pip install --upgrade wandb"):
        fu.setup({"MODE": "full", "TRACKER": "wandb"}, "baltzi")
    fu.setup({"MODE": "replay", "TRACKER": "wandb"}, "baltzi")


def test_a_chapter_without_a_report_says_how_to_name_one():
    with pytest.raises(ParameterError, match=r'fu\.setup\(globals\(\), "baltzi"\)'):
        _ = fu.setup({}).report


def test_a_verdict_is_found_by_the_path_of_its_claim(book):
    found = book.verdict("mlp-baseline/test")
    assert (found.experiment, found.runs, found.mean) == ("mlp-baseline", 3, pytest.approx(84.2))
    assert book.verdict("cnn-2-over-mlp").word == Outcome.PENDING
    assert book.verdict("train-images").word == Outcome.EQUAL
    with pytest.raises(KeyError, match="no claim mlp-baseline/loss"):
        book.verdict("mlp-baseline/loss")


@pytest.mark.parametrize("report_id", list_reports())
def test_every_verdict_of_a_report_is_found_by_its_path(report_id, tmp_path):
    """What the chapter judges one by one is what the report's ledger holds."""
    empty = RunStore(tmp_path / "runs", tmp_path / "published")
    chapter_of = Chapter(report_id, store=empty)
    report = chapter_of.report
    measured = [
        f"{owner.id}/{claim.id}" if owner else claim.id
        for owner, claim in report.all_claims()
        if not owner or claim in owner.results
    ]
    mine = [(v.claim.id, v.word) for v in chapter_of.verdicts(*measured)]
    theirs = judge_claims(report, empty.runs_of(report))
    theirs += [v for search in report.searches.values() for v in judge_search(report, search)]
    theirs += [v for item in report.experiments.values() for v in judge_experiment(item, [])]
    assert measured and set(mine) <= {(v.claim.id, v.word) for v in theirs}


def test_the_box_draws_the_reported_value_on_our_interval(book):
    table = book.in_short("mlp-baseline/test", "cnn-2-over-cnn-1", "best-mlp")
    ((_, drawn), (word, later), (_, ordering)) = table.rows
    ours, interval = ours_text(drawn.verdict), interval_text(drawn.verdict)
    assert drawn.main == "Baseline: test accuracy"
    assert drawn.below == f"reported 84.60 %, ours {ours} over 3 runs, 95 % interval {interval}"
    page = table._repr_html_()
    assert 'href="../record/claims.html#baltzi/mlp-baseline/test"' in page
    assert page.count("<svg ") == 1 == page.count(f'role="img" aria-label="{drawn.below}"')
    low, mean, high, reported = places(drawn.html())
    assert low < mean < high and mean < reported
    assert (str(word), later.below) == ("pending", "reported 2.6 points, ours no runs yet")
    assert "over 1 CNN Layer + Best MLP" in later.main
    assert ordering.below == "reported higher, true of no runs yet"


@pytest.mark.parametrize("report_id", list_reports())
def test_a_statement_of_two_experiments_has_one_row_in_the_box(report_id):
    report = load_report(report_id)
    found = [parts for parts in report.statements().values() if any(
        claim.role == "headline" for _, claim in parts
    )]  # fmt: skip
    assert len(chapter_setup._headlines(report)) == len(found)


def test_a_claim_of_the_report_may_be_called_like_an_experiment(book, monkeypatch):
    claim = book.report.claim("train-images").model_copy(update={"id": "mlp-baseline"})
    named = book.report.model_copy(update={"claims": (claim,)})
    monkeypatch.setattr(chapter_setup, "load_report", lambda _: named)
    assert Chapter("baltzi").verdict("mlp-baseline").experiment is None


def test_the_box_has_a_row_for_each_headline_statement_with_its_worst_part(book, monkeypatch):
    rows = book.in_short().rows
    headline = [claim for _, claim in book.report.all_claims() if claim.role == "headline"]
    assert len(rows) == len({claim.statement for claim in headline}) < len(headline)
    parts = [book.verdict("mlp-baseline/test"), book.verdict("cnn-2-over-cnn-1")]
    assert [part.word for part in parts] == [Outcome.REPRODUCED, Outcome.PENDING]
    for both in (parts, parts[::-1]):
        ((word, cell),) = fu.tables.headlines(book.report, [both]).rows
        assert str(word) == "pending" and "of 2 parts" in cell.main


def test_a_table_of_chosen_verdicts_names_experiments_by_their_titles(book):
    shown = book.judged("mlp-baseline/test", "cnn-2-over-cnn-1", caption="Two")
    assert (len(shown.rows), shown.caption) == (2, "Two")
    assert "over 1 CNN Layer + Best MLP" in repr(shown) and "cnn-1-conv" not in repr(shown)


def places(drawing):
    """Read where interval, mean and reported value are drawn."""
    low, high = re.search(
        r"M([\d.]+) 7.0H([\d.]+)\" stroke=\"currentColor\" stroke-width=\"3\"", drawing
    ).groups()
    mean = re.search(r'cx="([\d.]+)"', drawing)[1]
    left = re.search(r'd="M([\d.]+) 7.0L', drawing)[1]
    return float(low), float(mean), float(high), float(left) + 5


@given(
    low=st.floats(-1e3, 1e3), width=st.floats(1e-3, 1e3), share=st.floats(0, 1),
    reported=st.decimals("-1000", "1000", places=2),
)  # fmt: skip
def test_whatever_is_drawn_lies_inside_and_in_order(low, width, share, reported):
    claim = load_report("baltzi")["mlp-baseline"]["test"].model_copy(update={"value": reported})
    found = Verdict(
        "mlp-baseline", claim, Outcome.REPRODUCED, low + share * width, 1.0, low, low + width, 5
    )
    (row,) = fu.tables.headlines(load_report("baltzi"), [[found]]).rows
    drawn = places(row[1].html())
    assert drawn[0] <= drawn[1] <= drawn[2]
    assert all(0 <= x <= 300 for x in drawn)
    between = low <= float(reported) <= low + width
    assert not between or drawn[0] - 0.2 <= drawn[3] <= drawn[2] + 0.2


def test_what_agrees_is_one_line_with_a_link(book):
    line = book.record("mlp-baseline")
    assert re.fullmatch(
        r"Baseline: 9 of 9 layer cells agree, (\d+) of \1 settings agree "
        r"and \d+ settings assumed \(see the record\)",
        repr(line),
    )
    assert 'href="../record/claims.html#baltzi/mlp-baseline/layer-1-shape"' in line._repr_html_()
    # No run of it has used a setting, so none is said to agree or to differ.
    assert not re.search(r"settings? agree", repr(book.record("cnn-1-conv")))


def test_a_layer_cell_that_differs_is_not_counted_as_agreement(book, monkeypatch):
    cells = judge_layers(book.report["mlp-baseline"])
    wrong = dataclasses.replace(cells[0], word=Outcome.DIFFERS)
    monkeypatch.setattr(chapter_setup, "judge_layers", lambda experiment: [wrong, *cells[1:]])
    assert "Baseline: 8 of 9 layer cells agree" in repr(book.record("mlp-baseline"))
