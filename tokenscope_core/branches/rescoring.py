"""Reading the rest of a text again after one token was exchanged."""

from __future__ import annotations

import numpy as np
import torch

from tokenscope_core.branches.growing import require_same_model
from tokenscope_core.decoding.prefill import chunk_length, read_up_to
from tokenscope_core.decoding.windowed import require_one_piece
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.record.arrays import Floats
from tokenscope_core.record.metrics import no_numbers
from tokenscope_core.record.trace import Trace


class Rescorer:
    """Says how likely the rest of a trace is after another token.

    The text is read once; each question reads only what follows the exchange, with the keys and
    values before it shared, where the model's cache allows.

    Raises:
        RequestError: the model is not the one the trace came from, or the trace was read in
            windows.
    """

    def __init__(self, lm: LanguageModel, trace: Trace) -> None:
        require_same_model(lm, trace)
        require_one_piece(trace, "The influence of a token was to be measured on all that follows")
        self._lm = lm
        self._ids = torch.tensor([trace.token_ids.tolist()], device=lm.device)
        self._chunk = chunk_length(lm.identity.vocabulary_size)
        self._whole = self._read_whole(trace)

    def logprobs_after(self, position: int, token_id: int) -> Floats:
        """ln p of each token after a position, float64 [T - position - 1] nats, had `token_id`
        been there.

        Raises:
            ModelError: the logits are not numbers.
        """
        reader = self._reader_of(position)
        rest = self._ids[0, position + 1 :]
        exchanged = torch.cat((rest.new_tensor([token_id]), rest[:-1])).unsqueeze(0)
        out = []
        for start in range(0, len(rest), self._chunk):
            logits = reader.read(exchanged[:, start : start + self._chunk])
            with torch.inference_mode():
                taken = rest[start : start + self._chunk].unsqueeze(1)
                logits = logits.float()
                chosen = logits.gather(1, taken)[:, 0] - logits.logsumexp(dim=1)
            if bool(chosen.isnan().any()):
                raise no_numbers()
            out.append(chosen.cpu().numpy())
        return np.concatenate(out).astype(np.float64)

    def _read_whole(self, trace: Trace) -> CacheReader | None:
        """A reader of all that the questions share; None where the model's cache cannot branch."""
        if self._lm.capabilities.cache != "branches":
            return None
        ids = trace.token_ids[:-1].tolist()
        reader = self._lm.prefixes.branch(ids) or self._lm.new_reader()
        read_up_to(self._lm, reader, self._ids, len(ids))
        return reader

    def _reader_of(self, length: int) -> CacheReader:
        if self._whole is not None and length:
            return self._whole.branch(length)
        reader = self._lm.new_reader()
        read_up_to(self._lm, reader, self._ids, length)
        return reader
