"""Parsers of verbs: help with examples, and options that several of them have."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import Any

from tokenscope_core.display.scales import STRIP_METRICS
from tokenscope_core.errors import RequestError


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of examples, and says the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default in ([], ""):
            return action.help
        return super()._get_help_string(action)


def add_verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], Any], about: str, *examples: str
) -> argparse.ArgumentParser:
    """A verb's parser; `examples` are what follows the verb, a comment after `#` at will."""
    shown = "".join(f"\n  %(prog)s {example}" for example in examples)
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"examples:{shown}",
        formatter_class=Formatter,
    )
    parser.set_defaults(verb=run)
    return parser


def add_field(parser: Any, owner: type, name: str, about: str) -> None:
    """An option for a field of a dataclass, with the type and the default that it has there."""
    default = next(field.default for field in fields(owner) if field.name == name)
    assert default is not MISSING, f"{owner.__name__}.{name} has no default"
    parser.add_argument(
        f"--{name.replace('_', '-')}", type=type(default), default=default, help=about
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    """`--csv` and `--json`, of which one can be asked for."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--csv", action="store_true", help="every column, as CSV")
    either.add_argument(
        "--json", action="store_true", help="figures, units and totals as one JSON object"
    )


def add_trace_options(parser: argparse.ArgumentParser) -> None:
    """What a verb that shows a trace can be told about showing it."""
    parser.add_argument("--out", help="also save the trace to this file (Arrow)")
    parser.add_argument(
        "--table", choices=("tokens", "candidates", "text"), default="tokens",
        help="a row a token, a row a candidate, or the text, tinted where there are colours",
    )  # fmt: skip
    parser.add_argument(
        "--tint", choices=STRIP_METRICS, default=STRIP_METRICS[0], metavar="METRIC",
        help=f"what the text is tinted by: {', '.join(STRIP_METRICS)}",
    )  # fmt: skip
    parser.add_argument(
        "--color", "--colour", choices=("auto", "always", "never"), default="auto",
        help="auto follows NO_COLOR, FORCE_COLOR and what the terminal can",
    )  # fmt: skip
    add_format(parser)


def refuse_binary(format_name: str, is_terminal: bool, binary: Sequence[str]) -> None:
    """Keep a terminal from what is no text.

    Raises:
        RequestError: it was to be written to one.
    """
    if is_terminal and format_name in binary:
        raise RequestError(
            asked=f"The format {format_name} was to be written to the terminal.",
            found="It is no text.",
            action="Name a file with --out, or redirect the output.",
        )
