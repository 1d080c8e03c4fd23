"""Traces: whatever happens in a run, its spans are a tree that says what happened, and every receiver can read it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from tests.histories import BEGAN, FAILURE, History, histories, pipeline

from anabranch.model.errors import StepError
from anabranch.model.export import OpenTelemetry, Origin
from anabranch.model.pipeline import StepId
from anabranch.model.run import (
    AttemptFailed,
    Event,
    PortStats,
    Recorded,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepCancelled,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from anabranch.model.tracing import traceparent
from anabranch.platforms.opentelemetry.otlp import request
from anabranch.platforms.opentelemetry.protobuf import encode, rejected
from anabranch.platforms.opentelemetry.settings import receiver
from anabranch.platforms.opentelemetry.spans import Moment, Span, Tracer

S0, S1 = StepId("s0"), StepId("s1")


def told(history: History) -> list[Span]:
    tracer = Tracer(Origin("flights", history.pipeline, "/data"))
    found = [span for each in history.events for span in tracer.tell(each)]
    return found if history.ended else [*found, *tracer.abandon()]


def traced(*events: Event) -> list[Span]:
    tracer = Tracer(Origin("flights", pipeline(2), "/data"))
    records = [Recorded(RunId("7f3a9c2k"), i, BEGAN + i, event) for i, event in enumerate(events)]
    return [span for each in records for span in tracer.tell(each)]


def parsed(message: dict[str, Any]) -> ExportTraceServiceRequest:
    """Decode what we write, with protobuf's own reader."""
    return ExportTraceServiceRequest.FromString(encode(message))


def named(spans: list[Span], name: str) -> Span:
    (found,) = [span for span in spans if span.name == name]
    return found


STARTED = RunStarted("daily", (S0, S1), "main", (("day", "2013-01-05"), ("note", "free text")), None, "cafe")


@given(histories())
def test_spans_are_one_tree_in_one_trace_and_none_outlasts_what_is_around_it(history: History) -> None:
    spans = told(history)
    by_id = {span.id: span for span in spans}
    assert len(by_id) == len(spans)
    assert len({span.trace for span in spans}) == 1
    root = spans[-1]
    assert root.parent == ""
    assert all(re.fullmatch("[0-9a-f]{16}", span.id) and re.fullmatch("[0-9a-f]{32}", span.trace) for span in spans)
    for span in spans[:-1]:
        around = by_id[span.parent]
        assert around.start <= span.start <= span.end <= around.end


@given(histories())
def test_there_is_a_span_for_each_step_that_something_became_of_and_each_attempt(history: History) -> None:
    spans = told(history)
    steps = {getattr(each.event, "step", None) for each in history.events} - {None}
    assert sorted(span.name for span in spans if "anabranch.step.state" in span.attributes) == sorted(steps)
    attempts = [
        (span.attributes["anabranch.step"], span.attributes["anabranch.attempt"])
        for span in spans
        if span.name.endswith(" attempt")
    ]
    assert sorted(attempts) == sorted((each.step, each.attempt) for each in history.of(StepStarted))
    failed = {each.step for each in history.of(StepFailed)}
    assert {span.name for span in spans if "anabranch.step.state" in span.attributes and span.error} == failed


@given(histories())
def test_no_value_input_or_free_param_is_told(history: History) -> None:
    text = repr(told(history))
    assert "'secret'" not in text
    assert "free text" not in text
    assert "2013-01-05" in text


@given(histories())
def test_a_reader_of_protobuf_reads_what_the_json_says(history: History) -> None:
    message = request({"service.name": "flights"}, told(history))
    json.dumps(message)
    assert _as_json(parsed(message)) == message


values = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
attributes = st.dictionaries(st.text(max_size=8), values | st.lists(st.text(), max_size=3).map(tuple), max_size=4)


