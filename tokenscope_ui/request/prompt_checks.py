"""What a person should know about a prompt before it runs: refusals and hints, as sentences."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator

from tokenscope_core import Request, RequestError, Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.files.tokenizer_files import can_fill_in_the_middle, has_chat_template


def obstacle(request: Request, files: ModelFiles) -> str | None:
    """Why a model cannot be asked this, as far as its files say; no weights are loaded."""
    if request.messages and not has_chat_template(files):
        return (
            "This model has no chat template: it was not trained to take turns. Choose a chat or "
            "instruct model, or write the text as a plain prompt."
        )
    if request.suffix is not None and can_fill_in_the_middle(files) is False:
        return (
            "This model’s tokenizer has no fill-in-the-middle tokens. Choose a model trained to "
            "fill a gap, or generate from the code before it alone."
        )
    return None


def refusal(
    text: str,
    *,
    generating: bool,
    max_new_tokens: int,
    conversation: bool = False,
    examples: bool = True,
) -> RequestError | None:
    """Why the request cannot be run as it stands, or None; `text` is all that was typed, and
    `examples` whether there are some to choose from."""
    if not text and conversation:
        return RequestError(
            asked="The conversation is empty.",
            found="The model needs something to answer.",
            action="Write what the user says, or choose an example.",
        )
    if not text:
        return RequestError(
            asked="The prompt is empty." if generating else "There is no code to score.",
            found="The model needs something to start from.",
            action="Type or paste some code" + (", or choose an example." if examples else "."),
        )
    if generating and max_new_tokens == 0 and not conversation:
        return RequestError(
            asked="0 new tokens were asked for.",
            found="There would be nothing to generate.",
            action="Ask for at least 1, or choose “Score code” to look at the prompt alone.",
        )
    return None


@lru_cache(maxsize=8)
def hints(text: str) -> tuple[str, ...]:
    """Sentences about what is unusual in a text that can nevertheless be run."""
    return tuple(_hints(text))


def _hints(text: str) -> Iterator[str]:
    if text and not text.strip():
        yield "The prompt is only white space, so the model has little to go on."
    odd = Counter(
        f"U+{ord(c):04X}"
        for c in text
        if unicodedata.category(c) in {"Cc", "Cf"} and c not in "\n\t\r"
    )
    if odd:
        listed = ", ".join(f"{code} ×{count}" for code, count in odd.most_common(4))
        yield (
            f"The prompt holds control or invisible characters ({listed}"
            f"{' and others' if len(odd) > 4 else ''}). They are kept, and shown by name."
        )
    unread = text.count("\ufffd")
    if unread:
        yield (
            f"The prompt holds U+FFFD ×{unread}, which stands for what could not be read where it "
            "was pasted or copied from, such as half of a character."
        )


def ends_in_a_space(prompt: str) -> bool:
    """Whether a model is left without the tokens that begin with a space."""
    return prompt.endswith((" ", "\t")) and bool(prompt.strip())


def expected_at_the_end(trace: Trace) -> tuple[int, int] | None:
    """Where the model expected another token in the place of the prompt's last one, which begins
    with that: the prompt seems to end inside a token. The position and the id of the likeliest;
    None where there is none, or where a person changed the prompt."""
    last = trace.prompt_length - 1
    asked = trace.request
    if trace.branch or asked.heal or asked.suffix is not None or not asked.max_new_tokens:
        return None
    if last < 1 or trace.special[last] or (asked.messages and not asked.prompt):
        return None
    table = trace.vocabulary.token_bytes
    taken = table[int(trace.token_ids[last])]
    for token_id, logprob in zip(
        trace.candidate_ids[last].tolist(), trace.candidate_logprobs[last].tolist(), strict=True
    ):
        # No candidate, or none that was likelier: the rest is not either.
        if token_id < 0 or not logprob > trace.logprob[last]:
            return None
        if token_id not in trace.vocabulary.special_ids and table[token_id].startswith(taken):
            return last, token_id
    return None


def healed_bytes(trace: Trace) -> bytes:
    """What was taken back of a healed prompt; nothing of another, or where the template or the
    tokenizer did not keep it as typed."""
    prompt = trace.request.prompt.encode("utf-8")
    if not trace.request.heal or trace.branch is not None:
        return b""
    read = trace.text_bytes[: int(trace.byte_end[trace.prompt_length - 1])]
    kept = next((n for n in range(len(prompt), -1, -1) if read.endswith(prompt[:n])), 0)
    return prompt[kept:]


def reading_note(trace: Trace) -> str | None:
    """A sentence where the model read another text than was typed, else None: tokenizers normalise
    Unicode or white space, chat templates trim. Of a branch, in which a person may have changed the
    prompt, none."""
    request, read = trace.request, trace.text_bytes
    if trace.branch is not None:
        return None
    if trace.finish_reason == "cancelled" and "sampled" not in trace.source:
        return None  # it has only part of the prompt
    if request.messages:
        typed = [*(message.content for message in request.messages), request.prompt]
        if _in_order([text.encode("utf-8") for text in typed], read):
            return None
        return (
            "The chat template or the tokenizer does not keep every character as typed; many "
            "templates trim white space. The strip shows what the model read; byte offsets count "
            "in that."
        )
    before, after = request.prompt.encode("utf-8"), (request.suffix or "").encode("utf-8")
    if read.startswith((before + after, after + before)):
        return None
    if request.heal and before.startswith(read):
        return None  # not all that was taken back has been spelled again
    return (
        "This model’s tokenizer does not keep every character as typed. The strip shows what the "
        "model read; byte offsets count in that."
    )


def _in_order(parts: list[bytes], whole: bytes) -> bool:
    place = 0
    for part in parts:
        place = whole.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True
