"""Collect, filter, deduplicate and split the corpus; write it with a report of what was done."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import dedupe, filters, settings, sources


@dataclass(frozen=True)
class Document:
    """One file that passed the filters: `name` is distribution plus path inside it."""

    source: str
    name: str
    text: str


@dataclass(frozen=True)
class _Read:
    document: Document
    signature: dedupe.Signature


def _read(task: tuple[str, str, Path, int]) -> _Read | str:
    """The document at a path with its signature, or the reason why it is left out."""
    source, name, path, max_bytes = task
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return "unreadable"
    text = filters.strip_legal_header(text)
    reason = filters.reason_to_drop(text, max_bytes)
    if reason:
        return reason
    signature = dedupe.minhash(dedupe.line_hashes(text))
    return _Read(Document(source, name, text), signature)


def is_heldout(name: str, per_mille: int) -> bool:
    """The side of the split, from the name alone, so that it never moves between machines."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") % 1000 < per_mille


def split(
    names: Sequence[str], together: Sequence[tuple[int, int]], per_mille: int
) -> tuple[list[int], list[int]]:
    """Indices (training, held-out). Held-out files that resemble any other file go to training.

    This keeps whole-file siblings apart as far as `together` knows them; a file whose lines are
    spread over several others is not noticed.
    """
    resembling = {index for pair in together for index in pair}
    heldout = [
        index
        for index, name in enumerate(names)
        if index not in resembling and is_heldout(name, per_mille)
    ]
    chosen = set(heldout)
    return [index for index in range(len(names)) if index not in chosen], heldout


def _tasks(found: Sequence[sources.Source], max_bytes: int) -> Iterator[tuple[str, str, Path, int]]:
    for source in found:
        for path in source.files:
            name = f"{source.name}/{path.relative_to(source.root).as_posix()}"
            yield source.name, name, path, max_bytes


def build(chosen: settings.Corpus, folder: Path, processes: int = 2) -> dict[str, object]:
    """Write `train.jsonl`, `heldout.jsonl` and `corpus.json` (the report) to `folder`."""
    everything = [sources.standard_library(), *sources.installed()]
    allowed = [source for source in everything if sources.permissive(source.licence)]
    refused = [source for source in everything if not sources.permissive(source.licence)]
    dropped: Counter[str] = Counter()
    kept: list[_Read] = []
    with multiprocessing.Pool(processes) as pool:
        for outcome in pool.imap(_read, _tasks(allowed, chosen.max_file_bytes), chunksize=64):
            if isinstance(outcome, str):
                dropped[outcome] += 1
            else:
                kept.append(outcome)
    passed = len(kept)
    alike = dedupe.similar_pairs([item.signature for item in kept], chosen.near_duplicate)
    first = dedupe.groups(len(kept), [(left, right) for left, right, _ in alike])
    kept = [item for index, item in enumerate(kept) if first[index] == index]
    dropped["duplicate"] = passed - len(kept)
    related = dedupe.similar_pairs([item.signature for item in kept], chosen.split_together)
    documents = [item.document for item in kept]
    train, heldout = split(
        [document.name for document in documents],
        [(left, right) for left, right, _ in related],
        chosen.heldout_per_mille,
    )
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "train.jsonl", [documents[index] for index in train])
    _write(folder / "heldout.jsonl", [documents[index] for index in heldout])
    size: Counter[str] = Counter()
    for document in documents:
        size[document.source] += len(document.text.encode("utf-8"))
    report: dict[str, object] = {
        "sources": [
            {
                "name": source.name,
                "version": source.version,
                "licence": source.licence,
                "files_found": len(source.files),
                "bytes_used": size[source.name],
            }
            for source in sorted(allowed, key=lambda source: -size[source.name])
            if size[source.name]
        ],
        "refused_licences": {source.name: source.licence for source in refused},
        "dropped_files": dict(dropped.most_common()),
        "train": _size([documents[index] for index in train]),
        "heldout": _size([documents[index] for index in heldout]),
    }
    (folder / "corpus.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _size(documents: Sequence[Document]) -> dict[str, int]:
    return {
        "files": len(documents),
        "bytes": sum(len(document.text.encode("utf-8")) for document in documents),
    }


def _write(path: Path, documents: Sequence[Document]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for document in documents:
            file.write(json.dumps(document.__dict__, ensure_ascii=False) + "\n")


def read(path: Path) -> Iterator[Document]:
    """The documents of a file that `build` wrote, in its order."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield Document(**json.loads(line))
