"""What both tools share: one piece of work, the import of a tool, an error in one line."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from fmnist_utils.data.fashion_mnist import FashionMNIST
from fmnist_utils.models.keras_import import import_keras
from fmnist_utils.reports.experiment import Experiment
from fmnist_utils.reports.report import Report
from fmnist_utils.reports.search import Scalar, Search, Setting
from fmnist_utils.runs.record import Provenance
from fmnist_utils.training.checkpoint import Checkpoint
from fmnist_utils.training.train import train
from fmnist_utils.tuning.analysis import too_small
from fmnist_utils.tuning.trials import Execution, Trial, TuningError

_PACKAGES = {"keras-tuner": "keras_tuner", "optuna": "optuna"}


@dataclass(frozen=True)
class Work:
    """What either tool is given: a search, how to try a combination, and whom to tell."""

    report: Report
    search: Search
    data: FashionMNIST
    folder: Path
    trials: int
    storage: str | None
    published: Mapping[int, Trial]
    tell: Callable[[Trial, Iterable[Trial]], None]

    def values(self, tokens: Mapping[str, Scalar]) -> dict[str, Setting]:
        """Return the settings that drawn tokens stand for."""
        return {name: item.value(tokens[name]) for name, item in self.search.space.items()}

    def try_out(self, number: int, tokens: Mapping[str, Scalar]) -> Trial:
        """Train what a tool has drawn, or say why it cannot be built; once is enough for all.

        What was cut short goes on from its checkpoints, which lie there until `forget`.
        """
        search, values = self.search, self.values(tokens)
        published = self.published.get(number)
        if published is not None and published.settings == values:
            return published
        base = self.report.experiments[search.of]
        experiment = search.vary(base, values, f"{search.id}-{number}")
        reason = too_small(experiment.model)
        if reason is not None:
            return Trial(number=number, settings=values, failure=reason)
        first = search.executions * (number - 1) + 1  # no two trainings of a search share a seed
        done = [self._execute(experiment, first + i) for i in range(search.executions)]
        return Trial(
            number=number,
            settings=values,
            executions=tuple(execution for execution, _ in done),
            provenance=done[-1][1],
        )

    def forget(self, trial: Trial) -> None:
        """Delete the checkpoints of a trial whose record is safe."""
        for path in self.folder.glob(f"{self.search.id}-{trial.number}.*.npz"):
            path.unlink()

    def _execute(self, experiment: Experiment, seed: int) -> tuple[Execution, Provenance]:
        checkpoint = Checkpoint(self.folder / f"{experiment.id}.{seed}.npz")
        run = train(experiment, seed, self.data, checkpoint=checkpoint)
        history = np.array(run.history[self.search.objective])
        score = history if self.search.objective == "val_accuracy" else -history
        best = int(np.argmax(np.where(np.isnan(score), -np.inf, score)))
        package = import_tool(self.search)
        versions = run.provenance.versions | {self.search.tool: package.__version__}
        return (
            Execution(
                seed=seed,
                score=run.history[self.search.objective][best],
                epoch=best + 1,
                test_accuracy=run.best.test.accuracy,
                seconds=round(math.fsum(run.seconds_per_epoch), 3),
            ),
            run.provenance.model_copy(update={"versions": versions}),
        )


def import_tool(search: Search) -> ModuleType:
    """Import the library that a search needs; Keras first, quietly."""
    import_keras()
    try:
        return importlib.import_module(_PACKAGES[search.tool])
    except ImportError as error:
        raise TuningError(
            f"Search {search.id} needs {search.tool}, which cannot be imported ({error}): "
            "pip install fmnist-utils[tuning]."
        ) from error


def in_one_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]
