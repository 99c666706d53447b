"""The page that compares two branches, in each of its states."""

from __future__ import annotations

import time
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest
from tiny_models import language_model

import tokenscope_core as ts
from tokenscope_core.branches.plans import plan
from tokenscope_core.comparison.comparison import of_columns
from tokenscope_core.display.formatting import NOT_AVAILABLE
from tokenscope_core.jobs.analysis_tasks import BranchComparison
from tokenscope_core.jobs.generation_tasks import Branched
from tokenscope_ui.compare.chart import divergence_text
from tokenscope_ui.server.server import service

App = Any
PAGE = "pages/compare.py"


@pytest.fixture(scope="module")
def root() -> ts.Trace:
    return ts.generate(language_model(), ts.Request("def add(a, b):\n", max_new_tokens=30))


def fork(trace: ts.Trace, position: int, **how: Any) -> ts.Trace:
    return ts.fork(language_model(), trace, position, **how)


@pytest.fixture(scope="module")
def child(root: ts.Trace) -> ts.Trace:
    """Another token, and new text after it."""
    position = root.prompt_length + 5
    other = next(i for i in root.candidate_ids[position].tolist() if i != root.token_ids[position])
    return fork(root, position, token_id=other)


def kept(name: str, *traces: ts.Trace) -> ts.Session:
    """A tree in the store, of a trace and branches of it."""
    session = ts.Session.start(traces[0])
    for trace in traces:
        service().store.put(trace)
    for trace in traces[1:]:
        session = session.add(trace, parent=traces[0])
    service().store.put_session(name, session.to_bytes())
    return session


@pytest.fixture
def page(app: App) -> App:
    app.test.switch_page(PAGE)
    return app


@pytest.fixture
def both(page: App, root: ts.Trace, child: ts.Trace) -> App:
    kept("tree", root, child)
    return page.open(session="tree")


def address(page: App) -> dict[str, Any]:
    return {name: page.test.query_params.get(name) for name in ("session", "a", "b")}


def table(page: App, column: str) -> Any:
    return next(t.value for t in page.test.table if column in t.value)


def test_without_a_session_the_page_says_how_to_begin(page: App) -> None:
    page.open()
    assert "Nothing to compare yet" in page.texts


def test_with_one_branch_the_page_says_how_to_make_another(page: App, root: ts.Trace) -> None:
    kept("tree", root)
    page.open(session="tree")
    assert "Only one branch so far" in page.texts
    assert "put another one in its place" in page.texts


def test_the_selected_branch_is_compared_with_its_parent_and_named_in_the_address(
    both: App, root: ts.Trace, child: ts.Trace
) -> None:
    assert address(both) == {"session": "tree", "a": root.key, "b": child.key}
    position = root.prompt_length + 5
    assert f"share the first {position} tokens and part at **position {position}**" in both.texts


def test_the_totals_are_those_of_the_comparison(both: App, root: ts.Trace, child: ts.Trace) -> None:
    summary = ts.compare(root, child).summary()
    shown = table(both, "perplexity")
    assert shown["perplexity"].tolist()[:2] == [f"{p:,.2f}" for p in summary["perplexity"]]
    assert shown["not in the other"].tolist()[:2] == [f"{n:,}" for n in summary["changed_tokens"]]
    both.test.session_state["unit"] = "nats"
    shown = table(both.run(), "perplexity")
    in_nats = f"{summary.loc['b', 'mean_entropy']:.3f} nats"
    assert shown["mean entropy"].tolist()[1] == in_nats


def test_swap_lets_both_change_places(both: App, root: ts.Trace, child: ts.Trace) -> None:
    both.press("Swap")
    assert address(both)["a"] == child.key
    assert address(both)["b"] == root.key
    assert both.test.selectbox(key="compare_a").value == child.key


def test_a_link_names_any_two_branches(page: App, root: ts.Trace, child: ts.Trace) -> None:
    other = fork(root, root.prompt_length + 2, text="é👋", max_new_tokens=4)
    kept("tree", root, child, other)
    page.open(session="tree", a=other.key, b=child.key)
    assert address(page) == {"session": "tree", "a": other.key, "b": child.key}
    assert page.test.selectbox(key="compare_a").value == other.key
    assert f"part at **position {root.prompt_length + 2}**" in page.texts
    page.test.selectbox(key="compare_a").select(root.key)
    page.run()
    assert address(page)["a"] == root.key


def test_the_same_branch_twice_differs_nowhere_and_says_so(
    page: App, root: ts.Trace, child: ts.Trace
) -> None:
    kept("tree", root, child)
    page.open(session="tree", a=root.key, b=root.key)
    assert "the same branch" in page.texts
    assert not page.test.table


def test_a_key_that_the_tree_does_not_hold_is_named(
    page: App, root: ts.Trace, child: ts.Trace
) -> None:
    kept("tree", root, child)
    page.open(session="tree", a="feedface", b=child.key)
    assert "feedface" in page.texts
    assert "Choose a branch above" in page.texts
    page.test.selectbox(key="compare_a").select(root.key)
    page.run()
    assert "They share" in page.texts