@given(attributes, st.text(), st.floats(0, 4e9))
def test_any_attribute_text_and_time_survives(attributes: dict[str, Any], text: str, at: float) -> None:
    text = text.encode(errors="replace").decode()
    span = Span(
        "a" * 32, "b" * 16, "", text, at, at, attributes, (Moment(text, at, attributes),), (("c" * 32, "d" * 16),), text
    )
    message = request({}, [span])
    assert _as_json(parsed(message)) == message


def _as_json(message: ExportTraceServiceRequest) -> dict[str, Any]:
    """Return a message in the JSON form of OTLP; it differs from protobuf's own in ids."""

    def value(any_value: Any) -> dict[str, Any]:
        kind = any_value.WhichOneof("value")
        given = getattr(any_value, kind)
        match kind:
            case "int_value":
                return {"intValue": str(given)}
            case "array_value":
                return {"arrayValue": {"values": [value(each) for each in given.values]}}
            case _:
                return {
                    {"string_value": "stringValue", "bool_value": "boolValue", "double_value": "doubleValue"}[
                        kind
                    ]: given
                }

    def pairs(found: Any) -> list[dict[str, Any]]:
        return [{"key": each.key, "value": value(each.value)} for each in found]

    def span(one: OtlpSpan) -> dict[str, Any]:
        assert one.kind == OtlpSpan.SPAN_KIND_INTERNAL
        found: dict[str, Any] = {"traceId": one.trace_id.hex(), "spanId": one.span_id.hex()}
        if one.parent_span_id:
            found["parentSpanId"] = one.parent_span_id.hex()
        found |= {"flags": one.flags, "name": one.name, "kind": 1}
        found |= {"startTimeUnixNano": str(one.start_time_unix_nano), "endTimeUnixNano": str(one.end_time_unix_nano)}
        found["attributes"] = pairs(one.attributes)
        if one.events:
            found["events"] = [
                {"timeUnixNano": str(each.time_unix_nano), "name": each.name, "attributes": pairs(each.attributes)}
                for each in one.events
            ]
        if one.links:
            found["links"] = [{"traceId": each.trace_id.hex(), "spanId": each.span_id.hex()} for each in one.links]
        error = one.status.code == Status.STATUS_CODE_ERROR
        found["status"] = {"code": 2, "message": one.status.message} if error else {}
        return found

    (resource,) = message.resource_spans
    (scope,) = resource.scope_spans
    told = {"scope": {"name": scope.scope.name}, "spans": [span(each) for each in scope.spans]}
    return {"resourceSpans": [{"resource": {"attributes": pairs(resource.resource.attributes)}, "scopeSpans": [told]}]}


@given(st.integers(0, 2**40), st.text(max_size=40))
def test_what_a_receiver_rejects_is_read_from_its_answer(count: int, why: str) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans, answer.partial_success.error_message = count, why
    assert rejected(answer.SerializeToString()) == (count, why)


@given(st.binary(max_size=60))
def test_an_answer_that_is_no_protobuf_rejects_nothing_and_breaks_nothing(answer: bytes) -> None:
    count, why = rejected(answer)
    assert count >= 0
    assert isinstance(why, str)


def test_an_attempt_that_is_tried_again_is_an_error_and_its_step_is_none() -> None:
    spans = traced(
        STARTED,
        StepStarted(S0, 1),
        AttemptFailed(S0, 1, FAILURE, 0.5, 1.0),
        StepStarted(S0, 2),
        StepSucceeded(S0, 2, 1.0, (PortStats("in", "d0", 10),), (PortStats("out", "d1", 8, 512, "sha256:bb"),)),
        RunEnded(RunState.SUCCEEDED),
    )
    first, second, step, run = spans
    assert (first.error, second.error, step.error, run.error) == ("boom", "", "", "")
    assert (first.start, first.end, second.start, second.end) == (BEGAN + 1, BEGAN + 2, BEGAN + 3, BEGAN + 4)
    assert (step.start, step.end) == (BEGAN + 1, BEGAN + 4)
    assert first.moments[0].name == "exception"
    assert first.moments[0].attributes["exception.stacktrace"] == FAILURE.trace
    assert step.attributes["anabranch.step.attempts"] == 2
    wrote = next(moment for moment in step.moments if moment.name == "wrote")
    assert wrote.attributes == {
        "anabranch.dataset": "d1",
        "anabranch.rows": 8,
        "anabranch.bytes": 512,
        "anabranch.version": "sha256:bb",
    }
    assert run.attributes["anabranch.param.day"] == "2013-01-05"


