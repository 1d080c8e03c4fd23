"""OTLP's messages in protobuf's binary form, from a table of their fields: all of it that traces need.

Every receiver of OTLP over HTTP reads this form, and some read no other. OTLP's fields are frozen since its version 1.
Source: https://protobuf.dev/programming-guides/encoding/,
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.platforms.opentelemetry.otlp import Message

Kind: TypeAlias = Literal["text", "hex", "varint", "fixed32", "fixed64", "double"]
Fields: TypeAlias = "dict[str, tuple[int, Kind | Fields]]"
"""By a field's name: its number, and how it is written, which for a message is by its own fields."""

_VARINT, _64_BITS, _BYTES, _32_BITS = 0, 1, 2, 5
_MORE, _SEVEN = 0x80, 0x7F

_VALUE: Fields = {
    "stringValue": (1, "text"),
    "boolValue": (2, "varint"),
    "intValue": (3, "varint"),
    "doubleValue": (4, "double"),
}
_VALUE["arrayValue"] = (5, {"values": (1, _VALUE)})
_ATTRIBUTE: Fields = {"key": (1, "text"), "value": (2, _VALUE)}
_EVENT: Fields = {"timeUnixNano": (1, "fixed64"), "name": (2, "text"), "attributes": (3, _ATTRIBUTE)}
_LINK: Fields = {"traceId": (1, "hex"), "spanId": (2, "hex")}
_SPAN: Fields = {
    "traceId": (1, "hex"),
    "spanId": (2, "hex"),
    "parentSpanId": (4, "hex"),
    "name": (5, "text"),
    "kind": (6, "varint"),
    "startTimeUnixNano": (7, "fixed64"),
    "endTimeUnixNano": (8, "fixed64"),
    "attributes": (9, _ATTRIBUTE),
    "events": (11, _EVENT),
    "links": (13, _LINK),
    "status": (15, {"message": (2, "text"), "code": (3, "varint")}),
    "flags": (16, "fixed32"),
}
_SCOPE_SPANS: Fields = {"scope": (1, {"name": (1, "text")}), "spans": (2, _SPAN)}
_RESOURCE_SPANS: Fields = {"resource": (1, {"attributes": (1, _ATTRIBUTE)}), "scopeSpans": (2, _SCOPE_SPANS)}
REQUEST: Fields = {"resourceSpans": (1, _RESOURCE_SPANS)}
"""The fields of `ExportTraceServiceRequest`."""


def encode(message: Message, fields: Fields = REQUEST) -> bytes:
    r"""Return a message in binary form.

    Args:
        message: as in JSON, by the names of its fields.
        fields: what these are.

    >>> encode({"name": "clean"}, {"name": (5, "text")})
    b'*\x05clean'
    """
    return b"".join(
        _field(*fields[name], each)
        for name, given in message.items()
        for each in (given if isinstance(given, list) else [given])
    )


def _field(number: int, kind: Kind | Fields, value: Any) -> bytes:
    if isinstance(kind, dict):
        return _sized(number, encode(value, kind))
    match kind:
        case "text":
            return _sized(number, str(value).encode(errors="replace"))
        case "hex":
            return _sized(number, bytes.fromhex(value))
        case "varint":
            return _varint(number << 3 | _VARINT) + _varint(int(value) % (1 << 64))
        case "fixed32":
            return _varint(number << 3 | _32_BITS) + struct.pack("<I", int(value))
        case "fixed64":
            return _varint(number << 3 | _64_BITS) + struct.pack("<Q", int(value))
        case "double":
            return _varint(number << 3 | _64_BITS) + struct.pack("<d", value)


def _sized(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first.

    >>> _varint(300).hex()
    'ac02'
    """
    found = bytearray()
    while value > _SEVEN:
        found.append(value & _SEVEN | _MORE)
        value >>= 7
    return bytes([*found, value])


def rejected(answer: bytes) -> tuple[int, str]:
    r"""Return how many spans a receiver has not taken though it answers well, and why, from the start of its answer.

    >>> rejected(b""), rejected(b"{}"), rejected(b"\x0a\x08\x08\x03\x12\x04full")
    ((0, ''), (0, ''), (3, 'full'))
    """
    partial = dict(_fields(answer)).get(1, b"")
    told = dict(_fields(partial)) if isinstance(partial, bytes) else {}
    count, why = told.get(1, 0), told.get(2, b"")
    return (count, why.decode(errors="replace")) if isinstance(count, int) and isinstance(why, bytes) else (0, "")


def _fields(body: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield numbers and texts by the numbers of their fields, until something else comes or the body is over."""
    at = 0

    def number() -> int:
        nonlocal at
        found = shift = 0
        while True:
            group = body[at]
            at, found, shift = at + 1, found | (group & _SEVEN) << shift, shift + 7
            if not group & _MORE:
                return found

    while at < len(body):
        try:
            tag = number()
            if tag & 7 not in {_VARINT, _BYTES}:
                return
            value: int | bytes = number()
            if tag & 7 == _BYTES:
                value, at = body[at : at + int(value)], at + int(value)
        except IndexError:
            return
        yield tag >> 3, value
