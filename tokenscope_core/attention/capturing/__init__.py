"""Attention weights as they come out of the layers, and what is kept of them."""
