"""The shell's verbs that run a model or show what one said: generate, score, extend,
compare-models, show."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenscope_core.comparison.model_comparison import ModelComparison, compare_models
from tokenscope_core.comparison.model_tables import line_frame, span_frame, summary_frame
from tokenscope_core.models.files.json_files import parse_value
from tokenscope_core.prompts.text_files import text_file
from tokenscope_core.prompts.windows import DEFAULT_OVERLAP
from tokenscope_core.record.conversation import Message, Role, TemplateOptions
from tokenscope_core.record.request import NUMBERS, Request, Sampling
from tokenscope_core.record.trace import Trace
from tokenscope_core.shell.arguments import add_field, add_format, add_verb
from tokenscope_core.shell.model import model_of, open_model
from tokenscope_core.shell.output import frame_json, print_frame, say, write_json, write_text

if TYPE_CHECKING:
    from tokenscope_core.models.files.authors_settings import AuthorsSettings
    from tokenscope_core.models.language_model import LanguageModel

_SAMPLING_HELP = {
    "temperature": "0 takes the favourite; 1 draws from the model's own distribution",
    "top_k": "draw from this many favourites; 0 is off",
    "top_p": "draw from the smallest set holding this probability; 1 is off",
    "min_p": "drop tokens below this share of the favourite; 0 is off",
    "typical_p": "draw from the most typical tokens holding this probability; 1 is off",
    "repetition_penalty": "above 1 makes tokens of the text less likely; 1 is off",
    "frequency_penalty": "taken from a logit per time the token was generated; 0 is off",
    "presence_penalty": "taken from a logit once it was generated; 0 is off",
    "no_repeat_ngram_size": "no so many tokens in a row come up twice; 0 is off",
    "seed": "equal seeds give equal draws",
}


def add_run_verbs(verbs: Any) -> tuple[argparse.ArgumentParser, ...]:
    """Add the verbs to a parser's; returns those whose result is a trace."""
    generate = add_verb(
        verbs, "generate", _generate, "continue a prompt",
        "'def fib(n):' --max-new-tokens 40",
        "@prompt.py --temperature 0.8 --seed 7 --out run.arrow",
        "'def area(r):\\n    return ' --suffix '\\n\\nprint(area(2))'",
        "'' --user 'Write a bubble sort.' --model MODEL --json",
    )  # fmt: skip
    generate.add_argument(
        "prompt",
        help="the prompt, or in a conversation how the answer begins; @FILE reads a file, - "
        "standard input",
    )
    add_field(generate, Request, "max_new_tokens", "how many tokens to generate at most")
    for name in NUMBERS:
        add_field(generate, Sampling, name, _SAMPLING_HELP[name])
    generate.add_argument(
        "--logit-bias", action="append", default=[], type=_bias, metavar="ID=NUMBER",
        help="added to a token's logit before everything else; repeatable",
    )  # fmt: skip
    generate.add_argument(
        "--suppress-token", action="append", default=[], type=int, metavar="ID",
        help="id of a token that is never drawn; repeatable",
    )  # fmt: skip
    generate.add_argument(
        "--as-authors-set", action="store_true",
        help="as generation_config.json of the model says; what is said here goes first",
    )  # fmt: skip
    generate.add_argument("--stop", action="append", default=[], help="stop string; repeatable")
    generate.add_argument(
        "--stop-token", action="append", default=[], type=int, help="id of a token; repeatable"
    )
    generate.add_argument(
        "--heal", action="store_true",
        help="take back the end of the prompt where a longer token could stand there, and have it "
        "spelled again",
    )  # fmt: skip
    generate.add_argument("--suffix", help="the code after a gap to be filled; likewise")
    generate.add_argument("--user", help="what the user says, to a model with a chat template")
    generate.add_argument("--system", help="the system text of that conversation; likewise")
    generate.add_argument("--template", help="which of a model's chat templates; likewise")
    generate.add_argument(
        "--template-variable", action="append", default=[], metavar="NAME=VALUE",
        help="a variable that the chat template reads, such as enable_thinking=false; repeatable",
    )  # fmt: skip
    generate.add_argument("--tools", help="a JSON list of tools for the chat template; likewise")
    generate.add_argument(
        "--moment",
        help="the date, or date and time, that a chat template writes (2026-11-30); now by default",
    )
    score = add_verb(
        verbs, "score", _score, "teacher-force a given text: every token's figures, none generated",
        "@program.py",
        "- --json < program.py",
        "@long.py --overlap 256",
    )  # fmt: skip
    score.add_argument("text", help="the text; @FILE reads a file, - standard input")
    score.add_argument(
        "--overlap", type=int,
        help="read a text longer than the model's context in windows that overlap by so many "
        f"tokens, such as {DEFAULT_OVERLAP}; without it such a text is refused",
    )  # fmt: skip
    for verb in (generate, score):
        verb.add_argument(
            "--model",
            help="folder, name of one in TOKENSCOPE_MODELS, or hub id; default: the shipped model",
        )
        add_field(verb, Request, "candidates", "how many of the likeliest tokens to record")
    extend = add_verb(
        verbs, "extend", _extend, "go on with a saved trace, as one longer run would have",
        "run.arrow --more 100 --out longer.arrow",
        "run.arrow --past-end",
    )  # fmt: skip
    extend.add_argument("trace", help="a file written with --out; stopped, or of full length")
    extend.add_argument("--more", type=int, default=64, help="how many tokens to write at most")
    extend.add_argument(
        "--past-end", action="store_true",
        help="go on from behind the end token or stop string that ended it, as a fork",
    )  # fmt: skip
    extend.add_argument("--model", help="as of generate; default: the one it came from")
    show = add_verb(
        verbs, "show", _show, "tabulate a saved trace",
        "run.arrow",
        "run.arrow --table candidates --csv > candidates.csv",
        "run.arrow --table text --tint entropy --color always | less -R",
    )  # fmt: skip
    show.add_argument("trace", help="a file written with --out")
    return generate, score, extend, show


