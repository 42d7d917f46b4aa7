"""The repository's address: stated once in ``_config.yml``, repeated in badges and installs."""

from __future__ import annotations

import re
from pathlib import Path

from fmnist_utils.book.notebooks import BookError, read_yaml
from fmnist_utils.records import write_whole

_GITHUB = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+?(?:\.git)?/?")
_BADGE_LINK = re.compile(r"https://colab\.research\.google\.com/github/[^\s)\"'\\]*")
_INSTALL = re.compile(r"git\+https?://[^\s\"'@#\\]+")
_CITED = re.compile(r"(?m)^(repository-code:\s*[\"']?)([^\s\"']+)")


def repository(root: Path) -> str:
    """Return the address of the repository, which stands in ``_config.yml``."""
    return str(_settings(root)["url"])


def _settings(root: Path) -> dict[str, str]:
    try:
        settings = read_yaml(root / "_config.yml")["repository"]
        return {"url": str(settings["url"]), "branch": str(settings["branch"])}
    except (KeyError, TypeError) as error:
        raise BookError("_config.yml does not state the repository's url and branch.") from error


def _badge_link(url: str, branch: str, name: Path) -> str:
    slug = url.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{slug}/blob/{branch}/{name.as_posix()}"


def _notebooks(root: Path) -> list[Path]:
    return [*root.glob("index.ipynb"), *sorted(root.glob("chapters/*.ipynb"))]


def check_repository(root: Path) -> list[str]:
    """Hold every Colab badge, install cell and citation to ``_config.yml``.

    Returns
    -------
    list of str
        One sentence per place that is wrong; empty when all is well.
    """
    url, branch = _settings(root).values()
    problems = []
    for path in _notebooks(root):
        name = path.relative_to(root)
        text = path.read_text(encoding="utf-8")
        expected = {"Colab badge": _badge_link(url, branch, name), "install cell": f"git+{url}"}
        found = {"Colab badge": _BADGE_LINK.findall(text), "install cell": _INSTALL.findall(text)}
        for what, links in found.items():
            wrong = [link for link in links if link != expected[what]]
            if not links:
                problems.append(f"{name} has no {what}.")
            problems += [f"{name}: the {what} points to {link}." for link in wrong]
    citation = root / "CITATION.cff"
    for _, cited in _CITED.findall(citation.read_text()) if citation.exists() else []:
        if cited != url:
            problems.append(f"CITATION.cff names the repository {cited}.")
    return problems


def set_repository(root: Path, url: str) -> list[Path]:
    """Point the book, its badges, its install cells and its citation at another repository.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``_config.yml``.
    url : str
        ``https://github.com/OWNER/REPOSITORY``: Colab opens notebooks from GitHub.

    Returns
    -------
    list of pathlib.Path
        The files that changed.

    Raises
    ------
    BookError
        When the address is not of that form.
    """
    if not _GITHUB.fullmatch(url):
        raise BookError(f"{url} is not of the form https://github.com/OWNER/REPOSITORY.")
    url = url.removesuffix("/").removesuffix(".git")
    old, branch = _settings(root).values()
    config = root / "_config.yml"
    texts = {config: config.read_text(encoding="utf-8").replace(old, url)}
    for path in _notebooks(root):
        text = path.read_text(encoding="utf-8")
        text = _BADGE_LINK.sub(_badge_link(url, branch, path.relative_to(root)), text)
        texts[path] = _INSTALL.sub(f"git+{url}", text)
    if (citation := root / "CITATION.cff").exists():
        texts[citation] = _CITED.sub(rf"\g<1>{url}", citation.read_text(encoding="utf-8"))
    changed = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        write_whole(path, texts[path].encode())
    return changed
