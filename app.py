"""TokenScope: see, token by token, why a decoder model wrote this code."""

from tokenscope_ui.shell.router import run_app

run_app()
