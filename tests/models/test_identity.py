"""What names a model: every byte of its files, read once, and what is done when they change."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
from waiting import WAIT_S

import tokenscope_core as ts
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models import building as model_building
from tokenscope_core.models.files import digests as file_digests
from tokenscope_core.models.files import identity as model_identity
from tokenscope_core.models.files.digests import Digests
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped
from tokenscope_core.models.files.model_files import (
    ModelFiles,
    changed_files,
    find,
    identify,
    locate,
)

WEIGHTS = "model.safetensors"
REQUEST = ts.Request("x = ", max_new_tokens=3)


@pytest.fixture
def folder(tiny_folder: str, tmp_path: Path) -> Path:
    """A copy of the model to be changed, old enough for what was read of it to be remembered."""
    copied = Path(shutil.copytree(tiny_folder, tmp_path / "copied"))
    time.sleep(2 * file_digests._SETTLED_S)
    return copied


@pytest.fixture(autouse=True)
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of a hundred kilobytes are large, nothing has been read, and little time passes."""
    monkeypatch.setattr(model_identity, "_LARGE_BYTES", 100_000)
    monkeypatch.setattr(model_identity, "_AT_ONCE_BYTES", 100_000)
    monkeypatch.setattr(model_identity, "_SAMPLE_BYTES", 1000)
    monkeypatch.setattr(model_identity, "_digests", Digests())
    monkeypatch.setattr(file_digests, "_SETTLED_S", 0.05)
    monkeypatch.setattr(file_digests, "records_folder", lambda kind: tmp_path / kind)
    model_identity.sampled_hash.cache_clear()


def found(model: Path | str) -> ModelFiles:
    files = find(model)
    assert files is not None
    return files


def overwrite(path: Path, *, at: float = 0.3, data: bytes = b"\0" * 100) -> None:
    """Write into the middle of a file, of the same length as before."""
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * at))
        file.write(data)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a restart."""
    monkeypatch.setattr(model_identity, "_digests", Digests())


def forbid_reading(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    read = model_identity.hash_into

    def checked(digest: object, state: file_digests.FileState, *rest: object) -> None:
        assert Path(state.path).name not in names, "it is known"
        read(digest, state, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(model_identity, "hash_into", checked)


def test_every_byte_of_large_weights_counts(folder: Path) -> None:
    before = identify(locate(folder))
    overwrite(folder / WEIGHTS)
    after = identify(locate(folder))
    assert after.fingerprint_in() != before.fingerprint_in()
    assert after.sampled_fingerprint_in() == before.sampled_fingerprint_in(), "an edit it missed"


def test_what_lies_below_the_folder_and_decides_counts(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / WEIGHTS).rename(folder / "parts" / WEIGHTS)
    index = {"weight_map": {"a": f"parts/{WEIGHTS}"}}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    names = [identify(locate(folder)).fingerprint_in()]
    overwrite(folder / "parts" / WEIGHTS)
    names.append(identify(locate(folder)).fingerprint_in())
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tools.jinja").write_text("{{ messages }}")
    names.append(identify(locate(folder)).fingerprint_in())
    assert len({*names}) == 3


def test_much_is_read_once_with_progress_and_remembered_after_a_restart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread = found(folder)
    assert unread.content_hash is None
    assert unread.fingerprint_in() is None
    told: list[LoadProgress] = []
    files = identify(unread, report=told.append)
    assert {progress.stage for progress in told} == {"identifying"}
    assert (told[0].done, told[-1].done) == (0, told[-1].total)
    assert told[-1].total == sum(state.size for state in files.states)
    forbid_reading(monkeypatch, WEIGHTS)
    assert found(folder) == files
    forget(monkeypatch)
    assert found(folder) == files
    (folder / "generation_config.json").write_text("{}")
    forget(monkeypatch)
    assert found(folder).fingerprint_in() not in (None, files.fingerprint_in())


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"digest": "0"}', None])
def test_a_damaged_record_is_read_anew(
    folder: Path, damage: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = identify(found(folder))
    for record in file_digests.records_folder("digests").iterdir():
        content = record.read_bytes()
        digest = json.loads(content)["digest"].encode()
        flipped = content.replace(digest, bytes([digest[0] ^ 1]) + digest[1:])
        record.write_bytes(flipped if damage is None else damage)
    forget(monkeypatch)
    assert found(folder).content_hash is None
    assert identify(found(folder)) == files


def test_records_that_cannot_be_kept_are_no_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digests").write_text("a file in the way")
    files = identify(found(folder))
    assert found(folder) == files
    forget(monkeypatch)
    assert found(folder).content_hash is None


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_a_change_that_keeps_size_and_time_is_noticed(folder: Path, name: str) -> None:
    path = folder / name
    before, times = identify(found(folder)), path.stat()
    if name == WEIGHTS:
        overwrite(path)
    else:
        path.write_text(path.read_text().replace("\n", " ", 1))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    assert changed_files(before) == (name,)
    assert identify(found(folder)).fingerprint_in() != before.fingerprint_in()


def test_what_was_written_a_moment_ago_is_not_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next change may carry the same time."""
    monkeypatch.setattr(file_digests, "_SETTLED_S", 3600.0)
    monkeypatch.setattr(model_identity, "wait_until_settled", lambda _states: None)
    assert identify(found(folder)).content_hash is not None
    assert found(folder).content_hash is None
    assert not file_digests.records_folder("digests").exists()


