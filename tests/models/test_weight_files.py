"""Which files weights are in: as transformers chooses them, and none of another folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tokenscope_core as ts
from tokenscope_core.models.files.model_files import locate
from tokenscope_core.models.files.weight_files import INDEX_NAME, weight_paths

OUTSIDE = "names “.*”, which is outside the model's folder"


@pytest.fixture
def folder(tiny_folder: str, tmp_path: Path) -> Path:
    """A copy of a model whose weights are still to be named."""
    copied = Path(shutil.copytree(tiny_folder, tmp_path / "copied"))
    (copied / "model.safetensors").rename(copied / "part.safetensors")
    return copied


def index(*names: object) -> str:
    named = {f"weight {i}": name for i, name in enumerate(names)}
    return json.dumps({"metadata": {}, "weight_map": named})


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{}", "index.json cannot be read"),
        ("[" * 200_000, "index.json cannot be read .it is nested too deep"),
        (index(3), "index.json cannot be read"),
        (index("part.safetensors", "part-1.safetensors"), "lacks part-1.safetensors"),
        (index("part.safetensors", "../other.safetensors"), OUTSIDE),
        (index("a/../../other.safetensors"), OUTSIDE),
        (index("/etc/other.safetensors"), OUTSIDE),
        (index("C:other.safetensors"), OUTSIDE),
        (index("..\\other.safetensors"), OUTSIDE),
        (index(""), OUTSIDE),
    ],
)
def test_an_index_names_files_of_its_folder_or_is_refused(
    folder: Path, content: str, found: str
) -> None:
    (folder / INDEX_NAME).write_text(content)
    with pytest.raises(ts.ModelFormatError, match=found):
        locate(folder)


def test_files_are_chosen_as_transformers_does(folder: Path) -> None:
    part = folder / "part.safetensors"
    (folder / INDEX_NAME).write_text(index(part.name, part.name))
    assert weight_paths(folder) == [part]
    assert ts.load_model(folder).weights
    single = folder / "model.safetensors"
    shutil.copy(part, single)
    assert weight_paths(folder) == [single], "before an index"
    config = json.loads((folder / "config.json").read_text())
    for named in ("part.safetensors", "other.safetensors.index.json"):
        (folder / "other.safetensors.index.json").write_text(index(part.name))
        (folder / "config.json").write_text(json.dumps({**config, "transformers_weights": named}))
        assert weight_paths(folder) == [part], "what the configuration names comes first"
        assert ts.load_model(folder).weights
    (folder / "config.json").write_text(json.dumps({**config, "transformers_weights": "../x"}))
    with pytest.raises(ts.ModelFormatError, match=OUTSIDE):
        locate(folder)
