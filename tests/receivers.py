"""An HTTP server that remembers what it was sent, and answers as badly as it is told to."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self, TypeAlias

Mood: TypeAlias = Literal["well", "broken", "busy", "denies", "moved", "silent", "slow", "hangs up", "nonsense"]

_CODES = {"well": 201, "broken": 500, "busy": 503, "denies": 401, "moved": 302, "slow": 200}


@dataclass(frozen=True)
class Sent:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server on loopback. `moods` are those of the next answers; the last one stays."""

    moods: list[Mood] = field(default_factory=lambda: ["well"])
    sent: list[Sent] = field(default_factory=list)
    asked: int = 0
    connections: int = 0
    patience: float = 1.0
    tls: tuple[str, str] | None = None
    """Its certificate and its key, as files."""

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def handle(self) -> None:
                with suppress(OSError):
                    super().handle()

            def do_POST(self) -> None:
                with suppress(OSError):
                    outer.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            # The handshake is of the thread that answers, as it would else stop all others.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._over = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        mood = self.moods.pop(0) if len(self.moods) > 1 else self.moods[0]
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if mood == "silent":
            self._over.wait(60)
            return
        if mood == "hangs up":
            handler.close_connection = True
            return
        if mood == "nonsense":
            handler.wfile.write(b"220 this is no HTTP\r\n\r\n")
            handler.close_connection = True
            return
        if mood == "slow":
            time.sleep(self.patience)
        if mood in {"well", "slow"}:
            plain = gzip.decompress(body) if handler.headers.get("Content-Encoding") == "gzip" else body
            self.sent.append(Sent(handler.path, {k.lower(): v for k, v in handler.headers.items()}, plain))
        handler.send_response(_CODES[mood])
        if mood == "moved":
            handler.send_header("Location", f"{self.url}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
