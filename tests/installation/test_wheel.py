"""What a person gets who installs TokenScope: all of it, working from any folder, offline."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from installation.wheels import ROOT, built, installed

import tokenscope_core as ts

SHIPPED = "tokenscope_core/shipped/"
PYPI_LIMIT = 100 * 2**20
PROGRAM = """
import json, tokenscope_core as ts
from importlib.metadata import version
from tokenscope_core.root import ROOT
trace = ts.generate(ts.load_model(), ts.Request("def add(a, b):", max_new_tokens=4))
found = [str(ROOT), version("tokenscope-code"), ts.__version__, trace.model.name, len(trace)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("built") / "wheel")


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(wheel, tmp_path_factory.mktemp("fresh") / "environment")


def members(wheel: Path) -> dict[str, int]:
    """The files of a wheel with their checksums."""
    with zipfile.ZipFile(wheel) as archive:
        return {file.filename: file.CRC for file in archive.infolist()}


def shown(command: list[str], folder: Path) -> str:
    """What a command writes when it is run elsewhere."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["TOKENSCOPE_STORE"] = str(folder / "store")
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_the_program_reads_and_no_other(wheel: Path) -> None:
    wanted = {
        str(file.relative_to(ROOT)): file
        for package in ("tokenscope_core", "tokenscope_ui")
        for file in (ROOT / package).rglob("*")
    }
    beside = [ROOT / "app.py", ROOT / ".streamlit" / "config.toml", *(ROOT / "pages").glob("*.py")]
    beside += (ROOT / "models" / "tokenscope-py").iterdir()
    wanted |= {f"{SHIPPED}{file.relative_to(ROOT)}": file for file in beside}
    files = {n for n, file in wanted.items() if file.is_file() and "__pycache__" not in n}
    assert {n for n in members(wheel) if ".dist-info/" not in n} == files
    assert wheel.stat().st_size < PYPI_LIMIT


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(built(ROOT, tmp_path / "sdist", "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("tokenscope_code-*")
    assert members(built(source, tmp_path / "wheel")) == members(wheel)


def test_an_installed_library_runs_the_shipped_model_from_any_folder(
    commands: Path, tmp_path: Path
) -> None:
    root, of_package, of_module, model, tokens = json.loads(
        shown([str(commands / "python"), "-c", PROGRAM], tmp_path).splitlines()[-1]
    )
    assert Path(root).is_relative_to(commands.parent)
    assert of_package == of_module == ts.__version__
    assert model == "tokenscope-py"
    assert tokens > 4


def test_the_command_is_installed(commands: Path, tmp_path: Path) -> None:
    assert "app" in shown([str(commands / "tokenscope"), "--help"], tmp_path)


def test_both_packages_say_that_they_are_typed(wheel: Path) -> None:
    assert {"tokenscope_core/py.typed", "tokenscope_ui/py.typed"} <= members(wheel).keys()


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
