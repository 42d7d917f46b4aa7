"""The project around the code: metadata, pins, workflows, Makefile, and what is committed."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from pybtex.database import parse_file
from typer.testing import CliRunner

from fmnist_utils.cli import app

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
EACH_FILE = pytest.mark.parametrize(
    "path", [*WORKFLOWS, *ACTIONS], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
SUPPORTED = ("3.11", "3.12", "3.13")
# These tests run under `make test`, whose own flags would otherwise reach the make they start.
OUTSIDE_MAKE = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def values_of(key: str, node: Any) -> Iterator[Any]:
    """Yield the value of every `key`, however deep it stands in a YAML document."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for value in node.values():
            yield from values_of(key, value)
    elif isinstance(node, list):
        for value in node:
            yield from values_of(key, value)


def scripts(path: Path) -> list[str]:
    return [run for run in values_of("run", yaml.safe_load(path.read_text())) if type(run) is str]


# --- Workflows ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("github-workflows", WORKFLOWS),
        ("github-actions", ACTIONS),
        ("dependabot", [ROOT / ".github/dependabot.yml"]),
        ("citation-file-format", [ROOT / "CITATION.cff"]),
    ],
)
def test_file_is_valid_by_its_schema(schema: str, paths: list[Path]) -> None:
    assert paths
    command = ["-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    command += ["--default-filetype", "yaml", *map(str, paths)]
    result = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_zizmor_finds_no_weakness_of_the_workflows() -> None:
    tool = Path(sys.executable).with_name("zizmor")
    command = [tool, "--quiet", "--offline", "--pedantic", ".github"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_weekly_audit_fails_where_a_package_cannot_be_looked_up() -> None:
    # By itself pip-audit skips what its source does not know, and says that all is well.
    (audit,) = (s for s in scripts(ROOT / ".github/workflows/ci.yml") if "pip-audit" in s)
    assert {"--strict", "--require-hashes"} <= set(audit.split())


@EACH_FILE
def test_every_action_is_pinned_by_commit(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if re.match(r"\s*(- )?uses:", line)]
    foreign = [line for line in lines if "uses: ./" not in line]
    for line in foreign:
        assert re.search(r"uses: [\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line
    for action in values_of("uses", yaml.safe_load(path.read_text())):
        assert "@" in action or (ROOT / action / "action.yml").is_file(), action


def test_an_action_has_one_version() -> None:
    text = "\n".join(path.read_text() for path in [*WORKFLOWS, *ACTIONS])
    pins = set(re.findall(r"uses: (\S+)@(\S+) # (\S+)", text))
    assert len(pins) == len({action for action, _, _ in pins}), pins


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_may_read_only_but_for_the_deployment(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        deploys = {"pages": "write", "id-token": "write"}
        assert job.get("permissions", deploys if name == "deploy" else None) == (
            deploys if name == "deploy" else None
        )
        assert job["timeout-minutes"] <= 360


@EACH_FILE
def test_scripts_are_bash_without_interpolation(path: Path) -> None:
    for script in scripts(path):
        # An expression inside a script would let a branch name or an input run as code.
        assert "${{" not in script
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_book_workflow_lists_the_chapters(tmp_path: Path) -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())["jobs"]["list"]
    script = next(step["run"] for step in steps["steps"] if step.get("id") == "list")
    (tmp_path / "chapters").mkdir()
    for name in ("b.ipynb", "a.ipynb", "notes.md"):
        (tmp_path / "chapters" / name).touch()
    environment = {**os.environ, "GITHUB_OUTPUT": str(tmp_path / "output")}
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=environment, check=True)
    key, _, value = (tmp_path / "output").read_text().partition("=")
    assert (key, json.loads(value)) == ("chapters", ["a", "b"])


@pytest.mark.parametrize(
    ("nvidia_smi", "accepted"),
    [
        ("echo GPU 0: H100", True),
        ("echo No devices found; exit 6", False),
        ("exit 127", False),
    ],
)
def test_chapters_are_executed_only_where_a_gpu_is(
    tmp_path: Path, nvidia_smi: str, accepted: bool
) -> None:
    job = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())["jobs"]["execute"]
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{nvidia_smi}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    result = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", job["steps"][0]["run"]],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert (result.returncode == 0) is accepted
    assert ("::error title=No GPU::" in result.stdout) is not accepted


def steps(job: str) -> list[dict[str, Any]]:
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())
    found: list[dict[str, Any]] = workflow["jobs"][job]["steps"]
    return found


