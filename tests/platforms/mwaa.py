"""An Amazon MWAA on loopback, which remembers: its part of AWS, and the door of its web server before an Airflow."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mwaa:
    """One environment. It asks for what AWS asks: a signed call, each web token once, a session's token at each call.

    Attributes:
        asked: each call, as method and path.
        sessions: the tokens that open the REST API; empty it, and all sessions have ended.
        refuse: what AWS answers instead of a token: status, code and message.
    """

    def __init__(self, name: str, airflow: str = "") -> None:
        """Open it; `airflow` is the address of the Airflow behind it, whose API answers `{}` where there is none."""
        self.name, self.airflow = name, airflow
        self.asked: list[str] = []
        self.web_tokens: set[str] = set()
        self.sessions: set[str] = set()
        self.refuse: tuple[int, str, str] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                outer.asked.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, sent = outer.answer(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(sent))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - names of http.server

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - names of http.server
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead AWS's own tools here."""
        return {
            "AWS_ENDPOINT_URL_MWAA": f"http://{self.host}",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # there is no env.127.0.0.1
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def close(self) -> None:
        """Stop it."""
        self.server.shutdown()
        self.server.server_close()

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        if path.startswith("/webtoken/"):
            return self._web_token(path, headers)
        if (method, path) == ("POST", "/pluginsv2/aws_mwaa/login"):
            (token,) = parse_qs(body.decode())["token"]
            if token not in self.web_tokens:
                return 403, {}, b"the token was used, or has ended"
            self.web_tokens.remove(token)
            session = f"session-{uuid.uuid4()}"
            self.sessions.add(session)
            return 303, {"Set-Cookie": f"_token={session}; Path=/; Secure", "Location": "/"}, b""
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.sessions:
            return 401, {}, json.dumps({"detail": "Not authenticated"}).encode()
        return self._behind(method, path, body)

    def _web_token(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.refuse:
            status, code, message = self.refuse
            return status, {"x-amzn-ErrorType": code}, json.dumps({"message": message}).encode()
        if "/airflow/aws4_request" not in headers.get("Authorization", ""):
            return 403, {"x-amzn-ErrorType": "AccessDeniedException"}, json.dumps({"message": "not signed"}).encode()
        if path != f"/webtoken/{self.name}":
            return 404, {"x-amzn-ErrorType": "ResourceNotFoundException"}, json.dumps({"message": "none such"}).encode()
        token = str(uuid.uuid4())
        self.web_tokens.add(token)
        return 200, {}, json.dumps({"WebToken": token, "WebServerHostname": self.host}).encode()

    def _behind(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if not self.airflow:
            return 200, {}, b"{}"
        with urllib.request.urlopen(f"{self.airflow}/auth/token", timeout=10) as answer:
            token = json.load(answer)["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(f"{self.airflow}{path}", body or None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, {}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {}, error.read()
