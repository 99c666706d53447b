"""From what a person typed to the token ids that a model reads."""
