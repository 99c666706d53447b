"""A real pretrained model for tests: SmolLM2-135M-Instruct (Apache-2.0, arXiv:2502.02737).

Tiny random models hide whatever depends on size, on trained weights or on a real tokenizer. This
one is what `tokenscope fetch smollm2` brings: 4-bit GGUF weights out of a Python package, converted
once to float32 safetensors (540 MB) in the user's cache. A folder that already holds it under the
name of the model is taken where TOKENSCOPE_REAL_MODELS names one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from tokenscope_core import ModelNotFoundError
from tokenscope_core.models.files.catalogue import SMOLLM2, package_path
from tokenscope_core.models.obtaining import obtain

NAME = "SmolLM2-135M-Instruct"
FOLDER_VARIABLE = "TOKENSCOPE_REAL_MODELS"
REQUIRED_VARIABLE = "TOKENSCOPE_REQUIRE_REAL_MODEL"


def real_model_folder() -> Path:
    """The model's folder, fetched and converted where it is not there yet.

    Where the package cannot be had the test is skipped, or fails if the model is required.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named and (Path(named) / NAME / "model.safetensors").exists():
        return Path(named) / NAME
    try:
        with _turn():
            return obtain(SMOLLM2.name).folder
    except ModelNotFoundError as error:
        if os.environ.get(REQUIRED_VARIABLE):
            raise
        pytest.skip(str(error))


def real_gguf() -> Path:
    """The 4-bit file that the model is converted from."""
    named = os.environ.get(FOLDER_VARIABLE)
    package = SMOLLM2.package
    assert package is not None
    beside = Path(named or "") / Path(package.member).name
    if named and beside.exists():
        return beside
    real_model_folder()
    fetched = package_path(SMOLLM2)
    assert fetched is not None
    if not fetched.exists():
        pytest.skip("only the converted folder is there, not the file it was made from")
    return fetched


def _turn() -> FileLock:
    """Tests run in several processes, of which one fetches the model."""
    target = package_path(SMOLLM2)
    assert target is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(target.parent / ".lock")
