"""The model card: `card.md` filled with the records of training and evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

from . import bits, export, probes

TEMPLATE = Path(__file__).with_name("card.md")


def write(folder: Path, hardware: str) -> None:
    """Write `README.md` in a model folder that has been exported and evaluated.

    `hardware` says in words what trained it, as in "two CPU cores".
    """
    training = json.loads((folder / export.TRAINING_FILE).read_text(encoding="utf-8"))
    figures = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    weights = (folder / "model.safetensors").stat().st_size
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    values = {
        **_figures(figures),
        **_training(training),
        "megabytes": f"{weights / 1e6:.0f}",
        "hardware": hardware,
        "stride": bits.STRIDE,
        "induction_names": probes.NAMES,
    }
    (folder / "README.md").write_text(template.substitute(values), encoding="utf-8")


def _below(value: float, reference: float) -> str:
    change = value / reference - 1
    return f"{abs(change):.0%} {'below' if change < 0 else 'above'}"


def _figures(figures: dict[str, Any]) -> dict[str, str]:
    heldout, written = figures["heldout"], figures["continuations"]
    model, people = written["model"], written["true_text"]
    names, fim = figures["induction_nats_per_token"], figures["fill_in_the_middle_nats_per_token"]
    bpb = heldout["bits_per_byte"]
    together, each = heldout["xz_bits_per_byte_together"], heldout["xz_bits_per_byte_each"]
    humaneval = figures.get("humaneval")
    return {
        "parameters": f"{figures['parameters']:,}",
        "heldout_files": f"{heldout['files']:,}",
        "heldout_bytes": f"{heldout['bytes']:,}",
        "bpb": f"{bpb:.3f}",
        "xz_together": f"{together:.3f}",
        "xz_each": f"{each:.3f}",
        "versus_together": _below(bpb, together),
        "versus_each": _below(bpb, each),
        "functions": written["functions"],
        "continuation_tokens": written["tokens"],
        **{name: f"{model[name]:.1%}" for name in model},
        **{f"true_{name}": f"{people[name]:.1%}" for name in people},
        "induction_first": f"{names['first']:.2f}",
        "induction_second": f"{names['second']:.2f}",
        "induction_first_rest": f"{names['first_after_first_token']:.2f}",
        "induction_second_rest": f"{names['second_after_first_token']:.2f}",
        "fim_left": f"{fim['left_only']:.2f}",
        "fim_both": f"{fim['both_sides']:.2f}",
        "fim_better": f"{fim['better_share']:.0%}",
        "fim_lines": fim["lines"],
        "humaneval": f"{humaneval['bits_per_byte']:.3f}" if humaneval else "not measured:",
        "by_source": ", ".join(
            f"{name} {part['bits_per_byte']:.2f}"
            for name, part in heldout["by_source"].items()
            if part["bytes"] >= 50_000
        )
        + " (sources with 50 kB or more held out)",
    }


def _training(training: dict[str, Any]) -> dict[str, str]:
    chosen, corpus = training["settings"], training["corpus"]
    size, packing = chosen["size"], chosen["packing"]
    return {
        **{name: f"{value:g}" for name, value in size.items() if isinstance(value, int | float)},
        "head_dim": f"{size['hidden_size'] // size['heads']}",
        "decay_share": f"{size['decay_share']:.0%}",
        "copying_steps": f"{packing['copying_steps']:,}",
        "copying_share": f"{packing['copying_share']:.0%}",
        "context": f"{packing['context']:,}",
        "vocab_size": f"{chosen['tokenizer']['vocab_size']:,}",
        "near_duplicate": f"{chosen['corpus']['near_duplicate']:g}",
        "split_together": f"{chosen['corpus']['split_together']:g}",
        "tokens": f"{training['tokens']:,}",
        "steps": f"{training['steps']:,}",
        "batch_tokens": f"{size['batch_rows'] * packing['context']:,}",
        "minutes": f"{training['minutes']:.0f}",
        "epoch": f"{training['tokens'] / training['corpus_tokens']:.0%} of its tokens were seen",
        "train_files": f"{corpus['train']['files']:,}",
        "train_bytes": f"{corpus['train']['bytes']:,}",
        "sources": "\n".join(
            f"| {part['name']} | {part['version']} | {part['licence']} | {part['bytes_used']:,} |"
            for part in corpus["sources"]
        ),
    }
