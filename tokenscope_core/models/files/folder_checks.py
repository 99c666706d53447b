"""Whether a folder holds a causal language model that can be opened, by configuration, headers and
sizes alone; where it does not, what was found in it, and the way out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenscope_core.errors import ModelFormatError
from tokenscope_core.failures import reason_of
from tokenscope_core.models.files import hub
from tokenscope_core.models.files.formats.adapters import ADAPTER_CONFIG
from tokenscope_core.models.files.identity import FileChanged
from tokenscope_core.models.files.json_files import read_object
from tokenscope_core.models.files.promised_size import implausible
from tokenscope_core.models.files.weight_files import Weights, read_header, weight_paths

_WRITERS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_COMPLETE = "Take a complete copy of the model."
_CHANGED = "Wait until they are complete, and run it again."
# Weights of other formats, by what their files are called: what that is, in a sentence.
_OTHER_WEIGHTS = {
    "pytorch_model*.bin": "pickled PyTorch weights",
    "*.pth": "pickled PyTorch weights in the layout of their first makers",
    "*.pt": "pickled PyTorch weights",
    "*.ckpt": "a pickled training checkpoint",
    "tf_model.h5": "TensorFlow weights",
    "flax_model.msgpack": "Flax weights",
    "*.onnx": "an ONNX graph",
    "*.npz": "arrays of numpy or MLX",
}
_PICKLED = ("*.bin", "*.pth", "*.pt", "*.ckpt")

Refuse = Callable[..., ModelFormatError]


def is_complete(folder: Path) -> bool:
    """Whether a folder holds a causal language model that can be opened, judged by configuration,
    headers and sizes alone."""
    try:
        precision_of(folder.name, folder)
    except ModelFormatError:
        return False
    return True


def seems_to_write(folder: Path) -> bool:
    """Whether a configuration calls its model one that writes text, or calls it nothing.

    For choosing what to list, never for refusing: what counts is what loads."""
    try:
        named = read_config(folder.name, folder).get("architectures")
    except ModelFormatError:
        return False
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    return not names or any(name.endswith(_WRITERS) for name in names)


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Turn what reading a model's files raises into a refusal of that model."""
    try:
        yield
    except FileChanged as error:
        raise changed_meanwhile(name, error.path.name) from error
    except OSError as error:
        raise ModelFormatError(
            asked=f"The model “{name}” was to be opened.",
            found=f"Its files cannot be read ({type(error).__name__}).",
            action="Check that they are there and may be read, or choose another model.",
        ) from error


def changed_meanwhile(name: str, file: str) -> ModelFormatError:
    """The refusal of a model one of whose files was changed while it was opened."""
    return ModelFormatError(
        asked=f"The model “{name}” was to be opened.",
        found=f"Its file {file} was changed while it was read.",
        action=_CHANGED,
    )


def precision_of(name: str, folder: Path) -> str:
    """The dtype a model runs in by default, after checking that all it needs is there.

    Raises:
        ModelFormatError: it is not.
    """

    def refuse(found: str, action: str = _COMPLETE) -> ModelFormatError:
        return ModelFormatError(
            asked=f"The model “{name}” was to be opened.", found=found, action=action
        )

    with named_errors(name):
        return _precision(name, folder, refuse)


def _precision(name: str, folder: Path, refuse: Refuse) -> str:
    config = read_config(name, folder)
    if config.get("is_encoder_decoder") is True:
        raise refuse(
            "It is an encoder with a decoder: what it writes depends on another text, which only "
            "its encoder reads.",
            "Choose a decoder model for text generation.",
        )
    if (folder / ADAPTER_CONFIG).exists():
        # With peft installed transformers would load it, and without it leave it out: the same
        # folder would be two models.
        raise refuse(
            f"Beside the model lies an adapter ({ADAPTER_CONFIG}), which changes what the model "
            "says.",
            "Move the adapter's files into a folder of their own, which is then a second model, or "
            "merge them into the weights.",
        )
    if not _has_tokenizer(folder):
        raise refuse(
            "It has no tokenizer.json, vocab.json with merges.txt, or SentencePiece model."
        )
    weights = _stored_weights(folder, refuse)
    found = implausible(config, weights)
    if found is not None:
        raise refuse(found)
    stored = next(filter(None, (part.precision for part in weights)), None)
    return named_precision(config) or stored or "float32"


