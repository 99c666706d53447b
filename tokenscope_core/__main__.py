"""TokenScope at a shell: `python -m tokenscope_core --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pandas as pd

from tokenscope_core.comparison.model_comparison import ModelComparison, compare_models
from tokenscope_core.comparison.model_tables import line_frame, span_frame, summary_frame
from tokenscope_core.errors import RequestError, TokenScopeError
from tokenscope_core.record.request import Message, Request, Role, Sampling
from tokenscope_core.record.tables import candidate_frame, token_frame
from tokenscope_core.record.trace import Trace
from tokenscope_core.shell import files as shell_files
from tokenscope_core.shell import store as shell_store
from tokenscope_core.shell.model import open_model

_SAMPLING_HELP = {
    "temperature": "0 takes the favourite (default); 1 draws from the model's own distribution",
    "top_k": "draw from this many favourites; 0 is off (default)",
    "top_p": "draw from the smallest set holding this probability; 1 is off (default)",
    "min_p": "drop tokens below this share of the favourite; 0 is off (default)",
    "typical_p": "draw from the most typical tokens holding this probability; 1 is off (default)",
    "repetition_penalty": "above 1 makes tokens of the text less likely; 1 is off (default)",
    "frequency_penalty": "taken from a logit per time the token was generated; 0 is off (default)",
    "presence_penalty": "taken from a logit once it was generated; 0 is off (default)",
    "no_repeat_ngram_size": "no so many tokens in a row come up twice; 0 is off (default)",
    "seed": "equal seeds give equal draws; 0 by default",
}
_SHOWN = ["position", "token", "source", "prob", "surprisal", "entropy", "margin", "rank"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status: 0, or 2 when the request cannot be carried out."""
    options = _parser().parse_args(arguments)
    try:
        result = options.verb(options)
        if isinstance(result, Trace):
            _write(result, options)
        elif isinstance(result, ModelComparison):
            _write_comparison(result, options)
    except (TokenScopeError, OSError) as error:
        print(f"tokenscope: {shell_files.printable(str(error))}", file=sys.stderr)
        return 2
    return 0


def _generate(options: argparse.Namespace) -> Trace:
    from tokenscope_core import generate

    request = Request(
        prompt=_text(options.prompt),
        max_new_tokens=options.max_new_tokens,
        sampling=Sampling(**{f.name: getattr(options, f.name) for f in fields(Sampling)}),
        candidates=options.candidates,
        stop=tuple(options.stop),
        stop_token_ids=tuple(options.stop_token),
        suffix=None if options.suffix is None else _text(options.suffix),
        messages=_messages(options),
        moment=options.moment,
    )
    return generate(open_model(options.model), request)


def _messages(options: argparse.Namespace) -> tuple[Message, ...]:
    """A conversation's first turns; none for a plain prompt."""
    said: tuple[tuple[Role, str | None], ...] = (
        ("system", options.system), ("user", options.user),
    )  # fmt: skip
    return tuple(Message(role, _text(text)) for role, text in said if text is not None)


def _score(options: argparse.Namespace) -> Trace:
    from tokenscope_core import score

    return score(open_model(options.model), _text(options.text), candidates=options.candidates)


def _compare_models(options: argparse.Namespace) -> ModelComparison:
    from tokenscope_core import score

    text = _text(options.text)
    # One after the other: only one of them needs to fit into memory.
    a, b = (score(open_model(model), text) for model in (options.a, options.b))
    return compare_models(a, b)


def _show(options: argparse.Namespace) -> Trace:
    return Trace.from_bytes(Path(options.trace).read_bytes())


def _text(argument: str) -> str:
    """The argument itself, a file's text after `@`, or standard input for `-`."""
    if argument != "-" and not argument.startswith("@"):
        return argument
    raw = sys.stdin.buffer.read() if argument == "-" else Path(argument[1:]).read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(
            asked=f"{argument} was to be read as UTF-8.",
            found=f"Byte {error.start:,} is not.",
            action="Convert the file to UTF-8.",
        ) from None


