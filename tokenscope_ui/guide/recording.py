"""The recorded session: its traces, and what was measured of them, in one file of this package.

    recording = read(FILE.read_bytes())

A zip archive of a session file, as people pass them on, and of one record for each analysis. Other
than with a file that somebody brings, its figures are taken for what they say they are: they come
with the program, and `docs_tools.guide` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tokenscope_core import Session, Trace
from tokenscope_core.sessions import archive
from tokenscope_core.sharing import session_file

FILE = Path(__file__).resolve().parents[1] / "assets" / "guide.zip"
_SESSION, _RESULTS = "session.tokenscope", "results/"
_MOST, _MAX_BYTES = 16, 4 * 1024**2


@dataclass(frozen=True, slots=True)
class Recording:
    """A session, its traces by their keys, and records of analyses by theirs."""

    session: Session
    traces: Mapping[str, Trace]
    results: Mapping[str, bytes]


def write(recording: Recording) -> bytes:
    """The recording as a file.

    Raises:
        RequestError: a trace is not of the session.
    """
    members = {_SESSION: session_file.write(recording.session, recording.traces.values())}
    members |= {f"{_RESULTS}{key}": blob for key, blob in sorted(recording.results.items())}
    return archive.write(members, stored=_SESSION)


def read(blob: bytes) -> Recording:
    """What `write` wrote.

    Raises:
        ArchiveError: it is damaged.
        RecordError: its session is.
    """
    members = archive.members(blob, most=_MOST)
    opened = session_file.read(archive.content(members, _SESSION, _MAX_BYTES))
    results = {
        name.removeprefix(_RESULTS): archive.content(members, name, _MAX_BYTES)
        for name in members.names
        if name.startswith(_RESULTS)
    }
    return Recording(opened.shared.session, opened.traces, results)
