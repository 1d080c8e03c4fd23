from __future__ import annotations

import io
import json
import time

import pytest
from rich.console import Console

from anabranch.cli.progress.lines import LineReporter
from anabranch.cli.progress.live import MANY, LiveReporter
from anabranch.cli.progress.ndjson import NdjsonReporter
from anabranch.model.call import PythonCall
from anabranch.model.pipeline import Pipeline, Retry, Step, StepId
from anabranch.model.run import (
    AttemptFailed,
    Event,
    Failure,
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

RUN = RunId("7f3a9c2k")
CLEAN, FETCH, JOIN, MAIL = StepId("clean_flights"), StepId("fetch"), StepId("join"), StepId("mail")
REFUSED = Failure("error", "ConnectionError: refused\nwith details", place="steps.py:31")
PIPELINE = Pipeline("daily", (Step(CLEAN, PythonCall("m:f")), Step(FETCH, PythonCall("m:g"), retry=Retry(3))))
STORY: list[Event] = [
    RunStarted("daily", (CLEAN, FETCH, JOIN, MAIL), params=(("day", "2013-01-05"),)),
    StepReused(MAIL, RunId("aaaabbbb")),
    StepStarted(CLEAN),
    StepStarted(FETCH),
    AttemptFailed(FETCH, 1, REFUSED, 0.2, 1.0),
    StepSucceeded(
        CLEAN,
        seconds=0.42,
        reads=(PortStats("flights", "flights", 336_776, 20_000_000),),
        writes=(PortStats("legs", "legs", 328_521, 4_096_000),),
    ),
    StepStarted(FETCH, 2),
    StepFailed(FETCH, 3, REFUSED, 0.25),
    StepSkipped(JOIN, FETCH),
    RunEnded(RunState.FAILED, 2.5),
]


def story(events: list[Event]) -> list[Recorded]:
    return [Recorded(RUN, i, 1_700_000_000.0 + i, event) for i, event in enumerate(events, 1)]


def buffer(encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")


def written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode(stream.encoding)


def test_off_a_terminal_there_is_one_line_for_each_step_that_ends() -> None:
    out = buffer()
    reporter = LineReporter(PIPELINE, out)
    for recorded in story(STORY):
        reporter.report(recorded)
    assert written(out).splitlines() == [
        "daily: run 7f3a9c2k, 4 steps, day=2013-01-05",
        "= mail           reused of run aaaabbbb",
        "↻ fetch          failed (attempt 1 of 3), again in 1.0 s: ConnectionError: refused",
        "✓ clean_flights          336,776 → 328,521 rows    4.1 MB    0.42 s",
        "✗ fetch          failed after 0.25 s (attempt 3 of 3): ConnectionError: refused",
        "○ join           skipped because of fetch",
    ]


def test_lines_are_plain_where_the_encoding_has_no_signs() -> None:
    out = buffer("ascii")
    reporter = LineReporter(PIPELINE, out)
    for recorded in story(STORY):
        reporter.report(recorded)
    assert "ok    clean_flights         336,776 -> 328,521 rows" in written(out)


def test_a_step_that_never_started_is_not_told_when_the_run_is_stopped() -> None:
    out = buffer()
    reporter = LineReporter(None, out)
    events: list[Event] = [
        RunStarted("p", (CLEAN, JOIN)),
        StepStarted(CLEAN),
        StepCancelled(CLEAN),
        StepCancelled(JOIN),
    ]
    for recorded in story(events):
        reporter.report(recorded)
    assert [line for line in written(out).splitlines() if "stopped" in line] == ["■ clean_flights  stopped"]


class Closed(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_run_goes_on_when_nobody_reads_its_lines_any_more() -> None:
    reporter = LineReporter(None, Closed())
    for recorded in story(STORY):
        reporter.report(recorded)


def test_json_has_one_object_for_each_event(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = NdjsonReporter("run")
    for recorded in story(STORY):
        reporter.report(recorded)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["seq"] for each in told] == list(range(1, len(STORY) + 1))
    assert {(each["anabranch"], each["verb"], each["run"]) for each in told} == {(1, "run", RUN)}
    assert told[5]["event"] == "step-succeeded"
    assert told[5]["writes"] == [
        {"port": "legs", "dataset": "legs", "rows": 328_521, "bytes": 4_096_000, "version": ""}
    ]


def many(count: int) -> list[Recorded]:
    steps = tuple(StepId(f"step_{i}") for i in range(count))
    events: list[Event] = [RunStarted("many", steps)]
    for step in steps:
        events += [StepStarted(step), StepSucceeded(step, seconds=0.001, writes=(PortStats("x", "x", 10, 1000),))]
    return story([*events, RunEnded(RunState.SUCCEEDED, 1.0)])


def test_a_line_costs_less_than_a_fifth_of_a_millisecond() -> None:
    reporter, told = LineReporter(None, buffer()), many(1000)
    before = time.perf_counter()
    for recorded in told:
        reporter.report(recorded)
    assert (time.perf_counter() - before) / 1000 < 0.0002


def screen(told: list[Recorded]) -> str:
    out = buffer()
    console = Console(file=out, force_terminal=True, width=100, height=40, highlight=False, color_system=None)
    reporter = LiveReporter(PIPELINE, console)
    for recorded in told:
        reporter.report(recorded)
    reporter.close()
    return written(out)


def test_on_a_terminal_finished_steps_stay_and_the_bar_goes() -> None:
    shown = screen(story(STORY))
    assert "✓ clean_flights          336,776 → 328,521 rows" in shown
    assert "✗ fetch          failed after 0.25 s" in shown


def test_on_a_terminal_what_runs_and_what_waits_for_another_try_stand_below() -> None:
    reporter = LiveReporter(PIPELINE, Console(file=io.StringIO(), force_terminal=True, width=100, height=40))
    try:
        for recorded in story([*STORY[:5], StepStarted(JOIN)]):
            reporter.report(recorded)
        console = Console(width=100, color_system=None, file=io.StringIO())
        with console.capture() as drawn:
            console.print(reporter.draw())
    finally:
        reporter.close()
    below = drawn.get().splitlines()
    assert "clean_flights" in below[0]
    assert "join" in below[1]
    assert "fetch" in below[2]
    assert "again in" in below[2]
    assert "1/4 steps" in below[3]


def test_many_steps_are_counted_not_listed() -> None:
    assert "step_7 " not in screen(many(MANY + 1))
    assert "step_7 " in screen(many(20))


def test_the_live_view_stays_cheap_with_ten_thousand_steps() -> None:
    told = many(10_000)
    before = time.perf_counter()
    screen(told)
    assert (time.perf_counter() - before) / 10_000 < 0.0003
