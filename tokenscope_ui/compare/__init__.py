"""The page that compares two branches: which two, in words, side by side, and over position."""