def test_a_failure_marks_the_attempt_the_step_and_the_run_and_who_was_skipped_says_why() -> None:
    spans = traced(STARTED, StepStarted(S0), StepFailed(S0, 1, FAILURE), StepSkipped(S1, S0), RunEnded(RunState.FAILED))
    assert {span.name: span.error for span in spans} == {
        "s0 attempt": "boom",
        "s0": "boom",
        "s1": "",
        "daily": "failed: s0",
    }
    skipped = named(spans, "s1")
    assert skipped.attributes["anabranch.step.state"] == "skipped"
    assert skipped.attributes["anabranch.step.because"] == "s0"
    assert skipped.start == skipped.end


def test_what_is_cancelled_is_no_error_and_ends_when_it_was_stopped() -> None:
    spans = traced(STARTED, StepStarted(S0), StepCancelled(S0), StepCancelled(S1), RunEnded(RunState.CANCELLED))
    assert all(span.error == "" for span in spans)
    assert named(spans, "s0").attributes["anabranch.step.state"] == "cancelled"
    assert named(spans, "s0 attempt").end == BEGAN + 2
    assert named(spans, "daily").attributes["anabranch.run.state"] == "cancelled"


def test_what_was_reused_points_to_where_it_was_made() -> None:
    earlier = traced(STARTED, StepStarted(S0), StepSucceeded(S0), RunEnded(RunState.SUCCEEDED))
    tracer = Tracer(Origin("flights", pipeline(2), "/data"))
    (reused,) = [
        span
        for each in (STARTED, StepReused(S0, RunId("7f3a9c2k")))
        for span in tracer.tell(Recorded(RunId("later222"), 1, BEGAN, each))
    ]
    made = named(earlier, "s0")
    assert reused.links == ((made.trace, made.id),)


def test_what_a_step_is_told_names_the_span_of_its_attempt() -> None:
    spans = traced(STARTED, StepStarted(S0, 1), StepSucceeded(S0, 1))
    attempt = named(spans, "s0 attempt")
    assert traceparent(attempt.trace, S0, 1) == f"00-{attempt.trace}-{attempt.id}-01"


def test_the_file_comes_before_the_variables_and_these_before_the_default() -> None:
    everywhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:4318/", "OTEL_EXPORTER_OTLP_HEADERS": "a=1,b=2%20"}
    traces = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces/here", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    assert receiver(OpenTelemetry(), {}).url == "http://localhost:4318/v1/traces"
    assert receiver(OpenTelemetry(), everywhere).url == "http://all:4318/v1/traces"
    assert receiver(OpenTelemetry(), everywhere | traces).url == "http://traces/here"
    assert receiver(OpenTelemetry(endpoint="https://mine/"), everywhere | traces).url == "https://mine/v1/traces"
    assert receiver(OpenTelemetry(), everywhere).headers == {"a": "1", "b": "2 "}
    assert receiver(OpenTelemetry(), traces).gzip


def test_grpc_is_refused_by_name() -> None:
    with pytest.raises(StepError, match="grpc") as caught:
        receiver(OpenTelemetry(), {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert "4318" in caught.value.hint


def test_a_certificate_that_is_not_there_is_told() -> None:
    with pytest.raises(StepError, match=r"/no/such/ca\.pem"):
        receiver(OpenTelemetry(), {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such/ca.pem"}).tls()
