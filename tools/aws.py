"""An AWS on loopback that really runs code, for tests and `make demo-aws`: ministack, with two buckets.

    python tools/aws.py FOLDER -- COMMAND ...

runs COMMAND while it is up, with the environment that leads to it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

BIN = Path(__file__).parents[1] / ".venv-emulators" / "bin"
COMMAND = BIN / "ministack"
GLUE = Path(__file__).with_name("glue_on_ministack.py")
BUCKETS = ("lake", "artifacts")
ACCOUNT = "000000000000"


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path, *, auth: bool = True) -> Generator[dict[str, str]]:
    """Run an AWS; give the environment that leads to it.

    Args:
        folder: where it logs, and where functions keep what they fetch.
        auth: whether IAM's policies are enforced.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    keys |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}  # boto3 reads the one, others the other
    inside = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "AWS_"))},
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_PORT": "0",
        "GATEWAY_PORT": str(port),
        "AWS_ENDPOINT_URL": url,
        "ANABRANCH_CACHE": str(folder / "functions"),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",  # Glue's python3 has boto3
        **({"AUTH": "true"} if auth else {}),
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / "python"), str(GLUE)], env=inside, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(f"{url}/_ministack/health"):
            if process.poll() is not None:
                raise RuntimeError((folder / "ministack.log").read_text()[-3000:])
            if time.monotonic() > deadline:
                message = "the AWS emulator did not start"
                raise RuntimeError(message)
            time.sleep(0.05)
        given = {**keys, "AWS_ENDPOINT_URL": url, "XDG_CACHE_HOME": str(folder / "cache")}
        _make_buckets(given)
        uv = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"
        yield {"UV_CACHE_DIR": str(uv), **given}  # what was fetched once is not fetched again
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def _make_buckets(given: dict[str, str]) -> None:
    import boto3

    s3 = boto3.client(
        "s3",
        endpoint_url=given["AWS_ENDPOINT_URL"],
        region_name=given["AWS_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )
    for bucket in BUCKETS:
        s3.create_bucket(Bucket=bucket)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - our own loopback
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def main(arguments: list[str]) -> int:
    """Run a command while an AWS is up.

    Args:
        arguments: Its folder, `--`, and the command.

    Returns:
        The command's exit code.
    """
    folder, _, *command = arguments
    Path(folder).mkdir(parents=True, exist_ok=True)
    with serving(Path(folder).absolute()) as given:
        return subprocess.run(command, env={**os.environ, **given}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
