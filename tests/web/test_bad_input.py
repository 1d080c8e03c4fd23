"""Whatever comes, there is a clear page or message, and the server stays up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from tests.projects import anabranch, write
from tests.web.servers import data, eventually, get, serving, shop

from anabranch.model.run import RunId, StepState
from anabranch.store.runs import SqliteRunStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

MARKUP = "<script>alert(1)</script>\"'&amp;"


@pytest.mark.parametrize(
    "path, status, code",
    [
        ("/runs/nosuchrun", 404, "no-run"),
        ("/runs/nosuchrun/retry", 404, "no-run"),
        ("/runs/last/logs/1/nosuchstep", 404, "unknown-step"),
        ("/runs/last/logs/9/clean", 404, "no-log"),
        ("/pipelines/dialy", 404, "no-pipeline"),
        ("/datasets/ordres", 404, "unknown-dataset"),
        ("/datasets/..%2F..%2Fetc%2Fpasswd/sample", 404, "not-found"),
        ("/datasets/passwd/sample", 404, "unknown-dataset"),
        ("/branches/nosuchbranch", 404, "no-branch"),
        ("/runs?page=-1", 400, "bad-query"),
        ("/runs?state=great", 400, "bad-query"),
        ("/?environment=mars", 404, "no-environment"),
        ("/static/../serve.py", 404, "not-found"),
        ("/nowhere", 404, "not-found"),
    ],
)
def test_what_is_not_there_is_said_with_one_thing_to_try(base: str, path: str, status: int, code: str) -> None:
    told, text, _ = get(base + path)
    assert told == status
    assert f"{status}: {code}" in text
    assert "Try:" in text
    if not path.startswith(("/static", "/nowhere")):
        told, text, _ = get(f"{base}/api/v1{path if not path.startswith('/?') else '/home' + path[1:]}")
        assert (told, json.loads(text)["diagnostics"][0]["code"]) == (status, code)


def test_a_name_full_of_markup_is_only_shown(browser: Browser, tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "anabranch.yaml": json.dumps({"project": "m", "pipelines": ["p.json"]}),
            "p.json": json.dumps(
                {
                    "pipeline": "p",
                    "description": MARKUP,
                    "params": {"word": {"default": MARKUP}},
                    "steps": {"s": {"shell": f"echo {json.dumps(MARKUP)}; exit 1", "description": MARKUP}},
                }
            ),
        },
    )
    anabranch(root, "run", code=4)
    with serving(root) as base:
        context = browser.new_context()
        page = context.new_page()
        alarms: list[str] = []
        page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
        for path in (
            "/",
            "/pipelines/p",
            "/runs/last",
            "/runs/last/logs/1/s",
            "/runs",
            "/datasets/<script>alert(1)<script>",
        ):
            page.goto(base + urllib.parse.quote(path))
            assert "alert(1)" in page.inner_text("body")
            assert page.locator("script:not([src])").count() == 0
        context.close()
        assert alarms == []


def test_a_store_that_is_locked_broken_or_newer_is_said_and_then_read_again(tmp_path: Path) -> None:
    root = shop(tmp_path)
    anabranch(root, "run", "daily")
    store = root / ".anabranch" / "state.db"
    with serving(root) as base:
        assert get(f"{base}/runs")[0] == 200
    with sqlite3.connect(store) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version = 99")
    with serving(root) as base:
        status, text, _ = get(f"{base}/runs")
        assert status == 503
        assert "newer-version" in text
        assert "upgrade anabranch" in text
        with sqlite3.connect(store) as db:
            db.execute(f"PRAGMA user_version = {version}")
        assert get(f"{base}/runs")[0] == 200
        with sqlite3.connect(store, isolation_level=None) as db:
            db.execute("BEGIN EXCLUSIVE")
            assert get(f"{base}/runs")[0] == 200, "WAL lets readers go on"
            db.execute("ROLLBACK")
    for rest in store.parent.glob("state.db*"):
        rest.unlink()
    store.write_text("this is no database, and never was one" * 100)
    with serving(root) as base:
        status, text, _ = get(f"{base}/runs")
        assert status == 503
        assert "store-failed" in text


def test_a_dataset_whose_file_is_gone_is_told_where_its_rows_would_be(tmp_path: Path) -> None:
    root = shop(tmp_path)
    anabranch(root, "run", "daily")
    shutil.rmtree(root / "data" / "cleaned")
    (root / "data" / "final" / "totals.csv").write_text("euros\nmany\n")
    with serving(root) as base:
        assert get(f"{base}/datasets/sold")[0] == 200
        _, text, _ = get(f"{base}/datasets/sold/sample")
        assert "is not at" in text
        assert "run the pipeline that writes it" in text
        assert data(f"{base}/api/v1/datasets/totals/sample")["problems"][0]["code"] == "unreadable-input"


def test_a_step_that_is_dead_is_shown_dead(tmp_path: Path) -> None:
    root = shop(tmp_path)
    runner = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run", "slow", "-p", "lines=500"],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with serving(root) as base:

        def running() -> bool:
            status, text, _ = get(f"{base}/api/v1/runs/last")
            return status == 200 and json.loads(text)["run"]["counts"][StepState.RUNNING] == 1

        eventually(running, "it never ran")
        os.killpg(runner.pid, signal.SIGKILL)
        runner.wait()
        told = eventually(
            lambda: state if (state := data(f"{base}/api/v1/runs/last")["run"]["state"]) == "dead" else None, ""
        )
        assert told == "dead"
        assert "nobody drives it any more" in get(f"{base}/runs/last")[1]
        assert [run["state"] for run in data(f"{base}/api/v1/runs?state=dead")["runs"]] == ["dead"]


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = anabranch(shop(tmp_path), "ui", "--port", str(port), code=7)
    assert f"port {port} of 127.0.0.1 is taken" in told
    assert f"try: --port {port + 1}" in told
    assert "bad-host" in anabranch(tmp_path, "ui", "--host", "no such host", "--token", "x", code=2)


def test_clients_that_go_away_and_nonsense_are_nothing_to_it(base: str) -> None:
    host, _, port = base.removeprefix("http://").partition(":")
    for text in (
        b"GET /live/runs/last HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /live/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /runs/last/retry HTTP/1.1\r\nHost: localhost\r\ncontent-length: 99999\r\n\r\nwhat",
        b"\x16\x03\x01 nonsense\r\n\r\n",
    ):
        for _ in range(5):
            with socket.create_connection((host, int(port))) as client:
                client.sendall(text)
    assert get(f"{base}/")[0] == 200


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A run whose log is a gigabyte, sparse on disk: lines at both ends, one in the middle, and a line without end."""
    root = write(
        tmp_path_factory.mktemp("huge"),
        {
            "anabranch.yaml": "project: h\npipelines: [p.yaml]\n",
            "p.yaml": "pipeline: p\nsteps:\n  talk: {shell: 'echo hello'}\n",
        },
    )
    anabranch(root, "run")
    store = SqliteRunStore(root / ".anabranch")
    run = RunId(store.resolve("last"))
    store.close()
    path = root / ".anabranch" / "runs" / run / "logs" / "talk.1.log"
    with path.open("wb") as file:
        file.write(b"first line\n" + b"".join(b"early %d\n" % i for i in range(20_000)))
        file.seek(600_000_000)
        file.write(b"\nin the MIDDLE of it\n")
        file.seek(1_000_000_000)
        file.write(b"\n" + b"".join(b"late %d\n" % i for i in range(20_000)) + b"last line\n")
    with serving(root) as base:
        yield base, path


