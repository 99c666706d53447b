"""How often hindsight is right: on bugs put into working code, and on bugs that people wrote."""
