"""Charts, scales, and numbers as people read them."""
