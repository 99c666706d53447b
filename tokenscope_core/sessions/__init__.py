"""A session: a tree of branches with names and notes, and its formats."""