def _write(trace: Trace, options: argparse.Namespace) -> None:
    if options.out:
        Path(options.out).write_bytes(trace.to_bytes())
    frame = candidate_frame(trace) if options.table == "candidates" else token_frame(trace)
    if options.csv:
        frame.drop(columns="token_bytes").to_csv(sys.stdout, index=False)
        return
    shown = frame if options.table == "candidates" else frame[_SHOWN]
    shown = shown.drop(columns="token_bytes", errors="ignore")
    shown = shown.assign(token=[repr(token)[1:-1] for token in shown["token"]])
    with pd.option_context("display.max_rows", None, "display.width", 200):
        print(shown.to_string(index=False, na_rep="–", float_format="{:.4f}".format))
    described = shell_files.printable(repr(trace))
    print(f"{described}, perplexity {trace.perplexity():.3f}; log quantities in nats")


def _write_comparison(comparison: ModelComparison, options: argparse.Namespace) -> None:
    frame = (span_frame if options.table == "spans" else line_frame)(comparison)
    frame = frame.drop(columns="text_bytes", errors="ignore")
    if options.csv:
        frame.to_csv(sys.stdout, index=False)
        return
    shown = frame[[frame.columns[0], "surprisal_a", "surprisal_b", "difference", "text"]]
    shown = shown.assign(text=[repr(text)[1:-1] for text in shown["text"]])
    with pd.option_context("display.max_rows", None, "display.width", 200):
        print(shown.to_string(index=False, na_rep="–", float_format="{:.4f}".format))
        print(summary_frame(comparison).to_string(na_rep="–", float_format="{:.4f}".format))
    if not comparison.same_text:
        print(
            f"The models did not read the same bytes; compared are the first "
            f"{comparison.compared_bytes:,}."
        )
    print("surprisal in nats; totals over spans that both models have a value for")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tokenscope_core",
        description="Run a decoder language model and see what it knew at every token.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    generate = verbs.add_parser("generate", help="continue a prompt")
    generate.add_argument(
        "prompt",
        help="the prompt, or in a conversation how the answer begins; @FILE reads a file, - "
        "standard input",
    )
    generate.add_argument("--max-new-tokens", type=int, default=64)
    for field in fields(Sampling):
        generate.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=type(field.default),
            default=field.default,
            help=_SAMPLING_HELP[field.name],
        )
    generate.add_argument("--stop", action="append", default=[], help="stop string; repeatable")
    generate.add_argument(
        "--stop-token", action="append", default=[], type=int, help="id of a token; repeatable"
    )
    generate.add_argument("--suffix", help="the code after a gap to be filled; likewise")
    generate.add_argument("--user", help="what the user says, to a model with a chat template")
    generate.add_argument("--system", help="the system text of that conversation; likewise")
    generate.add_argument(
        "--moment",
        help="the date, or date and time, that a chat template writes (2026-11-30); now by default",
    )
    generate.set_defaults(verb=_generate)
    score = verbs.add_parser("score", help="teacher-force a given text")
    score.add_argument("text", help="the text; @FILE reads a file, - standard input")
    score.set_defaults(verb=_score)
    compare = verbs.add_parser("compare-models", help="what two models make of one text")
    compare.add_argument("a", help="a folder, a hub id or the shipped model")
    compare.add_argument("b", help="likewise")
    compare.add_argument("text", help="the text; @FILE reads a file, - standard input")
    compare.add_argument("--table", choices=("lines", "spans"), default="lines")
    compare.add_argument("--csv", action="store_true", help="every column, as CSV")
    compare.set_defaults(verb=_compare_models)
    show = verbs.add_parser("show", help="tabulate a saved trace")
    show.add_argument("trace", help="a file written with --out")
    show.set_defaults(verb=_show)
    for verb in (generate, score):
        verb.add_argument(
            "--model",
            help="folder, name of one in TOKENSCOPE_MODELS, or hub id; default: the shipped model",
        )
        verb.add_argument("--candidates", type=int, default=20)
    importing = shell_files.add_verbs(verbs)
    shell_store.add_verb(verbs)
    for verb in (generate, score, show, importing):
        verb.add_argument("--out", help="also save the trace to this file (Arrow)")
        verb.add_argument("--table", choices=("tokens", "candidates"), default="tokens")
        verb.add_argument("--csv", action="store_true", help="every column, as CSV")
    return parser


if __name__ == "__main__":
    sys.exit(main())
