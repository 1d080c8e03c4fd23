from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anabranch.cli.progress.summary import Voice, exit_code, frame, headline, root_cause, troubles
from anabranch.cli.terminal import Terminal
from anabranch.model.pipeline import StepId
from anabranch.model.run import Failure, Run, RunId, RunState, StepRun, StepState

if TYPE_CHECKING:
    from collections.abc import Iterable

RUN = RunId("7f3a9c2k")
ERROR = Failure(
    "error",
    "KeyError: 'x'",
    "look at x",
    "steps.py:31",
    "KeyError: 'x'\n  at steps.py:31 in <lambda>\n      return row['x']\n  at steps.py:20 in clean\n      rows.map()",
)
CONTRACT = Failure("contract", "legs: 2 rows have no carrier", code="null-value")
VOICE = Voice(Terminal(), lambda place: place, lambda step: f"logs/{step.step}.log", lambda *words: " ".join(words))


def step(name: str, state: StepState, **more: object) -> StepRun:
    return StepRun(StepId(name), state, **more)  # type: ignore[arg-type]


def run(steps: Iterable[StepRun], state: RunState = RunState.FAILED) -> Run:
    steps = tuple(steps)
    by_id = {each.step: each for each in steps}
    return Run(RUN, "daily", state=state, ended_at=1.0, seconds=2.5, steps=steps, step_by_id=by_id)


@pytest.mark.parametrize(
    "failures, state, code",
    [
        ([], RunState.SUCCEEDED, 0),
        ([ERROR], RunState.FAILED, 4),
        ([CONTRACT], RunState.FAILED, 5),
        ([CONTRACT, ERROR], RunState.FAILED, 4),
        ([], RunState.DEAD, 4),
        ([], RunState.CANCELLED, 130),
    ],
)
def test_the_exit_code_tells_how_it_ended(failures: list[Failure], state: RunState, code: int) -> None:
    steps = [step(f"s{i}", StepState.FAILED, failure=failure) for i, failure in enumerate(failures)]
    assert exit_code(run(steps, state)) == code


def test_the_headline_counts_what_happened() -> None:
    steps = [
        step("a", StepState.SUCCEEDED),
        step("b", StepState.REUSED),
        step("c", StepState.FAILED, failure=ERROR),
        step("d", StepState.SKIPPED, because=StepId("c")),
    ]
    told = "FAIL daily failed after 2.50 s: 1 ran, 1 reused, 1 failed, 1 skipped   (run 7f3a9c2k)"
    assert headline(run(steps), Terminal()) == told


def test_a_failure_shows_the_users_own_frame_first_and_ends_with_the_command_to_retry() -> None:
    steps = [
        step("clean", StepState.FAILED, failure=ERROR, attempts=3),
        step("sum", StepState.SKIPPED, because=StepId("clean")),
        step("mail", StepState.SKIPPED, because=StepId("sum")),
    ]
    assert list(troubles(run(steps), VOICE)) == [
        "",
        "error[step-failed] step clean failed (after 3 attempts)",
        "  steps.py:31 in clean",
        "  | return row['x']",
        "  KeyError: 'x'",
        "  try: look at x",
        "  log: logs/clean.log",
        "",
        "skipped because of clean: sum, mail",
        "retry: runs retry 7f3a9c2k",
    ]


def test_of_many_failures_only_some_are_told_in_full() -> None:
    told = list(troubles(run(step(f"s{i}", StepState.FAILED, failure=ERROR) for i in range(500)), VOICE))
    assert len(told) < 50
    assert "also failed: s5, s6, s7, s8, s9, s10 and 489 more" in told


def test_a_stopped_run_says_what_was_stopped_and_how_to_go_on() -> None:
    steps = [
        step("a", StepState.SUCCEEDED),
        step("b", StepState.CANCELLED, started_at=1.0),
        step("c", StepState.CANCELLED),
    ]
    assert list(troubles(run(steps, RunState.CANCELLED), VOICE)) == [
        "stopped: b",
        "not started: c",
        "go on: runs retry 7f3a9c2k",
    ]


def test_a_run_without_trouble_says_nothing_more() -> None:
    assert list(troubles(run([step("a", StepState.SUCCEEDED)], RunState.SUCCEEDED), VOICE)) == []


def test_a_chain_of_skips_is_followed_to_the_step_that_failed() -> None:
    steps = [
        step("a", StepState.FAILED, failure=ERROR),
        step("b", StepState.SKIPPED, because=StepId("a")),
        step("c", StepState.SKIPPED, because=StepId("b")),
    ]
    assert root_cause(run(steps), steps[2]) == "a"


def test_without_a_trace_there_is_no_function_to_name() -> None:
    assert frame(CONTRACT) == ("", "")
