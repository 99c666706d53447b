"""The command `tokenscope`: the verbs of `python -m tokenscope_core`, and `app`.

It is here and not in the core because the interface knows the core, and never the other way round.
"""

from __future__ import annotations

import sys

from tokenscope_core import __main__ as core
from tokenscope_ui.launch import add_app_verb


def main() -> int:
    """Run one verb; returns the exit status, as `tokenscope --help` lists them."""
    return core.main(prog="tokenscope", more=(add_app_verb,))


if __name__ == "__main__":
    sys.exit(main())
