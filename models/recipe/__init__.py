"""How the shipped code model was made: corpus, tokenizer, training, evaluation, export.

`python -m models.recipe --help` lists the steps; `models/README.md` explains them.
"""
