"""Links that carry a session: its whole tree as recipes, compressed into a part of an address; or
a text and the two models that read it.

    payload = share.encode(session, {"page": "branches", "token": 12})
    shared = share.decode(payload)
    share.cost(shared, store)  # what opening it takes on this machine
    share.encode_readings(a, b), share.decode_readings(payload)  # two traces of one text

No trace is in a link: whoever opens it has the traces already, or computes them again, to the same
keys. A link is untrusted. Reading one runs nothing, bounds what it unpacks to, and builds every
value through its own constructor; whatever is wrong with it is a `ShareError`.
"""

from __future__ import annotations

from collections.abc import Mapping

from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.record.trace import Trace
from tokenscope_core.sessions.screen_state import View
from tokenscope_core.sessions.session import Session
from tokenscope_core.sharing import format as share_format
from tokenscope_core.sharing import payload as share_payload
from tokenscope_core.sharing import readings as share_readings
from tokenscope_core.sharing.cost import Cost, ReadingCost, cost, readings_cost
from tokenscope_core.sharing.format import Shared
from tokenscope_core.sharing.payload import MAX_LINK, MAX_PAYLOAD
from tokenscope_core.sharing.readings import SharedReadings

__all__ = [
    "MAX_LINK",
    "MAX_PAYLOAD",
    "Cost",
    "ReadingCost",
    "Shared",
    "SharedReadings",
    "View",
    "cost",
    "decode",
    "decode_readings",
    "encode",
    "encode_readings",
    "is_payload",
    "is_readings",
    "readings_cost",
]


def is_payload(text: str) -> bool:
    """Whether a text begins as payloads of any version do; whether it is sound is another thing."""
    return share_payload.version_of(text) is not None


def encode(
    session: Session, view: Mapping[str, View] | None = None, *, model: ModelChoice | None = None
) -> str:
    """The payload of a link: letters, digits, `-`, `_` and a dot.

    Equal sessions and views give equal payloads. The history is not in it, the selected branch is.

    Args:
        session: the tree.
        view: what else is on screen: a few short names with plain values. A key of the session's
            branches may be one of the values, or in a list that is.
        model: the choice that the session was made with, for its precision; what the device is and
            in which folder the model lies is left out.

    Raises:
        ShareError: it takes more than `MAX_PAYLOAD` characters, or the view is not as above.
    """
    payload = share_format.write(session, view or {}, model)
    share_payload.require_short(payload, payload, MAX_PAYLOAD)
    return payload


def decode(payload: str) -> Shared:
    """Read what this version's `encode` wrote, or an earlier version's.

    Raises:
        ShareError: it is damaged, cut short, too large or of an unknown version.
    """
    return share_format.read(payload)


def encode_readings(
    a: Trace,
    b: Trace,
    view: Mapping[str, View] | None = None,
    *,
    choices: tuple[ModelChoice | None, ModelChoice | None] = (None, None),
    longest: int | None = MAX_PAYLOAD,
) -> str:
    """The payload of a link to what two models made of one text: the text, not the figures.

    Args:
        a: a trace that scores a text.
        b: another model's trace of the same text.
        view: as for `encode`.
        choices: how the models were loaded, for their precision.
        longest: characters it may take; None where it is put into no address.

    Raises:
        RequestError: they do not score the same text.
        ShareError: it takes more characters, or more than can be read back; or the view is not as
            above.
    """
    payload = share_readings.write(share_readings.of_traces(a, b, view or {}, choices))
    if longest is not None:
        share_payload.require_short(payload, payload, longest)
    return payload


def is_readings(payload: str) -> bool:
    """Whether a payload begins as those of `encode_readings` do."""
    return share_readings.is_payload(payload)


def decode_readings(payload: str, *, longest: int | None = MAX_LINK) -> SharedReadings:
    """Read what `encode_readings` wrote, of up to `longest` characters.

    Raises:
        ShareError: it is damaged, cut short, too large or of an unknown version.
    """
    return share_readings.read(payload, longest=longest)


def stored_readings(blob: bytes) -> SharedReadings | None:
    """What two models read, as it is kept; None where the bytes are something else.

    Raises:
        ShareError: it is damaged, or of an unknown version.
    """
    text = blob.decode("ascii", errors="replace")
    return decode_readings(text, longest=None) if is_readings(text) else None
