"""A state means the same wherever it is kept: each claim is tried in SQLite, in an object store and in PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from anabranch.app import Project
from anabranch.model.errors import AnabranchError, ConflictError
from anabranch.model.resource import Address, Applied
from anabranch.ports import LEASE

if TYPE_CHECKING:
    from tests.store.states import Kept

APPLIED = Applied(Address("dag/x"), "x.py", "sha256:1", (Address("artifact/y"),))
HALF = Applied(Address("dag/half"), "", "", pending=True)
SPEC = """
project: shop
pipelines: [p.yaml]
environments:
  prod: {{airflow: {{dags: {folder}/dags}}, storage: {folder}/lake, state: "{state}"}}
"""
APPLY = """
import sys
from pathlib import Path
from anabranch.app import Project
deployment = Project.load(Path(sys.argv[1])).deployment("prod")
deployment.apply(lambda _: None)
"""
KILLED = APPLY.replace("lambda _: None", "told").replace(
    "deployment.apply",
    """
def told(change):
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
deployment.apply""",
)


class TestEveryState:
    def test_nothing_is_there_before_the_first_lock_and_reading_makes_nothing(self, kept: Kept) -> None:
        state = kept.open()
        assert (state.serial, state.applied(), state.places()) == (0, {}, {})

    def test_what_was_recorded_is_there_for_the_next_process(self, kept: Kept) -> None:
        one, other = kept.open(), kept.open()
        with one.lock():
            one.settle({"dags": "/a"})
            one.intend(HALF.address)
            one.intend(APPLIED.address)
            one.record(APPLIED)
        assert other.applied() == {HALF.address: HALF, APPLIED.address: APPLIED}
        assert (other.serial, other.places()) == (4, {"dags": "/a"})
        with other.lock():
            other.forget(APPLIED.address)
        assert one.applied() == {HALF.address: HALF}
        with one.lock():
            one.record(APPLIED)
            one.intend(APPLIED.address)  # and it is cut off
        assert other.applied()[APPLIED.address] == replace(APPLIED, pending=True)
        with one.lock():
            one.record(APPLIED)
        assert other.applied()[APPLIED.address] == APPLIED

    def test_one_namespace_knows_nothing_of_another(self, kept: Kept) -> None:
        main, branch = kept.open(), kept.open(namespace="fix")
        with main.lock(), branch.lock():
            main.record(APPLIED)
        assert branch.applied() == {}
        with branch.lock():
            branch.forget(APPLIED.address)
        assert main.applied() == {APPLIED.address: APPLIED}

    def test_the_lock_excludes_until_its_lease_ends_and_who_lost_it_cannot_write(self, kept: Kept) -> None:
        now = [1000.0]
        one, two = (kept.open(lambda: now[0]) for _ in range(2))
        with one.lock():
            now[0] += 100
            with pytest.raises(ConflictError, match=r"has been changing .* for 100 s") as refused, two.lock():
                pass
            assert (refused.value.code, "ends in 20 s" in refused.value.hint) == ("state-locked", True)
            for renew in (lambda: one.record(APPLIED), one.renew):  # each write begins the lease anew
                renew()
                now[0] += LEASE - 1
                with pytest.raises(ConflictError), two.lock():
                    pass
            now[0] += 2
            with two.lock():
                for write in (one.intend, one.forget):
                    with pytest.raises(ConflictError) as lost:
                        write(Address("dag/z"))
                    assert lost.value.code == "lock-lost"
                for hold in (lambda: one.record(HALF), one.renew):
                    with pytest.raises(ConflictError):
                        hold()
                two.settle({"dags": "/b"})
        assert kept.open().applied() == {APPLIED.address: APPLIED}
        assert (kept.open().places(), kept.open().serial) == ({"dags": "/b"}, 2)  # only writes are counted
        with one.lock():
            pass

    def test_who_lost_the_lock_does_not_let_go_of_the_others(self, kept: Kept) -> None:
        now = [1000.0]
        one, two, three = (kept.open(lambda: now[0]) for _ in range(3))
        with one.lock():
            now[0] += LEASE + 1
            holding = two.lock()
            holding.__enter__()
        with pytest.raises(ConflictError), three.lock():
            pass
        two.record(APPLIED)
        holding.__exit__(None, None, None)
        assert three.applied() == {APPLIED.address: APPLIED}

    def test_a_state_that_is_empty_is_no_state(self, kept: Kept) -> None:
        state = kept.open()
        with state.lock():
            state.settle({"dags": "/a"})
            state.record(APPLIED)
        assert kept.left()
        with state.lock():
            state.forget(APPLIED.address)
        assert kept.left() == []
        assert (state.serial, state.applied(), state.places()) == (0, {}, {})
        with state.lock():
            state.record(APPLIED)
        assert state.serial == 1

    def test_a_holder_that_fails_lets_go_and_what_it_recorded_stays(self, kept: Kept) -> None:
        state = kept.open()

        def fail() -> None:
            with state.lock():
                state.record(APPLIED)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with kept.open().lock():
            assert kept.open().applied() == {APPLIED.address: APPLIED}

    def test_of_many_at_once_one_has_the_lock(self, kept: Kept) -> None:
        inside = [0]

        def attempt(number: int) -> str:
            state = kept.open()
            try:
                with state.lock():
                    inside[0] += 1
                    assert inside[0] == 1
                    state.record(Applied(Address(f"dag/{number}"), "", "sha256:1"))
                    inside[0] -= 1
                    return "held"
            except ConflictError as error:
                return error.code

        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(attempt, range(24)))
        assert set(told) <= {"held", "state-locked"}
        assert kept.open().serial == len(kept.open().applied()) == told.count("held") >= 1

    @pytest.mark.parametrize("how", ["newer", "short"])
    def test_one_that_is_newer_or_cut_short_is_refused_and_left_as_it_is(self, kept: Kept, how: str) -> None:
        with (state := kept.open()).lock():
            state.record(APPLIED)
        del state
        code = kept.spoil(how)
        for lock in (nullcontext, lambda: kept.open().lock()):
            with pytest.raises(AnabranchError) as refused, lock():
                kept.open().applied()
            assert refused.value.code == code
            assert refused.value.hint
            assert any(each in refused.value.message for each in ("state.db", "main.json", "postgresql://"))

    def test_a_process_that_is_killed_leaves_a_lock_that_ends_and_all_that_it_did(
        self, kept: Kept, tmp_path: Path
    ) -> None:
        root = _project(tmp_path, kept.url)
        ended = subprocess.run([sys.executable, "-c", KILLED, str(root)], check=False, timeout=60, env={**os.environ})
        assert ended.returncode == -signal.SIGKILL
        deployment = Project.load(root).deployment("prod")
        assert any(each.digest for each in deployment.state.applied().values())
        if kept.url:  # another machine's processes cannot be looked for
            with pytest.raises(ConflictError) as refused:
                deployment.apply(lambda _: None)
            assert refused.value.code == "state-locked"
            _lease_ends(kept)
        deployment.apply(lambda _: None)
        assert deployment.plan().changes == ()
        assert len(list((tmp_path / "dags").rglob("*.py"))) == 1

    def test_of_two_jobs_at_once_one_applies_and_the_other_says_so(self, kept: Kept, tmp_path: Path) -> None:
        root = _project(tmp_path, kept.url)
        command = [sys.executable, "-c", APPLY, str(root)]
        started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        told = [(process.communicate(timeout=100)[1], process.returncode) for process in started]
        assert [code for _, code in told].count(0) >= 1
        assert all("has been changing" in text or "the same moment" in text for text, code in told if code)
        deployment = Project.load(root).deployment("prod")
        assert deployment.plan().changes == ()
        assert not deployment.destroy(lambda _: None).left
        assert not list(tmp_path.glob("dags/**/*.py"))

    def test_two_checkouts_share_one_and_once_lost_it_is_found_again(self, kept: Kept, tmp_path: Path) -> None:
        if not kept.url:
            pytest.skip("beside a project, nobody shares it")
        here, there = (Project.load(_project(tmp_path, kept.url, name)).deployment("prod") for name in ("a", "b"))
        assert len(here.apply(lambda _: None).acts) == 3
        assert there.plan().changes == ()
        kept.lose()
        there = Project.load(tmp_path / "b").deployment("prod")
        assert there.plan().acts == ()
        there.apply(lambda _: None)
        here = Project.load(tmp_path / "a").deployment("prod")
        assert here.plan().changes == ()
        assert not here.destroy(lambda _: None).left
        assert kept.left() == []
        assert there.state.applied() == {}

    def test_a_branch_that_is_dropped_leaves_no_state_and_main_its_own(self, kept: Kept, tmp_path: Path) -> None:
        if not kept.url:
            pytest.skip("the project's own folder has it")
        project = Project.load(_project(tmp_path, kept.url))
        main = project.deployment("prod")
        main.apply(lambda _: None)
        before = kept.left()
        branch = main.of_branch("fix")
        root = f"{tmp_path}/lake/_branches/fix"
        wanted = branch.branch_resources(project.pipeline("p"), root, project.code.snapshot(), {})
        branch.apply(lambda _: None, wanted=wanted)
        assert len(kept.left()) > len(before)
        assert not branch.destroy(lambda _: None).left
        assert kept.left() == before


def _project(folder: Path, state: str, name: str = "shop") -> Path:
    root = folder / name
    root.mkdir()
    (root / "anabranch.yaml").write_text(SPEC.format(folder=folder, state=state))
    (root / "p.yaml").write_text("pipeline: p\nsteps:\n  s: {shell: [echo, hello]}\n")
    return root


def _lease_ends(kept: Kept) -> None:
    """Let the time pass that a lease takes."""
    import time

    with kept.open(lambda: time.time() + LEASE + 1).lock():
        pass
