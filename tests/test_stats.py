"""The file of statistics: its examples, and that it is the only one."""

import doctest
import re
from pathlib import Path

from fmnist_utils import stats


def test_examples_in_the_docstrings_are_right() -> None:
    results = doctest.testmod(stats)
    assert results.failed == 0 and results.attempted > 12


def test_every_function_has_an_example() -> None:
    public = [
        item
        for item in vars(stats).values()
        if getattr(item, "__module__", "") == stats.__name__ and not isinstance(item, type)
    ]
    assert len(public) >= 12
    assert [item.__name__ for item in public if ">>>" not in item.__doc__] == []


def test_nothing_else_computes_a_quantile() -> None:
    package = Path(stats.__file__).parent
    found = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(
            r"\.ppf\(|np\.(nan)?(percentile|quantile)|scipy import stats", path.read_text()
        )
    ]
    assert found == ["stats.py"]
