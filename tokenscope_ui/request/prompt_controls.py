"""The prompt as a person writes it: mode, examples, and the texts of each mode."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Message, Request, TemplateOptions
from tokenscope_core.prompts.text_files import TextFile
from tokenscope_ui.request import chat_controls, open_files, prompt_checks, template_controls
from tokenscope_ui.request.examples import (
    CHAT_EXAMPLES,
    EXAMPLES,
    FILL_EXAMPLES,
    SCORE_EXAMPLES,
    Example,
)

GENERATE, FILL, SCORE, CHAT = "Generate", "Fill a gap", "Score code", "Chat"
MODES = (GENERATE, FILL, SCORE, CHAT)
DEFAULTS: dict[str, object] = {
    "mode": GENERATE,
    "prompt": EXAMPLES[0].prompt,
    "suffix": "",
    "first line": 1,
    **open_files.DEFAULTS,
    **chat_controls.DEFAULTS,
}
RUN_LABEL = {GENERATE: "Generate", FILL: "Fill", SCORE: "Score", CHAT: "Answer"}

_TEXT_LABEL = {GENERATE: "Prompt", FILL: "Code before the gap", SCORE: "Code to score"}
_INVITATION = {
    GENERATE: "Press *Generate* to see this prompt continued.",
    FILL: "Press *Fill* to see what the model writes between the two.",
    SCORE: "Press *Score* to see how the model would have read this code.",
    CHAT: "Press *Answer* to see what the model says next.",
}
_EXAMPLES = {
    GENERATE: EXAMPLES, FILL: FILL_EXAMPLES, SCORE: SCORE_EXAMPLES, CHAT: CHAT_EXAMPLES,
}  # fmt: skip


def mode() -> str:
    """The chosen mode, one of `MODES`."""
    return str(st.session_state["mode"])


def goes_on() -> bool:
    """Whether the model goes on from where the prompt ends, in the chosen mode."""
    return mode() in (GENERATE, CHAT)


def invitation() -> str:
    """What to do first, in the chosen mode."""
    return _INVITATION[mode()]


def fill(request: Request) -> None:
    """Set the mode and its texts to a request; the texts of other modes stay, and what was typed
    in this one and never run can be had back."""
    state = st.session_state
    state["mode"] = _mode_of(request)
    typed = _texts_now()
    if typed and typed != state.get(_run()) and not _of_example(typed):
        state[_typed()] = typed
    if request.messages:
        chat_controls.fill(request)
    else:
        state["prompt"] = request.prompt
        state.update({**open_files.DEFAULTS, "first line": request.first_line})
        if request.suffix is not None:
            state["suffix"] = request.suffix
    note_run()
    if state.get(_typed()) == state[_run()]:
        del state[_typed()]


def begin_own() -> None:
    """Empty the box for code to be scored."""
    st.session_state.update({"mode": SCORE, "prompt": "", **open_files.DEFAULTS, "first line": 1})


def note_run() -> None:
    """Take the texts as they stand for those of a run: others may then be put in their place."""
    st.session_state[_run()] = _texts_now()


def _mode_of(request: Request) -> str:
    if request.messages:
        return CHAT
    if request.suffix is not None:
        return FILL
    return GENERATE if request.max_new_tokens else SCORE


def prompt() -> str:
    """The text that the model goes on from or is scored on; in a conversation how its answer
    begins."""
    if mode() == SCORE:
        source = source_text()
        return source.lines(*open_files.chosen_lines(source.line_count))
    return str(st.session_state["answer" if mode() == CHAT else "prompt"])


def source_text() -> TextFile:
    """The open file, or what was typed: all lines of it, of which some may be chosen."""
    return open_files.opened() or TextFile("", str(st.session_state["prompt"]))


def first_line() -> int:
    """The number of the scored text's first line in its file."""
    begin = 1 if open_files.opened() else int(st.session_state["first line"])
    return begin + open_files.chosen_lines(source_text().line_count)[0] - 1


def asked() -> str:
    """The text that a person would know the prompt by: in a conversation its last turn."""
    turns = messages()
    return turns[-1].content if turns else prompt()


def suffix() -> str | None:
    """The code after the gap; None in the other modes."""
    return str(st.session_state["suffix"]) if mode() == FILL else None


