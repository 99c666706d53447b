"""Prompts worth starting from: each makes a different thing visible."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt, and what to look at in its trace."""

    name: str
    look_at: str
    prompt: str


EXAMPLES: tuple[Example, ...] = (
    Example(
        "Error handling",
        "keywords against the choice of exception",
        "def read_config(path):\n    try:\n        with open(path) as f:\n",
    ),
    Example(
        "Copying names",
        "the parameter names: surprising where they are defined, cheap where they return",
        "class Point:\n    def __init__(self, abscissa, ordinate):\n        self.abscissa =",
    ),
    Example(
        "A loop",
        "brackets and indentation are sure things, the body is not",
        "def count_words(text):\n    counts = {}\n    for word in text.split():\n",
    ),
    Example(
        "Docstring",
        "prose is far less certain than the code around it",
        'def mean(values):\n    """',
    ),
    Example(
        "Non-ASCII",
        "one character, several tokens: exact bytes in every figure",
        'greeting = "Grüße, 世界 👋"\nprint(gree',
    ),
)
