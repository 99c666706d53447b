"""The pages, and the one way to reach them.

Streamlit runs a file of `pages/` on its own when a deep link is the first thing a fresh server
sees. Each page file therefore ends in `route`, which goes through the router unless the router
is what called it.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from tokenscope_core import TokenScopeError
from tokenscope_ui.branches import actions as branch_actions
from tokenscope_ui.branches import saved_trees
from tokenscope_ui.components import address, keys, typed_text
from tokenscope_ui.guide import view as guide
from tokenscope_ui.pages import BRANCHES, BY_NAME, HOME, MODELS, PAGES, SHARE
from tokenscope_ui.runs import runs, sessions
from tokenscope_ui.server import preloading, server, visitors
from tokenscope_ui.share import on_screen, opening, opening_view
from tokenscope_ui.shell import page_style, rerun_repairs
from tokenscope_ui.two_models import state as two_models

NAME = "TokenScope"
_ASSETS = Path(__file__).resolve().parents[1] / "assets"
ICON, LOGO = _ASSETS / "icon.svg", _ASSETS / "logo.svg"

rerun_repairs.apply()

_routed: contextvars.ContextVar[bool] = contextvars.ContextVar("routed", default=False)


def run_app() -> None:
    """Configure the page, draw the navigation and run the page asked for."""
    st.set_page_config(page_title=NAME, page_icon=str(ICON), layout="wide")
    st.logo(str(LOGO), size="large")
    unseen = page_style.apply()
    with unseen:
        typed_text.watch()
        keys.mount()
    shown = [page for page in PAGES if visitors.is_operator() or not page.for_operator]
    page = st.navigation(
        [
            st.Page(page.file, title=page.title, icon=page.icon, default=page is HOME)
            for page in shown
        ],
        position="top",
    )
    row = BY_NAME.get(page.url_path, HOME)
    st.set_page_config(page_title=f"{row.title} · {NAME}")
    if not visitors.signed_in():
        visitors.ask_to_sign_in()
        return
    with st.container(horizontal=True, vertical_alignment="center", key="page head"):
        st.title(row.question, anchor=False)
        visitors.draw_account()
    for sentence in server.notices():
        with st.container(border=True, key=f"notice {hash(sentence)}"):
            st.markdown(":red[:material/error:] **The store needs its operator**")
            st.text(sentence)
    token = _routed.set(True)
    try:
        _open_or_run(page, unseen)
    finally:
        _routed.reset(token)
    preloading.begin()


def _open_or_run(page: StreamlitPage, unseen: DeltaGenerator) -> None:
    """Draw what the address shares, before it is opened; else the page itself."""
    comparing = page.url_path == MODELS.name
    with unseen:
        address.mount(provisional=(two_models if comparing else runs).in_progress())
    shared = opening.take_up()
    there = opening.destination() or guide.destination()
    if there is not None:
        st.switch_page(there.page.file, query_params=there.parameters)
    if shared is not None:
        opening_view.show_shared(shared)
        return
    name = page.url_path or HOME.name
    opening_view.say_origin(name)
    guide.show_guide(name)
    above = st.container()
    _follow_others()
    page.run()
    with above:
        saved_trees.notice(branches=BRANCHES.file, share=SHARE.file)
    on_screen.remember(name)


def _follow_others() -> None:
    """Show the tree in hand as others have changed it, but not below a run that grows on it."""
    if runs.current().busy or not sessions.follow_others():
        return
    session = sessions.current()
    if session is not None:
        branch_actions.choose(session.current)


def route(render: Callable[[], None]) -> None:
    """Draw a page, going through the router where Streamlit has not."""
    if not _routed.get():
        run_app()
        return
    try:
        render()
    except TokenScopeError as error:
        # Nothing a page can do about it, such as a store folder that cannot be written.
        with st.container(border=True):
            st.markdown(":red[:material/error:] **TokenScope cannot work like this**")
            st.text(str(error))
