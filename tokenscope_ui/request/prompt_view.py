"""A prompt as the model reads it, before the run; and the code of a filled gap after it."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Request, TokenScopeError, Trace
from tokenscope_core.display.formatting import count_text, moment_words
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.fill_in_the_middle import filled_gap
from tokenscope_core.prompts.preview import preview
from tokenscope_ui.components import passages


def what_the_model_reads(request: Request | None, files: ModelFiles | None) -> None:
    """An expander that lays the prompt out once it is opened, by the model's tokenizer alone."""
    reading = st.expander(
        "What the model reads", icon=":material/visibility:", key="what the model reads",
        on_change="rerun",
    )  # fmt: skip
    if not reading.open:
        return
    with reading:
        if files is None or request is None:
            st.caption("It can be shown of a model whose files are complete and on this machine.")
            return
        try:
            with st.spinner("Reading the tokenizer …", show_time=False):
                seen = preview(files, request)
        except TokenScopeError as error:
            st.text(str(error))
            return
        st.caption(_extent(seen.tokens, request.max_new_tokens, facts_of(files).context))
        if seen.moment is not None:
            st.caption(
                f"The chat template writes the date or time: {moment_words(seen.moment)}, by this "
                "server’s clock. A run keeps the one that it was asked at."
            )
        if seen.taken_back:
            st.caption(
                f"Taken back from its end and spelled again by what is generated: "
                f"`{on_one_line(seen.taken_back).replace('`', 'ˋ')}`"
            )
        passages.mount(
            (("special" if p.special else "plain", p.text) for p in seen.passages),
            label="The prompt as the model reads it",
            key="prompt preview",
        )


def _extent(tokens: int, new_tokens: int, context: int | None) -> str:
    text = count_text(tokens, "token")
    if context is None:
        return f"{text}; the model states no bound on its context."
    excess = tokens + new_tokens - context
    if excess > 0:
        return (
            f"{text} of a context of {context:,}: with {new_tokens:,} new ones {excess:,} too many."
        )
    return f"{text} of a context of {context:,}. Special tokens are framed."


def filled_code(trace: Trace) -> None:
    """The code before the gap, what the model wrote and the code after it, as one text."""
    gap = filled_gap(trace)
    if gap is None:
        return
    order = (
        "the code after the gap, the code before it"
        if gap.suffix_first
        else "the code before the gap, the code after it"
    )
    st.caption(
        f":material/info: The strip reads in the order the model read: {order}, and then what it "
        "wrote. Below is the code in its own order."
    )
    st.markdown("**Filled code**")
    passages.mount(
        (("plain", gap.before), ("filled", gap.middle), ("plain", gap.after)),
        label="The code with its gap filled",
        key="filled code",
        copy=gap.code,
    )
