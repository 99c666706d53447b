"""The moment that a chat template writes: a date, or a date and a time, as ISO 8601.

It is the local time of the server that was asked, and names no zone: a template knows none either.
"""

from __future__ import annotations

from datetime import MAXYEAR, datetime

# Platforms pad the year of an earlier one differently.
_FIRST_YEAR = 1000


def local_time() -> datetime:
    """Now, without a zone."""
    return datetime.now()


def moment_text(moment: datetime) -> str:
    """The shortest form that names a moment to the microsecond: the date alone at midnight."""
    date, _, time = moment.isoformat(timespec="microseconds").partition("T")
    for ending in (".000000", ":00"):
        time = time.removesuffix(ending)
    return date if time == "00:00" else f"{date}T{time}"


def moment_of(text: str) -> datetime:
    """The inverse of `moment_text`; reads other forms of ISO 8601, too.

    Raises:
        ValueError: it is none, names a zone, or a year that is not of four digits.
        TypeError: it is no text.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError("it names a time zone")
    if moment.year < _FIRST_YEAR:
        raise ValueError(f"its year is not from {_FIRST_YEAR} to {MAXYEAR}")
    return moment
