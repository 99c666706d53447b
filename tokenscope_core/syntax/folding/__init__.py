"""Figures of tokens folded onto the parts of programs."""
