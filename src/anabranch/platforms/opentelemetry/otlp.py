"""Spans as OTLP, in its JSON form: the same data that `protobuf` writes in fewer bytes.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anabranch.platforms.opentelemetry.spans import Moment, Span, Value

Message: TypeAlias = "dict[str, Any]"
"""A message by the names of its fields, as OTLP writes it in JSON: ids in hexadecimal, 64-bit integers as text."""

_INTERNAL, _ERROR, _SAMPLED = 1, 2, 0x101
"""Of the enumerations of spans: their kind, their status, and the flags of one whose parent is not remote."""


def request(resource: Mapping[str, Value], spans: Sequence[Span]) -> Message:
    """Return the request that delivers spans.

    Args:
        resource: what made them, as attributes.
        spans: at least one.
    """
    told = {"scope": {"name": "anabranch"}, "spans": [_span(each) for each in spans]}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [told]}]}


def _span(span: Span) -> Message:
    found: Message = {"traceId": span.trace, "spanId": span.id}
    if span.parent:
        found["parentSpanId"] = span.parent
    found |= {
        "flags": _SAMPLED,
        "name": span.name,
        "kind": _INTERNAL,
        "startTimeUnixNano": _nanoseconds(span.start),
        "endTimeUnixNano": _nanoseconds(span.end),
        "attributes": _attributes(span.attributes),
    }
    if span.moments:
        found["events"] = [_moment(each) for each in span.moments]
    if span.links:
        found["links"] = [{"traceId": trace, "spanId": each} for trace, each in span.links]
    found["status"] = {"code": _ERROR, "message": span.error} if span.error else {}
    return found


def _moment(moment: Moment) -> Message:
    when = _nanoseconds(moment.at)
    return {"timeUnixNano": when, "name": moment.name, "attributes": _attributes(moment.attributes)}


def _attributes(values: Mapping[str, Value]) -> list[Message]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Value) -> Message:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case tuple():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
        case _:
            assert_never(value)


def _nanoseconds(at: float) -> str:
    """Return a Unix time in ns; a float holds no more than microseconds of it."""
    return str(round(at * 1_000_000) * 1000)
