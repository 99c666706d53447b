"""What the syntax of a trace says about it: validity, structure, scopes."""
