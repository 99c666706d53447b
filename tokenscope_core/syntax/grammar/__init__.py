"""Reading code: grammars, the words for their nodes, trees cut into pieces."""
