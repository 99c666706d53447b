"""The command line: its verbs, and what a terminal is shown."""
