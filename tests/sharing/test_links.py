"""A link carries the whole tree as recipes, opens anywhere, and is never trusted."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import forked, made

import tokenscope_core as ts
from tokenscope_core.branches.growing import branch_rows, grown
from tokenscope_core.branches.plans import redraws
from tokenscope_core.sessions.session import MAX_BRANCHES
from tokenscope_core.sessions.traces import cut_short

ROOT = made(["if", " x", ":", "\n"], prompt_length=2, request=ts.Request("if x", 2))
TREE = (
    ts.Session.start(ROOT)
    .add(forked(ROOT, 2, [" and"], [" y"]), parent=ROOT)
    .note(ROOT.key, "Ein Gedanke:\r\n“ja” 😀")
    .colour(ROOT.key, 5)
)


def packed(values: Any) -> str:
    body = base64.urlsafe_b64encode(zlib.compress(json.dumps(values).encode())).decode()
    return f"ts1.{body.rstrip('=')}"


def unpacked(payload: str) -> dict[str, Any]:
    body = payload.removeprefix("ts1.")
    values: dict[str, Any] = json.loads(
        zlib.decompress(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    )
    return values


def test_a_link_carries_the_tree_and_what_is_on_screen() -> None:
    view = {"page": "compare", "token": 3, "metric": "entropy", "bits": True, "zoom": 1.5}
    view |= {"branches": (ROOT.key, TREE.current), "nothing": None}
    shared = ts.share.decode(ts.share.encode(TREE, view, model=ts.ModelChoice("x", "bfloat16")))
    assert shared.session == TREE.without_history()
    assert shared.view == view
    assert shared.model == ts.ModelChoice("made by hand", "bfloat16")


def test_a_link_is_short_deterministic_and_needs_no_escaping() -> None:
    payload = ts.share.encode(TREE, {"b": 1, "a": 2})
    assert payload == ts.share.encode(TREE.without_history(), {"a": 2, "b": 1})
    assert len(payload) < 500
    assert payload.replace("-", "").replace("_", "").replace(".", "").isalnum()


def test_a_payload_is_told_from_other_texts() -> None:
    assert ts.share.is_payload(ts.share.encode(TREE))
    assert ts.share.is_payload("ts99.of a later version")
    assert not ts.share.is_payload("def f(a):")


@given(st.text(), st.text(min_size=1).filter(lambda text: text.strip()), st.text())
def test_texts_come_through_as_they_are(prompt: str, name: str, note: str) -> None:
    trace = made(["a"], request=ts.Request(prompt, 0, suffix=note or None, stop=(name,)))
    session = ts.Session.start(trace)
    session = session.rename(trace.key, name[:200].strip()).note(trace.key, note)
    shared = ts.share.decode(ts.share.encode(session, {"text": name[:200]}))
    assert shared.session == session.without_history()
    assert shared.view == {"text": name[:200]}


def test_a_session_too_large_for_a_link_says_by_how_much_and_what_else() -> None:
    text = "".join(chr(0x4E00 + i * 7919 % 20000) for i in range(9000))
    session = ts.Session.start(made(["a"], request=ts.Request(text, 0)))
    with pytest.raises(ts.ShareError, match=r"7,750.*session file") as raised:
        ts.share.encode(session)
    assert raised.value.size > raised.value.limit == ts.share.MAX_PAYLOAD


@pytest.mark.parametrize("prompt", ["a" * 2**20, "😀" * 2**18])
def test_what_could_not_be_read_back_is_not_written(prompt: str) -> None:
    with pytest.raises(ts.ShareError, match="session file"):
        ts.share.encode(ts.Session.start(made(["a"], request=ts.Request(prompt, 0))))


def test_two_hundred_branches_fit() -> None:
    children = [forked(ROOT, i % 3, [f"word {i}"], ["x"]) for i in range(200)]
    session = ts.Session.start(ROOT).add(*children, parent=ROOT)
    assert ts.share.decode(ts.share.encode(session)).session == session.without_history()


@pytest.mark.parametrize(
    "view",
    [
        {"Page": 1},
        {"x" * 41: 1},
        {"a": "x" * 201},
        {"a": {"b": 1}},
        {"a": [[1]]},
        {"a": b"x"},
        {"a": float("nan")},
        {"a": 2**60},
        {"a": list(range(33))},
        {f"a{i}": 1 for i in range(33)},
    ],
)
def test_a_view_holds_a_few_plain_values(view: Any) -> None:
    with pytest.raises(ts.ShareError):
        ts.share.encode(TREE, view)


def broken() -> Iterator[tuple[str, str]]:
    sound = ts.share.encode(TREE)
    yield "", "begin"
    yield "https://example.org/", "begin"
    yield "ts3." + sound[4:], "version 3"
    yield "ts2." + sound[4:], "carries a text that two models read"
    yield "ts0." + sound[4:], "version 0"
    yield "ts1.", "character"
    yield sound[:-9], "damaged"
    yield sound + "AAAA", "damaged"
    yield sound[:30] + ("A" if sound[30] != "A" else "B") + sound[31:], "damaged"
    yield sound[:9] + "ü" + sound[10:], "damaged"
    yield sound[:9] + "\n" + sound[9:], "damaged"
    yield sound + " " * 8000, "8,2|8,3"
    bomb = base64.urlsafe_b64encode(zlib.compress(b'"' + b"a" * 2**22)).decode().rstrip("=")
    yield f"ts1.{bomb}", "would unpack"
    yield packed([]), "damaged"
    yield packed(None), "damaged"
    body = zlib.compress(b"[" * 500_000)
    yield "ts1." + base64.urlsafe_b64encode(body).decode().rstrip("="), "damaged"
    body = zlib.compress(b'{"model":' + b"9" * 9000 + b"}")
    yield "ts1." + base64.urlsafe_b64encode(body).decode().rstrip("="), "damaged"


@pytest.mark.parametrize(("payload", "said"), list(broken()))
def test_a_broken_link_is_refused_with_a_sentence(payload: str, said: str) -> None:
    with pytest.raises(ts.ShareError, match=said):
        ts.share.decode(payload)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("branches", 1, "parent"), 1),
        (("branches", 1, "parent"), -1),
        (("branches", 1, "parent"), 2**70),
        (("branches", 1, "parent"), "0"),
        (("branches", 1, "edit"), None),
        (("branches", 1, "edit", "position"), -1),
        (("branches", 1, "edit", "position"), 2**63),
        (("branches", 1, "edit", "position"), 10**400),
        (("branches", 1, "edit", "surprise"), 1),
        (("branches", 0, "stopped_after"), 3),
        (("branches", 0, "name"), "  "),
        (("branches", 0, "name"), 7),
        (("branches", 0, "colour"), 99),
        (("branches", 0, "note"), "\ud800"),
        (("branches", 0, "set"), []),
        (("branches", 0, "set"), {"sampling": {"temperature": "hot"}}),
        (("branches",), {}),
        (("branches",), [{}] * (MAX_BRANCHES + 1)),
        (("request",), "text"),
        (("request", "prompt"), 3),
        (("request", "max_new_tokens"), -1),
        (("request", "candidates"), 10**9),
        (("request", "messages"), [{"role": "root", "content": ""}]),
        (("current",), 2),
        (("view",), {"a": {"branch": 2}}),
        (("view",), {"a": {"b": 2}}),
        (("view",), [1]),
        (("model", "fingerprint"), 1),
        (("model", "dtype"), "int3"),
        (("model", "name"), "/etc/passwd"),
        (("model", "name"), "../other"),
        (("model", "name"), "~/other"),
        (("model", "name"), ""),
    ],
)
def test_every_value_of_a_link_is_checked(place: tuple[str | int, ...], value: Any) -> None:
    values = unpacked(ts.share.encode(TREE))
    holder = values
    for step in place[:-1]:
        holder = holder[step]  # type: ignore[index]
    holder[place[-1]] = value  # type: ignore[index]
    with pytest.raises(ts.ShareError):
        ts.share.decode(packed(values))


def test_a_small_link_that_repeats_a_long_text_many_times_is_refused() -> None:
    values = unpacked(ts.share.encode(ts.Session.start(ROOT)))
    values["request"]["prompt"] = "a" * 900_000
    values["branches"] *= 900
    with pytest.raises(ts.ShareError, match="unpack to"):
        ts.share.decode(packed(values))


@pytest.fixture(scope="module")
def shipped() -> ts.LanguageModel:
    return ts.load_model()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[ts.Store]:
    opened = ts.Store(tmp_path / "elsewhere")
    yield opened
    opened.close()


def test_another_server_computes_the_same_traces_from_the_link(
    shipped: ts.LanguageModel, store: ts.Store, elsewhere: ts.Store
) -> None:
    request = ts.Request("# “naïve” 😀\r\ndef f(a):\r\n", 12, ts.Sampling(0.8, top_k=40, seed=3))
    root = ts.generate(shipped, request)
    at = root.prompt_length + 2
    alternatives = ts.explore(shipped, root, at, top=2, max_new_tokens=4)
    redrawn = [grown(shipped, p, branch_rows(shipped, p)) for p in redraws(root, at, (8, 9))]
    rescored = ts.fork(shipped, root, 3, text="x = ", kept=4, max_new_tokens=0)
    deeper = ts.fork(shipped, alternatives[0], at + 2, text="\tü\n", seed=11)
    stopped = cut_short(ts.fork(shipped, root, at, text="if"), at + 3)
    session = ts.Session.start(root)
    session = session.add(*alternatives, *redrawn, rescored, deeper, stopped, parent=root)
    traces = [root, *alternatives, *redrawn, rescored, deeper, stopped]
    for trace in traces:
        store.put(trace)

    shared = ts.share.decode(ts.share.encode(session))
    before = ts.share.cost(shared, elsewhere)
    assert set(before.missing) == {trace.key for trace in traces}
    assert (before.held, before.availability, before.computable) == ((), "here", True)
    assert before.model == ts.ModelChoice("tokenscope-py")
    for trace in traces:
        again = ts.trace_of(shared.session, trace.key, elsewhere, shipped)
        assert again.key == trace.key
        assert again.token_ids.tolist() == trace.token_ids.tolist()
    after = ts.share.cost(shared, elsewhere)
    assert (after.missing, after.generated_tokens, after.read_tokens) == ((), 0, 0)
    assert ts.share.cost(shared, store).missing == ()


def test_the_cost_counts_what_the_store_lacks(store: ts.Store) -> None:
    child = forked(ROOT, 2, [" and"], [" y"])
    shared = ts.share.decode(ts.share.encode(TREE))
    cost = ts.share.cost(shared, store)
    assert cost.missing == cost.to_show == (ROOT.key, child.key)
    assert (cost.generated_tokens, cost.read_tokens) == (2 + 2, 4 + 3)
    assert (cost.availability, cost.model, cost.computable) == ("absent", None, False)
    store.put(child)
    cost = ts.share.cost(shared, store)
    assert (cost.held, cost.missing, cost.to_show) == ((child.key,), (ROOT.key,), ())


def test_another_version_of_the_model_is_said_and_not_used(
    shipped: ts.LanguageModel, store: ts.Store
) -> None:
    old = dataclasses.replace(shipped.identity, fingerprint="0" * 64)
    root = made(["x"], model=old, request=ts.Request("x", 1))
    shared = ts.share.decode(ts.share.encode(ts.Session.start(root)))
    cost = ts.share.cost(shared, store)
    assert (cost.availability, cost.model, cost.computable) == ("other version", None, False)
    with pytest.raises(ts.RequestError, match="another version of it"):
        ts.trace_of(shared.session, root.key, store, shipped)


def test_a_link_says_when_its_model_is_not_offered_here(
    store: ts.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ts.ModelIdentity("org/secret", "0" * 64, 10)
    link = ts.share.encode(ts.Session.start(made(["x"], model=model)))
    shared = ts.share.decode(link)
    assert ts.share.cost(shared, store).availability == "absent", "the hub is off in tests"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("tokenscope_core.models.files.hub.is_offline", lambda: False)
    online = ts.share.cost(shared, store)
    assert (online.availability, online.model) == ("to be downloaded", shared.model)
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", "tokenscope-py,other/*")
    assert ts.share.cost(shared, store).availability == "not allowed"
