"""The page of syntax: where in the program the model was unsure, and whether it is a program."""
