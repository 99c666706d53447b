"""Whether a vulnerability is known of what is installed here, by PyPI's word, through pip-audit.

Ends with 0 where none is, with 1 where one is. Where PyPI does not answer nothing was audited: that
is said, and ends with 1 where TOKENSCOPE_REQUIRE_AUDIT=1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

# With why each does not concern us.
IGNORED = {
    # diskcache unpickles what lies in its folder: the store's Disk refuses to (SECURITY.md), which
    # `test_a_planted_pickle_is_refused_and_never_run` shows. No release mends it.
    "CVE-2025-69872",
}


def judged(report: dict[str, Any], required: bool) -> tuple[int, str]:
    """The exit status, and what to say, of a report of pip-audit."""
    packages = report["dependencies"]
    asked = [package for package in packages if "skip_reason" not in package]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if not asked:
        return int(required), (
            "NOT AUDITED: PyPI's list of vulnerabilities did not answer for any of "
            f"{len(packages)} packages. Run `make audit` where PyPI itself can be reached."
        )
    found = [
        f"{package['name']} {package['version']}: {each['id']}, "
        f"mended in {', '.join(each['fix_versions']) or 'no release'}"
        for package in asked
        for each in package["vulns"]
        if not IGNORED & {each["id"], *each["aliases"]}
    ]
    unknown = f" Not known there: {', '.join(skipped)}." if skipped else ""
    summary = f"Of {len(asked)} packages {len(found)} vulnerabilities are known.{unknown}"
    return int(bool(found)), "\n".join([*found, summary])


def main() -> int:
    """Audit the environment that runs this."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--progress-spinner=off", "-f", "json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    sys.stderr.write(done.stderr if not done.stdout else "")
    if not done.stdout and "ConnectionError" not in done.stderr:
        print("pip-audit itself failed; nothing was audited.")
        return 1
    report = json.loads(done.stdout or '{"dependencies": []}')
    status, words = judged(report, os.environ.get("TOKENSCOPE_REQUIRE_AUDIT") == "1")
    print(words)
    return status


if __name__ == "__main__":
    sys.exit(main())
