"""Code that is not at its end: how it can go on, and how it would be completed."""
