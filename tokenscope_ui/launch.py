"""`tokenscope app`: the dashboard, opened from any folder.

Nothing here imports Streamlit before the app is to run: the command also serves who installed the
library without it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import Any

from tokenscope_core.errors import RequestError
from tokenscope_core.models.files.sources import DEFAULT_VARIABLE, require_allowed
from tokenscope_core.root import ROOT
from tokenscope_core.shell.arguments import add_verb
from tokenscope_core.shell.model import located

INSTALL = 'pip install "tokenscope-code[app]"'
_NEEDED = ("streamlit", "altair")


def app_file() -> Path:
    """The script that Streamlit runs, with `pages` and `.streamlit/config.toml` beside it."""
    return ROOT / "app.py"


def add_app_verb(verbs: Any) -> None:
    """Add `app` to a parser's verbs."""
    parser = add_verb(
        verbs, "app", _run_app, "open the dashboard in a browser",
        "                          # first free port from 8501 on",
        "--port 8600 --no-browser  # a server that nobody sits at",
        "--host 127.0.0.1          # for this machine alone",
        "--model smollm2           # opens on it, fetched if need be",
        "-- --server.maxUploadSize 50",
    )  # fmt: skip
    parser.add_argument("--port", type=int, help="default: the first that is free from 8501 on")
    parser.add_argument("--host", help="the address to listen on; default: all of this machine's")
    parser.add_argument(
        "--no-browser", "--headless", action="store_true", help="only serve; open no browser"
    )
    parser.add_argument(
        "--model", help="the model to open on: an offer's name, a folder, a GGUF file or a hub id"
    )
    parser.add_argument(
        "streamlit", nargs="*", metavar="-- OPTION", help="options of `streamlit run`, after --"
    )


def _run_app(options: argparse.Namespace) -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(
            asked="The dashboard was to be opened.",
            found=f"Not installed, but needed: {', '.join(missing)}.",
            action=f"Run: {INSTALL}",
        )
    flags = list(options.streamlit)
    if options.port is not None:
        _require_free(options.host, options.port)
        flags += ["--server.port", str(options.port)]
    if options.host is not None:
        flags += ["--server.address", options.host]
    if options.no_browser:
        flags += ["--server.headless", "true"]
    if options.model is not None:
        require_allowed(options.model)
        print(f"{located(options.model).name} is here.")
        os.environ[DEFAULT_VARIABLE] = options.model
    # OpenMP reads it when torch is loaded. Threads that wait must sleep, or the pages starve while
    # a model runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import click
    from streamlit.web import cli

    try:
        cli.main(["run", str(app_file()), *flags], standalone_mode=False)
    except click.ClickException as refused:
        # An option after -- that Streamlit does not know.
        refused.show()
        sys.exit(refused.exit_code)


def _require_free(host: str | None, port: int) -> None:
    """Refuse a port that Streamlit, told to use no other, would give up on."""
    family = socket.AF_INET6 if host and ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            if os.name == "posix":  # elsewhere it would let two servers listen on one port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host or "0.0.0.0", port))
    except socket.gaierror:
        raise RequestError(
            asked=f"The dashboard was to listen on {host}.",
            found="No address of that name is known here.",
            action="Give --host an address of this machine, such as 127.0.0.1.",
        ) from None
    except OverflowError:
        raise RequestError(
            asked=f"The dashboard was to listen on port {port}.",
            found="Ports are numbered from 0 to 65,535.",
            action="Choose another --port, or leave it out to have a free one found.",
        ) from None
    except OSError:
        raise RequestError(
            asked=f"The dashboard was to listen on port {port} of {host or 'this machine'}.",
            found="The port is taken, or may not be used.",
            action="Choose another --port, or leave it out to have a free one found.",
        ) from None
