"""What this machine has: memory, and the devices a model can run on. Does not import torch."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tokenscope_core.caching import cache, lru_cache
from tokenscope_core.errors import ModelError

CPU, SPREAD = "cpu", "auto"
_LOG = logging.getLogger(__name__)
_PROBE_TIMEOUT_S = 60.0
_PROBE_FRESH_S = 600.0
_CGROUPS = Path("/sys/fs/cgroup")
# Where a driver of NVIDIA, AMD or Windows' Linux shows that there is an accelerator.
_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")))
_PROBE = """
import json, torch
cuda = torch.cuda
found = {f"cuda:{i}": cuda.mem_get_info(i)[::-1] for i in range(cuda.device_count())}
if torch.backends.mps.is_available():
    found["mps"] = None
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of memory: all there is, and what is free or can be freed at once."""

    total: int
    available: int


def main_memory(cgroups: Path = _CGROUPS) -> Memory:
    """The machine's memory, or what the control group of a container leaves of it."""
    system = psutil.virtual_memory()
    total, available = system.total, system.available
    for limit, used in _cgroup_limits(cgroups):
        total, available = min(total, limit), min(available, max(0, limit - used))
    return Memory(total, available)


def _cgroup_limits(root: Path) -> list[tuple[int, int]]:
    """(Limit, bytes in use that cannot be reclaimed) of every control group with a limit.

    Version 2 of the interface has one tree, version 1 a tree for memory of its own:
    https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html.
    """
    version_1 = root / "memory"
    if version_1.is_dir():
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        folders = _own_group(version_1, "memory")
    else:
        names = ("memory.max", "memory.current", "inactive_file")
        folders = _own_group(root, "")
    found = []
    for folder in folders:
        limit, used = _number(folder / names[0]), _number(folder / names[1])
        if limit is not None and used is not None:
            found.append((limit, max(0, used - _reclaimable(folder / "memory.stat", names[2]))))
    return found


def _own_group(root: Path, controller: str) -> list[Path]:
    """The folder of this process's group and those above it; in a container often the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return [root]
    paths = [path for _, names, path in (x.split(":", 2) for x in lines) if controller in names]
    group = root / paths[0].lstrip("/") if paths else root
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(root)]


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return None


def _reclaimable(path: Path, name: str) -> int:
    try:
        found = re.search(rf"^{name} (\d+)$", path.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def devices() -> tuple[str, ...]:
    """The devices a model can run on, the one taken by default first: accelerators before the
    CPU, then `auto`, which spreads a model over several (through accelerate)."""
    accelerators = tuple(_accelerators())
    spread = len(accelerators) > 1 and importlib.util.find_spec("accelerate") is not None
    return (*accelerators, CPU, *([SPREAD] if spread else []))


def require_device(device: str) -> None:
    """Refuse a device that is not here.

    Raises:
        ModelError: it is none of `devices`.
    """
    present = devices()
    if device not in present:
        raise ModelError(
            asked=f"A model was to run on “{device}”.",
            found=f"This machine has {', '.join(present)}.",
            action="Choose one of these.",
        )


def memory_of(device: str) -> Memory:
    """The memory of a device; of `auto` that of all accelerators and the machine's own."""
    accelerators = _accelerators()
    if device == SPREAD:
        parts = [main_memory(), *(memory for memory in accelerators.values() if memory)]
        return Memory(sum(m.total for m in parts), sum(m.available for m in parts))
    # Apple's accelerators use the machine's memory.
    return accelerators.get(device) or main_memory()


def _accelerators() -> dict[str, Memory | None]:
    """The accelerators torch would use, with their memory where it is their own."""
    if not _may_have_accelerators():
        return {}
    torch = sys.modules.get("torch")
    try:
        live = torch is not None and torch.cuda.is_available()
    except AttributeError:  # another thread is about to import it
        live = False
    if torch is not None and live:
        count = torch.cuda.device_count()
        pairs = {f"cuda:{i}": torch.cuda.mem_get_info(i)[::-1] for i in range(count)}
        return {name: Memory(*pair) for name, pair in pairs.items()}
    return _ask_torch(int(time.monotonic() / _PROBE_FRESH_S))


@cache
def _may_have_accelerators() -> bool:
    """Whether torch was built for accelerators and one seems to be here, judged by files alone."""
    if sys.platform == "darwin":
        return True
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    built_for = re.search(r"^(cuda|hip)\b[^=]*= *['\"]", version, re.MULTILINE)
    return built_for is not None and (
        sys.platform == "win32" or any(driver.exists() for driver in _DRIVERS)
    )


@lru_cache(maxsize=1)
def _ask_torch(_moment: int) -> dict[str, Memory | None]:
    """Ask torch in a process of its own: it takes seconds and memory that a page does without."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        _LOG.warning("The accelerators cannot be listed (%s); models run on the CPU.", error)
        return {}
    return {name: Memory(*pair) if pair else None for name, pair in found.items()}
