"""The repository's address: stated once in ``_config.yml``, repeated in badges and installs."""

from __future__ import annotations

import re
from pathlib import Path

from fmnist_utils.book.notebooks import BookError, read_yaml
from fmnist_utils.records import write_atomically

#: A name of dots alone would be a step through folders.
_GITHUB = re.compile(
    r"https://github\.com/[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.+$)[A-Za-z0-9._-]{1,100}"
)
BADGE_LINK = re.compile(r"https://colab\.research\.google\.com/github/[^\s)\"'\\]*")
INSTALL = re.compile(r"git\+https?://[^\s\"'#\\]+")
#: Files that name it, with what stands before it and the address itself.
NAMED = {
    "CITATION.cff": re.compile(r"(?m)^(repository-code:\s*[\"']?)([^\s\"']+)"),
    "pyproject.toml": re.compile(r"(?m)^(Repository = \")([^\"]+)"),
    "reference/cite.md": re.compile(r"(?m)^(\s*url\s*=\s*\{)([^\s}]+)"),
}


def repository(root: Path) -> dict[str, str]:
    """Read the repository's url and branch from ``_config.yml``."""
    try:
        found = read_yaml(root / "_config.yml")["repository"]
        if not (found["url"] and found["branch"]):
            raise KeyError("url")
        return {"url": str(found["url"]), "branch": str(found["branch"])}
    except (KeyError, TypeError) as error:
        raise BookError("_config.yml does not state the repository's url and branch.") from error


def badge_link(url: str, branch: str, name: Path) -> str:
    """Return where the Colab badge of a notebook points.

    Parameters
    ----------
    url : str
        Address of the repository on GitHub.
    branch : str
        Where Colab opens the notebook.
    name : pathlib.Path
        The notebook, seen from the root of the repository.
    """
    slug = url.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{slug}/blob/{branch}/{name.as_posix()}"


def install_address(url: str, branch: str) -> str:
    """Return what pip installs: the code that belongs to the notebook behind the badge.

    Parameters
    ----------
    url : str
        Address of the repository.
    branch : str
        The one whose notebook installs it.
    """
    return f"git+{url}@{branch}"


def notebooks(root: Path) -> list[Path]:
    """List what has a badge: the front page and the chapters."""
    return [*root.glob("index.ipynb"), *sorted(root.glob("chapters/*.ipynb"))]


def set_repository(root: Path, url: str) -> list[Path]:
    """Point the book, its badges, install cells, citation and metadata at another repository.

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
        When the address is not of that form, or a file cannot be read.
    """
    given, url = url, url.removesuffix("/").removesuffix(".git")
    if not _GITHUB.fullmatch(url):
        raise BookError(f"{given!r} is not of the form https://github.com/OWNER/REPOSITORY.")
    old, branch = repository(root).values()
    config = root / "_config.yml"
    # Not where the address only begins that of another repository.
    whole = re.compile(rf"{re.escape(old)}(?=(\.git)?(?!\.?[\w-]))")
    texts = {config: whole.sub(url, _text(config))}
    for path in notebooks(root):
        text = BADGE_LINK.sub(badge_link(url, branch, path.relative_to(root)), _text(path))
        texts[path] = INSTALL.sub(install_address(url, branch), text)
    for name in (name for name in NAMED if (root / name).exists()):
        texts[root / name] = NAMED[name].sub(rf"\g<1>{url}", _text(root / name))
    changed = [path for path, text in texts.items() if _text(path) != text]
    for path in changed:
        write_atomically(path, texts[path].encode())
    return changed


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BookError(f"{path.name} is not UTF-8: restore it from version control.") from error