def test_a_log_of_a_gigabyte_is_read_a_page_at_a_time(huge: tuple[str, Path]) -> None:
    base, path = huge
    log = f"{base}/api/v1/runs/last/logs/1/talk"
    end = data(log)
    assert end["lines"][-1] == "last line"
    assert len(end["lines"]) == 500
    assert end["bytes"] == path.stat().st_size
    earlier = data(f"{log}?before={end['start']}")
    assert earlier["end"] == end["start"]
    assert earlier["lines"][-1] == f"late {20_000 - 500}"
    start = data(f"{log}?at=0")
    assert start["lines"][:2] == ["first line", "early 0"]
    following = data(f"{log}?at={start['end']}")
    assert following["lines"][0] == f"early {int(start['lines'][-1].split()[1]) + 1}"
    endless = data(f"{log}?at=300000000")
    assert sum(map(len, endless["lines"])) < 10_000, "what has no end of a line is cut"
    assert len(get(f"{base}/runs/last/logs/1/talk")[1]) < 100_000


def test_a_log_of_a_gigabyte_is_searched_in_parts(huge: tuple[str, Path]) -> None:
    base, _ = huge
    log, at, found, rounds = f"{base}/api/v1/runs/last/logs/1/talk", 0, [], 0
    while True:
        told = data(f"{log}?q=middle&at={at}")
        found += told["hits"]
        rounds += 1
        if told["searched"] >= told["bytes"]:
            break
        assert told["searched"] > at
        at = told["searched"]
    assert [hit["line"] for hit in found] == ["in the MIDDLE of it"]
    assert data(f"{log}?at={found[0]['at']}")["lines"][0] == "in the MIDDLE of it"
    assert get(f"{base}/runs/last")[0] == 200
