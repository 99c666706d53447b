"""Quantised weights: which libraries run those of each method, and whether they are here."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

from tokenscope_core.errors import ModelError

# What transformers asks for beside accelerate, by the method that a configuration names; packages
# as pip calls them.
_NEEDED = {
    "bitsandbytes": ("bitsandbytes",),
    "torchao": ("torchao",),
    "quanto": ("optimum-quanto",),
    "gptq": ("optimum", "gptqmodel"),
    "awq": ("gptqmodel",),
    "compressed-tensors": ("compressed-tensors",),
    "hqq": ("hqq",),
    "aqlm": ("aqlm",),
    "vptq": ("vptq",),
    "spqr": ("spqr_quant",),
    "auto-round": ("auto-round",),
    "eetq": ("kernels",),
    "higgs": ("flute-kernel", "fast_hadamard_transform"),
    "fbgemm_fp8": ("fbgemm-gpu",),
    "quark": ("amd-quark",),
}
_FOR_ALL = "accelerate"
# transformers runs these on accelerators alone.
_ACCELERATED = frozenset({"vptq", "spqr", "eetq", "higgs", "fbgemm_fp8"})
_OWN_EXTRA = frozenset({"bitsandbytes", "torchao", "quanto"})


def method_of_quantisation(config: Mapping[str, Any]) -> str | None:
    """The method by which a configuration says that weights are quantised; None without one."""
    quantisation = config.get("quantization_config")
    if not isinstance(quantisation, dict):
        return None
    return str(quantisation.get("quant_method") or "an unnamed method")


def require_method(name: str, method: str | None, *, accelerated: bool) -> None:
    """Refuse weights of a method that nothing here can run.

    Args:
        name: of the model.
        method: as `method_of_quantisation`; of None nothing is required.
        accelerated: whether the machine has an accelerator.

    Raises:
        ModelError: a library is missing, or the method runs on accelerators only.
    """
    if method is None:
        return
    asked = f"The model “{name}” was to be opened."
    found = f"Its weights are quantised by {method}"
    other = "choose a model whose weights are not quantised."
    if method in _ACCELERATED and not accelerated:
        raise ModelError(
            asked=asked,
            found=f"{found}, which runs on an accelerator only; this machine has none.",
            action=f"Run it on a machine with a GPU, or {other}",
        )
    missing = [package for package in (*_NEEDED.get(method, ()), _FOR_ALL) if not _is_here(package)]
    if missing:
        wanted = '"tokenscope-code[quantised]"' if method in _OWN_EXTRA else " ".join(missing)
        raise ModelError(
            asked=asked,
            found=f"{found}; what runs such is not installed: {', '.join(missing)}.",
            action=f"Run: pip install {wanted}. Or {other}",
        )


def _is_here(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
