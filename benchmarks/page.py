"""How fast the decode page is in a browser: strip painted, a click answered, a cache hit shown.

`python -m benchmarks.page` scores generated code of 2,000 and 8,000 tokens with a tiny random
model of long context, then measures in Chromium. The machine should be quiet.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from playwright.sync_api import Browser, Page, sync_playwright
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tests.browser.server import BROWSER_ARGUMENTS, ROOT, AppServer, browser_path
from tokenscope_core.models.files.names import SHIPPED_FOLDER

_LENGTHS = (2_000, 8_000)
_CONTEXT = 16_384
_CLICKS = tuple(range(10, 110, 10))
_WAIT_MS = 180_000
# From the moment the strip's shadow tree exists to the frame after its first token is there.
_MEASURE_PAINT = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
  const root = attach.call(this, options), began = performance.now();
  const look = () => {
    if (!root.querySelector("[data-i]")) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => {
      window.paintMilliseconds ??= performance.now() - began;
    }, 0));
  };
  requestAnimationFrame(look);
  return root;
};
"""


def main() -> None:
    """Print one line a length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="times each page is opened")
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        os.environ["TOKENSCOPE_STORE"] = str(folder / "store")
        os.environ["TOKENSCOPE_MODELS"] = str(folder)
        _save_long_model(folder / "long")
        chromium = playwright.chromium.launch(
            executable_path=browser_path(), args=BROWSER_ARGUMENTS
        )
        with (folder / "server.log").open("wb") as log:
            server = AppServer(ROOT / "app.py", log)
        try:
            for length in _LENGTHS:
                _measure(chromium, server.url, str(folder / "long"), length, repeat)
        finally:
            server.close()
            chromium.close()


def _save_long_model(folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_FOLDER)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=_CONTEXT, initializer_range=0.2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _code(length: int) -> str:
    """Real Python, the standard library's argparse, cut to a number of tokens."""
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_FOLDER)
    text = Path(str(sys.modules["argparse"].__file__)).read_text(encoding="utf-8")
    return str(tokenizer.decode(tokenizer(text)["input_ids"][1:length]))


def _measure(browser: Browser, url: str, model: str, length: int, repeat: int) -> None:
    page = browser.new_page()
    page.goto(url)
    model_box = page.get_by_role("combobox", name="Model")
    model_box.fill(model, timeout=_WAIT_MS)
    model_box.press("Enter")
    page.get_by_text("Score code", exact=True).click()
    box = page.get_by_label("Code to score")
    box.fill(_code(length))
    box.blur()
    page.get_by_test_id("stBaseButton-primary").click()
    page.get_by_text("Most surprising tokens").wait_for(timeout=_WAIT_MS)
    address = page.url
    page.close()
    paints, opens, selects, answers = [], [], [], []
    for _ in range(repeat):
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        page = context.new_page()
        page.add_init_script(_MEASURE_PAINT)
        began = time.perf_counter()
        page.goto(address)
        page.wait_for_function("window.paintMilliseconds", timeout=_WAIT_MS)
        opens.append(time.perf_counter() - began)
        paints.append(page.evaluate("window.paintMilliseconds") / 1000)
        page.wait_for_timeout(2_000)
        for index in _CLICKS:
            selected, answered = _click(page, index)
            selects.append(selected)
            answers.append(answered)
        context.close()
    print(
        f"{length:,} tokens: strip painted {_median(paints)} after mount; "
        f"stored trace on screen {_median(opens)} after opening its address; "
        f"clicked token outlined after {_median(selects)}, its figures after {_median(answers)}",
        flush=True,
    )


def _click(page: Page, index: int) -> tuple[float, float]:
    began = time.perf_counter()
    page.locator(f".strip [data-i='{index}']").first.click()
    page.locator(f".strip .selected[data-i='{index}']").first.wait_for()
    selected = time.perf_counter() - began
    page.get_by_text(f"Position {index} of ").wait_for(timeout=_WAIT_MS)
    answered = time.perf_counter() - began
    page.wait_for_timeout(500)
    return selected, answered


def _median(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):,.0f} ms (most {1000 * max(seconds):,.0f})"


if __name__ == "__main__":
    main()
