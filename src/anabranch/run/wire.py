"""Messages between the runner and its workers: JSON behind a length, over a socket."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

_LENGTH = struct.Struct("!I")


def pack(message: dict[str, Any]) -> bytes:
    """Return a message as bytes."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Inbox:
    """Puts messages together from whatever pieces arrive."""

    def __init__(self) -> None:
        """Start empty."""
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> list[dict[str, Any]]:
        """Return the messages that are whole now."""
        self._buffer += piece
        found: list[dict[str, Any]] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if len(self._buffer) < _LENGTH.size + length:
                break
            found.append(json.loads(self._buffer[_LENGTH.size : _LENGTH.size + length]))
            del self._buffer[: _LENGTH.size + length]
        return found


def receive(sock: socket.socket, inbox: Inbox) -> dict[str, Any] | None:
    """Wait for one message; None when the other side has gone."""
    found: list[dict[str, Any]] = []
    while not found:
        piece = sock.recv(1 << 16)
        if not piece:
            return None
        found = inbox.feed(piece)
    return found[0]
