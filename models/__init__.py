"""The shipped model and the recipe that made it."""
