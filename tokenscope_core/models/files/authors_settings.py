"""How a model's authors set its generation: what `generate()` of transformers does with its files.

`generation_config.json`, or where there is none `config.json`, as transformers reads them. A run
follows them where it is asked to, and otherwise only takes the end tokens from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from tokenscope_core.caching import lru_cache
from tokenscope_core.errors import RequestError
from tokenscope_core.models.files.json_files import read_object
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.record.request import Request, Sampling

_FILES = ("generation_config.json", "config.json")
# What a choice depends on, greedy or drawn; and what only one that is drawn does.
_ALWAYS = ("repetition_penalty", "no_repeat_ngram_size")
_OF_A_DRAW = ("temperature", "top_k", "top_p", "min_p", "typical_p")
# What `generate` takes where a configuration that samples says nothing.
_GENERATE_TOP_K = 50
# What changes which text is written, apart from the above, and the values that change nothing.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (1,), "num_beam_groups": (1,), "penalty_alpha": (0,), "guidance_scale": (1,),
    "min_length": (0,), "min_new_tokens": (0,), "max_length": (20,), "max_time": (),
    "begin_suppress_tokens": ([],), "bad_words_ids": ([],), "sequence_bias": ([], {}),
    "forced_bos_token_id": (), "forced_eos_token_id": (), "forced_decoder_ids": ([],),
    "exponential_decay_length_penalty": (), "epsilon_cutoff": (0,), "eta_cutoff": (0,),
    "top_h": (), "encoder_repetition_penalty": (1,), "encoder_no_repeat_ngram_size": (0,),
    "diversity_penalty": (0,), "watermarking_config": (), "dola_layers": (),
    "force_words_ids": ([],), "constraints": ([],), "token_healing": (False,),
    "renormalize_logits": (False, True),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuthorsSettings:
    """What a model's files ask of its generation.

    `sampling` is how `generate` then chooses, with seed 0; `stop` the strings it ends at, and
    `max_new_tokens` the length they ask for, None where they do not; `end_ids` are the tokens that
    end a text, which every run follows, and none where the tokenizer is to say it. `given` is what
    they say of these, by its name there; `idle` what has no effect, since they do not sample;
    `left_out` what changes the text and cannot be followed here.
    """

    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    max_new_tokens: int | None = None
    end_ids: tuple[int, ...] = ()
    given: tuple[tuple[str, Any], ...] = ()
    idle: tuple[tuple[str, Any], ...] = ()
    left_out: tuple[tuple[str, Any], ...] = ()

    def applied_to(self, request: Request) -> Request:
        """The request as the authors set it; its seed stays, and its length where they set none."""
        sampling = replace(self.sampling, seed=request.sampling.seed)
        length = request.max_new_tokens
        if self.max_new_tokens is not None and length:
            length = self.max_new_tokens
        return replace(request, sampling=sampling, stop=self.stop, max_new_tokens=length)

    def differences(self, request: Request) -> tuple[tuple[str, Any, Any], ...]:
        """In what a request is not as the authors set it: name, what it says, what they say. The
        seed and the length are left out, and of a request that writes nothing all."""
        if not request.max_new_tokens:
            return ()
        names = [f.name for f in fields(Sampling) if f.name != "seed"]
        found = [(n, getattr(request.sampling, n), getattr(self.sampling, n)) for n in names]
        if request.sampling.greedy and self.sampling.greedy:
            found = [one for one in found if one[0] not in _OF_A_DRAW]
        found.append(("stop", request.stop, self.stop))
        return tuple(one for one in found if one[1] != one[2])


@lru_cache(maxsize=64)
def authors_settings_of(files: ModelFiles) -> AuthorsSettings:
    """What a model's files ask, without loading it; nothing where they cannot be read, as loading
    then says."""
    for name in _FILES:
        try:
            return authors_settings(read_object(files.folder / name))
        except FileNotFoundError:
            continue
        except ValueError:
            break
    return AuthorsSettings()


def authors_settings(values: Mapping[str, Any]) -> AuthorsSettings:
    """What a generation configuration asks, by the names of transformers' `GenerationConfig`. A
    value that is none of its kind is left out."""
    samples = values.get("do_sample") is True
    chosen: dict[str, Any] = {}
    given: list[tuple[str, Any]] = [("do_sample", True)] if samples else []
    idle: list[tuple[str, Any]] = []
    left_out: list[tuple[str, Any]] = []
    for name in (*_ALWAYS, *_OF_A_DRAW):
        value = values.get(name)
        if value is None:
            continue
        if name in _OF_A_DRAW and not samples:
            idle += [(name, value)] * (value != getattr(_GENERATE, name))
        elif _can_be(name, value):
            chosen[name] = value
            given.append((name, value))
        else:
            left_out.append((name, value))
    if samples:
        chosen = {"temperature": 1.0, "top_k": _GENERATE_TOP_K, **chosen}
    stated = dict(_single_tokens(values))
    for name, (setting, value, rest) in stated.items():
        if value:
            chosen[setting] = tuple(chosen.get(setting, ())) + value
            given.append((name, values[name]))
        if rest:
            left_out.append((name, rest))
    stop = values.get("stop_strings")
    stop = (stop,) if isinstance(stop, str) else tuple(stop) if isinstance(stop, list) else ()
    stop = tuple(text for text in stop if isinstance(text, str) and text)
    length = values.get("max_new_tokens")
    length = length if type(length) is int and length > 0 else None
    given += [("stop_strings", stop)] * bool(stop)
    given += [("max_new_tokens", length)] * (length is not None)
    for name, neutral in _NEUTRAL.items():
        value = values.get(name)
        if name not in stated and value is not None and value not in neutral:
            left_out.append((name, value))
    return AuthorsSettings(
        Sampling(**chosen),
        stop,
        length,
        _ids(values.get("eos_token_id")),
        tuple(given),
        tuple(idle),
        tuple(left_out),
    )


# With what `generate` fills in, none of which has an effect where it does not sample.
_GENERATE = Sampling(temperature=1.0, top_k=_GENERATE_TOP_K)


def _can_be(name: str, value: Any) -> bool:
    try:
        Sampling(**{name: value})
    except RequestError:
        return False
    return name != "temperature" or value > 0


def _single_tokens(
    values: Mapping[str, Any],
) -> Iterator[tuple[str, tuple[str, tuple[Any, ...], list[Any]]]]:
    """Of what names tokens or rows of tokens, the setting here, the single tokens, and the rest:
    rows of several tokens are no setting here."""
    suppressed = values.get("suppress_tokens")
    if isinstance(suppressed, list) and suppressed:
        yield "suppress_tokens", ("suppress_tokens", *_split([[i] for i in suppressed]))
    words = values.get("bad_words_ids")
    if isinstance(words, list) and words:
        yield "bad_words_ids", ("suppress_tokens", *_split(words))
    bias = values.get("sequence_bias")
    if isinstance(bias, list) and bias:
        pairs = [one for one in bias if isinstance(one, list) and len(one) == 2]
        single = [(row, number) for row, number in pairs if _is_single(row) and _is_number(number)]
        rest = [one for one in bias if not any(one == list(pair) for pair in single)]
        biases = tuple((row[0], float(number)) for row, number in single)
        yield "sequence_bias", ("logit_bias", biases, rest)


def _split(rows: list[Any]) -> tuple[tuple[int, ...], list[Any]]:
    """The single tokens among rows of them, and the other rows."""
    return (
        tuple(row[0] for row in rows if _is_single(row)),
        [row for row in rows if not _is_single(row)],
    )


def _ids(value: Any) -> tuple[int, ...]:
    return tuple(i for i in (value if isinstance(value, list) else [value]) if type(i) is int)


def _is_single(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 1 and type(row[0]) is int and row[0] >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < float("inf")
