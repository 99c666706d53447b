"""TokenScope at a shell: `python -m tokenscope_core --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.record.trace import Trace
from tokenscope_core.shell import files as shell_files
from tokenscope_core.shell import store as shell_store
from tokenscope_core.shell.arguments import Formatter, add_trace_options
from tokenscope_core.shell.fetch import add_fetch_verb
from tokenscope_core.shell.hindsight import add_hindsight_verb
from tokenscope_core.shell.output import write_trace
from tokenscope_core.shell.runs import add_model_comparison_verb, add_run_verbs
from tokenscope_core.shell.terminal import close_output, printable, use_any_encoding

_EPILOG = """\
`%(prog)s VERB --help` says what a verb takes, with examples.
Figures are in nats.

exit status:
  0    done; also where the reader of the output left early
  1    it could not be done: standard error says why, in one line
  2    the command was not understood
  130  interrupted with Ctrl-C
"""


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m tokenscope_core",
    more: Sequence[Callable[[Any], None]] = (),
) -> int:
    """Run one verb; returns the exit status, as `--help` lists them.

    Args:
        arguments: those of the process by default.
        prog: what the command is called in its help.
        more: add further verbs to the parser's, for a command that can do more than the core.
    """
    use_any_encoding(sys.stdout, sys.stderr)
    options = _parser(prog, more).parse_args(arguments)
    try:
        result = options.verb(options)
        if isinstance(result, Trace):
            if options.out:
                Path(options.out).write_bytes(result.to_bytes())
            write_trace(result, options)
        sys.stdout.flush()
    except BrokenPipeError:
        close_output()
    except KeyboardInterrupt:
        return 130
    except (TokenScopeError, OSError) as error:
        print(f"tokenscope: {printable(str(error))}", file=sys.stderr)
        return 1
    return 0


def _parser(prog: str, more: Sequence[Callable[[Any], None]]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Run a decoder language model and see what it knew at every token.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    tabulating = list(add_run_verbs(verbs))
    add_model_comparison_verb(verbs)
    add_hindsight_verb(verbs)
    tabulating.append(shell_files.add_verbs(verbs))
    add_fetch_verb(verbs)
    shell_store.add_kept_verb(verbs)
    for verb in tabulating:
        add_trace_options(verb)
    for add in more:
        add(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
