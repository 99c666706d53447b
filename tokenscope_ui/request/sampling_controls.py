"""The controls of length, sampling and recording."""

from __future__ import annotations

from dataclasses import asdict, replace

import streamlit as st

from tokenscope_core import Request, RequestError, Sampling
from tokenscope_core.display.formatting import unescaped_or_none
from tokenscope_core.record.request import MAX_CANDIDATES, NUMBERS
from tokenscope_ui.request.sampling_words import in_words

# What a greedy choice depends on.
_SCORES = (
    "repetition_penalty", "frequency_penalty", "presence_penalty", "no_repeat_ngram_size",
    "logit_bias", "suppress_tokens",
)  # fmt: skip

DEFAULTS: dict[str, object] = {
    "max_new_tokens": 64,
    "temperature": 0.8,
    "top_p": 0.95,
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repetition_penalty": 1.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "no_repeat_ngram_size": 0,
    "seed": "0",
    "candidates": 20,
    "stop": "",
    "stop_tokens": "",
    "logit_bias": "",
    "suppress_tokens": "",
    "heal": False,
}


def fill(request: Request) -> None:
    """Set the controls to a request."""
    fill_as(request)
    st.session_state.update(
        seed=str(request.sampling.seed),
        candidates=request.candidates,
        heal=request.heal,
        stop_tokens=", ".join(map(str, request.stop_token_ids)),
    )


def fill_as(request: Request) -> None:
    """Set the controls to how a request draws and ends, but for its seed and its stop tokens."""
    sampling = request.sampling
    seed = st.session_state.get("seed", DEFAULTS["seed"])
    st.session_state.update(asdict(sampling))
    st.session_state.update(
        seed=seed,
        logit_bias="\n".join(f"{token_id}: {number}" for token_id, number in sampling.logit_bias),
        suppress_tokens=", ".join(map(str, sampling.suppress_tokens)),
        stop="\n".join(text.encode("unicode_escape").decode() for text in request.stop),
    )
    if request.max_new_tokens or request.messages:
        st.session_state["max_new_tokens"] = request.max_new_tokens


def draw_sampling(*, scoring: bool, healable: bool = False) -> None:
    """Draw the controls; those that do not matter when a text is only scored are disabled, and the
    end of a prompt is healed where the model goes on from it."""
    st.number_input(
        "New tokens", min_value=0, step=16, key="max_new_tokens", persist_state="session",
        disabled=scoring,
        help="Generation ends here at the latest, or at an end-of-sequence token.",
    )  # fmt: skip
    left, right = st.columns(2)
    # A link may hold values beyond what one would offer; the range then reaches out to them.
    left.slider(
        "Temperature", 0.0, max(2.0, st.session_state["temperature"]), step=0.05,
        key="temperature", persist_state="session", disabled=scoring,
        help="0 always takes the favourite (greedy). Metrics stay those of the raw model.",
    )  # fmt: skip
    undrawn = scoring or st.session_state["temperature"] == 0.0
    right.slider(
        "Top-p", min(0.05, st.session_state["top_p"]), 1.0, step=0.05, key="top_p",
        persist_state="session", disabled=undrawn,
        help="Draw from the smallest set holding this much probability.",
    )  # fmt: skip
    if not scoring:
        st.caption(in_words(_numbers()))
    with st.expander("More sampling"):
        _filters(undrawn=undrawn)
        _penalties(scoring=scoring)
        _tokens(scoring=scoring)
        _stopping(scoring=scoring)
        if healable:
            st.toggle(
                "Heal the end of the prompt", key="heal", persist_state="session",
                help="The last tokens of the prompt are taken back where a longer token could "
                "stand in their place; the first that are generated spell them again and may go "
                "on from there. Metrics stay those of the model’s own distribution.",
            )  # fmt: skip
        st.markdown("**Recording**")
        st.number_input(
            "Candidates recorded", 1, MAX_CANDIDATES, key="candidates", persist_state="session",
            help="How many alternatives are kept at every position.",
        )  # fmt: skip


def _filters(*, undrawn: bool) -> None:
    st.markdown("**Filters**")
    st.number_input(
        "Top-k", min_value=0, key="top_k", persist_state="session", disabled=undrawn,
        help="Draw from this many favourites; 0 is off.",
    )  # fmt: skip
    st.slider(
        "Min-p", 0.0, 1.0, step=0.01, key="min_p", persist_state="session", disabled=undrawn,
        help="Drop tokens less likely than this share of the favourite; 0 is off.",
    )  # fmt: skip
    st.slider(
        "Typical-p", min(0.05, st.session_state["typical_p"]), 1.0, step=0.05, key="typical_p",
        persist_state="session", disabled=undrawn,
        help="Draw from the tokens whose surprisal is nearest to the entropy, up to this much "
        "probability; the favourite may not be among them. 1 is off.",
    )  # fmt: skip
    # As text: a browser's numbers cannot hold every seed.
    st.text_input(
        "Seed", key="seed", persist_state="session", disabled=undrawn,
        help="A whole number. Equal seeds give equal draws.",
    )  # fmt: skip


