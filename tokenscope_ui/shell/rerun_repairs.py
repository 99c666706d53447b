"""Three repairs of Streamlit 1.67, where a rerun of a part of a page meets one of the whole page.

Each of these takes the page down in the browser ("Cannot set a node at a delta path", "Bad delta
path index"), leaves it empty, or undoes a click on a link. None needs a fault of the app: a poll or
a click inside a fragment at the wrong moment is enough, and a busy server has many such moments.

- A fragment that runs directly after another run discards what it had drawn in that run and what
  has not been sent yet, but not what lies inside of it or after it: the browser is told of places
  that it does not know. Here nothing is discarded.
- A request for a fragment that was made before the browser learnt of another page is run after the
  page has changed. It names the page that was left: the browser drops all that the new page had
  drawn, and is then told of places within it. Here it is not run.
- If the other page has not begun by then, both requests are made one, which names the page that was
  left. Here the page that was asked for stays.

They replace internals of Streamlit, whose version is bounded (requirements.txt), each by a method
that calls what it replaces; tests/browser/test_rerun_repairs.py fails without any of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils import script_requests
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests

_clear = ForwardMsgQueue.clear
_request_rerun = ScriptRequests._request_rerun_locked
_run_script = ScriptRunner._run_script


def apply() -> None:
    """Repair Streamlit, for all sessions of this server. Once is enough."""
    for owner, method, repaired in (
        (ForwardMsgQueue, "clear", _clear_for_run),
        (ScriptRequests, "_request_rerun_locked", _keeping_the_page),
        (ScriptRunner, "_run_script", _run_unless_left),
    ):
        setattr(owner, method, repaired)


def _clear_for_run(
    queue: ForwardMsgQueue,
    retain_lifecycle_msgs: bool = False,
    fragment_ids_this_run: list[str] | None = None,
) -> None:
    """What is not sent yet stays where a fragment begins to run, and is joined with nothing of it:
    a message that took the place of an earlier one would come before the run that it is of."""
    if retain_lifecycle_msgs and fragment_ids_this_run:
        queue._delta_index_map = {}
    else:
        _clear(queue, retain_lifecycle_msgs, fragment_ids_this_run)


def _keeping_the_page(requests: ScriptRequests, new_data: RerunData) -> bool:
    """A fragment's request that joins one for a whole page does not change which page."""
    waiting: RerunData = requests._rerun_data
    waits = requests._state is script_requests.ScriptRequestType.RERUN
    of_a_fragment = bool(new_data.fragment_id or new_data.fragment_id_queue)
    if waits and of_a_fragment and script_requests._is_full_app_rerun(waiting):
        new_data = replace(
            new_data,
            page_script_hash=waiting.page_script_hash,
            page_name=waiting.page_name,
            query_string=waiting.query_string,
        )
    return _request_rerun(requests, new_data)


def _run_unless_left(runner: ScriptRunner, rerun_data: RerunData) -> Any:
    """A fragment is not run for a page that has been left."""
    shown = runner._pages_manager.current_page_script_hash
    asked = rerun_data.page_script_hash
    if rerun_data.fragment_id_queue and shown and asked and asked != shown:
        return None
    return _run_script(runner, rerun_data)
