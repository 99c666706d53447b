"""All figures of the model card, from one run over the held-out files."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from . import bits, continuations, corpus, probes
from . import tokenizer as vocabulary
from .bits import Compressed

FUNCTIONS = 200
FUNCTIONS_PER_FILE = 4
CONTINUATION_TOKENS = 64
_SEED = 11


def evaluate(
    folder: Path,
    heldout: Path,
    humaneval: Path | None = None,
    files: int | None = None,
    count: int = FUNCTIONS,
) -> dict[str, object]:
    """Figures of the model in `folder`; `files` limits how many held-out files are read."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = vocabulary.load(folder)
    documents = list(corpus.read(heldout))[:files]
    texts = [document.text for document in documents]
    end_id = vocabulary.special_id(tokenizer, vocabulary.END)
    figures: dict[str, object] = {
        "parameters": model.num_parameters(),
        "heldout": _heldout(model, tokenizer, documents, end_id),
        "continuations": _continuations(model, tokenizer, texts, end_id, count),
        "induction_nats_per_token": probes.induction(model, tokenizer, end_id),
        "fill_in_the_middle_nats_per_token": probes.fill_in_the_middle(model, tokenizer, texts),
    }
    if humaneval is not None:
        solved = [bits.model_bits(model, tokenizer, text, end_id) for text in _humaneval(humaneval)]
        figures["humaneval"] = {
            "problems": len(solved),
            "bytes": bits.total(solved).bytes,
            "bits_per_byte": bits.total(solved).bits_per_byte,
        }
    return figures


def _heldout(
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    documents: Sequence[corpus.Document],
    end_id: int,
) -> dict[str, object]:
    scored = [bits.model_bits(model, tokenizer, document.text, end_id) for document in documents]
    data = [document.text.encode("utf-8") for document in documents]
    by_source: dict[str, list[Compressed]] = defaultdict(list)
    for document, result in zip(documents, scored, strict=True):
        by_source[document.source].append(result)
    tokens = sum(
        len(item.ids)
        for item in tokenizer.encode_batch(
            [document.text for document in documents], add_special_tokens=False
        )
    )
    whole = bits.total(scored)
    return {
        "files": len(documents),
        "bytes": whole.bytes,
        "tokens": tokens,
        "bits_per_byte": whole.bits_per_byte,
        "xz_bits_per_byte_together": bits.xz_bits(b"".join(data)).bits_per_byte,
        "xz_bits_per_byte_each": bits.total([bits.xz_bits(item) for item in data]).bits_per_byte,
        "by_source": {
            name: {
                "bytes": bits.total(parts).bytes,
                "bits_per_byte": bits.total(parts).bits_per_byte,
            }
            for name, parts in sorted(
                by_source.items(), key=lambda item: -bits.total(item[1]).bytes
            )
        },
    }


def _continuations(
    model: LlamaForCausalLM, tokenizer: Tokenizer, texts: Sequence[str], end_id: int, count: int
) -> dict[str, object]:
    chosen = continuations.sample(texts, count, FUNCTIONS_PER_FILE, _SEED)
    written, true = [], []
    for function in chosen:
        text, ended = continuations.greedy(
            model, tokenizer, function.header, CONTINUATION_TOKENS, end_id
        )
        written.append(continuations.verdict(function.header, text, ended))
        text, ended = continuations.true_start(tokenizer, function.body, CONTINUATION_TOKENS)
        true.append(continuations.verdict(function.header, text, ended))
    return {
        "functions": len(chosen),
        "tokens": CONTINUATION_TOKENS,
        "model": continuations.shares(written),
        "true_text": continuations.shares(true),
    }


def _humaneval(path: Path) -> list[str]:
    """Prompt and canonical solution of each problem of a HumanEval file (arXiv:2107.03374)."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        problems = [json.loads(line) for line in file]
    return [problem["prompt"] + problem["canonical_solution"] for problem in problems]
