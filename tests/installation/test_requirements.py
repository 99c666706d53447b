"""The two lists of dependencies agree: what hosts install, and what a wheel asks for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable

import pytest
from installation.wheels import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OF_THE_APP = ("app", "recognition", "gguf", "pictures")


def by_name(lines: Iterable[str]) -> dict[str, Requirement]:
    wanted = [line for line in lines if line and not line.startswith(("#", "-r "))]
    found = {canonicalize_name(r.name): r for r in map(Requirement, wanted)}
    found.pop(canonicalize_name(PROJECT["name"]), None)
    return found


def of_file(name: str) -> dict[str, Requirement]:
    return by_name((ROOT / name).read_text(encoding="utf-8").splitlines())


def of_project(*extras: str) -> dict[str, Requirement]:
    return by_name(
        [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    )


def bounds(requirement: Requirement) -> tuple[Version, Version | None]:
    """The lowest version that is let in, and the first that no longer is; None without one."""
    found = {each.operator: Version(each.version) for each in requirement.specifier}
    assert found.keys() <= {">=", "<", "=="}, requirement
    return found.get("==", found.get(">=", Version("0"))), found.get("==", found.get("<"))


def test_hosts_install_all_that_the_app_needs_and_nothing_else() -> None:
    assert of_file("requirements.txt").keys() == of_project(*OF_THE_APP).keys()


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_what_hosts_and_tests_install_is_let_in_by_the_wheel(file: str) -> None:
    wide, narrow = of_project(*EXTRAS), of_file(file)
    both = wide.keys() & narrow.keys()
    assert len(both) >= 4
    for name in both:
        (lowest, end), (own_lowest, own_end) = bounds(wide[name]), bounds(narrow[name])
        assert wide[name].extras == narrow[name].extras, name
        assert own_lowest >= lowest, name
        assert end is None or (own_end is not None and own_end <= end), name


def test_every_extra_is_tried_by_the_tests() -> None:
    tried = of_file("requirements.txt").keys() | of_file("requirements-dev.txt").keys()
    assert of_project(*EXTRAS).keys() <= tried


def test_only_torch_and_pyarrow_have_no_upper_bound() -> None:
    open_ended = {name for name, r in of_project(*EXTRAS).items() if bounds(r)[1] is None}
    assert open_ended == {"torch", "pyarrow"}
