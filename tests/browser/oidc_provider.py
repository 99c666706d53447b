"""An OpenID Connect provider that signs in whoever comes, as the person it is told to."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "tokenscope"


class Provider:
    """Runs until `close`. `person` is the subject and the name of the address of who signs in
    next."""

    def __init__(self) -> None:
        self.person = "ada"
        self._key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
        self._codes: dict[str, tuple[str, str | None]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def secrets(self, app_url: str) -> str:
        """What the app's secrets have to say."""
        return f"""
[auth]
redirect_uri = "{app_url}/oauth2callback"
cookie_secret = "a secret of the tests, long enough"
client_id = "{CLIENT}"
client_secret = "unused"
server_metadata_url = "{self.url}/.well-known/openid-configuration"
"""

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _discovery(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _code(self, nonce: str | None) -> str:
        code = f"code-{len(self._codes)}"
        self._codes[code] = (self.person, nonce)
        return code

    def _tokens(self, code: str) -> dict[str, object]:
        person, nonce = self._codes.pop(code)
        now = int(time.time())
        claims = {
            "iss": self.url, "sub": person, "aud": CLIENT, "iat": now, "exp": now + 600,
            "email": f"{person}@example.org", "email_verified": True, "nonce": nonce,
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self._key)
        return {"access_token": "unused", "token_type": "Bearer", "id_token": token}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urllib.parse.urlsplit(self.path)
                asked = dict(urllib.parse.parse_qsl(address.query))
                if address.path == "/authorize":
                    answer = {"code": provider._code(asked.get("nonce")), "state": asked["state"]}
                    self.send_response(302)
                    location = f"{asked['redirect_uri']}?{urllib.parse.urlencode(answer)}"
                    self.send_header("Location", location)
                    self.end_headers()
                elif address.path == "/keys":
                    self._json({"keys": [provider._key.as_dict(private=False)]})
                else:
                    self._json(provider._discovery())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._json(provider._tokens(dict(urllib.parse.parse_qsl(body))["code"]))

            def _json(self, answer: dict[str, object]) -> None:
                data = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
