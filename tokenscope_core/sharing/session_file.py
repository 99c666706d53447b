"""A session as one file, to be kept or passed on: its recipes, and the traces that were at hand.

    blob = session_file.write(session, traces)
    opened = session_file.read(blob)

The file is a zip archive: `about.json` (version, view, precision), `session.json` (the tree, as the
store keeps it, without its history) and, for each trace, `traces/KEY.arrow`, which opens in pandas
as it is. A file is untrusted. Nothing is executed, all that it unpacks to is bounded, and of a
trace that is damaged or not what its name says, only the recipe is taken.

A key vouches for a trace's recipe, not for its figures: these are as good as whoever wrote the
file. Only what was computed here belongs into a store that others read from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from tokenscope_core.errors import ModelError, RecordError, RequestError, ShareError
from tokenscope_core.failures import MalformedError, reason_of
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.record import arrow_files
from tokenscope_core.record.trace import Trace
from tokenscope_core.sessions import archive
from tokenscope_core.sessions import format as session_format
from tokenscope_core.sessions.recipe_format import MALFORMED, dump, load, require_flat
from tokenscope_core.sessions.screen_state import View, view_of, view_values
from tokenscope_core.sessions.session import MAX_BRANCHES, Session
from tokenscope_core.sharing.format import Shared, choice_of, shared_model_values

FORMAT_VERSION = 1
MAX_FILE_BYTES = 128 * 1024**2
# Of all traces together: some 400,000 tokens with 20 candidates each.
MAX_UNPACKED_BYTES = 128 * 1024**2

_FORMAT = "tokenscope session file"
_ABOUT, _SESSION, _FOLDER, _SUFFIX = "about.json", "session.json", "traces/", ".arrow"
_MAX_ABOUT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class SessionFile:
    """What a file held: the session with what was on screen, the sound traces by their key, and a
    sentence about each that was not."""

    shared: Shared
    traces: Mapping[str, Trace]
    problems: tuple[str, ...] = ()


def write(
    session: Session,
    traces: Iterable[Trace] = (),
    view: Mapping[str, View] | None = None,
    *,
    model: ModelChoice | None = None,
) -> bytes:
    """The session as a file, without its history. Equal contents give equal bytes.

    Args:
        session: the tree.
        traces: those of its branches that are to go with it; the others are computed again.
        view: what is on screen, as for `share.encode`.
        model: likewise.

    Raises:
        RequestError: a trace is not of the session, or all is larger than can be read.
        RecordError: one trace alone is larger than can be read.
        ShareError: the view is none.
    """
    place = {branch.key: index for index, branch in enumerate(session.branches)}
    about = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "model": shared_model_values(session.model, model),
        "view": view_values(view or {}, place),
    }
    members = {
        _ABOUT: dump(about),
        _SESSION: session.without_history().to_bytes(),
    }
    unpacked = 0
    for key, trace in sorted({trace.key: trace for trace in traces}.items()):
        if key not in session or trace.model != session.model:
            raise RequestError(
                asked=f"The trace {key[:12]} was to be put into the file of a session.",
                found="The session has no such branch.",
                action="Add it to the session first.",
            )
        blob = trace.to_bytes()
        unpacked += arrow_files.unpacked_bytes(blob)
        members[f"{_FOLDER}{key}{_SUFFIX}"] = blob
    size = sum(map(len, members.values()))
    for taken, limit in ((unpacked, MAX_UNPACKED_BYTES), (size, MAX_FILE_BYTES - 2**20)):
        if taken > limit:
            raise RequestError(
                asked="The session was to be saved with its traces.",
                found=f"They take {taken:,} bytes; a file holds {limit:,}.",
                action="Leave some of the traces out; they can be computed again.",
            )
    return archive.write(members, stored=_SUFFIX)


def read(blob: bytes) -> SessionFile:
    """What `write` wrote.

    Raises:
        RecordError: it is no such file, too large, of an unknown version, or its tree is damaged.
            A trace that cannot be used is no error: it is among the `problems`.
    """
    if len(blob) > MAX_FILE_BYTES:
        raise _damaged(f"it has {len(blob):,} bytes, and {MAX_FILE_BYTES:,} are read")
    try:
        members = archive.members(blob, most=MAX_BRANCHES + 2)
        about = load(archive.content(members, _ABOUT, _MAX_ABOUT_BYTES))
        version = about["version"] if about["format"] == _FORMAT else None
    except (archive.ArchiveError, *MALFORMED) as error:
        raise _damaged(f"it is no session file ({reason_of(error)})") from error
    if version != FORMAT_VERSION:
        raise RecordError(
            asked="A session file was to be opened.",
            found=f"It has version {str(version)[:20]}; this program reads {FORMAT_VERSION}.",
            action="Open it with the version of TokenScope that wrote it, or a newer one.",
        )
    try:
        written = archive.content(members, _SESSION, session_format.MAX_BYTES)
        require_flat(written)
        session = Session.from_bytes(written).without_history()
        view = view_of(about["view"], session.branches)
        shared = Shared(session, view, choice_of(about["model"]))
    except (archive.ArchiveError, RecordError, ShareError, ModelError, *MALFORMED) as error:
        raise _damaged(reason_of(error)) from error
    traces, problems = _traces(members, session)
    return SessionFile(shared, traces, tuple(problems))


def _traces(members: archive.Members, session: Session) -> tuple[dict[str, Trace], list[str]]:
    traces: dict[str, Trace] = {}
    problems: list[str] = []
    left, unread = MAX_UNPACKED_BYTES, MAX_FILE_BYTES
    for name in members.names:
        if name in (_ABOUT, _SESSION):
            continue
        key = name.removeprefix(_FOLDER).removesuffix(_SUFFIX)
        try:
            if key not in session or name != f"{_FOLDER}{key}{_SUFFIX}":
                raise MalformedError("no branch of the session is called so")
            packed = archive.size(members, name)
            if packed > unread:
                raise MalformedError(f"it takes {packed:,} bytes, and {unread:,} are left for it")
            # Whatever becomes of it: members may be many, and each small as long as it is packed.
            unread -= packed
            blob = archive.content(members, name, MAX_FILE_BYTES)
            size = arrow_files.unpacked_bytes(blob)
            if size > left:
                raise MalformedError(f"it unpacks to {size:,} bytes, and {left:,} are left for it")
            left -= size
            trace = Trace.from_bytes(blob)
            if trace.key != key or trace.model != session.model:
                raise MalformedError("it is the trace of another branch")
        except (archive.ArchiveError, RecordError, ValueError, OSError, pa.ArrowException) as error:
            problems.append(f"{name[:100]!r} was left out: {reason_of(error)}")
        else:
            traces[key] = trace
    return traces, problems


def _damaged(what: str) -> RecordError:
    return RecordError(
        asked="A session file was to be opened.",
        found=f"It cannot be used: {what}.",
        action="Take another copy of it, or the link of the session.",
    )
