"""Where the corpus comes from: the standard library and permissively licensed packages."""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

PERMISSIVE = frozenset(
    {
        "0bsd", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc0-1.0", "hpnd", "isc",
        "mit", "mit-0", "mit-cmu", "psf-2.0", "python-2.0", "unlicense", "zlib",
    }
)  # fmt: skip
"""SPDX identifiers, lower case, of the licences whose text may enter the corpus."""

_SPOKEN_NAMES = {
    "apache": "apache-2.0", "apache 2.0": "apache-2.0", "apache 2.0 license": "apache-2.0",
    "apache license 2.0": "apache-2.0", "apache license, version 2.0": "apache-2.0",
    "apache software license": "apache-2.0", "bsd": "bsd-3-clause", "bsd license": "bsd-3-clause",
    "bsd 3-clause license": "bsd-3-clause", "3-clause bsd license": "bsd-3-clause",
    "new bsd": "bsd-3-clause", "bsd-3-clause license": "bsd-3-clause", "mit license": "mit",
    "the mit license (mit)": "mit", "the mit license": "mit",
    "isc license (iscl)": "isc", "python software foundation license": "psf-2.0", "psf": "psf-2.0",
    "historical permission notice and disclaimer (hpnd)": "hpnd", "zlib/libpng license": "zlib",
    "the unlicense (unlicense)": "unlicense",
}  # fmt: skip

_VENDORED = re.compile(r"(^|/)(_?vendor(ed)?|extern(al|s)?|third_party|site-packages)(/|$)")


@dataclass(frozen=True)
class Source:
    """One distribution (or the standard library) and its Python files."""

    name: str
    version: str
    licence: str
    root: Path
    files: tuple[Path, ...]


def permissive(expression: str) -> bool:
    """Whether an SPDX expression, or a licence's usual name, permits unrestricted reuse.

    Every alternative joined by AND must be permissive; one joined by OR is enough. Anything not
    recognised is refused.
    """
    text = expression.strip().lower()
    if text in _SPOKEN_NAMES or text in PERMISSIVE:
        return True
    parts = re.split(r"\s+and\s+", text.replace("(", "").replace(")", ""))
    return all(
        any(_SPOKEN_NAMES.get(name, name) in PERMISSIVE for name in re.split(r"\s+or\s+", part))
        for part in (part.split(" with ")[0] for part in parts)
    )


def licence_of(distribution: Distribution) -> str:
    """The licence a distribution declares: its SPDX expression, classifiers or short name.

    Returns an empty string when it declares none in a form that can be read.
    """
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [
        value.split(" :: ")[-1]
        for value in metadata.get_all("Classifier") or []
        if value.startswith("License :: ") and not value.endswith("OSI Approved")
    ]
    if classifiers:
        return " AND ".join(sorted(set(classifiers)))
    lines = metadata["License"].strip().splitlines() if "License" in metadata else []
    return lines[0].strip() if lines else ""


def _python_files(distribution: Distribution) -> tuple[Path, ...]:
    return tuple(
        sorted(
            Path(str(distribution.locate_file(entry)))
            for entry in distribution.files or ()
            if entry.suffix == ".py" and not _VENDORED.search(entry.as_posix())
        )
    )


def standard_library() -> Source:
    """The running interpreter's standard library, without packages installed into it."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = tuple(
        path
        for path in sorted(root.rglob("*.py"))
        if not _VENDORED.search(path.relative_to(root).as_posix())
    )
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Source("python standard library", version, "PSF-2.0", root, files)


def installed() -> Iterator[Source]:
    """Every installed distribution with Python files and a licence string, permissive or not."""
    for distribution in sorted(distributions(), key=lambda found: found.name.lower()):
        files = _python_files(distribution)
        if files:
            root = Path(str(distribution.locate_file("")))
            yield Source(
                distribution.name, distribution.version, licence_of(distribution), root, files
            )
