"""Logs elsewhere are followed to the end: each line once, also late ones, and those of later attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from anabranch.cli.followfar import LATE, follow_elsewhere
from anabranch.model.pipeline import StepId
from anabranch.model.run import (
    AttemptFailed,
    Event,
    Failure,
    Recorded,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepStarted,
    StepSucceeded,
    fold,
)

if TYPE_CHECKING:
    from anabranch.ports import Runs

S, T = StepId("s"), StepId("t")
RUN = RunId("r1")


class Told:
    """A platform that knows more at each look."""

    def __init__(self, *looks: tuple[list[Event], dict[tuple[StepId, int], str]]) -> None:
        self.looks, self.at, self.asked = looks, -1, 0

    def events(self, run: str) -> list[Recorded]:
        assert run == RUN
        self.at = min(self.at + 1, len(self.looks) - 1)
        return [Recorded(RUN, i, float(i), event) for i, event in enumerate(self.looks[self.at][0])]

    def log(self, run: str, step: StepId, attempt: int) -> str:
        assert run == RUN
        self.asked += 1
        return self.looks[self.at][1].get((step, attempt), "")


def followed(told: Told, steps: set[StepId] | None = None, tail: int | None = None) -> list[Any]:
    run = fold(told.events(RUN))
    assert run is not None
    found = follow_elsewhere(cast("Runs", told), run, steps, tail, pause=0)
    return [(step, attempt, text.decode()) for step, attempt, text in found]


BEGUN = [RunStarted("p", (S, T)), StepStarted(S, 1)]
FAILED = [*BEGUN, AttemptFailed(S, 1, 1.0, Failure("error", "no"), 0.0), StepStarted(S, 2)]
DONE = [*FAILED, StepSucceeded(S, 2, 1.0), StepStarted(T, 1), StepSucceeded(T, 1, 1.0)]
ENDED = [*DONE, RunEnded(RunState.SUCCEEDED, 3.0)]


def test_each_line_is_told_once_and_those_that_come_late_too() -> None:
    told = Told(
        (BEGUN, {}),
        (BEGUN, {(S, 1): "one\n"}),
        (BEGUN, {(S, 1): "one\ntwo\n"}),
        (FAILED, {(S, 1): "one\ntwo\n", (S, 2): "again\n"}),
        (ENDED, {(S, 1): "one\ntwo\nthree\n", (S, 2): "again\n", (T, 1): "t\n"}),
        (ENDED, {(S, 1): "one\ntwo\nthree\n", (S, 2): "again\ndone\n", (T, 1): "t\n"}),
    )
    assert followed(told) == [
        (S, 1, "one\n"),
        (S, 1, "two\n"),
        (S, 2, "again\n"),
        (S, 1, "three\n"),
        (T, 1, "t\n"),
        (S, 2, "done\n"),
    ]


def test_of_a_run_that_has_ended_all_is_told_at_once_or_the_tail_of_one_step() -> None:
    logs = {(S, 1): "1\n2\n3\n", (S, 2): "4\n", (T, 1): "5\n"}
    assert followed(Told((ENDED, logs))) == [(S, 1, "1\n2\n3\n"), (S, 2, "4\n"), (T, 1, "5\n")]
    assert followed(Told((ENDED, logs)), {S}, 1) == [(S, 1, "3\n"), (S, 2, "4\n")]


def test_an_attempt_that_is_long_over_is_not_asked_of_for_ever() -> None:
    told = Told(*[(DONE[:4], {(S, 1): "one\n"})] * 100, (ENDED, {}))
    followed(told, {S})
    assert told.asked < 100 + LATE + 10
