"""A Hugging Face hub on this machine: one repository, served as the real one does."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from huggingface_hub import hf_api
from waiting import WAIT_S

NAME = "org/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves a folder as `org/tiny`. `claimed` overrides the size that a file is said to have;
    `served` lists the files that were asked for; a cleared `go_on` holds back weights."""

    def __init__(self, folder: Path) -> None:
        self.claimed: dict[str, int] = {}
        self.served: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.files = {f.name: f.read_bytes() for f in folder.iterdir() if f.is_file()}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def go_online(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the hub's client ask this one, and keep what it gets in `cache`."""
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "ENDPOINT", self.endpoint)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            self.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr(hf_api.api, "endpoint", self.endpoint)

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _info(self) -> dict[str, Any]:
        siblings = [{"rfilename": name, "size": self._size(name)} for name in self.files]
        return {"id": NAME, "modelId": NAME, "sha": COMMIT, "siblings": siblings, "tags": []}

    def _tree(self) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "size": self._size(name), "oid": _etag(data)}
            for name, data in self.files.items()
        ]

    def _size(self, name: str) -> int:
        return self.claimed.get(name, len(self.files[name]))

    def _handler(hub) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, *, body: bool) -> None:
                path = self.path.partition("?")[0]
                if path.startswith(f"/api/models/{NAME}/tree/"):
                    self._send(json.dumps(hub._tree()).encode(), body)
                elif path.startswith(f"/api/models/{NAME}"):
                    self._send(json.dumps(hub._info()).encode(), body)
                elif path.startswith(f"/{NAME}/resolve/"):
                    self._file(path.rpartition("/")[2], body)
                else:
                    self._send(b'{"error": "Repository not found"}', body, 404)

            def _file(self, name: str, body: bool) -> None:
                data = hub.files.get(name)
                if data is None:
                    self._send(b"", body, 404)
                    return
                if body:
                    hub.served.append(name)
                self._send(data, body, etag=_etag(data), slow=name.endswith(".safetensors"))

            def _send(
                self,
                data: bytes,
                body: bool,
                status: int = 200,
                *,
                etag: str = "",
                slow: bool = False,
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("X-Repo-Commit", COMMIT)
                if status == 404:
                    self.send_header("X-Error-Code", "RepoNotFound")
                if etag:
                    self.send_header("ETag", f'"{etag}"')
                self.end_headers()
                if body and slow:
                    half = len(data) // 2
                    self.wfile.write(data[:half])
                    self.wfile.flush()
                    hub.go_on.wait(WAIT_S)
                    self.wfile.write(data[half:])
                elif body:
                    self.wfile.write(data)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Say nothing."""

        return Handler


def _etag(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
