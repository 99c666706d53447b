"""The program as it is with one more metric, a stored column: `import one_more_metric` first.

The row is put into the registry as it is imported, before anything has read it; the attribute is
added to `Trace`, as somebody who adds a metric would.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

NAME = "sharpness"
_REGISTRY = "tokenscope_core.record.metric_registry"
_ROW = f'''
METRICS += (
    Metric(
        "{NAME}", "sharpness", "nats", "a formula", "What it says.", "a source",
        distribution="raw", known_for="all tokens", storage="column", range=(-math.inf, 0.0),
        tint=(-6, 0), root=3, strong="low", difference_tint=4, menu=99,
    ),
)
'''
_BEFORE = "# No columns of a trace"


class _Loader(SourceFileLoader):
    def get_data(self, path: str) -> bytes:
        data = super().get_data(path)
        if path.endswith(".py"):
            source = data.decode()
            assert source.count(_BEFORE) == 1
            return source.replace(_BEFORE, _ROW + _BEFORE).encode()
        raise OSError("no cached byte code: it is of the source as it is")

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:
        """Nothing is to be cached either."""


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _REGISTRY:
            return None
        spec = PathFinder.find_spec(fullname, path)
        assert spec is not None and spec.origin is not None
        spec.loader = _Loader(fullname, spec.origin)
        return spec


assert "tokenscope_core" not in sys.modules, "too late: the registry has been read"
sys.meta_path.insert(0, _Finder())

from tokenscope_core.record.trace import Trace  # noqa: E402

setattr(Trace, NAME, property(lambda trace: trace.metrics[NAME]))
