"""The state in an object store, on one that really enforces conditional writes."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tools.aws import COMMAND, serving

from anabranch.app import Project
from anabranch.data.objects.store import Objects
from anabranch.model.errors import ConflictError
from anabranch.model.resource import Address, Applied
from anabranch.store.deployments import LEASE
from anabranch.store.shared import SharedStateStore

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not COMMAND.exists(), reason="no S3: python3 tools/bootstrap.py emulators"),
]
APPLIED = Applied(Address("dag/x"), "x.py", "sha256:1", (Address("artifact/y"),))
KEY = "shop/prod/main.json"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    with serving(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def bucket(store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objects:
    for name, value in store.items():
        monkeypatch.setenv(name, value)
    return Objects(f"s3://lake/{tmp_path.name}")


def test_what_was_recorded_is_there_for_the_next_machine(bucket: Objects) -> None:
    one = SharedStateStore(bucket, KEY)
    assert (one.serial, one.applied()) == (0, {})
    with one.lock():
        one.intend(Address("dag/half"))
        one.intend(APPLIED.address)
        one.record(APPLIED)
    other = SharedStateStore(bucket, KEY)
    assert other.applied() == {APPLIED.address: APPLIED}
    assert other.serial == 3
    with other.lock():
        other.forget(APPLIED.address)
    assert one.applied() == {}


def test_the_lock_is_exclusive_ends_with_its_lease_and_fences(bucket: Objects) -> None:
    now = [1000.0]
    one, two = (SharedStateStore(bucket, KEY, lambda: now[0]) for _ in range(2))
    with one.lock():
        with pytest.raises(ConflictError) as refused, two.lock():
            pass
        assert refused.value.code == "state-locked"
        now[0] += LEASE + 1
        with two.lock():
            with pytest.raises(ConflictError) as lost:
                one.record(APPLIED)
            assert lost.value.code == "lock-lost"
            two.record(APPLIED)
    assert SharedStateStore(bucket, KEY).applied() == {APPLIED.address: APPLIED}
    with one.lock():
        pass


def test_of_many_at_once_one_has_the_lock(bucket: Objects) -> None:
    def attempt(_: int) -> str:
        store = SharedStateStore(bucket, KEY)
        try:
            with store.lock():
                store.record(APPLIED)
                return "held"
        except ConflictError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(attempt, range(24)))
    assert set(told) <= {"held", "state-locked"}
    assert SharedStateStore(bucket, KEY).serial == told.count("held") >= 1


@pytest.mark.parametrize(
    "body, code", [(b'{"anabranch": 1, "ser', "state-unreadable"), (b'{"anabranch": 99}', "newer-version")]
)
def test_a_state_that_is_cut_short_or_newer_is_refused_and_kept(bucket: Objects, body: bytes, code: str) -> None:
    bucket.put(KEY, body)
    store = SharedStateStore(bucket, KEY)
    with pytest.raises(ConflictError) as refused, store.lock():
        pass
    assert refused.value.code == code
    assert bucket.read(KEY) == body


def test_two_machines_apply_one_project(bucket: Objects, tmp_path: Path) -> None:
    """Two checkouts with one state: the second has nothing to do, and a lost state is found again."""
    spec = f"project: shop\npipelines: [p.yaml]\nenvironments: {{prod: {{airflow: {{dags: {tmp_path}/dags}}, "
    spec += f"storage: {tmp_path}/lake, state: '{bucket.url}'}}}}\n"
    made = []
    for name in ("here", "there"):
        root = tmp_path / name
        root.mkdir()
        (root / "anabranch.yaml").write_text(spec)
        (root / "p.yaml").write_text("pipeline: p\nsteps:\n  s: {shell: [echo, hello]}\n")
        made.append(Project.load(root).deployment("prod"))
    assert len(made[0].apply(lambda _: None).acts) == 3
    assert made[1].plan().changes == ()
    told = json.loads(bucket.read(KEY) or b"")
    assert told["lock"] is None
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in json.dumps(told).split('"')
    bucket.delete([KEY])
    assert made[1].plan().acts == ()
    made[1].apply(lambda _: None)
    made[0].apply(lambda _: None, destroy=True)
    assert made[1].state.applied() == {}
