"""The recipe at a shell: `python -m models.recipe STEP`."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from . import card, corpus, evaluation, export, packing, settings, tokenizer, train


def _corpus(arguments: argparse.Namespace) -> None:
    report = corpus.build(settings.load().corpus, settings.BUILD / "corpus")
    print(json.dumps({key: report[key] for key in ("train", "heldout", "dropped_files")}))


def _training_texts() -> list[str]:
    documents = corpus.read(settings.BUILD / "corpus" / "train.jsonl")
    texts = [document.text for document in documents]
    random.Random(settings.load().packing.seed).shuffle(texts)
    return texts


def _tokenizer(arguments: argparse.Namespace) -> None:
    chosen = settings.load()
    texts = _training_texts()
    sizes = np.cumsum([len(text) for text in texts])
    enough = int(np.searchsorted(sizes, chosen.tokenizer.train_bytes)) + 1
    trained = tokenizer.train(iter(texts[:enough]), chosen.tokenizer.vocab_size)
    tokenizer.save(trained, settings.BUILD / "tokenizer", chosen.packing.context)


def _rows(arguments: argparse.Namespace) -> None:
    chosen = settings.load().packing
    saved = tokenizer.load(settings.BUILD / "tokenizer")
    segmenter = packing.Segmenter(saved, chosen.context, chosen.fim_rate, chosen.seed)
    end_id, pad_id = (tokenizer.special_id(saved, name) for name in (tokenizer.END, tokenizer.PAD))
    segments = segmenter.segments(_training_texts())
    rows = np.stack(list(packing.pack(segments, chosen.context, end_id, pad_id)))
    np.save(settings.BUILD / "rows.npy", rows)
    print(f"{len(rows)} rows, {rows.size} tokens")


def _run_folder(arguments: argparse.Namespace) -> Path:
    folder: Path = arguments.run or settings.BUILD / "runs" / arguments.size
    return folder


def _export(arguments: argparse.Namespace) -> None:
    checkpoint = _run_folder(arguments) / "checkpoint.pt"
    export.export(export.load_checkpoint(checkpoint), settings.BUILD, arguments.to)


def _card(arguments: argparse.Namespace) -> None:
    card.write(arguments.model, arguments.hardware)


def _evaluate(arguments: argparse.Namespace) -> None:
    figures = evaluation.evaluate(
        arguments.model,
        settings.BUILD / "corpus" / "heldout.jsonl",
        humaneval=arguments.humaneval,
        files=arguments.files,
        count=arguments.functions,
    )
    text = json.dumps(figures, indent=2) + "\n"
    print(text, end="")
    if arguments.write:
        (arguments.model / "evaluation.json").write_text(text, encoding="utf-8")


def _train(arguments: argparse.Namespace) -> None:
    chosen = settings.load(arguments.size)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    train.train(
        chosen,
        settings.BUILD / "rows.npy",
        _run_folder(arguments),
        chosen.tokenizer.vocab_size,
        minutes=arguments.minutes,
        compiled=not arguments.eager,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.recipe", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="STEP")
    for name, action, text in (
        ("corpus", _corpus, "collect, filter, deduplicate and split the corpus"),
        ("tokenizer", _tokenizer, "learn the vocabulary"),
        ("rows", _rows, "cut the corpus into training rows"),
    ):
        steps.add_parser(name, help=text).set_defaults(action=action)
    training = steps.add_parser("train", help="train or resume a model")
    training.set_defaults(action=_train)
    training.add_argument(
        "--minutes", type=float, help="training time of the whole run, resumes too"
    )
    training.add_argument("--threads", type=int, help="CPU threads")
    training.add_argument("--eager", action="store_true", help="do not compile the model")
    exporting = steps.add_parser("export", help="write a checkpoint as a Hugging Face folder")
    exporting.set_defaults(action=_export)
    exporting.add_argument("--to", type=Path, default=settings.SHIPPED, help="target folder")
    evaluating = steps.add_parser("evaluate", help="the model card's figures")
    evaluating.set_defaults(action=_evaluate)
    evaluating.add_argument("--humaneval", type=Path, help="HumanEval.jsonl.gz, scored as well")
    evaluating.add_argument("--files", type=int, help="read only so many held-out files")
    evaluating.add_argument("--functions", type=int, default=evaluation.FUNCTIONS)
    evaluating.add_argument("--write", action="store_true", help="keep evaluation.json")
    carding = steps.add_parser("card", help="write the model card from the recorded figures")
    carding.set_defaults(action=_card)
    carding.add_argument("--hardware", default="two CPU cores", help="what trained it, in words")
    for step in (evaluating, carding):
        step.add_argument("--model", type=Path, default=settings.SHIPPED, help="model folder")
    for step in (training, exporting):
        step.add_argument("--size", default="small", help="a name under [sizes] in settings.toml")
        step.add_argument("--run", type=Path, help="folder of the run's checkpoint and log")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one step of the recipe."""
    parsed = _parser().parse_args(arguments)
    parsed.action(parsed)


if __name__ == "__main__":
    main()
