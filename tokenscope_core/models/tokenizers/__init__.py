"""Tokenizers: texts to token ids, and token ids to exact bytes."""
