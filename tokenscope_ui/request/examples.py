"""Prompts worth starting from: each makes a different thing visible."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt, and what to look at in its trace.

    With a `suffix` it is the code around a gap, with `user` a conversation's first turn.
    """

    name: str
    look_at: str
    prompt: str = ""
    suffix: str | None = None
    user: str = ""


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
SCORE_EXAMPLES: tuple[Example, ...] = (
    Example(
        "A wrong name",
        "`value` in the last line: the model had expected another name there",
        "def mean(values):\n    total = 0\n    for number in values:\n        total += number\n"
        "    return total / len(value)\n",
    ),
    Example(
        "One off",
        "the comparison, and what the model would have written instead",
        "def binary_search(items, wanted):\n    low, high = 0, len(items) - 1\n"
        "    while low < high:\n        middle = (low + high) // 2\n"
        "        if items[middle] == wanted:\n            return middle\n"
        "        if items[middle] < wanted:\n            low = middle + 1\n"
        "        else:\n            high = middle - 1\n    return -1\n",
    ),
    Example(
        "Unlike other code",
        "the second function, which says the same as the first in names that nobody uses",
        "def area(width, height):\n    return width * height\n\n\n"
        "def zork(blib, mek):\n    return blib * mek\n",
    ),
)
FILL_EXAMPLES: tuple[Example, ...] = (
    Example(
        "A loop's body",
        "the name that only the code after the gap gives away",
        "def count_words(text):\n    counts = {}\n    for word in text.split():\n",
        "    return counts\n",
    ),
    Example(
        "A missing argument",
        "how sure the model is of a name that is used below",
        "def area(",
        "):\n    return width * height\n",
    ),
)
CHAT_EXAMPLES: tuple[Example, ...] = (
    Example(
        "Write a function",
        "where the answer turns from prose to code",
        user="Write a Python function that returns the n-th Fibonacci number.",
    ),
    Example(
        "Find the mistake",
        "how certain the model is of its verdict's first word",
        user="Is this correct?\n\ndef mean(values):\n    return sum(values) / len(value)",
    ),
)
