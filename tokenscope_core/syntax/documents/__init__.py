"""Which stretches of a text are code, and in which language."""
