"""The folder of statistics: its examples, that it is the only one, and what it was told."""

import doctest
import importlib
import re
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np
from scipy import optimize

import fmnist_utils
from fmnist_utils import stats
from fmnist_utils.data.download import load_data
from fmnist_utils.reports.load import list_reports, load_report
from fmnist_utils.runs.store import RunStore
from fmnist_utils.stats import loss_sampling_variance

FOLDER = Path(stats.__file__).parent


def modules() -> list[ModuleType]:
    names = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    return [importlib.import_module(f"fmnist_utils.stats.{name}") for name in names]


def test_examples_in_the_docstrings_are_right() -> None:
    results = [doctest.testmod(module) for module in modules()]
    assert sum(found.failed for found in results) == 0
    assert sum(found.attempted for found in results) > 20


def test_every_function_has_an_example() -> None:
    public = [
        item
        for module in modules()
        for name, item in vars(module).items()
        if isinstance(item, FunctionType) and item.__module__ == module.__name__
        if name[0] != "_"
    ]
    assert len(public) >= 14
    assert [item.__name__ for item in public if ">>>" not in (item.__doc__ or "")] == []


def test_nothing_else_computes_a_quantile() -> None:
    found = {
        path.parent
        for path in Path(fmnist_utils.__file__).parent.rglob("*.py")
        if re.search(
            r"\.ppf\(|np\.(nan)?(percentile|quantile)|scipy import stats", path.read_text()
        )
    }
    assert found == {FOLDER}


def test_losses_of_single_images_vary_at_least_as_much_as_assumed(
    real_data_dir: Path, tmp_path: Path
) -> None:
    """Confidences give the loss of a right answer; of a wrong one, what the mean leaves for it."""
    labels = load_data(folder=real_data_dir).test_labels
    store, networks = RunStore(tmp_path), 0
    for experiment in (e for r in list_reports() for e in load_report(r).experiments.values()):
        for run in store.runs(experiment)[-1:]:
            if run.confidences is None:
                continue
            sure, right = np.clip(run.confidences / 100, 0.005, 0.995), run.predictions == labels
            mean = run.final.test.loss

            def losses(left: float, sure=sure, right=right):
                return np.where(right, -np.log(sure), -np.log(1 - sure) - left)

            left = optimize.brentq(lambda x, m=mean, f=losses: f(x).mean() - m, -10, 10)
            assumed = loss_sampling_variance(mean, 1, 10**9) / 2
            assert assumed < losses(left).var(), experiment.id
            networks += 1
    assert networks > 15
