"""The courier: it takes events at once, delivers in order, and gives up in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.app.export import courier as module
from anabranch.app.export.courier import Courier
from anabranch.model.errors import StepError
from anabranch.model.pipeline import StepId
from anabranch.model.run import Recorded, RunId, StepStarted

BAD = -1


class Fake:
    """An `Exporter` whose messages are the numbers of events. It remembers what it delivered."""

    noun, where = "message", "a fake"

    def __init__(self, answers: Sequence[str] = (), batch: int = 3) -> None:
        self.batch, self.delivered = batch, list[int]()
        self._answers, self.closed = list(answers), False
        self.gate = threading.Event()
        self.gate.set()

    def tell(self, recorded: Recorded) -> list[int]:
        if recorded.seq == BAD:
            raise ValueError("no such event")
        return [recorded.seq]

    def abandon(self) -> list[int]:
        return []

    def lines(self, messages: Sequence[int]) -> list[str]:
        return [str(each) for each in messages]

    def close(self) -> None:
        self.closed = True

    def send(self, messages: Sequence[int]) -> None:
        self.gate.wait(30)
        assert 0 < len(messages) <= self.batch
        match self._answers.pop(0) if self._answers else "well":
            case "well":
                self.delivered += messages
            case "crash":
                raise KeyError("a mistake of ours")
            case code:
                raise StepError("it is down", code=code)


def event(number: int) -> Recorded:
    return Recorded(RunId("7f3a9c2k"), number, float(number), StepStarted(StepId("s")))


@contextmanager
def short_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAUSE", 0.001)
        patch.setattr(module, "LONGEST_PAUSE", 0.002)
        yield


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@given(st.integers(1, 12), st.lists(st.sampled_from(["well", "export-unreachable"]), max_size=8), st.integers(1, 5))
def test_what_passes_by_itself_loses_nothing_and_keeps_the_order(count: int, answers: list[str], batch: int) -> None:
    fake = Fake(answers, batch)
    with short_pauses():
        courier = Courier("openlineage", lambda: fake)
        for i in range(count):
            courier.report(event(i))
        wait_until(lambda: len(fake.delivered) == count)
        assert courier.close(time.monotonic() + 5) is None
    assert fake.delivered == list(range(count))


def test_what_is_refused_is_lost_alone_and_told() -> None:
    fake = Fake(["well", "export-refused", "well"], batch=1)
    courier = Courier("openlineage", lambda: fake)
    for i in range(3):
        courier.report(event(i))
    warning = courier.close(time.monotonic() + 5)
    assert fake.delivered == [0, 2]
    assert fake.closed
    assert warning is not None
    assert warning.message == "1 message of run 7f3a9c2k did not reach openlineage: it is down"
    assert warning.hint == "anabranch runs export 7f3a9c2k --to openlineage"


def test_one_that_never_answers_holds_up_neither_events_nor_the_end() -> None:
    fake = Fake()
    fake.gate.clear()
    courier = Courier("openlineage", lambda: fake)
    began = time.monotonic()
    for i in range(module.MOST + 10):
        courier.report(event(i))
    assert time.monotonic() - began < 2
    began = time.monotonic()
    warning = courier.close(time.monotonic() + 0.2)
    assert time.monotonic() - began < 1
    fake.gate.set()
    assert warning is not None
    assert "of run 7f3a9c2k did not reach openlineage: that takes longer than 5 s" in warning.message


def test_what_waits_is_bounded_and_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    fake = Fake()
    fake.gate.clear()
    courier = Courier("openlineage", lambda: fake)
    courier.report(event(0))
    wait_until(lambda: not courier._events)
    for i in range(1, 31):
        courier.report(event(i))
    fake.gate.set()
    warning = courier.close(time.monotonic() + 5)
    assert fake.delivered == list(range(11))
    assert warning is not None
    assert warning.message.startswith("20 messages")


def test_a_mistake_of_ours_is_a_warning_like_any_other() -> None:
    courier = Courier("openlineage", lambda: Fake(["crash"]))
    courier.report(event(0))
    warning = courier.close(time.monotonic() + 5)
    assert warning is not None
    assert "KeyError: 'a mistake of ours'" in warning.message


def test_an_event_that_cannot_be_told_is_never_passed_over_in_silence() -> None:
    courier = Courier("openlineage", Fake)
    courier.report(event(BAD))
    warning = courier.close(time.monotonic() + 5)
    assert warning is not None
    assert warning.message == "the end of run 7f3a9c2k did not reach openlineage: ValueError: no such event"


def test_an_exporter_that_cannot_be_made_takes_no_more_events() -> None:
    def make() -> Fake:
        raise StepError("no secret", code="missing-secret")

    courier = Courier("openlineage", make)
    courier.report(event(0))
    wait_until(lambda: courier._done)
    courier.report(event(1))
    warning = courier.close(time.monotonic() + 5)
    assert warning is not None
    assert warning.message == "2 events of run 7f3a9c2k did not reach openlineage: no secret"


def test_a_courier_that_was_told_nothing_starts_no_thread() -> None:
    before = threading.active_count()
    assert Courier("openlineage", Fake).close(time.monotonic() + 5) is None
    assert threading.active_count() == before
