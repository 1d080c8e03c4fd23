"""A branch is carved out of any pipeline: the closure and nothing else, of the same type, proven to stay below."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import pipelines

from anabranch.branch.carve import carve, inputs, prove, reasons
from anabranch.branch.locations import refusals
from anabranch.branch.names import slug
from anabranch.model import codec
from anabranch.model.branch import Role
from anabranch.model.call import NativeCall, ShellCall, SparkCall
from anabranch.model.dataset import Bound, DatasetSpec, Format
from anabranch.model.errors import UsageError
from anabranch.model.graph import cycles, reachable
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Pipeline, Step, StepId

MAIN = "/lake"


def shell(name: str, reads: str, writes: str, *argv: str, external: bool = False) -> Step:
    """Return a step that copies."""
    return Step(
        StepId(name),
        ShellCall(("cp", *argv)),
        tuple(DatasetInput(each, each) for each in reads.split()),
        tuple(DatasetOutput(each, each) for each in writes.split()),
        external=external,
    )


def chain(*steps: Step) -> Pipeline:
    """Return a pipeline with the datasets that its steps name."""
    names = {port.dataset for step in steps for port in step.reads} | {p.dataset for s in steps for p in s.outputs}
    return Pipeline("p", steps, tuple(DatasetSpec(name, format=Format.CSV) for name in sorted(names)))


@given(pipeline=pipelines(), data=st.data())
def test_any_pipeline_is_carved_to_the_closure_and_proven(pipeline: Pipeline, data: st.DataObject) -> None:
    """Whatever its calls are; external steps and what needs them are left out by name."""
    if cycles(pipeline) or len(pipeline.step_by_id) != len(pipeline.steps) or not pipeline.steps:
        return
    start = data.draw(st.sampled_from(sorted(pipeline.step_by_id)))
    found = reasons(pipeline, {start: (Role.CHOSEN, ("chosen",))})
    inside = {each.step for each in found if each.role is not Role.SKIPPED}
    assert {each.step for each in found} == reachable(pipeline.downstream, {start})
    assert not any(pipeline.step_by_id[step].external for step in inside)
    assert all(each.why for each in found)
    bounds = {name: Bound(MAIN, "v") for name in inputs(pipeline, inside)}
    carved = carve(pipeline, inside, bounds)
    assert isinstance(carved, Pipeline)
    assert set(carved.step_by_id) == inside
    assert codec.load(codec.dump(carved)) == carved
    assert carve(carved, inside, bounds) == carved
    written = {port.dataset for step in carved.steps for port in step.outputs}
    unbound = {spec.name for spec in carved.datasets if spec.bound is None}
    assert unbound <= written
    escaping = [s for s in carved.datasets if s.location.startswith("/") or ".." in s.location or "://" in s.location]
    if not escaping:
        assert prove(carved, "/lake/_branches/x/", MAIN) == ()


def test_what_needs_a_step_that_is_not_run_is_not_run_either() -> None:
    """By data; a step that only comes after it still runs."""
    late = replace(shell("late", "a", "d"), after=(StepId("mail"),))
    pipeline = chain(shell("copy", "raw", "a"), shell("mail", "a", "b", external=True), shell("use", "b", "c"), late)
    found = {each.step: each.role for each in reasons(pipeline, {StepId("copy"): (Role.CHANGED, ("x",))})}
    assert found == {"copy": Role.CHANGED, "mail": Role.SKIPPED, "use": Role.SKIPPED, "late": Role.DOWNSTREAM}


def test_a_write_or_a_read_elsewhere_is_found() -> None:
    """Before anything runs."""
    pipeline = chain(shell("copy", "raw", "a"))
    good = carve(pipeline, {StepId("copy")}, {"raw": Bound(MAIN)})
    assert prove(good, "/lake/_branches/x/", MAIN) == ()
    elsewhere = carve(pipeline, {StepId("copy")}, {"raw": Bound("/other")})
    assert [each.code for each in prove(elsewhere, "/lake/_branches/x/", MAIN)] == ["outside-branch"]
    nowhere = carve(pipeline, {StepId("copy")}, {})
    assert prove(nowhere, "/lake/_branches/x/", MAIN)
    out = replace(good, datasets=tuple(replace(spec, path="../../x") for spec in good.datasets))
    assert len(prove(out, "/lake/_branches/x/", MAIN)) == 2


@pytest.mark.parametrize(
    "argument",
    [
        "s3://lake/final/a.csv",
        "--out=/lake/final/a.csv",
        "data/raw/a.csv",
        "x > /srv/final/a.csv",
        "jdbc:postgresql://h/d",
    ],
)
def test_a_call_that_names_a_location_is_refused_by_name(argument: str) -> None:
    """A URL, a path, or where a dataset lies."""
    pipeline = chain(shell("copy", "raw", "a", argument))
    (found,) = refusals(pipeline, {StepId("copy")}, MAIN)
    assert "`copy`" in found.message
    assert "--skip copy" in found.hint
    spark = replace(pipeline.steps[0], call=SparkCall("job.py", (argument,)))
    assert refusals(replace(pipeline, steps=(spark,)), {StepId("copy")}, MAIN)


@pytest.mark.parametrize(
    "argument", ["${in.raw}", "--out=${out.a}", "/dev/null", "/usr/bin/env", "awk/tidy.awk", "/^a/ {print}"]
)
def test_a_call_that_names_none_is_not(argument: str) -> None:
    """Ports, programs, files of the project."""
    assert refusals(chain(shell("copy", "raw", "a", argument)), {StepId("copy")}, MAIN) == ()


@pytest.mark.parametrize(
    "arguments, unsaid",
    [
        ((), ["`a`", "`b`"]),
        ((("--in", "${in.a}"),), ["`b`"]),
        ((("--out", "${out.b}"),), ["`a`"]),
        ((("--out", "$${out.b}"), ("--in", "x${in.a}y")), ["`b`"]),
        ((("--out", "${out.b}"), ("--in", "${in.a}")), []),
    ],
)
def test_a_job_that_is_not_handed_each_location_is_refused(
    arguments: tuple[tuple[str, str], ...], unsaid: list[str]
) -> None:
    """It would read and write where it was told when it was made."""
    call = NativeCall("glue", "clean", arguments)
    job = Step(StepId("j"), call, (DatasetInput("a", "a"),), (DatasetOutput("b", "b"),))
    found = refusals(chain(job), {StepId("j")}, MAIN)
    assert [each.message.rpartition(" ")[2] for each in found] == unsaid
    assert all(each.code == "literal-location" and "--skip j" in each.hint for each in found)


def test_a_job_on_no_dataset_is_refused_by_name() -> None:
    """Nobody knows what it touches: a branch would start it as main does."""
    job = Step(StepId("j"), NativeCall("glue", "clean", (("--day", "${params.day}"),)))
    (found,) = refusals(chain(job), {StepId("j")}, MAIN)
    assert "the job clean of glue on no dataset" in found.message


@given(a=st.text(min_size=1, max_size=60), b=st.text(min_size=1, max_size=60))
def test_two_names_never_share_a_root(a: str, b: str) -> None:
    """Capitals, slashes and what is not ASCII included; a root's name is one part of a path."""
    try:
        one, other = slug(a), slug(b)
    except UsageError:
        return
    assert (one == other) == (a == b)
    assert "/" not in one
    assert one not in {".", ".."}
    assert len(one) <= 60
    assert one.isascii()


def test_a_root_is_no_prefix_of_another() -> None:
    """`b/foo` and `b/foobar`, with the slash that a root ends in."""
    assert not f"{slug('b/foobar')}/".startswith(f"{slug('b/foo')}/")
    assert slug("Fix") != slug("fix")
