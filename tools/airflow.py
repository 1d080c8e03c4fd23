"""A real Airflow 3 on loopback, for tests and `make demo-airflow`: on SQLite, with one DAG folder.

    python tools/airflow.py FOLDER DAGS -- COMMAND ...

runs COMMAND while it is up, with its address in AIRFLOW_URL.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

COMMAND = Path(__file__).parents[1] / ".venv-airflow" / "bin" / "airflow"
PARTS = ("scheduler", "dag-processor", "api-server")


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path, dags: Path) -> Generator[str]:
    """Run an Airflow; give its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "4",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__WORKERS": "1",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
        "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    }
    inside = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))},
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        "AIRFLOW_HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    dags.mkdir(parents=True, exist_ok=True)
    subprocess.run([COMMAND, "db", "migrate"], env=inside, check=True, capture_output=True, timeout=120)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for part in PARTS:
            with (folder / f"{part}.log").open("wb") as log:
                started.append(
                    subprocess.Popen([COMMAND, part], env=inside, stdout=log, stderr=log, start_new_session=True)
                )
        deadline = time.monotonic() + 120
        while not _answers(f"{url}/api/v2/monitor/health"):
            for part, process in zip(PARTS, started, strict=True):
                if process.poll() is not None:
                    raise RuntimeError((folder / f"{part}.log").read_text()[-3000:])
            if time.monotonic() > deadline:
                message = "Airflow did not start"
                raise RuntimeError(message)
            time.sleep(0.2)
        yield url
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - our own loopback
    except OSError:
        return False
    return True


def main(arguments: list[str]) -> int:
    """Run a command while an Airflow is up.

    Args:
        arguments: Its folder, its DAG folder, `--`, and the command.

    Returns:
        The command's exit code.
    """
    folder, dags, _, *command = arguments
    Path(folder).mkdir(parents=True, exist_ok=True)
    print("starting Airflow ...", file=sys.stderr, flush=True)
    with serving(Path(folder).absolute(), Path(dags).absolute()) as url:
        return subprocess.run(command, env={**os.environ, "AIRFLOW_URL": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
