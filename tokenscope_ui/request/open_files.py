"""Files to score: uploaded, dropped or of a folder; which is open, and which lines of it."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tokenscope_core import TokenScopeError
from tokenscope_core.display.formatting import count_text
from tokenscope_core.prompts.text_files import TextFile, text_file

# `lines` is None for the whole of a text, else its first and last line.
DEFAULTS: dict[str, object] = {"open files": (), "lines": None}
_PREVIEW_LINES = 8


def opened() -> TextFile | None:
    """The file that is open; None where none is, or it is no text."""
    try:
        return _opened()
    except TokenScopeError:
        return None


def draw_open_files() -> None:
    """Draw what takes files, or the one that is open and the list that it is one of."""
    if not _files():
        _draw_uploaders()
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "File" if len(_files()) == 1 else f"One of {count_text(len(_files()), 'file')}",
            range(len(_files())),
            format_func=[file.name for file in _files()].__getitem__,
            key="open file",
            on_change=choose_all_lines,
            disabled=len(_files()) == 1,
        )
        st.button("Close", icon=":material/close:", on_click=_close, key="close files")
    try:
        file = _opened()
    except TokenScopeError as error:
        st.text(f"{error.asked} {error.found}\n{error.action}")
        return
    assert file is not None
    _draw_opened(file)


def problem() -> str | None:
    """Why the open file cannot be scored."""
    try:
        file = _opened()
    except TokenScopeError:
        return "The file that is open is no text: choose another, or close it."
    return None if file is None or file.text else "The file that is open is empty."


def draw_lines(line_count: int, *, first: int = 1) -> None:
    """Draw which lines of a text are scored, by their numbers in the file."""
    low, high = chosen_lines(line_count)
    last = first + line_count - 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for name, line in (("From line", low), ("to line", high)):
            st.session_state[name] = first + line - 1
            st.number_input(
                name, first, last, key=name, width=150, on_change=_take_lines,
                args=(line_count, first),
            )  # fmt: skip


def chosen_lines(line_count: int) -> tuple[int, int]:
    """The first and the last line that are scored, counted from 1."""
    low, high = st.session_state.get("lines") or (1, line_count)
    low = min(max(1, low), max(1, line_count))
    return low, max(low, min(high, line_count))


def choose_lines(first: int, last: int) -> None:
    """Score only these lines, counted from 1."""
    st.session_state["lines"] = (first, last)


def choose_all_lines() -> None:
    """Score the whole of the text."""
    st.session_state["lines"] = None


def _take_lines(line_count: int, first: int) -> None:
    low, high = (int(st.session_state[name]) - first + 1 for name in ("From line", "to line"))
    st.session_state["lines"] = None if (low, high) == (1, line_count) else (low, max(low, high))


def _files() -> tuple[UploadedFile, ...]:
    files: tuple[UploadedFile, ...] = st.session_state["open files"]
    return files


def _opened() -> TextFile | None:
    files = _files()
    if not files:
        return None
    file = files[min(int(st.session_state.get("open file") or 0), len(files) - 1)]
    return text_file(file.name, file.getvalue())


def _draw_uploaders() -> None:
    with st.expander("Or open a file", icon=":material/folder_open:", key="open a file"):
        st.file_uploader(
            "Files: drop them here, or browse",
            accept_multiple_files=True, key="uploaded files", on_change=_take,
            args=("uploaded files",),
        )  # fmt: skip
        st.file_uploader(
            "A folder, with all that is in it",
            accept_multiple_files="directory", key="uploaded folder", on_change=_take,
            args=("uploaded folder",),
        )  # fmt: skip


def _take(key: str) -> None:
    found = sorted(st.session_state[key] or (), key=lambda file: file.name)
    st.session_state.update({"open files": tuple(found), "open file": 0, "lines": None})


def _close() -> None:
    st.session_state.update({"open files": (), "lines": None})


def _draw_opened(file: TextFile) -> None:
    st.caption(
        f"{count_text(file.line_count, 'line')}, {len(file.text.encode()):,} bytes. "
        + " ".join(file.notes)
    )
    if file.line_count > 1:
        draw_lines(file.line_count)
    low, high = chosen_lines(file.line_count)
    shown = file.lines(low, min(high, low + _PREVIEW_LINES - 1))
    left_out = high - low + 1 - _PREVIEW_LINES
    st.code(shown.replace("\r\n", "\n").removesuffix("\n"), language=None)
    if left_out > 0:
        st.caption(f"and {count_text(left_out, 'more line')}, up to line {high:,}")
