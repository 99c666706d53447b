"""The training loop: bf16 autocast, Muon and AdamW, checkpoints, resume, a clock for a schedule."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from . import model as architecture
from .packing import NOT_A_TARGET, copying_row
from .schedule import learning_rate_factor
from .settings import Packing, Settings

STABLE = "stable.pt"
"""The state before the learning rate falls: the one to train on from, with more minutes."""

_LOG_EVERY = 10
_CHECKPOINT_SECONDS = 240.0


def optimizers(model: LlamaForCausalLM, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the embedding and the gains.

    The embedding is also the head. Muon: Jordan 2024, https://kellerjordan.github.io/posts/muon/.
    """
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inside = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if inside else others).append(parameter)
    size = settings.size
    return [
        torch.optim.Muon(matrices, lr=size.matrix_lr, weight_decay=size.weight_decay),
        torch.optim.AdamW(others, lr=size.other_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def batches(rows: NDArray[np.uint16], size: int, seed: int, start: int) -> Iterator[Tensor]:
    """Endless batches [size, context] of stored ids, in a new order each epoch, from any step."""
    per_epoch = len(rows) // size
    step = start
    while True:
        order = np.random.default_rng((seed, step // per_epoch)).permutation(len(rows))
        for place in range(step % per_epoch, per_epoch):
            chosen = np.sort(order[place * size : (place + 1) * size])
            yield torch.from_numpy(rows[chosen].astype(np.int64))
            step += 1


def with_copying(stored: Tensor, step: int, packing: Packing, vocab_size: int) -> Tensor:
    """The batch of an early step with its last rows replaced by copying exercises."""
    count = round(len(stored) * packing.copying_share)
    if step >= packing.copying_steps or not count:
        return stored
    generator = np.random.default_rng((packing.seed, step))
    exercises = [copying_row(generator, stored.shape[1], vocab_size) for _ in range(count)]
    return torch.cat([stored[:-count], torch.from_numpy(np.stack(exercises).astype(np.int64))])


def inputs_and_labels(stored: Tensor) -> tuple[Tensor, Tensor]:
    """Model inputs and labels (-100 where nothing is asked) from stored ids [B, T]."""
    inputs = stored & (NOT_A_TARGET - 1)
    return inputs, torch.where(stored >= NOT_A_TARGET, -100, inputs)


class Run:
    """One training run: model, optimizers and how far it is. `folder` holds all its state."""

    def __init__(self, settings: Settings, folder: Path, vocab_size: int) -> None:
        torch.manual_seed(settings.packing.seed)
        self.settings = settings
        self.folder = folder
        self.device = torch.device(settings.size.device)
        self.model = architecture.build(
            settings.size, vocab_size, settings.packing.context, end_id=0, pad_id=1
        ).to(self.device)
        self.optimizers = optimizers(self.model, settings)
        self.peaks = [group["lr"] for group in self._groups()]
        self.step = 0
        self.seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        """Where the run's whole state is kept."""
        return self.folder / "checkpoint.pt"

    def save(self, name: str = "checkpoint.pt") -> None:
        """Write the run's state; a crash while writing leaves the previous file."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "seconds": self.seconds,
            "settings": asdict(self.settings),
        }
        partial = self.folder / f"{name}.partial"
        torch.save(state, partial)
        partial.replace(self.folder / name)

    def resume(self) -> bool:
        """Continue from the checkpoint if there is one."""
        if not self.checkpoint.exists():
            return False
        state: dict[str, Any] = torch.load(
            self.checkpoint, map_location=self.device, weights_only=True
        )
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def set_learning_rates(self, factor: float) -> None:
        """Scale every parameter group's peak learning rate."""
        for group, peak in zip(self._groups(), self.peaks, strict=True):
            group["lr"] = peak * factor

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def update(self, stored: Tensor, forward: Any) -> float:
        """One optimizer step on a batch [rows, context]; returns the mean loss in nats a token."""
        micro = self.settings.size.micro_rows
        parts = torch.split(stored, micro)
        total = 0.0
        for part in parts:
            inputs, labels = inputs_and_labels(part.to(self.device))
            with torch.autocast(self.device.type, torch.bfloat16):
                loss = forward(input_ids=inputs, labels=labels, use_cache=False).loss / len(parts)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return total


def train(
    settings: Settings,
    rows_file: Path,
    folder: Path,
    vocab_size: int,
    minutes: float | None = None,
    compiled: bool = True,
) -> Run:
    """Train until `minutes` (default: the size's) of training time are used, all resumes together.

    A resumed run may be given another number of minutes: what it has left, falling end included,
    is planned anew.
    """
    budget = 60.0 * (minutes if minutes is not None else settings.size.minutes)
    rows = np.load(rows_file, mmap_mode="r")
    run = Run(settings, folder, vocab_size)
    if run.resume():
        print(f"resumed at step {run.step}, {run.seconds / 60:.1f} min", flush=True)
    forward = torch.compile(run.model, dynamic=False) if compiled else run.model
    size = settings.size
    started = time.monotonic() - run.seconds
    saved = time.monotonic()
    previous = 0.0
    losses: list[float] = []
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        for stored in batches(rows, size.batch_rows, settings.packing.seed, run.step):
            run.seconds = time.monotonic() - started
            if run.seconds >= budget:
                break
            factor = learning_rate_factor(
                run.step, run.seconds / budget, size.warmup_steps, size.decay_share
            )
            run.set_learning_rates(factor)
            if factor < 1.0 == previous:
                run.save(STABLE)
            previous = factor
            batch = with_copying(stored, run.step, settings.packing, vocab_size)
            losses.append(run.update(batch, forward))
            run.step += 1
            if run.step % _LOG_EVERY == 0:
                entry = {
                    "step": run.step,
                    "seconds": round(run.seconds, 1),
                    "tokens": run.step * stored.numel(),
                    "loss": round(sum(losses) / len(losses), 4),
                    "factor": round(factor, 4),
                    "load": os.getloadavg()[0],
                }
                log.write(json.dumps(entry) + "\n")
                log.flush()
                losses.clear()
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                run.save()
                saved = time.monotonic()
    run.save()
    return run
