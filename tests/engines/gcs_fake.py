"""A Google Cloud Storage on loopback that remembers, and keeps the conditions of a write: its XML API, as obstore asks.

Source: https://cloud.google.com/storage/docs/xml-api/reference-headers#xgoogifgenerationmatch
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Generator


class _Bucket:
    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, int]] = {}
        self.generation = 1000
        self.lock = threading.Lock()

    def put(self, key: str, body: bytes, wanted: str | None) -> int | None:
        """Write if the object's generation is the one that is wanted, 0 for none; None where it is not."""
        with self.lock:
            there = self.objects[key][1] if key in self.objects else 0
            if wanted is not None and int(wanted) != there:
                return None
            self.generation += 1
            self.objects[key] = (body, self.generation)
            return self.generation


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: _Bucket

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        pass

    def answer(self, status: int, body: bytes = b"", generation: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT")
        if generation:
            self.send_header("ETag", f'"tag{generation}"')
            self.send_header("x-goog-generation", str(generation))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path).strip("/").partition("/")[2]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        generation = self.bucket.put(self.key, body, self.headers.get("x-goog-if-generation-match"))
        self.answer(412) if generation is None else self.answer(200, b"", generation)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if not self.key:
            self.answer(200, _listing(self.bucket, query.get("prefix", [""])[0]))
        elif self.key in self.bucket.objects:
            self.answer(200, *self.bucket.objects[self.key])
        else:
            self.answer(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.answer(404 if self.bucket.objects.pop(self.key, None) is None else 204)


def _listing(bucket: _Bucket, prefix: str) -> bytes:
    rows = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(body)}</Size><ETag>tag{generation}</ETag>"
        "<LastModified>2000-01-01T00:00:00.000Z</LastModified></Contents>"
        for key, (body, generation) in sorted(bucket.objects.items())
        if key.startswith(prefix)
    )
    return f"<ListBucketResult>{rows}</ListBucketResult>".encode()


@contextmanager
def serving() -> Generator[dict[str, str]]:
    """Run a store with any bucket; give the environment that leads to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": _Bucket()}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server.server_port}"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
