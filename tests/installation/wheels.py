"""The wheel, built from the checkout and installed apart from it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def built(source: Path, into: Path, kind: str = "wheel") -> Path:
    """A wheel or sdist of a source tree."""
    into.mkdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (file,) = into.iterdir()
    return file


def installed(wheel: Path, folder: Path) -> Path:
    """A fresh environment with the wheel in it; returns its folder of commands.

    Its dependencies are those of the environment that runs the tests: installing torch again takes
    minutes. The wheel's own files come first.
    """
    venv.create(folder, symlinks=os.name == "posix")
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    python = Path(paths["scripts"]) / "python"
    borrowed = Path(paths["purelib"]) / "dependencies.pth"
    borrowed.write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", str(wheel)], check=True)
    return python.parent
