"""One trace on the screen."""
