"""A state in an object store: what only there can go wrong."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from anabranch.model.errors import ConflictError
from anabranch.model.resource import Address, Applied
from anabranch.ports import LEASE
from anabranch.store.shared import SharedStateStore

if TYPE_CHECKING:
    from tests.store.states import InBucket

pytestmark = pytest.mark.engine

KEY = "shop/prod/main.json"
APPLIED = Applied(Address("dag/x"), "x.py", "sha256:1")
LOCK = {"holder": "ci:1", "held_at": 1.0}


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"anabranch": 1},
        {"anabranch": 1, "serial": 1, "lock": LOCK, "resources": {}},
        {"anabranch": 1, "serial": 1, "lock": None, "resources": {"dag/x": {"name": "x"}}},
    ],
)
def test_an_object_that_is_none_of_ours_is_refused_and_left_as_it_is(in_bucket: InBucket, told: Any) -> None:
    body = json.dumps(told).encode()
    in_bucket.bucket.put(KEY, body)
    with pytest.raises(ConflictError) as refused, in_bucket.open().lock():
        pass
    assert refused.value.code == "state-unreadable"
    assert in_bucket.bucket.read(KEY) == body


def test_an_answer_that_was_lost_is_no_lost_lock(in_bucket: InBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that is tried again on the way is refused, because it has been made."""
    state = SharedStateStore(in_bucket.bucket, KEY)
    put = in_bucket.bucket.put
    monkeypatch.setattr(in_bucket.bucket, "put", lambda *given, **more: put(*given, **more) and False)
    with state.lock():
        state.record(APPLIED)
    assert in_bucket.open().applied() == {APPLIED.address: APPLIED}


def test_a_write_that_was_interrupted_after_it_was_made_leaves_no_lock(
    in_bucket: InBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-C: the object is a newer one than whoever lets go knows of, and the lock in it is still his."""
    state, put = in_bucket.open(), in_bucket.bucket.put

    def interrupted(*given: Any, **more: Any) -> bool:
        put(*given, **more)
        raise KeyboardInterrupt

    def cut_off() -> None:
        with state.lock():
            state.record(APPLIED)
            with monkeypatch.context() as patch:
                patch.setattr(in_bucket.bucket, "put", interrupted)
                state.intend(APPLIED.address)

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    with in_bucket.open().lock():
        pass


def test_who_lost_the_lock_deletes_nothing(in_bucket: InBucket) -> None:
    now = [1000.0]
    one, two = (in_bucket.open(lambda: now[0]) for _ in range(2))
    with one.lock():
        now[0] += LEASE + 1
        with two.lock():
            two.record(APPLIED)
    assert in_bucket.open().applied() == {APPLIED.address: APPLIED}


def test_no_credential_is_in_it(in_bucket: InBucket) -> None:
    with (state := in_bucket.open()).lock():
        state.record(APPLIED)
    told = json.loads(in_bucket.bucket.read(KEY) or b"")
    assert told["lock"] is None
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in json.dumps(told).split('"')
