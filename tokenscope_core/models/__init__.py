"""Finding, judging, loading and feeding a model."""
