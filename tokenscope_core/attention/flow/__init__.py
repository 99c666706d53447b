"""How much the parts of a program attend to each other."""
