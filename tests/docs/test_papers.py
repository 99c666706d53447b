"""What stands beside the code in words: README, licences, citation, commands."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import tokenscope_core as ts
from models.recipe.sources import licence_of

ROOT = Path(__file__).resolve().parents[2]
PAPERS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})


def words(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_is_short_and_says_at_once_whose_idea_it_is() -> None:
    lines = words("README.md").splitlines()
    assert len(lines) < 150
    assert "arXiv:2607.01235" in "\n".join(lines[:12])


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_of_the_repository(paper: Path) -> None:
    for target in re.findall(r"\]\(([^)\s#]+)", paper.read_text(encoding="utf-8")):
        if ":" not in target:
            # The API reference is made when the site is built, which checks the links to it.
            assert (paper.parent / target).exists() or "reference/" in target, target


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_and_paths_that_are_named_exist(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", words("Makefile"), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)`", text, re.MULTILINE)) <= {
        pair for target in targets for pair in ((target, ""), ("", target))
    }
    for path in re.findall(
        r"`((?:tokenscope_core|tokenscope_ui|tests|docs|pages|hosting|models)/[\w./-]+)`", text
    ):
        if "NAME" not in path and "build" not in path:
            assert (ROOT / path).exists(), path


def test_the_citation_is_of_this_release_and_of_the_paper() -> None:
    cited = yaml.safe_load(words("CITATION.cff"))
    assert cited["version"] == ts.__version__
    assert cited["license"] == "MIT"
    assert words("LICENSE").startswith("MIT License")
    (paper,) = cited["references"]
    assert paper["doi"] == "10.48550/arXiv.2607.01235"
    assert paper["authors"][0]["family-names"] in words("README.md")
    assert f"## {ts.__version__} " in words("CHANGELOG.md")


def test_licences_of_what_is_installed_are_as_their_packages_declare() -> None:
    table = dict(re.findall(r"^\| ([\w-]+) \| (.+) \|$", words("THIRD-PARTY.md"), re.MULTILINE))
    named = {
        Requirement(line).name
        for line in words("requirements.txt").splitlines()
        if line and line[0].isalpha()
    }
    assert named <= table.keys()
    for package in named:
        try:
            declared = licence_of(distribution(package))
        except PackageNotFoundError:
            pytest.fail(f"{package} is required and not installed")
        assert table[package] == declared, package