def test_whatever_a_chapter_trains_reaches_the_site() -> None:
    def handled(job: str, action: str) -> dict[str, str]:
        settings = [s["with"] for s in steps(job) if s.get("uses", "").startswith(action)]
        named = [(item["path"], item.get("name", item.get("pattern"))) for item in settings]
        return {path: name.partition("-")[0] for path, name in named}

    uploaded = handled("execute", "actions/upload-artifact@")
    assert uploaded == {name: name for name in ("executed", "runs", "searches")}
    assert handled("render", "actions/download-artifact@") == uploaded


@pytest.mark.parametrize("mode", ["replay", "full"])
def test_the_site_says_in_which_mode_its_chapters_ran(tmp_path: Path, mode: str) -> None:
    (script,) = (step["run"] for step in steps("render") if "fmnist book" in step.get("run", ""))
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/fmnist").write_text('#!/bin/sh\necho "$*"\n')
    (tmp_path / ".venv/bin/fmnist").chmod(0o755)
    result = subprocess.run(
        ["bash", "-ec", script],
        cwd=tmp_path,
        env={**os.environ, "MODE": mode},
        capture_output=True,
        text=True,
    )
    assert result.stdout == f"book --mode {mode} --data real --executed executed\n"


def test_the_front_page_which_is_executed_beside_no_gpu_trains_nothing() -> None:
    cells = json.loads((ROOT / "index.ipynb").read_text())["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert "fu." in text and not re.search(r"\b(reproduce|search|train|run_\w+)\(", text)


def test_cached_data_set_is_named_by_its_hashes() -> None:
    from fmnist_utils.data.fashion_mnist import FILES

    caches = [
        step["with"]["key"]
        for path in ACTIONS
        for step in yaml.safe_load(path.read_text())["runs"]["steps"]
        if step.get("uses", "").startswith("actions/cache@")
    ]
    assert caches == ["-".join(["fashion-mnist", *FILES.values()])]


# --- Commands named in workflows, scripts and the README -----------------------------------------

NAMED_IN = [
    *(*WORKFLOWS, *ACTIONS, ROOT / "Makefile", ROOT / ".ci/run"),
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
]


def named(pattern: str) -> set[str]:
    found = set()
    for path in NAMED_IN:
        lines = path.read_text().splitlines()
        code = "\n".join(line for line in lines if not line.lstrip().startswith(("#", "name:")))
        found |= set(re.findall(pattern, code, re.MULTILINE))
    return found


def test_named_make_targets_exist() -> None:
    targets = named(r"(?:^\s*|`|run: |exec )make ([a-z-]+|\.venv/\.ready)(?=[`\s]|$)")
    assert {"book", "test", "test-all"} <= targets
    command = ["make", "--dry-run", "--always-make", *sorted(targets)]
    result = subprocess.run(command, cwd=ROOT, env=OUTSIDE_MAKE, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_named_fmnist_commands_and_options_exist() -> None:
    uses = named(r"(?:^\s*|[`/])fmnist ([a-z-]+[^`\n#]*)")
    options: dict[str, set[str]] = {}
    for use in uses:
        options.setdefault(use.split()[0], set()).update(re.findall(r"--[a-z-]+", use))
    assert {"book", "data", "run", "report", "status"} <= set(options)
    plain = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    for command, wanted in options.items():
        result = CliRunner().invoke(app, [command, "--help"], env=plain)
        assert result.exit_code == 0, f"fmnist {command}: {result.output}"
        assert wanted <= set(re.findall(r"--[a-z-]+", result.stdout)), f"fmnist {command}"


def test_each_promise_of_the_readme_names_a_test() -> None:
    # That it exists is tested with the other names.
    promises = (ROOT / "README.md").read_text().split("## What it promises")[1].split("\n## ")[0]
    assert [len(re.findall(r"`test_", line)) for line in promises.split("\n* ")[1:]] == [1] * 6


# --- Dependencies ----------------------------------------------------------------------------


def declared(*extras: str) -> list[Requirement]:
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in extras)]
    return [Requirement(line) for lines in lists for line in lines]


def pin_lines() -> list[str]:
    text = (ROOT / "requirements.txt").read_text()
    lines = text.replace("\\\n", "").splitlines()
    return [line for line in lines if not line.startswith("#")]


def pinned(python: str) -> list[Requirement]:
    """Return the lines of requirements.txt that hold on Linux under the first x.y release."""
    environment = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_system": "Linux",
        "sys_platform": "linux",
    }
    pins = [Requirement(line.partition(" --hash")[0]) for line in pin_lines()]
    return [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]


