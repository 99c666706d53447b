"""The shell's verb on what people keep on a server, for its operator."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.store.protected import KeptSession
from tokenscope_core.store.store import Store

_DAY_S = 24 * 3600


def add_verb(verbs: Any) -> None:
    """Add the verb to a parser's."""
    kept = verbs.add_parser(
        "kept", help="for whom the store keeps how much; delete what nobody has changed for long"
    )
    kept.add_argument(
        "--unchanged-for", type=int, metavar="DAYS", help="only sessions not changed for so long"
    )
    kept.add_argument(
        "--delete",
        action="store_true",
        help="delete those for good, with their short links and imports",
    )
    kept.set_defaults(verb=_kept, parser=kept)


def _kept(options: argparse.Namespace) -> None:
    days = options.unchanged_for
    if options.delete and days is None:
        options.parser.error("--delete needs --unchanged-for")
    if days is not None and days < 0:
        options.parser.error("--unchanged-for counts days from 0 on")
    with closing(Store()) as store:
        sessions = store.kept_sessions()
        before = time.time() - (days or 0) * _DAY_S
        if days is not None:
            sessions = [session for session in sessions if session.changed <= before]
        _tabulate(sessions)
        # Anybody may have changed one since it was looked at: that one stays.
        if options.delete:
            gone = sum(
                store.delete_session(session.name, unless_after=before) for session in sessions
            )
            print(f"{gone:,} deleted")


def _tabulate(sessions: list[KeptSession]) -> None:
    by_owner: dict[str, list[KeptSession]] = {}
    for session in sessions:
        by_owner.setdefault(session.owner or "(nobody)", []).append(session)
    for owner, own in sorted(by_owner.items(), key=lambda item: -_bytes(item[1])):
        last = datetime.fromtimestamp(max(session.changed for session in own), tz=UTC)
        print(f"{owner:42} {len(own):6,} {size_text(_bytes(own)):>10}  changed {last:%Y-%m-%d}")
    print(f"{'in all':42} {len(sessions):6,} {size_text(_bytes(sessions)):>10}")


def _bytes(sessions: list[KeptSession]) -> int:
    return sum(session.bytes for session in sessions)