def add_model_comparison_verb(verbs: Any) -> None:
    """Add `compare-models` to a parser's verbs."""
    compare = add_verb(
        verbs, "compare-models", _compare_models, "what two models make of one text",
        "model-a model-b @program.py",
        "model-a model-b @program.py --table spans --json",
    )  # fmt: skip
    compare.add_argument("a", help="a folder, a hub id or the shipped model")
    compare.add_argument("b", help="likewise")
    compare.add_argument("text", help="the text; @FILE reads a file, - standard input")
    compare.add_argument("--table", choices=("lines", "spans"), default="lines")
    add_format(compare)


def _generate(options: argparse.Namespace) -> Trace:
    from tokenscope_core.decoding.request_run import generate

    request = Request(
        prompt=_text(options.prompt),
        max_new_tokens=options.max_new_tokens,
        sampling=_sampling(options),
        candidates=options.candidates,
        stop=tuple(options.stop),
        stop_token_ids=tuple(options.stop_token),
        suffix=None if options.suffix is None else _text(options.suffix),
        messages=_messages(options),
        moment=options.moment,
        heal=options.heal,
        template=_template(options),
    )
    lm = open_model(options.model)
    if options.as_authors_set:
        request = _as_authors_set(lm.authors_settings, request)
    if request.messages:
        _say_turn_end(lm, request)
    return generate(lm, request)


def _say_turn_end(lm: LanguageModel, request: Request) -> None:
    """An answer that does not end where its template ends it goes on with the user's next turn."""
    from tokenscope_core.prompts.chat import end_of_turn

    found = end_of_turn(lm.tokenizer, lm.identity.name) if lm.capabilities.chat_template else None
    if found is not None and found[0] not in (*lm.end_ids, *request.stop_token_ids):
        say(
            (
                f"The chat template ends an answer with {found[1]}, at which the model's files let "
                f"no text end: --stop-token {found[0]} stops there.",
            )
        )


def _sampling(options: argparse.Namespace) -> Sampling:
    return Sampling(
        **{name: getattr(options, name) for name in NUMBERS},
        logit_bias=tuple(options.logit_bias),
        suppress_tokens=tuple(options.suppress_token),
    )


def _bias(argument: str) -> tuple[int, float]:
    token_id, _, number = argument.partition("=")
    return int(token_id), float(number)