def test_an_evicted_trace_is_named_with_what_to_do(
    page: App, root: ts.Trace, child: ts.Trace
) -> None:
    session = kept("tree", root, child)
    service().store.delete(child.key)
    page.open(session="tree")
    assert session.branch(child.key).name in page.texts
    assert "no longer in the store" in page.texts
    assert "Compute it again" in page.texts


def test_an_unknown_session_is_explained_until_there_is_another(
    page: App, root: ts.Trace, child: ts.Trace
) -> None:
    page.open(session="feedface")
    assert "This server does not hold it" in page.run().texts
    kept("tree", root, child)
    page.open(session="tree")
    assert "This server does not hold it" not in page.texts
    assert "They share" in page.texts


def test_branches_of_the_same_tokens_are_said_to_be(page: App, root: ts.Trace) -> None:
    position = root.prompt_length + 3
    again = fork(root, position, token_id=int(root.token_ids[position]))
    kept("tree", root, again)
    page.open(session="tree")
    assert f"They are the same {len(root)} tokens" in page.texts
    assert "No distributions to compare" in page.texts


def test_where_they_part_is_shown_until_a_person_selects(
    both: App, root: ts.Trace, child: ts.Trace
) -> None:
    first = root.prompt_length + 5
    assert f"Row {first} (" in both.texts
    shown = table(both, "metric").set_index("metric")
    assert shown.loc["rank", "A"] == f"{int(root.rank[first]):,}"
    assert shown.loc["rank", "B"] == f"{int(child.rank[first]):,}"
    moved = int(child.rank[first] - root.rank[first])
    assert shown.loc["rank"].iloc[-1] == f"{moved:+,}".replace("-", "−")
    both.test.button(key="icon previous row").click()
    both.run()
    assert f"Row {first - 1} (" in both.texts
    assert "the same token in both" in both.texts
    both.test.button(key="icon no row").click()
    assert "Row" not in both.run().texts
    next(b for b in both.test.button if (b.key or "").startswith("jump row")).click()
    assert "Row" in both.run().texts


def test_a_text_that_goes_on_is_said_to(page: App, root: ts.Trace) -> None:
    longer = fork(root, len(root), max_new_tokens=6)
    kept("tree", root, longer)
    page.open(session="tree")
    assert "all of **A**; **B** goes on" in page.texts


def test_a_token_that_only_one_has_leaves_the_other_side_empty(page: App, root: ts.Trace) -> None:
    position = root.prompt_length + 3
    kept_tokens = len(root) - position
    inserted = fork(root, position, text="é", removed=0, kept=kept_tokens, max_new_tokens=0)
    kept("tree", root, inserted)
    page.open(session="tree")
    assert "They meet again in text" in page.texts
    assert "only B has a token here" in page.texts
    between = f"A has no token here: between its positions {position - 1} and {position}"
    assert between in page.texts


@pytest.mark.parametrize("metric", ["rank", "prob", "typicality", "elapsed_ms", "sampled_logprob"])
def test_every_metric_can_tint_both_ways(both: App, metric: str) -> None:
    both.test.session_state["metric"] = metric
    for tint, scale in (("value", "relative"), ("difference", "absolute")):
        both.test.session_state["compare_tint"] = tint
        both.test.session_state["scale"] = scale
        both.run()


def test_the_shared_beginning_can_be_hidden(both: App) -> None:
    both.test.session_state["compare_shorten"] = True
    assert "They share" in both.run().texts


def test_markup_in_code_stays_text(page: App, root: ts.Trace) -> None:
    position = root.prompt_length + 1
    hostile = fork(root, position, text="`</script>**b**[a](b)👋", max_new_tokens=3)
    kept("tree", root, hostile)
    page.open(session="tree")
    assert "They share" in page.texts


def test_an_address_that_names_no_session_is_said_to(page: App, root: ts.Trace) -> None:
    page.open(a=root.key, b="x")
    assert "What the address names cannot be shown" in page.texts
    assert "does not name the session" in page.texts
    kept("tree", root)
    page.open(session="tree")
    assert "cannot be shown" not in page.texts


def test_the_choice_is_still_there_after_another_page(
    both: App, root: ts.Trace, child: ts.Trace
) -> None:
    both.press("Swap")
    both.test.switch_page("pages/metrics.py")
    both.run()
    both.test.query_params.clear()
    both.test.switch_page(PAGE)
    both.run()
    assert address(both)["a"] == child.key


@pytest.fixture
def served(page: App, tiny_folder: str) -> App:
    """Two branches of a model that this server has; the second meets the first again."""
    request = ts.Request("def add(a, b):\n", max_new_tokens=20)
    root = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert root is not None
    position = root.prompt_length + 4
    other = next(i for i in root.candidate_ids[position].tolist() if i != root.token_ids[position])
    edit = ts.Edit(position, (other,), kept=len(root) - position - 1)
    task = Branched((plan(root, edit, max_new_tokens=0),))
    branch = service().submit(tiny_folder, task, "someone").wait(60.0).trace
    assert branch is not None
    kept("tree", root, branch)
    return page.open(session="tree")


