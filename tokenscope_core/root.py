"""Where the files are that belong to no package: the app, its pages and theme, the shipped model.

A checkout has them at its root, where hosts look for an app. A wheel has room for packages alone:
it carries them in the same order in `shipped/`, beside this module.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_A_WHEEL = _PACKAGE / "shipped"

ROOT = _IN_A_WHEEL if _IN_A_WHEEL.is_dir() else _PACKAGE.parent
