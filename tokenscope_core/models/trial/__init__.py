"""How a model has to be read and what it can do, found by trying before it is trusted."""
