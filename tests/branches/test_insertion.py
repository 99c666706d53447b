"""How a text put into the middle of another is split, beside how it would have been typed."""

from __future__ import annotations

import pytest

from tokenscope_core.branches.insertion import insertion
from tokenscope_core.models.files.model_files import ModelFiles, find


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    found = find("tokenscope-py")
    assert found is not None
    return found


def test_text_that_would_merge_with_what_is_before_it_is_said_to(files: ModelFiles) -> None:
    assert insertion(files, "urn", before=b"    ret", after=b"", rows=4096).otherwise
    assert not insertion(files, "return", before=b"x = 1\n", after=b"", rows=4096).otherwise


@pytest.mark.parametrize("half", [b"\xe2", b"\xe2\x82", b"\xf0\x9f\x91"])
def test_half_a_character_beside_it_does_not_make_text_split_otherwise(
    files: ModelFiles, half: bytes
) -> None:
    before, after = b"price = '" + half, b"\x82\xac'\n"
    assert not insertion(files, "+ 1", before=before, after=after, rows=4096).otherwise
    assert not insertion(files, "+ 1", before=before + b"'\n", after=b"", rows=4096).otherwise
    assert insertion(files, "urn", before=before + b"'\n    ret", after=after, rows=4096).otherwise
