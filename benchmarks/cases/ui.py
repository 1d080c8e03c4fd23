"""The pages: how soon they are there, how large they are, and what watching costs the run that is watched."""

from __future__ import annotations

import http.client
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.measure import Row

RUNS, STEPS, LARGE, CLIENTS = 1000, 200, 1000, 50
NOOPS = f"""
from anabranch import pipeline, step
def noop() -> None: pass
p = pipeline("noops", [step(name=f"s{{i:04}}")(noop) for i in range({LARGE})])
"""


def rows() -> list[Row]:
    """Measure pages over a store of 1,000 runs of 200 steps, and one run of 1,000 steps."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parents[2]) as name:
        root = Path(name)
        large = filled(root)
        with serving(root) as (port, process, first_byte):
            pages = {
                "start page": "/",
                "pipeline": "/pipelines/p",
                "run": "/runs/last?step=s100",
                "runs": "/runs?page=10",
                "run of 1,000 steps": f"/runs/{large}",
                "dataset": "/datasets/d100",
            }
            told = {what: page(port, path) for what, path in pages.items()}
            slowest = max(told, key=lambda what: told[what][0])
            largest = max(told, key=lambda what: told[what][1])
            browser = in_browser(f"http://127.0.0.1:{port}/runs/{large}")
            megabytes = resident(process.pid)
        alone, watched = overhead(root)
    ms, kilobytes = told[slowest][0] * 1000, told[largest][1] / 1000
    return [
        Row("`anabranch ui`, start to first byte", f"{first_byte:.2f} s", "", "", "1 s", first_byte <= 1),
        Row("its memory, after all pages below", f"{megabytes:.0f} MB", "", "", "100 MB", megabytes <= 100),
        Row(f"slowest page of {RUNS:,} runs x {STEPS} steps: {slowest}", f"{ms:.0f} ms", "", "", "50 ms", ms <= 50),
        Row(f"largest, on the wire: {largest}", f"{kilobytes:.0f} kB", "", "", "100 kB", kilobytes <= 100),
        Row("run of 1,000 steps, usable in Chromium", f"{browser:.2f} s", "", "", "1.5 s", browser <= 1.5)
        if browser
        else Row("run of 1,000 steps, usable in Chromium", "no Chromium", ""),
        Row(
            f"1,000 steps, watched by {CLIENTS} clients",
            f"{watched:.2f} s",
            f"{alone:.2f} s (by none)",
            f"{watched / alone - 1:+.0%}",
            "10%",
            watched / alone <= 1.1,
        ),
    ]


def filled(root: Path) -> str:
    """Write the project and its past; return the run of 1,000 steps."""
    from anabranch import Project
    from anabranch.model.run import PortStats, RunEnded, RunStarted, RunState, StepStarted, StepSucceeded
    from anabranch.run.plan import new_run_id

    stage = ["raw", *["cleaned"] * 119, *["final"] * 81]
    spec = ["pipeline: p", "datasets:", *(f"  d{i:03}: {{stage: {stage[i]}}}" for i in range(STEPS + 1)), "steps:"]
    for i in range(STEPS):
        call = f"'cp ${{in.d{i // 2:03}}} ${{out.d{i + 1:03}}}'"
        spec.append(f"  s{i:03}: {{shell: {call}, reads: [d{i // 2:03}], writes: [d{i + 1:03}]}}")
    (root / "p.yaml").write_text("\n".join(spec) + "\n")
    (root / "jobs.py").write_text(NOOPS)
    (root / "anabranch.yaml").write_text("project: bench\npipelines: [p.yaml, 'jobs:p']\n")
    project, draw = Project.load(root), random.Random(1)
    large, run = "", new_run_id()
    for pipeline, times in (("noops", 1), ("p", RUNS)):
        steps = project.pipelines[pipeline].steps
        for n in range(times):
            run = new_run_id()
            project.runs.begin(run, project.pipelines[pipeline], RunStarted(pipeline, tuple(s.id for s in steps)))
            events = []
            for i, step in enumerate(steps):
                events.append(StepStarted(step.id))
                reads = (PortStats("in", f"d{i // 2:03}", 1000, 5000, "sha256:1"),) if pipeline == "p" else ()
                writes = (PortStats("out", f"d{i + 1:03}", 1000 + n, 5000, f"sha256:{n}"),) if pipeline == "p" else ()
                events.append(StepSucceeded(step.id, 1, draw.random(), reads, writes))
            project.runs.append(run, [*events, RunEnded(RunState.SUCCEEDED, draw.random() * 100)])
        large = large or run
    project.runs.close()
    return large


@contextmanager
def serving(root: Path) -> Iterator[tuple[int, subprocess.Popen[str], float]]:
    """Serve the project; yield the port, the process, and the seconds from its start to the first byte of a page."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "anabranch", "-C", str(root), "ui", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r":(\d+)/", process.stdout.readline())
    assert found
    port = int(found[1])
    page(port, "/", times=1)
    first = time.perf_counter() - began
    try:
        yield port, process, first
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


def page(port: int, path: str, times: int = 7) -> tuple[float, int]:
    """Return the median seconds that a page takes, connection included, and its bytes on the wire."""
    took: list[float] = []
    size = 0
    for _ in range(times):
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path, headers={"accept-encoding": "gzip"})
        answer = connection.getresponse()
        assert answer.status == 200, path
        size = len(answer.read())
        connection.close()
        took.append(time.perf_counter() - began)
    return statistics.median(took), size


def resident(process: int) -> float:
    """Return the memory of a process in MB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) / 1000


def in_browser(url: str) -> float:
    """Return the seconds until a page is drawn and can be used, in a warm headless Chromium; 0 without one."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return 0.0
    from playwright.sync_api import sync_playwright

    took: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(3):
            context = browser.new_context()
            tab = context.new_page()
            began = time.perf_counter()
            tab.goto(url, wait_until="load")
            tab.locator("td.lead a").first.wait_for()
            tab.locator("svg.graph").first.wait_for()
            took.append(time.perf_counter() - began)
            context.close()
        browser.close()
    return statistics.median(took)


def overhead(root: Path, times: int = 3) -> tuple[float, float]:
    """Return the median seconds of a run of 1,000 steps that do nothing: nobody watching, and 50 clients watching."""
    found: dict[bool, list[float]] = {False: [], True: []}
    with serving(root) as (port, _, _first):
        for _ in range(times):
            for watched in (False, True):
                found[watched].append(_timed(root, port, clients=CLIENTS if watched else 0))
    return statistics.median(found[False]), statistics.median(found[True])


def _timed(root: Path, port: int, clients: int) -> float:
    streams = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(clients)]
    threads = [threading.Thread(target=_watch, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    time.sleep(1 if clients else 0)  # all of them are there before it begins
    command = [sys.executable, "-m", "anabranch", "-C", str(root), "run", "noops", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = re.search(r'"seconds": ([\d.]+), "params"', done.stdout.splitlines()[-1])
    assert seconds
    for stream, thread in zip(streams, threads, strict=True):
        stream.sock.shutdown(socket.SHUT_RDWR)
        thread.join()
        stream.close()
    return float(seconds[1])


def _watch(stream: http.client.HTTPConnection) -> None:
    stream.request("GET", "/live/pipelines/noops")
    answer = stream.getresponse()
    with suppress(OSError, http.client.HTTPException):
        while answer.read1(1 << 16):
            pass