def _penalties(*, scoring: bool) -> None:
    st.markdown("**Penalties**")
    st.slider(
        "Repetition penalty", min(0.5, st.session_state["repetition_penalty"]),
        max(2.0, st.session_state["repetition_penalty"]), step=0.05, key="repetition_penalty",
        persist_state="session", disabled=scoring,
        help="Above 1, tokens already present, prompt included, become less likely. 1 is off.",
    )  # fmt: skip
    st.slider(
        "Frequency penalty", -2.0, 2.0, step=0.1, key="frequency_penalty",
        persist_state="session", disabled=scoring,
        help="Subtracted from a token’s logit for every time it was generated; 0 is off.",
    )  # fmt: skip
    st.slider(
        "Presence penalty", -2.0, 2.0, step=0.1, key="presence_penalty",
        persist_state="session", disabled=scoring,
        help="Subtracted once from the logit of every token that was generated; 0 is off.",
    )  # fmt: skip
    st.number_input(
        "No repeated n-grams of", min_value=0, key="no_repeat_ngram_size",
        persist_state="session", disabled=scoring,
        help="So many tokens in a row never come up twice, prompt included; 0 is off. Code repeats "
        "itself: below about 4 it breaks.",
    )  # fmt: skip


def _tokens(*, scoring: bool) -> None:
    st.markdown("**Single tokens**")
    st.text_input(
        "Never draw", key="suppress_tokens", persist_state="session", disabled=scoring,
        help="Ids of tokens, with commas or spaces between them. Metrics stay those of the model’s "
        "own distribution, in which these tokens keep their probability; only the draw is without "
        "them.",
    )  # fmt: skip
    st.text_area(
        "Logit bias", key="logit_bias", persist_state="session", height=68, disabled=scoring,
        placeholder="13: -2.5",
        help="One a line: the id of a token and what is added to its logit before everything else. "
        "Metrics stay those of the model’s own distribution.",
    )  # fmt: skip


def _stopping(*, scoring: bool) -> None:
    st.markdown("**Stopping**")
    st.text_area(
        "Stop strings", key="stop", persist_state="session", height=68, disabled=scoring,
        help="One a line; \\n, \\t and \\u1234 mean what they mean in Python. Generation ends "
        "when its text contains one.",
    )  # fmt: skip
    st.text_input(
        "Stop tokens", key="stop_tokens", persist_state="session", disabled=scoring,
        help="Ids of tokens, with commas or spaces between them. Generation ends after one of "
        "them. A token’s id stands under it when it is selected.",
    )  # fmt: skip


def sampling() -> Sampling:
    """What the controls say, without what a greedy run does not depend on: equal runs are then
    found again.

    Raises:
        RequestError: a value cannot be used.
    """
    chosen = replace(
        _numbers(),
        seed=_seed(st.session_state["seed"]),
        logit_bias=_bias(st.session_state["logit_bias"]),
        suppress_tokens=_ids(st.session_state["suppress_tokens"], "The tokens never to be drawn"),
    )
    if not chosen.greedy:
        return chosen
    return Sampling(**{name: getattr(chosen, name) for name in _SCORES})


def _numbers() -> Sampling:
    """What the controls say, but for what is typed: a person may be about to correct it."""
    return Sampling(**{name: st.session_state[name] for name in NUMBERS if name != "seed"})


def stop_strings() -> tuple[str, ...]:
    """The stop strings, escapes resolved.

    Raises:
        RequestError: a backslash means nothing.
    """
    lines = [line for line in st.session_state["stop"].splitlines() if line]
    texts = [unescaped_or_none(line) for line in lines]
    if None in texts:
        raise RequestError(
            asked="The stop strings were to be read.",
            found=f"“{lines[texts.index(None)][:40]}” has a backslash that means nothing.",
            action="Write \\\\ for a backslash.",
        )
    return tuple(text for text in texts if text)


def stop_token_ids() -> tuple[int, ...]:
    """The ids of the stop tokens.

    Raises:
        RequestError: something else is among them.
    """
    return _ids(st.session_state["stop_tokens"], "The stop tokens")


def _ids(text: str, what: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    wrong = [word for word in words if not _is_id(word)]
    if wrong:
        raise RequestError(
            asked=f"{what} were to be read.",
            found=f"“{wrong[0][:40]}” is not the id of a token.",
            action="Give ids, such as 13. A token’s id stands under it when it is selected.",
        )
    return tuple(map(int, words))


def _bias(text: str) -> tuple[tuple[int, float], ...]:
    pairs = []
    for line in filter(None, map(str.strip, text.splitlines())):
        token_id, _, number = map(str.strip, line.partition(":"))
        try:
            if not _is_id(token_id):
                raise ValueError
            pairs.append((int(token_id), float(number)))
        except ValueError:
            raise RequestError(
                asked="The logit bias was to be read.",
                found=f"“{line[:40]}” is not the id of a token and a number.",
                action="Write one a line, such as 13: -2.5.",
            ) from None
    return tuple(pairs)


def _is_id(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 19


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RequestError(
            asked=f"The seed was set to “{text[:40]}”.",
            found="It is not a whole number.",
            action="Set it to one, such as 0.",
        ) from None
