"""What the machine is said to have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tokenscope_core import ModelError
from tokenscope_core.models.files import machine
from tokenscope_core.models.files.machine import (
    Memory,
    devices,
    main_memory,
    memory_of,
    require_device,
)

MB = 1_000_000


def own_group(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let the process believe it is in these control groups."""
    read = Path.read_text

    def answer(path: Path, *arguments: object, **settings: object) -> str:
        if path == Path("/proc/self/cgroup"):
            return text
        return read(path, *arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", answer)


def group(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def test_memory_is_the_machines_where_nothing_limits_it(tmp_path: Path) -> None:
    memory = main_memory(tmp_path)
    assert memory.total == psutil.virtual_memory().total
    assert 0 < memory.available <= memory.total


def test_a_containers_limit_counts_without_what_can_be_reclaimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_group(monkeypatch, "0::/\n")
    group(tmp_path, memory__max=1000 * MB, memory__current=700 * MB)
    (tmp_path / "memory.stat").write_text(f"anon 3\ninactive_file {200 * MB}\nfile 5\n")
    assert main_memory(tmp_path) == Memory(1000 * MB, 500 * MB)


def test_the_tightest_group_above_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_group(monkeypatch, "0::/a/b\n")
    group(tmp_path / "a" / "b", memory__max="max", memory__current=10 * MB)
    group(tmp_path / "a", memory__max=300 * MB, memory__current=100 * MB)
    assert main_memory(tmp_path) == Memory(300 * MB, 200 * MB)


def test_the_older_interface_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_group(monkeypatch, "5:cpu:/x\n4:memory:/x\n")
    folder = tmp_path / "memory" / "x"
    group(folder, memory__limit_in_bytes=400 * MB, memory__usage_in_bytes=300 * MB)
    (folder / "memory.stat").write_text(f"inactive_file 7\ntotal_inactive_file {50 * MB}\n")
    assert main_memory(tmp_path) == Memory(400 * MB, 150 * MB)


def with_accelerators(monkeypatch: pytest.MonkeyPatch, **found: Memory | None) -> None:
    named = {name.replace("_", ":"): memory for name, memory in found.items()}
    monkeypatch.setattr(machine, "_accelerators", lambda: named)


def test_accelerators_come_before_the_cpu_and_several_can_share_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("accelerate")
    with_accelerators(monkeypatch, cuda_0=Memory(9 * MB, 8 * MB), cuda_1=Memory(7 * MB, 6 * MB))
    assert devices() == ("cuda:0", "cuda:1", "cpu", "auto")
    assert memory_of("cuda:1") == Memory(7 * MB, 6 * MB)
    assert memory_of("auto").total == memory_of("cpu").total + 16 * MB


def test_an_accelerator_without_memory_of_its_own_has_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_accelerators(monkeypatch, mps=None)
    assert devices() == ("mps", "cpu")
    assert memory_of("mps").total == memory_of("cpu").total


def test_a_device_that_is_not_here_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_accelerators(monkeypatch)
    require_device("cpu")
    with pytest.raises(ModelError, match="This machine has cpu"):
        require_device("cuda:7")


class Cuda:
    """Two accelerators, as torch tells of them: (free, total)."""

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def device_count() -> int:
        return 2

    @staticmethod
    def mem_get_info(number: int) -> tuple[int, int]:
        return (number + 1) * MB, 10 * MB


def test_a_torch_that_runs_already_is_asked_for_what_is_free_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "_may_have_accelerators", lambda: True)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda))  # type: ignore[arg-type]
    assert memory_of("cuda:1") == Memory(total=10 * MB, available=2 * MB)


def test_a_torch_that_is_being_imported_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_may_have_accelerators", lambda: True)
    monkeypatch.setattr(machine, "_ask_torch", lambda _moment: {"cuda:0": Memory(2, 1)})
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())  # type: ignore[arg-type]
    assert memory_of("cuda:0") == Memory(2, 1)


def test_torch_itself_lists_accelerators_in_a_process_of_its_own() -> None:
    import torch

    expected = {f"cuda:{i}" for i in range(torch.cuda.device_count())}
    if torch.backends.mps.is_available():
        expected.add("mps")
    assert set(machine._ask_torch(0)) == expected


def test_looking_at_the_machine_imports_no_torch() -> None:
    script = """
import sys
from tokenscope_core.models.files.machine import devices, memory_of
for device in devices():
    memory_of(device)
assert "torch" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(__file__).resolve().parents[2]
    )