def messages() -> tuple[Message, ...]:
    """The conversation; empty in the other modes.

    Raises:
        RequestError: a text is not Unicode.
    """
    return chat_controls.messages() if mode() == CHAT else ()


def template_options() -> TemplateOptions | None:
    """What a conversation's template is told beside the turns; None in the other modes.

    Raises:
        RequestError: the tools cannot be read.
    """
    return template_controls.options() if mode() == CHAT else None


def draw_prompt() -> None:
    """Draw mode, examples and the texts, with hints about what is unusual in them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Mode", MODES, key="mode", required=True, label_visibility="collapsed",
            persist_state="session",
        )  # fmt: skip
        _examples()
    if mode() == CHAT:
        chat_controls.draw_conversation()
    else:
        _texts(mode())
    said = [message.content for message in messages()]
    if not all(said):
        st.caption(":material/info: A turn is empty: the model reads that somebody said nothing.")
    for hint in prompt_checks.hints("".join(said) + prompt() + (suffix() or "")):
        st.caption(f":material/info: {hint}")
    if goes_on() and not st.session_state["heal"] and prompt_checks.ends_in_a_space(prompt()):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                ":material/info: The prompt ends in a space, and most words are tokens that begin "
                "with theirs: after it the model can write none of these.", width="content",
            )  # fmt: skip
            st.button("Heal it", key="heal it", type="tertiary", on_click=heal)


def heal() -> None:
    """Have the end of the prompt healed, from the next run on."""
    st.session_state["heal"] = True


def _texts(chosen: str) -> None:
    if chosen == SCORE and st.session_state["open files"]:
        open_files.draw_open_files()
        return
    st.text_area(
        _TEXT_LABEL[chosen],
        key="prompt",
        height=110 if chosen == FILL else 170,
        persist_state="session",
        placeholder="Type or paste Python here, or choose an example.",
        on_change=open_files.choose_all_lines,
    )
    if chosen == SCORE:
        _lines_of_typed()
        open_files.draw_open_files()
    if chosen == FILL:
        st.text_area("Code after the gap", key="suffix", height=110, persist_state="session")


def _lines_of_typed() -> None:
    """Which lines of a typed text are scored, and how they are counted, where that is unusual."""
    first, count = int(st.session_state["first line"]), source_text().line_count
    if st.session_state["lines"] is not None:
        open_files.draw_lines(count, first=first)
    if first > 1:
        st.number_input(
            "Number of the first line in its file", 1, key="first line", width=240,
            persist_state="session",
        )  # fmt: skip


def _examples() -> None:
    with st.popover("Examples", icon=":material/lightbulb:"):
        for example in _EXAMPLES[mode()]:
            st.button(
                example.name,
                key=f"example {example.name}",
                on_click=_take_example,
                args=(example,),
                width="stretch",
            )
            st.caption(f"Look at {example.look_at}.")
    if _typed() in st.session_state:
        st.button(
            "Back to my text", icon=":material/undo:", type="tertiary", on_click=_undo,
            help="What you had typed before another text was put in its place.",
        )  # fmt: skip


def _texts_now() -> dict[str, object]:
    """The texts of this mode by the keys of their controls; empty before these were first drawn."""
    if mode() == CHAT:
        return chat_controls.texts()
    names = ("prompt", "suffix") if mode() == FILL else ("prompt",)
    return {name: st.session_state[name] for name in names if name in st.session_state}


def _values(example: Example) -> dict[str, object]:
    """What an example puts into which control."""
    if example.user:
        return {**chat_controls.DEFAULTS, "turn 0": example.user}
    if example.suffix is not None:
        return {"prompt": example.prompt, "suffix": example.suffix}
    return {"prompt": example.prompt}


def _of_example(texts: dict[str, object]) -> bool:
    return any(
        all(texts.get(name, text) == text for name, text in _values(example).items())
        for example in _EXAMPLES[mode()]
    )


def _take_example(example: Example) -> None:
    typed = _texts_now()
    if not _of_example(typed):
        st.session_state[_typed()] = typed
    st.session_state.update(_values(example))


def _undo() -> None:
    st.session_state.update(st.session_state.pop(_typed()))


def _typed() -> str:
    """Where this mode's own texts are while others stand in their place."""
    return f"{mode()} typed before"


def _run() -> str:
    """Where this mode's texts are as they were last run."""
    return f"{mode()} last run"
