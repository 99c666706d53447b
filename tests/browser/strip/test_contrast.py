"""Whether the tints of a text can be told apart by eye, measured in the page as it is drawn."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from real_model import real_model_folder

import tokenscope_core as ts
from tokenscope_core.record.arrays import Floats

APP = Path(__file__).resolve().parents[3] / "app.py"
LOAD_MS = 90_000
# A distance of 0.02 in Oklab is just noticeable (CSS Color 4, section 13); twice that is seen
# between words that do not touch.
SEEN = 0.04
QUESTION = ts.Message("user", "Write a Python function that merges two sorted lists.")
# Of every token the distance in Oklab of what is painted behind it from the page's colour.
DISTANCES = """code => {
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const oklab = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b] = Array.from(brush.getImageData(0, 0, 1, 1).data.slice(0, 3), (byte) => {
      const share = byte / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return [
      0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
      1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
      0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
    ];
  };
  const page = oklab(getComputedStyle(code).getPropertyValue("--panel"));
  const found = {};
  for (const token of code.querySelectorAll("[data-i]")) {
    const own = oklab(getComputedStyle(token).backgroundColor);
    found[token.dataset.i] = Math.hypot(...own.map((value, at) => value - page[at]));
  }
  return found;
}"""


@pytest.fixture(scope="module")
def traces(tiny_folder: str) -> dict[str, ts.Trace]:
    """In the store of the server: what a sure model answers, reads, and what an unsure one does."""
    assert tiny_folder
    small, real = ts.load_model(), ts.load_model(str(real_model_folder()))
    file = "\n".join(islice(Path(posixpath.__file__).read_text().splitlines(), 100))
    made = {
        "shipped": ts.generate(small, ts.Request("def merge(a, b):\n", 60)),
        "answer": ts.generate(real, ts.Request("", 60, messages=(QUESTION,))),
        "file": ts.score(real, file),
    }
    store = ts.Store()
    for trace in made.values():
        store.put(trace)
    store.close()
    return made


@pytest.fixture
def distances(
    open_app: Callable[..., Page], traces: dict[str, ts.Trace]
) -> Callable[[str, str], tuple[Floats, Floats]]:
    """Opens a trace and gives, of its own tokens, surprisal and distance from the page."""

    def measure(name: str, scheme: str) -> tuple[Floats, Floats]:
        trace = traces[name]
        page = open_app(APP, f"?run={trace.key}", color_scheme=scheme)
        code = page.locator(".strip .code")
        last = code.locator(f"[data-i='{len(trace) - 2}']").first
        expect(last).to_be_attached(timeout=LOAD_MS)
        found: dict[str, float] = code.evaluate(DISTANCES)
        first = trace.prompt_length if trace.prompt_length < len(trace) else 1
        drawn = [i for i in range(first, len(trace)) if str(i) in found and not trace.special[i]]
        assert len(drawn) > 0.8 * (len(trace) - first)
        return trace.surprisal[drawn], np.array([found[str(i)] for i in drawn])

    return measure


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["shipped", "answer", "file"])
def test_the_most_surprising_quarter_of_a_text_is_seen(
    distances: Callable[[str, str], tuple[Floats, Floats]], name: str, scheme: str
) -> None:
    surprisal, apart = distances(name, scheme)
    top = surprisal >= np.quantile(surprisal, 0.75)
    assert apart[top].min() >= SEEN
    # Among themselves too: the most surprising stands out from where the quarter begins.
    assert apart[surprisal.argmax()] >= apart[top].min() + SEEN


def test_a_text_that_a_model_was_sure_of_is_paler_than_one_that_it_was_not(
    distances: Callable[[str, str], tuple[Floats, Floats]],
) -> None:
    (_, sure), (_, unsure) = distances("answer", "light"), distances("file", "light")
    assert np.median(unsure) >= 2 * np.median(sure) + SEEN / 2
