"""What the files for hosting promise of Streamlit's own addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.web.server import starlette

ROOT = Path(__file__).resolve().parents[3]
# Pages need these, or they tell nobody anything; each was looked at.
OPEN = {"stream", "health", "host-config", "upload_file", "bidi-components"}
CLOSED = {"metrics", "script-health-check", "agent"}


def closed_by_nginx(path: str) -> bool:
    """Whether the site file answers a path itself; nginx searches, and reads the path decoded."""
    site = (ROOT / "hosting" / "nginx.conf").read_text(encoding="utf-8")
    (rule,) = re.findall(r"location ~ (\S+) \{\s+return 404;", site)
    return re.search(rule, path) is not None


def test_every_address_of_streamlit_is_known_to_be_open_or_closed() -> None:
    folder = Path(str(starlette.__file__)).parent
    found = set()
    for file in folder.glob("*.py"):
        for written in re.findall(r"_stcore/([\w-]+)", file.read_text(encoding="utf-8")):
            found.add(written)
        core = re.findall(r'f"\{BASE_ROUTE_CORE\}/([\w-]+)', file.read_text(encoding="utf-8"))
        found |= set(core)
    assert found <= OPEN | CLOSED, "look at what is new, and close it or say that it may be open"
    assert found >= CLOSED


@pytest.mark.parametrize("base", ["", "/tokenscope"])
def test_the_proxy_closes_what_is_for_the_operator_alone(base: str) -> None:
    for name in CLOSED:
        assert closed_by_nginx(f"{base}/_stcore/{name}")
    assert closed_by_nginx(f"{base}/_stcore/agent/interact")
    assert closed_by_nginx(f"{base}/_stcore/metrics/")
    for name in OPEN:
        assert not closed_by_nginx(f"{base}/_stcore/{name}")
    assert not closed_by_nginx(f"{base}/metrics"), "a page of that name"
