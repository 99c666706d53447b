"""What `make audit` makes of a report of known vulnerabilities."""

from __future__ import annotations

import runpy
from typing import Any

from installation.wheels import ROOT

AUDIT = runpy.run_path(str(ROOT / ".ci" / "audit.py"))
judged = AUDIT["judged"]
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI"}


def package(name: str, *vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(vulnerabilities)}


def vulnerability(name: str, *aliases: str, mended: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"id": name, "aliases": list(aliases), "fix_versions": list(mended)}


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages)}


def test_a_known_vulnerability_fails_the_audit_and_says_what_mends_it() -> None:
    found = vulnerability("PYSEC-1", "CVE-1", mended=("1.1",))
    status, words = judged(report(package("jinja2", found), package("numpy")), required=False)
    assert status == 1
    assert "jinja2 1.0: PYSEC-1, mended in 1.1" in words


def test_what_does_not_concern_us_is_passed_over_under_any_of_its_names() -> None:
    (ignored,) = AUDIT["IGNORED"]
    found = vulnerability("GHSA-1", ignored)
    assert judged(report(package("diskcache", found)), required=True)[0] == 0
    assert judged(report(package("diskcache", found, vulnerability("new"))), required=True)[0] == 1


def test_an_audit_that_nobody_answered_does_not_pass_for_one() -> None:
    status, words = judged(report(SKIPPED), required=False)
    assert (status, "NOT AUDITED" in words) == (0, True)
    assert judged(report(SKIPPED), required=True)[0] == 1
    assert judged(report(), required=True)[0] == 1


def test_packages_without_an_answer_are_named() -> None:
    status, words = judged(report(SKIPPED, package("numpy")), required=True)
    assert status == 0
    assert "torch" in words