def _as_authors_set(settings: AuthorsSettings, request: Request) -> Request:
    """The request as the authors set it where it says nothing itself; says what of that is taken
    and what is not."""
    asked = settings.applied_to(request)
    own = {field.name: getattr(request.sampling, field.name) for field in fields(Sampling)}
    said = {name: value for name, value in own.items() if value != getattr(Sampling(), name)}
    length = request.max_new_tokens
    if length == Request("").max_new_tokens:
        length = asked.max_new_tokens
    say(f"{kind}: {name} {value}" for kind, pairs in (
        ("Taken from the model's files", settings.given),
        ("Without effect, as they do not say do_sample", settings.idle),
        ("Not followed", settings.left_out),
    ) for name, value in pairs)  # fmt: skip
    return replace(
        asked,
        max_new_tokens=length,
        sampling=replace(asked.sampling, **said),
        stop=request.stop or asked.stop,
    )


def _messages(options: argparse.Namespace) -> tuple[Message, ...]:
    """A conversation's first turns; none for a plain prompt."""
    said: tuple[tuple[Role, str | None], ...] = (
        ("system", options.system), ("user", options.user),
    )  # fmt: skip
    return tuple(Message(role, _text(text)) for role, text in said if text is not None)


def _template(options: argparse.Namespace) -> TemplateOptions | None:
    """What the chat template is told beside the messages; None where nothing is."""
    pairs = (text.partition("=") for text in options.template_variable)
    found = TemplateOptions(
        options.template,
        tuple((name, parse_value(value)) for name, _, value in pairs),
        "" if options.tools is None else _text(options.tools),
    )
    return None if found == TemplateOptions() else found


def _score(options: argparse.Namespace) -> Trace:
    from tokenscope_core.decoding.request_run import score

    return score(
        open_model(options.model),
        _text(options.text),
        candidates=options.candidates,
        overlap=options.overlap,
    )


def _extend(options: argparse.Namespace) -> Trace:
    trace = Trace.from_bytes(Path(options.trace).read_bytes())
    lm = model_of(trace, options.model)
    if options.past_end:
        from tokenscope_core.branches.growing import fork

        return fork(lm, trace, len(trace), max_new_tokens=options.more)
    from tokenscope_core.branches.extending import extend

    return extend(lm, trace, options.more)


def _show(options: argparse.Namespace) -> Trace:
    return Trace.from_bytes(Path(options.trace).read_bytes())


def _compare_models(options: argparse.Namespace) -> None:
    from tokenscope_core.decoding.request_run import score

    text = _text(options.text)
    # One after the other: only one of them needs to fit into memory.
    a, b = (score(open_model(model), text) for model in (options.a, options.b))
    _write_comparison(compare_models(a, b), options)


def _write_comparison(comparison: ModelComparison, options: argparse.Namespace) -> None:
    frame = (span_frame if options.table == "spans" else line_frame)(comparison)
    if options.json:
        totals = frame_json(summary_frame(comparison).reset_index(names="side"))
        rows = frame_json(frame)
        write_json(
            {
                "compared_bytes": comparison.compared_bytes,
                "same_text": comparison.same_text,
                "units": totals["units"] | rows["units"],
                "totals": totals["rows"],
                options.table: rows["rows"],
            }
        )
        return
    frame = frame.drop(columns="text_bytes", errors="ignore")
    if options.csv:
        write_text(frame.to_csv(index=False))
        return
    print_frame(frame[[frame.columns[0], "surprisal_a", "surprisal_b", "difference", "text"]])
    print_frame(summary_frame(comparison), index=True)
    if not comparison.same_text:
        print(
            f"The models did not read the same bytes; compared are the first "
            f"{comparison.compared_bytes:,}."
        )
    print("surprisal in nats; totals over spans that both models have a value for")


def _text(argument: str) -> str:
    """The argument itself, a file's text after `@`, or standard input for `-`."""
    if argument != "-" and not argument.startswith("@"):
        return argument
    name = "standard input" if argument == "-" else argument[1:]
    raw = sys.stdin.buffer.read() if argument == "-" else Path(name).read_bytes()
    file = text_file(name, raw)
    for note in file.notes:
        print(f"{name}: {note}", file=sys.stderr)
    return file.text
