"""What a chapter calls: an experiment's runs or a search's trials, in the chapter's mode."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from fmnist_utils.campaign.tracking import TRACKERS
from fmnist_utils.data.fashion_mnist import FashionMNIST, count
from fmnist_utils.errors import FmnistError
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.protocol import Training
from fmnist_utils.reports.report import Report
from fmnist_utils.runs.record import Method, Run, fingerprint
from fmnist_utils.runs.store import STORE, RunStore
from fmnist_utils.tuning import Trials, get_search, load_trials

MODES = ("replay", "smoke", "full")
PARAMETERS = {"MODE": MODES, "DATA": ("real", "synthetic"), "SEEDS": None, "TRACKER": TRACKERS}

#: A smoke run: enough steps to pass through every line of the trainer.
_SMOKE_EPOCHS = 2
_SMOKE_IMAGES = 64
#: What this process has trained in smoke mode, by what decides the graph.
_smoke_runs: dict[str, Run] = {}


_REAL = 'Full mode records evidence, so it needs DATA = "real".'


class ParameterError(FmnistError):
    """A chapter parameter that does not exist, or a value that it does not take."""


def check_parameters(names: Mapping[str, Any]) -> None:
    """Check a chapter's parameters and their values; papermill accepts unknown ones.

    Parameters
    ----------
    names : mapping
        The notebook's ``globals()``; parameters are the names in capitals, and whatever papermill
        has set.

    Raises
    ------
    ParameterError
        One sentence that names the parameter and what it takes.

    Examples
    --------
    >>> fu.check_parameters({"MODE": "replay", "SEEDS": 3})  # raises for a value that one lacks
    """
    injected = _injected(names.get("In", ()))
    for name, value in names.items():
        # A chapter's own `data` holds images; where it holds a word, DATA is meant.
        meant = name.upper() in PARAMETERS and isinstance(value, str | int | float | None)
        if name in injected or meant or (name.isupper() and not name.startswith("_")):
            if name not in PARAMETERS:
                known = ", ".join(PARAMETERS)
                raise ParameterError(f"There is no parameter {name}; a chapter takes {known}.")
            choices = PARAMETERS[name]
            if choices and value not in choices:
                raise ParameterError(f"{name} is {value!r}; it takes {', '.join(choices)}.")
    if (names.get("MODE"), names.get("DATA")) == ("full", "synthetic"):
        raise ParameterError(_REAL)
    seeds = names.get("SEEDS", 1)
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise ParameterError(f"SEEDS is {seeds!r}; it takes a whole number of at least 1.")


def _injected(cells: Iterable[str]) -> set[str]:
    """Name what papermill has set, by the input cells that IPython keeps: its own have a title."""
    own = "".join(cell for cell in cells if cell.startswith("# Parameters\n"))
    try:
        return {statement.targets[0].id for statement in ast.parse(own).body}  # type: ignore[attr-defined]
    except (SyntaxError, AttributeError):  # somebody else's title
        return set()


def reproduce(
    experiment: Experiment,
    data: FashionMNIST,
    *,
    seeds: int = 10,
    mode: str = "replay",
    store: RunStore = STORE,
    tracker: str = "none",
) -> list[Run]:
    """Return an experiment's runs.

    Parameters
    ----------
    experiment : Experiment
        What to reproduce.
    data : FashionMNIST
        The images; not touched in replay mode.
    seeds : int
        Use seeds 1 to `seeds`.
    mode : {"replay", "smoke", "full"}
        ``replay`` reads the shipped runs; ``smoke`` trains two epochs on 64 images and records
        nothing; ``full`` trains what the store lacks, and stores it.
    store : RunStore, optional
        Where runs are; the shipped ones and ``./runs`` by default.
    tracker : {"none", "wandb"}
        Where full mode also logs what it trains; ``wandb`` is Weights & Biases.

    Returns
    -------
    list of Run
        In order of seed.

    Raises
    ------
    ParameterError
        For an unknown mode or tracker, or when synthetic images would be recorded as evidence.
    TrackingError
        When the tracker's package is not installed.

    Examples
    --------
    >>> fu.reproduce(experiment, fu.load_data("synthetic"), seeds=3) == runs[:3]
    True
    """
    check_parameters({"MODE": mode, "SEEDS": seeds, "TRACKER": tracker})
    if mode == "smoke":
        return [_smoke(experiment, data)]
    if mode == "full" and store.missing(experiment, range(1, seeds + 1)):
        from fmnist_utils.campaign.launch import train_experiments, written_text

        refuse_synthetic(data.source)
        trained = train_experiments([experiment], seeds, store, data, tracker=tracker)
        print(written_text(trained, store))
    return [run for run in store.runs(experiment) if run.seed <= seeds]


def search(
    report: Report, search_id: str, data: FashionMNIST, *, mode: str = "replay"
) -> Trials | None:
    """Return the trials of a hyperparameter search.

    Parameters
    ----------
    report : Report
        Whose search.
    search_id : str
        One of ``report.searches``.
    data : FashionMNIST
        The images; touched in full mode only.
    mode : {"replay", "smoke", "full"}
        ``full`` runs what is left of the search, hours on a CPU; the others show the trials that
        there are.

    Returns
    -------
    Trials or None
        None when nothing was tried yet.

    Raises
    ------
    ParameterError
        For an unknown mode, or when synthetic images would be recorded as evidence.
    TuningError
        When there is no such search, its table is damaged, or its tool is not installed.
    """
    check_parameters({"MODE": mode})
    found, wanted = load_trials(report, search_id), get_search(report, search_id)
    if mode != "full" or (found is not None and len(found.trials) == wanted.trials):
        return found
    from fmnist_utils.campaign.launch import run_search

    refuse_synthetic(data.source)
    return run_search(report, wanted, data=data)


def _smoke(experiment: Experiment, data: FashionMNIST) -> Run:
    """Train on a few images, in float32, which every processor is quick at.

    Experiments alike in model, loss, optimizer and augmentation train once in a process: tracing
    the graph is what takes time. The others are built, their images split, and show that training.
    """
    from fmnist_utils.training.train import compiled_model, split_parts, train

    few = FashionMNIST(
        data.train_images[:_SMOKE_IMAGES],
        data.train_labels[:_SMOKE_IMAGES],
        data.test_images[:_SMOKE_IMAGES],
        data.test_labels[:_SMOKE_IMAGES],
        data.source,
    )
    protocol = _shortened(experiment.training, len(few.train_labels))
    short = experiment.model_copy(update={"training": protocol})
    compiled = (protocol.loss, protocol.label_smoothing, protocol.optimizer)
    graph = (short.model, compiled, protocol.augmentation)
    alike = repr((few.fingerprint, graph))
    if alike not in _smoke_runs:
        _smoke_runs[alike] = train(short, 1, few, method=Method())
        return _smoke_runs[alike]
    compiled_model(short, Method())
    resize = getattr(short.model, "resize", None)
    parts = split_parts(few, protocol, short.model.input_shape, resize, seed=1)
    changes = {
        "report": short.report,
        "experiment": short.id,
        "fingerprint": fingerprint(short, few.fingerprint),
        "images": {name: len(part.labels) for name, part in parts.items()},
    }
    return _smoke_runs[alike].model_copy(update=changes).with_digest()


def _shortened(protocol: Training, images: int) -> Training:
    """Shorten a protocol to a few images and epochs."""
    held_out = protocol.validation
    if held_out.count is not None:
        part = max(1, held_out.count * images // count("train_images"))
        held_out = held_out.model_copy(update={"count": part})
    changes = {"epochs": _SMOKE_EPOCHS, "validation": held_out, "images": None}
    return protocol.model_copy(update=changes)


def refuse_synthetic(source: str) -> None:
    """Refuse to record as evidence what is trained on other images than the real ones."""
    if source != "real":
        raise ParameterError(_REAL)
