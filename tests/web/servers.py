"""A small shop whose pipeline can be broken and mended, and the server that shows it, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.projects import write

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
DEADLINE = 30.0

SHOP = {
    "anabranch.yaml": "project: shop\npipelines: ['shop:daily', 'slow.yaml']\n",
    "shop.py": '''
        """What a shop sold."""

        import polars as pl

        from anabranch import Column, Dataset, Retry, pipeline, step

        COLUMNS = [Column("id", "int64"), Column("customer", "string", sensitive=True), Column("euros", "int64")]
        orders = Dataset("orders", stage="raw", format="csv", primary_key=["id"],
                         columns=COLUMNS)
        sold = Dataset("sold", stage="cleaned", primary_key=["id"],
                       columns=COLUMNS)
        totals = Dataset("totals", stage="final", format="csv", columns={"euros": "int64"})
        shouted = Dataset("shouted", stage="final", format="csv")

        @step(reads=orders, writes=sold)
        def clean(orders: pl.DataFrame) -> pl.DataFrame:
            """Orders that were paid."""
            print("cleaning <b>all</b> orders")
            return orders.filter(pl.col("euros") > 0)

        @step(reads=sold, writes=totals)
        def add_up(sold: pl.DataFrame) -> pl.DataFrame:
            return sold.select(pl.col("euros").sum())

        @step(reads=totals, writes=shouted, retry=Retry(attempts=2, delay=0.01))
        def shout(totals: pl.DataFrame) -> pl.DataFrame:
            return totals.select(pl.col("euros").cast(pl.String))

        daily = pipeline("daily", [clean, add_up, shout], schedule="0 6 * * *", description="What we <sold>")
    ''',
    "slow.yaml": """
        pipeline: slow
        params: {lines: {type: int, default: 20}}
        steps:
          talk: {shell: "i=0; while [ $i -lt ${params.lines} ]; do echo line $i; i=$((i+1)); sleep 0.1; done"}
          then: {shell: "true", after: [talk]}
    """,
    "data/raw/orders.csv": "id,customer,euros\n1,Ada Lovelace,5\n2,Karl,0\n3,Grace,8\n",
}
GOOD, BAD = 'pl.col("euros").sum()', 'pl.col("dollars").sum()'


def shop(root: Path) -> Path:
    """Write the shop."""
    return write(root, SHOP)


def edit(root: Path, old: str, new: str) -> None:
    """Change the shop's code."""
    path = root / "shop.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@contextmanager
def serving(root: Path, *options: str) -> Iterator[str]:
    """Serve a project; yield the address, without a slash at its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "ui", "--port", "0", *options],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stdout.read()
        yield found[0].rstrip("/")
        assert process.poll() is None, "the server has ended"
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=DEADLINE)
        assert "Traceback" not in rest, rest


def get(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Ask for a page; return its status, text and headers."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): text for name, text in headers.items()})
    return _answer(request)


def post(url: str, body: dict[str, str], **headers: str) -> tuple[int, str, dict[str, str]]:
    """Press a button as a program does."""
    sent = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return _answer(urllib.request.Request(url, json.dumps(body).encode(), sent, method="POST"))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _answer(request: urllib.request.Request) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=DEADLINE) as answer:
            return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), {k.lower(): v for k, v in error.headers.items()}


def data(url: str) -> Any:
    """Return what a JSON twin says."""
    status, text, _ = get(url)
    assert status == 200, text
    return json.loads(text)


def token(base: str) -> str:
    """Return what buttons want."""
    return str(data(f"{base}/api/v1/token")["token"])


def eventually(look: Callable[[], T | None], what: str) -> T:
    """Return what a look finds, as soon as it finds anything."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(what)