def test_supported_pythons_are_the_same_everywhere() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    minors = [f"3.{minor}" for minor in range(30) if f"3.{minor}.0" in allowed]
    listed = [line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"] if ":: 3." in line]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    tested = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert tuple(minors) == tuple(listed) == SUPPORTED
    assert tested == [SUPPORTED[0], SUPPORTED[-1]]


def test_runtime_dependencies_have_lower_bounds_only() -> None:
    operators = {spec.operator for line in declared() for spec in line.specifier}
    assert operators <= {">="}, "an upper pin makes Colab replace its own packages"


@pytest.mark.parametrize("python", SUPPORTED)
def test_pins_satisfy_what_is_declared(python: str) -> None:
    pins = {}
    for pin in pinned(python):
        (only,) = pin.specifier
        assert only.operator == "==", pin
        name = canonicalize_name(pin.name)
        assert name not in pins, f"{name} is pinned twice for Python {python}"
        pins[name] = Version(only.version)
    for line in declared("book", "dev"):
        assert pins[canonicalize_name(line.name)] in line.specifier, line
    assert "torch" not in pins


def test_every_pin_has_the_hashes_of_its_files() -> None:
    # One without would be installed unseen; and pip refuses the whole file.
    assert not [line for line in pin_lines() if not re.search(r" --hash=sha256:[0-9a-f]{64}", line)]


def test_the_package_is_built_with_what_is_pinned() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for line in map(Requirement, needed):
        assert str(line.specifier) in {
            str(p.specifier) for p in pinned("3.11") if p.name == line.name
        }


def test_package_data_names_what_is_there() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for pattern in settings["package-data"]["fmnist_utils"]:
        assert any((ROOT / "fmnist_utils").glob(pattern)), pattern


def test_every_import_of_the_package_is_declared() -> None:
    known = {canonicalize_name(line.name) for line in declared(*PROJECT["optional-dependencies"])}
    homes = packages_distributions()
    for path in sorted((ROOT / "fmnist_utils").rglob("*.py")):
        for module in imported_modules(path) - sys.stdlib_module_names - {"fmnist_utils"}:
            names = {canonicalize_name(name) for name in homes.get(module, [module])}
            assert names & known, f"{path.relative_to(ROOT)} imports {module}: declare it"


def imported_modules(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules.add(str(node.module).partition(".")[0])
    return modules


# --- Running the chapters ------------------------------------------------------------------------


def test_a_chapter_alone_is_run_on_a_data_folder_that_is_named_from_here(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(
        "import os\ndef pytest_sessionfinish(): print('in', os.environ['FMNIST_DATA_DIR'])\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "probe", "-p", "no:cacheprovider"]
    command += ["--nbval", "--collect-only", "--quiet", "chapters/training.ipynb"]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "FMNIST_DATA_DIR": "some/data", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert f"in {ROOT / 'some/data'}\n" in result.stdout, result.stdout + result.stderr


# --- Making the environment ----------------------------------------------------------------------

FAKE_PYTHON = """#!/bin/sh
# Stands in for Python: notes how it was called, makes a copy of itself as .venv, fails on demand.
echo "$*" >> calls
case "$*" in
    *venv*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"$FAILS_ON"*) exit 1 ;;
esac
"""


def make_ready(folder: Path, fails_on: str = "nothing") -> tuple[int, list[str]]:
    """Make .venv/.ready in `folder`; return make's exit status and what Python was asked."""
    (folder / "calls").unlink(missing_ok=True)
    result = subprocess.run(
        ["make", "--silent", ".venv/.ready", "PYTHON=./python"],
        cwd=folder,
        env={**OUTSIDE_MAKE, "FAILS_ON": fails_on},
        capture_output=True,
    )
    calls = (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []
    return result.returncode, [call for call in calls if call.startswith("-m")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "python").write_text(FAKE_PYTHON)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def test_half_made_environment_is_made_anew(checkout: Path) -> None:
    status, calls = make_ready(checkout, fails_on="requirements.txt")
    assert status != 0
    status, calls = make_ready(checkout)
    assert status == 0
    assert calls[0] == "-m venv --clear .venv"
    assert len(calls) == 3


def test_environment_is_made_once_and_refreshed_when_pins_change(checkout: Path) -> None:
    assert make_ready(checkout)[0] == 0
    assert make_ready(checkout) == (0, [])
    stamp = (checkout / ".venv/.ready").stat().st_mtime
    os.utime(checkout / "requirements.txt", (stamp + 5, stamp + 5))
    status, calls = make_ready(checkout)
    assert status == 0
    assert [call.split()[2] for call in calls] == ["install", "install"]


def test_unusable_python_is_one_clear_sentence(checkout: Path) -> None:
    command = ["make", "--silent", ".venv/.ready", "PYTHON=no-such-python"]
    result = subprocess.run(command, cwd=checkout, env=OUTSIDE_MAKE, capture_output=True, text=True)
    assert result.returncode != 0
    assert result.stderr.startswith("No Python 3.11 to 3.13 found")


# --- Citation and references ---------------------------------------------------------------------


def test_citation_states_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]


def test_references_say_who_what_and_when() -> None:
    for key, entry in parse_file(str(ROOT / "references.bib")).entries.items():
        assert entry.persons.get("author"), key
        assert {"title", "year"} <= set(entry.fields), key


# --- What is committed ---------------------------------------------------------------------------

FORBIDDEN = {
    "a path of somebody's machine": r"(?<![\w.~$}])/(?:root|home|Users|work|tmp|opt)/\w[\w.-]*",
    "a package registry": r"pypi\.org|pythonhosted\.org|[-]index-url|--find[-]links|file:/{3}",
    "a key of Weights & Biases": r"WANDB_API_KEY\W{1,6}[0-9a-zA-Z_]{32,}|wandb_v\d_\w{20,}",
    "an e-mail address": r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b",
}
HARMLESS = r"users\.noreply\.github\.com|git@github\.com|@example\.(?:com|org)"


def committed() -> list[Path]:
    """Return the files that are, or with the next `git add` would be, under version control."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a git checkout")
    paths = {ROOT / name for name in listing.decode().split("\0") if name}
    return sorted(path for path in paths if path.is_file())


def faults(text: str) -> Counter[str]:
    """Count what must not be published, by kind and text."""
    return Counter(
        f"{kind}: {match[0]}"
        for kind, pattern in FORBIDDEN.items()
        for match in re.finditer(pattern, text)
        if not re.search(HARMLESS, match[0])
    )


@pytest.mark.parametrize(
    "text",
    [
        "/".join(["", "home", "ada", "book"]),
        '"' + "/".join(["", "tmp", "ipykernel_12"]),
        "@".join(["ada", "lovelace.org"]),
        "https://" + "pypi" + ".org/simple",
        "WANDB_API_KEY" + "=" + "0123abcd" * 5,
    ],
)
def test_scan_finds(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "actions/checkout@" + "0" * 40,
        "git+https://host.org/owner/book@v0.1.0",
        "https://host.org/home/page",
        "~/.cache/fmnist-utils",
        "@pytest.fixture",
        "1+ada@users.noreply.github.com",
    ],
)
def test_scan_lets_pass(text: str) -> None:
    assert not faults(text)


def test_nothing_private_is_committed() -> None:
    found = {}
    for path in committed():
        try:
            found[str(path.relative_to(ROOT))] = faults(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
    assert not {name: count for name, count in found.items() if count}


def test_no_data_set_and_no_large_file_is_committed() -> None:
    paths = committed()
    assert not [path for path in paths if re.search(r"ubyte(\.gz)?$|\.np[yz]$", path.name)]
    assert not [path for path in paths if path.stat().st_size > 2_000_000]


def test_shipped_reports_stay_small() -> None:
    files = [
        path
        for path in (ROOT / "fmnist_utils/reports").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert sum(path.stat().st_size for path in files) < 10_000_000
