"""The shell's verb on what people keep on a server, for its operator."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.record.units import with_units
from tokenscope_core.shell.arguments import add_format, add_verb
from tokenscope_core.shell.output import frame_json, write_json, write_text
from tokenscope_core.shell.terminal import printable
from tokenscope_core.store.protected import ProtectedSession
from tokenscope_core.store.store import Store

_DAY_S = 24 * 3600


def add_kept_verb(verbs: Any) -> None:
    """Add the verb to a parser's."""
    kept = add_verb(
        verbs, "kept", _kept,
        "for whom the store keeps how much; delete what nobody has changed for long",
        "--json",
        "--unchanged-for 180 --delete  # for good",
    )  # fmt: skip
    kept.add_argument(
        "--unchanged-for", type=int, metavar="DAYS", help="only sessions not changed for so long"
    )
    kept.add_argument(
        "--delete",
        action="store_true",
        help="delete those for good, with their short links and imports",
    )
    add_format(kept)
    kept.set_defaults(parser=kept)


def _kept(options: argparse.Namespace) -> None:
    days = options.unchanged_for
    if options.delete and days is None:
        options.parser.error("--delete needs --unchanged-for")
    if days is not None and days < 0:
        options.parser.error("--unchanged-for counts days from 0 on")
    with closing(Store()) as store:
        sessions = store.sessions()
        before = time.time() - (days or 0) * _DAY_S
        if days is not None:
            sessions = [session for session in sessions if session.changed <= before]
        # Anybody may have changed one since it was looked at: that one stays.
        gone = [
            session.name
            for session in sessions
            if options.delete and store.delete_session(session.name, unless_after=before)
        ]
    frame = _by_owner(sessions)
    if options.json:
        rows = frame_json(frame)
        write_json({"units": rows["units"], "owners": rows["rows"], "deleted": len(gone)})
    elif options.csv:
        write_text(frame.to_csv(index=False))
    else:
        _tabulate(frame)
        if options.delete:
            print(f"{len(gone):,} deleted")


def _by_owner(sessions: list[ProtectedSession]) -> pd.DataFrame:
    """One row an owner, who keeps most first: `owner` (empty for nobody), `sessions`, `bytes`,
    `changed` (when last, ISO 8601, UTC)."""
    by_owner: dict[str, list[ProtectedSession]] = {}
    for session in sessions:
        by_owner.setdefault(session.owner or "", []).append(session)
    rows = [
        {
            "owner": owner,
            "sessions": len(own),
            "bytes": sum(session.bytes for session in own),
            "changed": datetime.fromtimestamp(max(s.changed for s in own), tz=UTC).isoformat(),
        }
        for owner, own in by_owner.items()
    ]
    frame = pd.DataFrame(rows, columns=["owner", "sessions", "bytes", "changed"])
    return with_units(frame.sort_values("bytes", ascending=False, ignore_index=True))


def _tabulate(frame: pd.DataFrame) -> None:
    for owner, count, size, changed in frame.itertuples(index=False, name=None):
        name = printable(owner or "(nobody)")
        print(f"{name:42} {count:6,} {size_text(size):>10}  changed {changed[:10]}")
    total = size_text(int(frame["bytes"].sum()))
    print(f"{'in all':42} {int(frame['sessions'].sum()):6,} {total:>10}")