def named_precision(config: Mapping[str, Any]) -> str | None:
    """The dtype that a configuration names; None where it names none."""
    named = (config.get("dtype"), config.get("torch_dtype"))
    return next((word for word in named if isinstance(word, str) and word), None)


def _has_tokenizer(folder: Path) -> bool:
    alternatives = (("tokenizer.json",), ("vocab.json", "merges.txt"))
    return any(all((folder / n).is_file() for n in names) for names in alternatives) or bool(
        list(folder.glob("*.model"))
    )


def read_config(name: str, folder: Path) -> dict[str, Any]:
    """A model's configuration.

    Raises:
        ModelFormatError: there is none, or it cannot be read.
    """
    try:
        return read_object(folder / "config.json", limit=hub.CONFIG_LIMIT)
    except FileNotFoundError:
        found = "It has no config.json" + _but_what(folder) + "."
    except ValueError as error:
        found = f"Its config.json {reason_of(error)}."
    raise ModelFormatError(
        asked=f"The model “{name}” was to be opened.", found=found, action=_COMPLETE
    )


def _but_what(folder: Path) -> str:
    """What weights lie in a folder all the same, as the end of a sentence."""
    found = [f"{kind} ({path.name})" for path, kind in _others(folder)]
    return f"; its weights are {found[0]}" if found else ""


def _others(folder: Path) -> list[tuple[Path, str]]:
    """Weights of other formats in a folder, and what they are."""
    return [
        (path, kind) for glob, kind in _OTHER_WEIGHTS.items() for path in sorted(folder.glob(glob))
    ]


def _stored_weights(folder: Path, refuse: Refuse) -> list[Weights]:
    """What each file of the weights holds, after checking that all are there and whole."""
    try:
        paths = weight_paths(folder)
        absent = [path.name for path in paths if not path.is_file()]
        if absent:
            raise _refused_weights(folder, absent, refuse)
        return [read_header(path) for path in paths]
    except ValueError as error:
        raise refuse(f"{reason_of(error)}.") from error


def _refused_weights(folder: Path, absent: list[str], refuse: Refuse) -> ModelFormatError:
    others = _others(folder)
    lacking = f"It lacks {', '.join(absent)}"
    if not others:
        unnamed = sorted(path.name for path in folder.glob("*.safetensors"))
        beside = f", but has {', '.join(unnamed[:3])}" if unnamed else ""
        return refuse(
            f"{lacking}{beside}; only weights in the safetensors format are opened, under the "
            "names that transformers gives them.",
            "Take a complete copy of the model, or convert its weights to safetensors.",
        )
    path, kind = others[0]
    if any(path.match(glob) for glob in _PICKLED):
        kind += ", which can run code when they are read and are never opened here"
    return refuse(f"{lacking}; its weights are {kind} ({path.name}).", _way_out(path))


def _way_out(weights: Path) -> str:
    """What a person can do about weights of another format."""
    if not weights.match("pytorch_model*.bin"):
        return (
            "Take a copy in the safetensors format, or convert it with the library that wrote it."
        )
    # `weights_only` is what transformers passes to torch: tensors are read and nothing is run.
    program = (
        "from transformers import AutoModelForCausalLM as M; "
        "M.from_pretrained('.', use_safetensors=False).save_pretrained('.')"
    )
    return (
        "Convert them once, in the model's folder and with transformers, which reads tensors from "
        f"them and nothing else: python -c {shlex.quote(program)}"
    )
