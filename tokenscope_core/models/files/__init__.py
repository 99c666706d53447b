"""A model's files, and what is known of it before it is loaded. Nothing here imports torch."""
