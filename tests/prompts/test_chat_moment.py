"""A prompt is a function of the request, where its template writes today's date, too."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from conversations import CHATML, chat_model

import tokenscope_core as ts
from tokenscope_core import export
from tokenscope_core.jobs.generation_tasks import Prompted
from tokenscope_core.jobs.request_task import task_of
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files.model_files import ModelFiles, locate
from tokenscope_core.models.tokenizers import loading as tokenizer_loading
from tokenscope_core.prompts.preview import preview
from tokenscope_core.prompts.token_ids import prompt_ids
from tokenscope_core.record import conversation
from tokenscope_core.record.conversation import moment_of, moment_text
from tokenscope_core.record.trace import recipe_key
from tokenscope_core.sessions.traces import trace_of
from tokenscope_core.sharing import links as share

DATED = (
    "{% if messages[0].role != 'system' %}On {{ strftime_now('%d %B %Y') }}\n{% endif %}" + CHATML
)
TIMED = "{{ strftime_now('%H:%M') }} " + CHATML
USER = (ts.Message("user", "hello"),)
Clock = Callable[[str], None]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the time that it is."""

    def is_now(text: str) -> None:
        monkeypatch.setattr(conversation, "local_time", lambda: datetime.fromisoformat(text))

    is_now("2026-11-30T14:05:09.5")
    return is_now


@pytest.fixture(scope="module")
def dated() -> ts.LanguageModel:
    return chat_model(DATED)


@pytest.fixture
def folder(tmp_path: Path, dated: ts.LanguageModel) -> Path:
    dated.model.save_pretrained(tmp_path)
    dated.tokenizer.save_pretrained(tmp_path)
    return tmp_path


def ask(**settings: object) -> ts.Request:
    return ts.Request(**{"prompt": "", "messages": USER, "max_new_tokens": 2, **settings})


def test_the_date_that_a_template_writes_is_part_of_the_recipe(
    dated: ts.LanguageModel, clock: Clock
) -> None:
    today = ts.generate(dated, ask())
    assert today.text.startswith("On 30 November 2026\n")
    assert today.request.moment == "2026-11-30"
    clock("2026-11-30T23:59")
    assert ts.generate(dated, ask()).key == today.key
    clock("2026-12-01T00:00")
    tomorrow = ts.generate(dated, ask())
    assert tomorrow.key != today.key
    assert tomorrow.text.startswith("On 01 December 2026\n")


def test_a_recorded_request_has_its_prompt_on_every_day(
    dated: ts.LanguageModel, clock: Clock
) -> None:
    trace = ts.generate(dated, ask())
    clock("2031-01-01T00:00")
    again = ts.generate(dated, trace.request)
    assert again.key == trace.key
    assert again.token_ids.tolist() == trace.token_ids.tolist()


def test_a_template_that_writes_the_time_gets_it_to_the_minute() -> None:
    trace = ts.generate(chat_model(TIMED), ask())
    assert trace.request.moment == "2026-11-30T14:05"
    assert trace.text.startswith("14:05 ")


@pytest.mark.parametrize(
    "template", [CHATML, DATED, "{% if false %}{{ strftime_now('') }}{% endif %}x"]
)
def test_a_request_to_a_template_that_does_not_ask_has_no_moment(template: str) -> None:
    lm = chat_model(template)
    messages = (ts.Message("system", "Be brief."), *USER)
    trace = ts.generate(lm, ask(messages=messages, max_new_tokens=0))
    assert trace.request.moment is None


def test_keys_of_conversations_without_a_date_are_what_they_were() -> None:
    request = ts.Request("", 3, messages=(ts.Message("system", "s"), ts.Message("user", "u")))
    assert recipe_key("f" * 64, request) == (
        "d1f60079aaf313f2d23d69bfef1752eb0ba8ebc73affaa14221842d0aef9875d"
    )


# A link made before a moment was part of a request.
OLD_LINK = (
    "ts1.eNqlkEFugzAQRe8yaxaEEGK4SlWhsRkTFLDJ2E5KEXfvgKJKXdc7z3z99-wVJt_RCM0KDieCBswNY1wgAzu4nnjmw"
    "UUZ238eKXx6gzqNyEsbhm9hnfN8y4DpkSjEXWFmP807TdITfrWOXm30d3JBwjKiELAnuXyswH7cdcMSIk2SN95FOlQDbNn"
    "vPgXiP9sE26dQNaMzt3fX--meh35wOB750SeGJs8gRD_P1LVoo1TtHndaJK1MYagsLqUuDJ47TXWdn3RuyrroFCqLRYV0q"
    "c3JVsqorjIaLWl1vdaKlNVGPISTmA8vAT0HeskvbNsPqWiJKw"
)


def test_an_old_link_opens_to_what_it_was() -> None:
    session = share.decode(OLD_LINK).session
    assert session.root.key == "8c2ce4254b2ca3dbe9901b0c492d8a8fa26ae59c1f68c8d6cbafeb87798e8fbc"
    assert session.root.request.moment is None


def test_an_old_request_whose_date_nobody_wrote_down_is_not_run_with_another(
    dated: ts.LanguageModel, store: ts.Store
) -> None:
    old = replace(ts.generate(dated, ask()), request=ask())
    session = ts.Session.start(old)
    with pytest.raises(ts.RequestError, match="made before dates were recorded"):
        trace_of(session, old.key, store, dated)
    store.put(old)
    assert trace_of(session, old.key, store, dated).token_ids.tolist() == old.token_ids.tolist()
    fork = ts.fork(dated, old, 3, text="x")
    assert fork.branch is not None
    assert fork.text.startswith(old.text[:2])


