"""What was asked and what was seen: immutable values, what their metrics mean, their file."""
