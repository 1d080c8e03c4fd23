from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.platforms.process.start import dying_with, start

WORKER = """
import sys
from pathlib import Path
from anabranch.platforms.process.start import start
start([sys.executable, "-c", sys.argv[1], sys.argv[2]], folder=Path.cwd(), environment={})
"""
CHILD = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid()) + '\\n'); time.sleep(60)"


def eventually(seconds: float, holds: Callable[[], bool]) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_process_dies_with_its_worker(tmp_path: Path) -> None:
    """Even if the worker is killed, and can stop nothing itself."""
    file = tmp_path / "pid"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, CHILD, str(file)], cwd=tmp_path)
    try:
        eventually(20, lambda: file.exists() and file.read_text().endswith("\n"))
        child = int(file.read_text())
        assert Path(f"/proc/{child}").exists()
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    eventually(10, lambda: _gone(child))


def _gone(pid: int) -> bool:
    """Whether a process has ended; nobody may have taken note of it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except FileNotFoundError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_process_whose_worker_is_dead_already_does_not_start(tmp_path: Path) -> None:
    """The parent may die before the child asks to die with it: here it is another process all along."""
    code = subprocess.run(
        ["touch", str(tmp_path / "ran")], preexec_fn=dying_with(1 if os.getpid() != 1 else 2), check=False
    ).returncode
    assert code == 1
    assert not (tmp_path / "ran").exists()


def test_a_hundred_megabytes_of_output_pass_by_this_process(tmp_path: Path) -> None:
    """They go from the child to the log: this process neither holds nor copies them."""
    code = (
        "import resource, sys, time; from pathlib import Path; from anabranch.platforms.process.start import start\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "start(['sh', '-c', 'yes a line of output | head -c 100000000'], folder=Path.cwd(), environment={})\n"
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))\n"
    )
    with (tmp_path / "log").open("wb") as log:
        done = subprocess.run([sys.executable, "-c", code], stdout=log, stderr=subprocess.PIPE, check=True)
    assert (tmp_path / "log").stat().st_size == 100_000_000
    assert int(done.stderr) < 5_000, "kilobytes"


def test_what_we_printed_comes_before_what_the_process_prints(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from anabranch.platforms.process.start import start\n"
        "print('first'); start(['echo', 'second'], folder=Path.cwd(), environment={}); print('third')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "first\nsecond\nthird\n"


def test_an_interrupted_worker_takes_its_process_along(tmp_path: Path) -> None:
    """An exception in the worker, such as a timeout's, ends the process and passes on."""
    file = tmp_path / "pid"

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(TimeoutError):
            start([sys.executable, "-c", CHILD, str(file)], folder=tmp_path, environment={})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert _gone(int(file.read_text()))
