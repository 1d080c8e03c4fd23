"""A store behind the S3 protocol, for tests: ministack keeps what it is given, and enforces conditional puts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

COMMAND = Path(__file__).parents[2] / ".venv-emulators" / "bin" / "ministack"


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path) -> Generator[dict[str, str]]:
    """Run the store; give the environment that leads to it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    inside = {"BIND_HOST": "127.0.0.1", "IOT_MTLS_PORT": "0", "GATEWAY_PORT": str(port), "AWS_ENDPOINT_URL": url}
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [str(COMMAND)], env={**os.environ, **inside}, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(f"{url}/_ministack/health"):
            assert process.poll() is None, (folder / "ministack.log").read_text()
            assert time.monotonic() < deadline, "the store did not start"
            time.sleep(0.05)
        urllib.request.urlopen(urllib.request.Request(f"{url}/lake", method="PUT"), timeout=10).close()
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
