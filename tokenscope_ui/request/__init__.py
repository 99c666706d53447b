"""Everything before Run: the prompt, the controls, the model."""
