"""Where each token of a text stands, as numbers that can be compared: same line, same function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.documents.texts import PLAIN
from tokenscope_core.syntax.folding.frames import analyse, labelling_pairs
from tokenscope_core.syntax.program import Program, line_ends

NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The tokens of a text, int64 [T] each.

    `line`, `statement` (the innermost whole one) and `function` (the innermost) are equal for
    tokens in the same, whatever its name, and `NOWHERE` for tokens in none. Where the language is
    not known (None), no token is in a statement or function. Tokens are placed whole, as in
    `syntax_frame`.
    """

    token_ids: Ints
    prompt_length: int
    line: Ints
    statement: Ints
    function: Ints
    language: str | None = None

    @classmethod
    def of(cls, trace: Trace, language: str | None = None) -> Places:
        """Read them off a trace.

        Args:
            trace: any.
            language: as in `analyse`; None takes the trace's own. No token is in a statement of a
                "text".

        Raises:
            RequestError: no such language.
        """
        line = np.searchsorted(line_ends(trace), trace.byte_start, side="right")
        program = Program(trace, language)
        if program.language == PLAIN:
            nowhere = np.full(len(trace), NOWHERE)
            return cls(trace.token_ids, trace.prompt_length, line, nowhere, nowhere)
        syntax = analyse(program)
        chosen = labelling_pairs(syntax.pieces, syntax.alignment)
        token, piece = syntax.alignment.token[chosen], syntax.alignment.piece[chosen]
        statement, function = (np.full(len(trace), NOWHERE) for _ in range(2))
        statement[token] = syntax.pieces.unit[piece]
        function[token] = syntax.pieces.body[piece]
        return cls(trace.token_ids, trace.prompt_length, line, statement, function, syntax.language)
