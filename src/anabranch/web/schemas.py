"""JSON Schemas of what the JSON twins answer. All keys are always there; further ones may be added."""

from __future__ import annotations

from typing import Any

from anabranch.model.branch import BranchKind, Role
from anabranch.model.dataset import Format, Ingestion, Stage
from anabranch.model.run import RunState, StepState

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time", "description": "UTC"}
ANY: Schema = {}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}


def maybe(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def thing(**keys: Schema) -> Schema:
    """Return the schema of an object with these keys; a trailing underscore is no part of a key."""
    named = {key.rstrip("_"): schema for key, schema in keys.items()}
    return {"type": "object", "properties": named, "required": list(named)}


def both(name: str, **keys: Schema) -> Schema:
    """Return the schema of an object that is also another one."""
    return {"allOf": [ref(name), thing(**keys)]}


def one_of(*words: str) -> Schema:
    """Return the schema of one of some words."""
    return {"type": "string", "enum": list(words)}


def ref(name: str) -> Schema:
    """Return a reference to one of the schemas below."""
    return {"$ref": f"#/components/schemas/{name}"}


RUN_STATE, STEP_STATE = one_of(*RunState), one_of(*StepState)
PLACES = {
    "namespace": TEXT,
    "namespaces": many(TEXT),
    "environment": TEXT,
    "environments": many(TEXT),
}
STARTS = {"trigger": maybe(TEXT), "next_start": maybe(TIME)}
SUCCEEDED = {"succeeded": WHOLE, "ended": WHOLE}
WRITTEN_AT = {"file": maybe(TEXT), "line": maybe(WHOLE)}
CONTRACT = one_of("kept", "broken", "")
IN_NUMBERS = {
    "seconds": maybe(NUMBER),
    "median_seconds": maybe(NUMBER),
    "rows_in": maybe(WHOLE),
    "rows_out": maybe(WHOLE),
    "bytes_out": maybe(WHOLE),
}

SCHEMAS: dict[str, Schema] = {
    "Error": thing(
        anabranch=WHOLE,
        ok=TRUTH,
        exit_code=WHOLE,
        errors=WHOLE,
        warnings=WHOLE,
        diagnostics=many(ref("Diagnostic")),
    ),
    "Diagnostic": thing(severity=TEXT, code=TEXT, message=TEXT, hint=TEXT, **WRITTEN_AT),
    "Summary": thing(
        id=TEXT,
        pipeline=TEXT,
        namespace=TEXT,
        state=RUN_STATE,
        started_at=TIME,
        ended_at=maybe(TIME),
        seconds=NUMBER,
        params=TEXTS,
        input=ANY,
        code=TEXT,
        retry_of=maybe(TEXT),
        trigger=TEXT,
        message=TEXT,
        counts=thing(**dict.fromkeys(StepState, WHOLE)),
    ),
    "Failure": thing(kind=TEXT, code=TEXT, message=TEXT, hint=TEXT, place=TEXT, trace=TEXT),
    "Port": thing(port=TEXT, dataset=TEXT, rows=maybe(WHOLE), bytes=maybe(WHOLE), version=TEXT),
    "Part": thing(name=TEXT, state=STEP_STATE, seconds=NUMBER, rows=maybe(WHOLE), message=TEXT),
    "Write": thing(
        run=TEXT,
        pipeline=TEXT,
        namespace=TEXT,
        step=TEXT,
        at=TIME,
        rows=maybe(WHOLE),
        bytes=maybe(WHOLE),
        version=TEXT,
    ),
    "Home": thing(
        project=TEXT,
        **PLACES,
        pipelines=many(
            thing(
                name=TEXT,
                description=TEXT,
                steps=WHOLE,
                **STARTS,
                last=maybe(ref("Summary")),
                **SUCCEEDED,
                recent=many(thing(id=TEXT, state=RUN_STATE, seconds=NUMBER)),
            )
        ),
        failing=many(
            thing(
                pipeline=TEXT,
                run=TEXT,
                state=RUN_STATE,
                started_at=TIME,
                step=maybe(TEXT),
                message=TEXT,
                place=TEXT,
                more=WHOLE,
            )
        ),
        running=many(ref("Summary")),
        problems=many(ref("Diagnostic")),
    ),
    "Pipeline": thing(
        **PLACES,
        pipeline=thing(
            name=TEXT,
            description=TEXT,
            steps=WHOLE,
            written=TRUTH,
            params=many(thing(name=TEXT, type=TEXT, default=maybe(TEXT))),
            **STARTS,
            **WRITTEN_AT,
        ),
        **SUCCEEDED,
        runs=many(ref("Summary")),
        steps=many(
            thing(
                step=TEXT,
                kind=TEXT,
                description=TEXT,
                state=maybe(STEP_STATE),
                attempts=WHOLE,
                **IN_NUMBERS,
                contract=CONTRACT,
            )
        ),
        datasets=many(
            thing(
                name=TEXT,
                stage=one_of(*Stage),
                format=one_of(*Format),
                writer=maybe(TEXT),
                rows=maybe(WHOLE),
                bytes=maybe(WHOLE),
                contract=CONTRACT,
            )
        ),
        grid=many(thing(run=TEXT, states=many(maybe(STEP_STATE)))),
        page=WHOLE,
        pages=WHOLE,
    ),
    "Runs": thing(
        **PLACES,
        pipeline=TEXT,
        state=TEXT,
        pipelines=many(TEXT),
        runs=many(ref("Summary")),
        page=WHOLE,
        more=TRUTH,
    ),
    "Run": thing(
        run=both("Summary", seq=WHOLE, now_seconds=NUMBER),
        live=TRUTH,
        parent=maybe(ref("Summary")),
        retries=many(ref("Summary")),
        branch=maybe(TEXT),
        branch_slug=maybe(TEXT),
        pipeline_written=TRUTH,
        failed=many(TEXT),
        steps=many(
            thing(
                step=TEXT,
                state=STEP_STATE,
                attempts=WHOLE,
                **IN_NUMBERS,
                started_at=maybe(TIME),
                ended_at=maybe(TIME),
                because=maybe(TEXT),
                reused_of=maybe(TEXT),
                contract=CONTRACT,
                message=TEXT,
                spans=many(ref("Span")),
            )
        ),
        state=TEXT,
        page=WHOLE,
        pages=WHOLE,
        step=maybe(ref("Step")),
        environment=TEXT,
    ),
    "Span": thing(
        attempt=WHOLE,
        state=STEP_STATE,
        queued_at=TIME,
        started_at=TIME,
        running_at=maybe(TIME),
        ended_at=maybe(TIME),
        failure=maybe(ref("Failure")),
    ),
    "Step": thing(
        step=TEXT,
        state=STEP_STATE,
        attempts=WHOLE,
        seconds=NUMBER,
        started_at=maybe(TIME),
        ended_at=maybe(TIME),
        reads=many(ref("Port")),
        writes=many(ref("Port")),
        value=ANY,
        failure=maybe(ref("Failure")),
        because=maybe(TEXT),
        reused_of=maybe(TEXT),
        parts=many(ref("Part")),
        kind=maybe(TEXT),
        description=TEXT,
        retry=maybe(thing(attempts=WHOLE)),
        timeout=maybe(NUMBER),
        external=TRUTH,
        **WRITTEN_AT,
        upstream=many(TEXT),
        downstream=many(TEXT),
        attempts_told=many(
            thing(
                attempt=WHOLE,
                state=STEP_STATE,
                queued_seconds=NUMBER,
                starting_seconds=maybe(NUMBER),
                running_seconds=maybe(NUMBER),
                started_at=TIME,
                ended_at=maybe(TIME),
                failure=maybe(ref("Failure")),
                log_bytes=maybe(WHOLE),
            )
        ),
        log=maybe(thing(attempt=WHOLE, lines=many(TEXT), bytes=WHOLE, cut=TRUTH)),
    ),
    "Retry": thing(
        run=ref("Summary"),
        what=TEXT,
        from_=TEXT,
        code=TEXT,
        steps=many(TEXT),
        problems=many(ref("Diagnostic")),
        invalid=TRUTH,
        reruns=many(thing(step=TEXT, why=TEXT)),
        reused=many(thing(step=TEXT, of=TEXT)),
        params=TEXTS,
        code_diff=TEXT,
    ),
    "Code": thing(run=ref("Summary"), known=TRUTH, code_diff=TEXT),
    "Log": thing(
        run=ref("Summary"),
        step=TEXT,
        attempt=WHOLE,
        live=TRUTH,
        lines=many(TEXT),
        start=WHOLE,
        end=WHOLE,
        bytes=WHOLE,
        q=TEXT,
        hits=maybe(many(thing(at=WHOLE, line=TEXT))),
        searched=maybe(WHOLE),
    ),
    "Datasets": thing(
        datasets=many(
            thing(
                name=TEXT,
                stage=one_of(*Stage),
                format=one_of(*Format),
                location=TEXT,
                description=TEXT,
                columns=WHOLE,
                primary_key=many(TEXT),
                written_by=many(TEXT),
                last=maybe(ref("Write")),
            )
        )
    ),
    "Dataset": thing(
        **PLACES,
        dataset=thing(
            name=TEXT,
            stage=one_of(*Stage),
            format=one_of(*Format),
            location=TEXT,
            at=TEXT,
            columns=many(thing(name=TEXT, type=TEXT, nullable=TRUTH, sensitive=TRUTH, description=TEXT)),
            primary_key=many(TEXT),
            incremental_field=TEXT,
            partition_by=many(TEXT),
            ingestion=one_of(*Ingestion),
            description=TEXT,
            **WRITTEN_AT,
        ),
        written_by=many(TEXT),
        read_by=many(TEXT),
        writes=many(ref("Write")),
        changes=many(thing(run=maybe(TEXT), at=maybe(TIME), changes=many(TEXT))),
    ),
    "Sample": thing(
        dataset=TEXT,
        namespace=TEXT,
        preview=thing(columns=many(thing(name=TEXT, type=TEXT)), rows=many(many(maybe(TEXT))), hidden=many(TEXT)),
        problems=many(ref("Diagnostic")),
    ),
    "BranchRecord": thing(
        name=TEXT,
        slug=TEXT,
        pipeline=TEXT,
        kind=one_of(*BranchKind),
        root=TEXT,
        steps=many(thing(step=TEXT, role=one_of(*Role), why=many(TEXT))),
        base_run=maybe(TEXT),
        run=maybe(TEXT),
        params=TEXTS,
        sample=maybe(TEXT),
        inputs=many(thing(dataset=TEXT, version=maybe(TEXT), floating=TRUTH, goes_on=TRUTH)),
        sampled=TEXTS,
        git=maybe(TEXT),
        created_at=TIME,
        expires_at=TIME,
        promoted=TRUTH,
    ),
    "Branches": thing(
        branches=many(
            both(
                "BranchRecord",
                dropping=TRUTH,
                last=maybe(ref("Summary")),
                verdicts=maybe({"type": "object", "additionalProperties": WHOLE}),
            )
        )
    ),
    "Branch": thing(
        branch=both("BranchRecord", at=TEXT),
        stale=many(TEXT),
        state=TEXT,
        steps=WHOLE,
        code_diff=TEXT,
        runs=many(ref("Summary")),
        comparing=TRUTH,
        compare_failed=many(ref("Diagnostic")),
        looked=TRUTH,
        report=maybe({"type": "object", "description": "as `anabranch branch deltas --json` tells it"}),
        headline=TEXT,
        problems=many(ref("Diagnostic")),
    ),
    "Promotion": thing(
        branch=ref("BranchRecord"),
        datasets=many(thing(dataset=TEXT, before=TEXT, after=TEXT)),
        obstacles=many(TEXT),
        promoted=TRUTH,
        problems=many(ref("Diagnostic")),
    ),
    "Drop": thing(branch=both("BranchRecord", at=TEXT), deletes=many(TEXT), count=WHOLE, runs=WHOLE),
    "Done": thing(anabranch=WHOLE, page=TEXT),
    "Token": thing(anabranch=WHOLE, token=TEXT, header=TEXT),
}
