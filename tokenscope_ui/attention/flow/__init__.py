"""How much the parts of the program attend to each other."""