def measuring(page: App) -> bool:
    return page.test.session_state["compare measuring"].ticket is not None


MEASURE = "Measure how far the distributions moved"


def test_measured_divergences_are_those_of_the_library(served: App, tiny_folder: str) -> None:
    assert "Nothing is written" in served.texts
    served.press(MEASURE).until(lambda: not measuring(served.run()))
    served.run()
    assert MEASURE not in served.buttons
    assert "How far the model’s distributions moved" in served.texts
    assert "in distribution" in served.texts
    (found,) = served.test.session_state["compare"].measured
    expected = ts.compare(found.a, found.b, lm=ts.load_model(tiny_folder))
    np.testing.assert_allclose(found.kl_ab, expected.kl_ab, atol=1e-5)
    served.test.session_state["unit"] = "nats"
    served.test.button(key="icon next row").click()
    shown = table(served.run(), "metric").set_index("metric").iloc[:, -1]
    row = found.shared_prefix + 1
    assert shown["Jensen-Shannon"] == divergence_text(float(found.jsd[row]), "nats")
    assert shown["KL(A‖B)"] == divergence_text(float(found.kl_ab[row]), "nats")


def test_what_was_measured_is_there_after_a_reload(served: App, tiny_folder: str) -> None:
    served.press(MEASURE).until(lambda: not measuring(served.run()))
    again = type(served)(tiny_folder)
    again.test.switch_page("pages/compare.py")
    again.open(session="tree")
    assert MEASURE not in again.buttons
    assert "How far the model’s distributions moved" in again.texts


def test_a_measurement_can_be_stopped(served: App, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Event()

    def endless(self: BranchComparison, lm: Any, report: Any, cancelled: Any) -> ts.Comparison:
        report(1, 8)
        begun.set()
        while not cancelled():
            time.sleep(0.01)
        return ts.compare(self.a, self.b)

    monkeypatch.setattr(BranchComparison, "run", endless)
    served.press(MEASURE)
    assert begun.wait(60.0)
    served.run().press("Stop")
    assert not measuring(served)
    assert MEASURE in served.buttons


def test_what_was_measured_before_a_stop_is_shown_and_the_rest_can_be_measured(
    served: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, begun = BranchComparison.run, Event()

    def half(self: BranchComparison, lm: Any, report: Any, cancelled: Any) -> ts.Comparison:
        found = whole(self, lm, report, lambda: False)
        columns = np.stack((found.kl_ab, found.kl_ba, found.jsd), axis=1)
        columns[found.shared_prefix + 3 :] = np.nan
        begun.set()
        while not cancelled():
            time.sleep(0.01)
        return of_columns(
            found.a, found.b, found.alignment, columns, "some", found.threshold
        )  # fmt: skip

    monkeypatch.setattr(BranchComparison, "run", half)
    served.press(MEASURE)
    assert begun.wait(60.0)
    served.run().press("Stop")
    assert "Stopped: 2 tokens measured, the rest is missing." in served.texts
    assert "How far the model’s distributions moved" in served.texts
    (part,) = served.test.session_state["compare"].measured
    for row, known in ((part.shared_prefix + 2, True), (part.shared_prefix + 3, False)):
        served.test.session_state["compare"] = replace(
            served.test.session_state["compare"], row=row, untouched=False
        )
        shown = table(served.run(), "metric").set_index("metric").iloc[:, -1]
        assert (shown["Jensen-Shannon"] != NOT_AVAILABLE) == known

    monkeypatch.setattr(BranchComparison, "run", whole)
    served.press("Measure the rest").until(lambda: not measuring(served.run()))
    served.run()
    assert "Stopped" not in served.texts
    (found,) = served.test.session_state["compare"].measured
    assert found.measured == "all"


def test_without_its_model_only_the_measurement_is_missing(both: App) -> None:
    both.press(MEASURE)
    assert "not on this machine" in both.texts
    assert "They share" in both.texts


def test_a_text_that_only_goes_on_has_nothing_to_measure(page: App, root: ts.Trace) -> None:
    kept("tree", root, fork(root, len(root), max_new_tokens=6))
    page.open(session="tree")
    assert "No distributions to compare" in page.texts
    assert MEASURE not in page.buttons


def test_the_parts_of_the_code_are_counted_from_the_parting_on(page: App, root: ts.Trace) -> None:
    position = root.prompt_length + 1
    changed = fork(root, position, text="\nx = 12\n", max_new_tokens=0)
    kept("tree", root, changed)
    page.open(session="tree")
    assert "Which parts of the code changed" in page.texts
    assert "Read as" in page.texts
    shown = next(t.value for t in page.test.dataframe if "category" in t.value)
    assert shown["tokens in A"].sum() == len(root) - position
    assert shown["tokens in B"].sum() == len(changed) - position
    differing = ts.compare(root, changed).summary()["changed_tokens"]
    assert shown["differing in A"].sum() == differing["a"]
    assert shown["differing in B"].sum() == differing["b"]
