"""Links that carry a session: its whole tree as recipes, compressed into a part of an address.

    payload = share.encode(session, {"page": "branches", "token": 12})
    shared = share.decode(payload)
    share.cost(shared, store)  # what opening it takes on this machine

No trace is in a link: whoever opens it has the traces already, or computes them again, to the same
keys. A link is untrusted. Reading one runs nothing, bounds what it unpacks to, and builds every
value through its own constructor; whatever is wrong with it is a `ShareError`.
"""

from __future__ import annotations

from collections.abc import Mapping

from tokenscope_core import share_format
from tokenscope_core.errors import ShareError
from tokenscope_core.model_choice import ModelChoice
from tokenscope_core.session import Session
from tokenscope_core.share_cost import Cost, cost
from tokenscope_core.share_format import MAX_LINK, MAX_PAYLOAD, Shared, is_payload
from tokenscope_core.share_view import View

__all__ = [
    "MAX_LINK",
    "MAX_PAYLOAD",
    "Cost",
    "Shared",
    "View",
    "cost",
    "decode",
    "encode",
    "is_payload",
]


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
    if len(payload) > MAX_PAYLOAD:
        raise ShareError(
            asked="The session was to be put into a link.",
            found=f"The link would carry {len(payload):,} characters; servers and browsers take "
            f"{MAX_PAYLOAD:,}.",
            action="Pass on the session file instead, or remove branches or long notes.",
            size=len(payload),
            limit=MAX_PAYLOAD,
        )
    return payload


def decode(payload: str) -> Shared:
    """Read what this version's `encode` wrote, or an earlier version's.

    Raises:
        ShareError: it is damaged, cut short, too large or of an unknown version.
    """
    return share_format.read(payload)
