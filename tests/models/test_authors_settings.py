"""What a model's own settings ask: read, followed as `generate` follows them, or said to be not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from transformers import GenerationConfig

import tokenscope_core as ts
from tokenscope_core.models.files.authors_settings import authors_settings, authors_settings_of
from tokenscope_core.models.files.model_files import ModelFiles

PROMPT = "def add(a, b):\n    return a + b\n"
NEW = 20


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"repetition_penalty": 1.4},
        {"no_repeat_ngram_size": 3, "temperature": 0.3, "top_k": 7},
        {"suppress_tokens": [5, 9, 40]},
        {"bad_words_ids": [[12], [13]], "suppress_tokens": [14]},
        {"sequence_bias": [[[20], 4.0], [[21], -3.0]], "repetition_penalty": 1.2},
        {"stop_strings": None, "max_new_tokens": NEW, "num_beams": 1},
    ],
    ids=json.dumps,
)
def test_as_the_authors_set_it_is_what_generate_writes(config: dict[str, Any]) -> None:
    lm = tiny_models.language_model()
    ids = torch.tensor([lm.encode(PROMPT)])
    free = ts.generate(lm, ts.Request(PROMPT, NEW))
    # Tokens that it would write are ruled out, so that a setting that is overlooked is seen.
    config = json.loads(json.dumps(config).replace("5, 9", f"{free.token_ids[ids.shape[1]]}, 9"))
    stated = GenerationConfig(**config, eos_token_id=0, pad_token_id=0)
    asked = authors_settings(stated.to_dict()).applied_to(ts.Request(PROMPT, NEW))
    expected = lm.model.generate(
        ids, generation_config=replace_length(stated), attention_mask=torch.ones_like(ids)
    )[0]
    np.testing.assert_array_equal(ts.generate(lm, asked).token_ids, expected.numpy())


def replace_length(config: GenerationConfig) -> GenerationConfig:
    config.max_new_tokens = NEW
    return config


def test_a_configuration_that_samples_cuts_to_fifty_as_generate_does() -> None:
    found = authors_settings({"do_sample": True, "temperature": 0.6, "top_p": 0.9})
    assert found.sampling == ts.Sampling(0.6, top_k=50, top_p=0.9)
    lm = tiny_models.language_model()
    ids = torch.tensor([lm.encode(PROMPT)])
    out = lm.model.generate(
        ids, do_sample=True, temperature=0.6, top_p=0.9, max_new_tokens=1, pad_token_id=0,
        return_dict_in_generate=True, output_scores=True, attention_mask=torch.ones_like(ids),
    )  # fmt: skip
    possible = int(torch.isfinite(out.scores[0]).sum())
    trace = ts.generate(lm, ts.Request(PROMPT, 1, found.sampling, candidates=200))
    assert int((trace.candidate_kept[-1] == 1).sum()) == possible <= 50


def test_what_has_no_effect_and_what_cannot_be_followed_is_told_apart() -> None:
    found = authors_settings(
        {
            "do_sample": False, "temperature": 0.6, "top_k": 50, "num_beams": 4,
            "min_new_tokens": 3, "bad_words_ids": [[3], [4, 5]], "use_cache": True,
            "repetition_penalty": "hot", "max_length": 20, "guidance_scale": 1,
        }
    )  # fmt: skip
    assert found.sampling == ts.Sampling(suppress_tokens=(3,))
    assert found.idle == (("temperature", 0.6),)
    assert dict(found.left_out) == {
        "repetition_penalty": "hot", "bad_words_ids": [[4, 5]], "num_beams": 4,
        "min_new_tokens": 3,
    }  # fmt: skip


def test_every_difference_is_named_once() -> None:
    found = authors_settings({"repetition_penalty": 1.1, "stop_strings": ["END"]})
    asked = ts.Request("x", 5, ts.Sampling(0.8, top_p=0.9, seed=3))
    assert found.differences(asked) == (
        ("temperature", 0.8, 0.0),
        ("top_p", 0.9, 1.0),
        ("repetition_penalty", 1.0, 1.1),
        ("stop", (), ("END",)),
    )
    assert found.differences(found.applied_to(asked)) == ()
    assert found.applied_to(asked).sampling.seed == 3
    assert found.differences(ts.Request("x", 0)) == ()


@pytest.mark.parametrize("name", ["generation_config.json", "config.json"])
def test_files_say_it_without_a_model_being_loaded(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"do_sample": true, "temperature": 0.7}')
    found = authors_settings_of(ModelFiles("named", tmp_path, "hash"))
    assert found.sampling == ts.Sampling(0.7, top_k=50)


@pytest.mark.parametrize("text", ["[1]", "{", '{"do_sample": 3, "suppress_tokens": "x"}', "{}"])
def test_a_damaged_file_asks_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "generation_config.json").write_text(text)
    assert authors_settings_of(ModelFiles("n", tmp_path, text)).sampling == ts.Sampling()


def test_a_loaded_model_says_what_its_files_say(tiny_folder: str) -> None:
    lm = ts.load_model(tiny_folder)
    assert lm.authors_settings.sampling == authors_settings_of(lm.files).sampling
