"""Do greedy continuations of unseen function headers parse?"""

from __future__ import annotations

import ast
import random
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

_INCOMPLETE_INPUT = 0x4000 | 0x200  # PyCF_ALLOW_INCOMPLETE_INPUT, PyCF_DONT_IMPLY_DEDENT (codeop)


@dataclass(frozen=True)
class Function:
    """A function of a held-out file: its header up to the colon's line end, and its body."""

    header: str
    body: str


def functions(text: str) -> Iterator[Function]:
    """The functions of a module, dedented, whose body starts on a line of its own."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.end_lineno is None:
            continue
        body_line = node.body[0].lineno
        whole = "".join(lines[node.lineno - 1 : node.end_lineno])
        dedented = textwrap.dedent(whole).splitlines(keepends=True)
        if body_line > node.lineno and dedented[0].startswith(("def ", "async def ")):
            header = "".join(dedented[: body_line - node.lineno])
            if header.rstrip().endswith(":"):
                yield Function(header, "".join(dedented[body_line - node.lineno :]))


def sample(texts: Sequence[str], count: int, per_file: int, seed: int) -> list[Function]:
    """`count` functions, at most `per_file` of each text, drawn with a fixed seed."""
    generator = random.Random(seed)
    drawn: list[Function] = []
    for text in texts:
        found = list(functions(text))
        drawn.extend(generator.sample(found, min(per_file, len(found))))
    generator.shuffle(drawn)
    return drawn[:count]


def verdict(header: str, continuation: str, ended: bool) -> str:
    """What the complete lines of a continuation are, read after their header.

    - `parses`: a complete piece of Python;
    - `unfinished`: no error so far; the text ends inside a block, bracket or string, so that
      more lines could make it complete (what an interactive interpreter answers with `...`);
    - `error`: no further text could repair it;
    - `no line`: not one line was completed.

    A last line without a line end is cut off, unless the model `ended` the text there.
    """
    kept = continuation if ended else continuation[: continuation.rfind("\n") + 1]
    if not kept.strip():
        return "no line"
    source = header + kept
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source)
        except (SyntaxError, ValueError):
            pass
        else:
            return "parses"
        try:
            compile(source, "<continuation>", "exec", ast.PyCF_ONLY_AST | _INCOMPLETE_INPUT)
        except SyntaxError as error:
            return "unfinished" if "incomplete input" in str(error) else "error"
        except ValueError:
            return "error"
    return "parses"


def greedy(
    model: LlamaForCausalLM, tokenizer: Tokenizer, prompt: str, tokens: int, end_id: int
) -> tuple[str, bool]:
    """(continuation, whether it ended itself) by `generate`, always the likeliest token."""
    ids = [end_id, *tokenizer.encode(prompt, add_special_tokens=False).ids]
    room = model.config.max_position_embeddings - tokens
    ids = ids[:1] + ids[1:][-(room - 1) :]
    with torch.inference_mode():
        output = model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=tokens,
            do_sample=False,
        )[0].tolist()
    new = output[len(ids) :]
    ended = end_id in new
    return tokenizer.decode(new[: new.index(end_id)] if ended else new), ended


def shares(verdicts: Sequence[str]) -> dict[str, float]:
    """Share of each verdict, and of `without_error`: parses or unfinished."""
    counts = Counter(verdicts)
    result = {
        name.replace(" ", "_"): counts[name] / len(verdicts)
        for name in ("parses", "unfinished", "error", "no line")
    }
    result["without_error"] = result["parses"] + result["unfinished"]
    return result


def true_start(tokenizer: Tokenizer, body: str, tokens: int) -> tuple[str, bool]:
    """(the first `tokens` tokens of what was really written, whether that is all of it)."""
    ids = tokenizer.encode(body, add_special_tokens=False).ids
    return tokenizer.decode(ids[:tokens]), len(ids) <= tokens