@pytest.fixture
def snapshot(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model as a download leaves it in the Hugging Face cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repo = tmp_path / "hub" / "models--org--name"
    commit = repo / "snapshots" / ("0" * 40)
    for made in (commit, repo / "blobs", repo / "refs"):
        made.mkdir(parents=True)
    (repo / "refs" / "main").write_text("0" * 40)
    for file in folder.iterdir():
        data = file.read_bytes()
        large = file.name == WEIGHTS
        blob = repo / "blobs" / (hashlib.sha256 if large else hashlib.sha1)(data).hexdigest()
        blob.write_bytes(data)
        (commit / file.name).symlink_to(Path("../../blobs") / blob.name)
    time.sleep(0.1)
    return commit


def test_the_hub_s_own_digest_is_taken_for_what_lies_as_downloaded(
    snapshot: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = identify(locate(folder)).fingerprint_in()
    forbid_reading(monkeypatch, WEIGHTS)
    assert found("org/name").fingerprint_in() == expected


def test_a_file_of_the_cache_that_was_written_into_is_read(snapshot: Path) -> None:
    before, blob = found("org/name"), (snapshot / WEIGHTS).resolve()
    times = blob.stat()
    overwrite(blob)
    os.utime(blob, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert found("org/name").content_hash is None
    # A later revision with the same file links to it once more.
    later = snapshot.parent / ("1" * 40)
    shutil.copytree(snapshot, later, symlinks=True)
    (snapshot.parent.parent / "refs" / "main").write_text(later.name)
    assert found("org/name").content_hash is None
    assert identify(found("org/name")).fingerprint_in() != before.fingerprint_in()


def test_files_that_change_while_they_are_read_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread = found(folder)
    told: list[LoadProgress] = []

    def report(progress: LoadProgress) -> None:
        if progress.done and not told:
            overwrite(folder / WEIGHTS)
            told.append(progress)

    with pytest.raises(ts.ModelFormatError, match=r"changed while it was read.*Wait"):
        identify(unread, report=report)
    replaced = identify(found(folder))

    def overwriting(*args: object, **settings: object) -> object:
        overwrite(folder / WEIGHTS, data=b"\1" * 100)
        return load(*args, **settings)

    load = model_building.AutoTokenizer.from_pretrained
    monkeypatch.setattr(model_building.AutoTokenizer, "from_pretrained", overwriting)
    with pytest.raises(ts.ModelFormatError, match=f"{WEIGHTS} was changed"):
        ts.load_model(replaced)


def test_reading_stops_when_nobody_wants_it(folder: Path) -> None:
    with pytest.raises(LoadStopped):
        identify(found(folder), wanted=lambda: False)


def test_a_file_that_is_written_into_leaves_the_loaded_weights_alone(folder: Path) -> None:
    lm = ts.load_model(folder)
    before = ts.generate(lm, REQUEST)
    overwrite(folder / WEIGHTS, at=0.0, data=b"\0" * (folder / WEIGHTS).stat().st_size)
    assert all(bool(parameter.any()) for parameter in lm.model.parameters())
    (folder / WEIGHTS).write_bytes(b"")
    lm.prefixes.clear()
    again = ts.generate(lm, REQUEST)
    assert again.surprisal[1:].tolist() == before.surprisal[1:].tolist()


@pytest.mark.parametrize("how", [overwrite, lambda path: replaced_by_another(path)])
def test_a_model_replaced_while_it_is_loaded_keeps_its_identity_until_it_is_loaded_anew(
    folder: Path, store: ts.Store, how: Callable[[Path], None]
) -> None:
    service = GenerationService(store)

    def run(request: ts.Request = REQUEST) -> ts.Trace:
        view = service.submit(str(folder), request, "tab").wait(WAIT_S)
        assert view.trace is not None, view.error
        return view.trace

    before = run()
    how(folder / WEIGHTS)
    loaded = service.loaded_model(str(folder))
    assert loaded is not None
    assert changed_files(loaded.files) == (WEIGHTS,)
    longer = run(dataclasses.replace(REQUEST, max_new_tokens=5))
    assert longer.model == before.model
    assert run().key == before.key, "from the store"
    service.unload(str(folder))
    after = run()
    assert after.model.fingerprint == identify(locate(folder)).fingerprint_in()
    assert after.model.fingerprint != before.model.fingerprint
    loaded = service.loaded_model(str(folder))
    assert loaded is not None
    assert changed_files(loaded.files) == ()
    service.close()


def replaced_by_another(path: Path) -> None:
    elsewhere = path.with_name("being written")
    elsewhere.write_bytes(path.read_bytes())
    overwrite(elsewhere)
    elsewhere.replace(path)


def test_a_model_taken_away_while_it_is_loaded_can_still_be_unloaded(
    folder: Path, store: ts.Store
) -> None:
    service = GenerationService(store)
    service.submit(str(folder), REQUEST, "tab").wait(WAIT_S)
    (folder / "config.json").write_text("{")
    loaded = service.loaded_model(str(folder))
    assert loaded is not None
    assert changed_files(loaded.files)
    assert service.unload(str(folder))
    service.close()


def test_the_name_by_samples_is_that_of_earlier_releases(folder: Path) -> None:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        digest.update(f"{path.name}:{len(data)}\n".encode())
        half = len(data) // 2
        large = len(data) > 100_000
        digest.update(data[:1000] + data[half : half + 1000] + data[-1000:] if large else data)
    expected = hashlib.sha256(f"{digest.hexdigest()}:float32".encode()).hexdigest()
    assert found(folder).sampled_fingerprint_in() == expected


def test_a_model_without_large_files_is_called_as_in_earlier_releases(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_identity, "_LARGE_BYTES", 10**9)
    monkeypatch.setattr(model_identity, "_AT_ONCE_BYTES", 10**9)
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(f"{path.name}:{path.stat().st_size}\n".encode() + path.read_bytes())
    expected = hashlib.sha256(f"{digest.hexdigest()}:float32".encode()).hexdigest()
    assert locate(folder).fingerprint_in() == expected
    assert locate(folder).sampled_fingerprint_in() is None


def test_a_link_says_what_is_known_of_its_model(
    folder: Path, store: ts.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(folder))
    lm = ts.load_model(folder)
    shared = ts.share.decode(ts.share.encode(ts.Session.start(ts.generate(lm, REQUEST))))
    assert ts.share.cost(shared, store).availability == "here"
    by_samples = found(folder).sampled_fingerprint_in()
    assert by_samples is not None
    old = dataclasses.replace(lm.identity, fingerprint=by_samples)
    former = dataclasses.replace(ts.generate(lm, REQUEST), model=old)
    store.put(former)
    earlier = ts.share.decode(ts.share.encode(ts.Session.start(former)))
    assert ts.share.cost(earlier, store).missing == (), "what is stored opens as before"
    store.delete(former.key)
    assert ts.share.cost(earlier, store).availability == "samples agree"
    shutil.rmtree(file_digests.records_folder("digests"))
    forget(monkeypatch)
    unread = ts.share.cost(shared, store)
    assert (unread.availability, unread.computable) == ("to be read", False)
    assert unread.model == ts.ModelChoice(str(folder))