def test_the_moment_is_kept_wherever_a_request_is(dated: ts.LanguageModel) -> None:
    trace = ts.generate(dated, ask())
    child = ts.fork(dated, trace, trace.prompt_length, text="x")
    session = ts.Session.start(trace).add(child, parent=trace)
    assert ts.Trace.from_bytes(trace.to_bytes()).request.moment == "2026-11-30"
    for read in (
        ts.Session.from_bytes(session.to_bytes()),
        share.decode(share.encode(session, {})).session,
    ):
        assert [branch.request.moment for branch in read.branches] == ["2026-11-30"] * 2
        assert [branch.key for branch in read.branches] == [trace.key, child.key]
    script = export.replay_script(session)
    ast.parse(script)
    assert "moment='2026-11-30'" in script


def test_a_lost_trace_is_computed_again_on_another_day(
    dated: ts.LanguageModel, store: ts.Store, clock: Clock
) -> None:
    trace = ts.generate(dated, ask())
    clock("2030-01-01T12:00")
    again = trace_of(ts.Session.start(trace), trace.key, store, dated)
    assert again.token_ids.tolist() == trace.token_ids.tolist()


def test_a_preview_says_what_is_read_today(folder: Path) -> None:
    seen = preview(locate(folder), ask())
    assert seen.moment == "2026-11-30"
    assert b"On 30 November 2026\n" in b"".join(passage.text for passage in seen.passages)


def test_whoever_asks_the_service_asks_today(folder: Path, store: ts.Store, clock: Clock) -> None:
    service = GenerationService(store)
    try:
        tickets = [service.submit(str(folder), ask(), "tab")]
        clock("2026-11-30T20:00")
        tickets.append(service.submit(str(folder), ask(), "other tab"))
        clock("2026-12-01T20:00")
        tickets.append(service.submit(str(folder), ask(), "third tab"))
        assert [ticket.view().request.moment for ticket in tickets] == [
            "2026-11-30", "2026-11-30", "2026-12-01",
        ]  # fmt: skip
        assert tickets[0].job_id == tickets[1].job_id != tickets[2].job_id
    finally:
        service.close()


def test_a_model_that_is_still_to_come_settles_the_moment_of_asking(
    dated: ts.LanguageModel, clock: Clock
) -> None:
    task = task_of(ask(), None, now=datetime(2026, 11, 30, 14, 5))
    clock("2026-12-05T00:00")
    settled = task.settled(dated)
    assert settled == Prompted(ask(moment="2026-11-30"))
    assert settled.settled(dated) == settled


def test_what_is_recorded_is_not_asked_anew(dated: ts.LanguageModel) -> None:
    assert Prompted(ask()).settled(dated) == Prompted(ask())
    with pytest.raises(ts.RequestError, match="does not say which"):
        prompt_ids(dated, ask())


def test_no_tokenizer_is_loaded_for_a_template_without_a_clock(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "chat_template.jinja").write_text(CHATML)

    def refuse(files: ModelFiles) -> None:
        raise AssertionError

    monkeypatch.setattr(tokenizer_loading, "_load", refuse)
    assert task_of(ask(), locate(folder), now=datetime(2026, 1, 1)) == Prompted(ask())


def test_a_clock_in_the_configuration_of_a_tokenizer_counts(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    escaped = json.dumps([{"name": "default", "template": DATED}]).replace("_now", "\\u005fnow")
    path.write_text(json.dumps(config)[:-1] + f', "chat_template": {escaped}}}')
    task = task_of(ask(), locate(folder), now=datetime(2026, 1, 1))
    assert task.request.moment == "2026-01-01"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-11-30", "2026-11-30"),
        ("20261130T000000", "2026-11-30"),
        ("2026-11-30 14:05:00", "2026-11-30T14:05"),
        ("2026-11-30T14:00:09", "2026-11-30T14:00:09"),
        ("2026-11-30T00:00:00.000001", "2026-11-30T00:00:00.000001"),
    ],
)
def test_equal_moments_are_written_alike(given: str, kept: str) -> None:
    assert ask(moment=given).moment == kept
    assert moment_text(moment_of(given)) == kept
    assert ts.Request.from_json(ask(moment=given).to_json()) == ask(moment=kept)


@pytest.mark.parametrize("given", ["", "today", "2026-11-30T14:05Z", "0987-01-01", "2026-13-01", 5])
def test_what_is_no_moment_is_refused(given: str) -> None:
    with pytest.raises(ts.RequestError, match="ISO 8601"):
        ask(moment=given)


def test_a_moment_belongs_to_a_conversation() -> None:
    with pytest.raises(ts.RequestError, match="Only a chat template writes one"):
        ts.Request("x", moment="2026-11-30")


def test_a_plain_prompt_is_asked_as_before(lm: ts.LanguageModel) -> None:
    assert task_of(ts.Request("x"), None, now=datetime(2026, 1, 1)) == Prompted(ts.Request("x"))
    assert ts.generate(lm, ts.Request("x", 0)).request == ts.Request("x", 0)
