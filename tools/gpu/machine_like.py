#!/usr/bin/env python3
"""A Python that has only what the lent machine's has (machine.txt and what that needs): machine_like.py FOLDER.

A venv FOLDER with links to this environment's packages, pip among them; for the rehearsal.
"""

from __future__ import annotations

import sys
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tools.gpu.lists import package_names


def needs(name: str) -> list[str]:
    """What an installed package requires here, without extras; nothing of one that is not installed."""
    try:
        texts = distribution(name).requires or []
    except PackageNotFoundError:
        return []
    asked = [Requirement(text) for text in texts]
    return [one.name for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]


def closure(names: list[str]) -> set[str]:
    """Packages and all that they need."""
    seen: set[str] = set()
    left = list(names)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name not in seen:
            seen.add(name)
            left += needs(name)
    return seen


def link(name: str, site: Path) -> None:
    """Link a package's files, if it is installed here, into a folder of packages."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return
    for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
        if not (site / top).exists():
            (site / top).symlink_to(Path(str(found.locate_file(top))).resolve())


def main() -> None:
    """Make the folder."""
    folder = Path(sys.argv[1])
    venv.create(folder, clear=True, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    listed = package_names(Path(__file__).with_name("machine.txt"))
    for name in sorted(closure([*listed, "pip", "setuptools"])):
        link(name, site)


if __name__ == "__main__":
    main()
