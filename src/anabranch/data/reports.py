"""What attempts on other machines report: one small object for each, below the storage that they write to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from anabranch.data import disk
from anabranch.data.objects import mirror
from anabranch.model.pipeline import StepId

if TYPE_CHECKING:
    from pathlib import Path

Reports: TypeAlias = dict[tuple[StepId, int], dict[str, Any]]
"""What attempts reported, by step and attempt."""


def write(storage: Path, pipeline: str, run: str, step: StepId, attempt: int, report: dict[str, Any]) -> None:
    """Write the report of an attempt; a second report of it replaces the first.

    Raises:
        StepError: `storage-unreachable`, `storage-denied`, `disk-full`, `storage-read-only`.
    """
    name = f"{_folder(pipeline, run)}/{disk.escape(step)}.{attempt}.json"
    if (store := mirror.remote(storage)) is not None:
        store.put(name, json.dumps(report).encode())
        return
    with disk.told(storage / name):
        disk.write_json(storage / name, report)


def read(storage: Path, pipeline: str, run: str) -> Reports:
    """Return the reports of a run, by step and attempt."""
    folder = _folder(pipeline, run)
    found: Reports = {}
    for name, body in _bodies(storage, folder):
        step, _, attempt = name.rpartition("/")[2].removesuffix(".json").rpartition(".")
        found[StepId(disk.unescape(step)), int(attempt)] = json.loads(body)
    return found


_KNOWN: dict[tuple[str, str, str], bytes] = {}
"""What was read before, by place, name and etag: whoever follows a run looks again and again."""


def _bodies(storage: Path, folder: str) -> list[tuple[str, bytes]]:
    if (store := mirror.remote(storage)) is not None:
        found: list[tuple[str, bytes]] = []
        for name, (_, etag) in store.list(folder).items():
            body = _KNOWN.get((store.url, name, etag)) or store.read(name)
            if body is not None:
                _KNOWN[store.url, name, etag] = body
                found.append((name, body))
        return found
    paths = sorted((storage / folder).glob("[!.]*.json"))
    return [(path.name, path.read_bytes()) for path in paths]


def _folder(pipeline: str, run: str) -> str:
    return f"{disk.OURS}/reports/{disk.escape(pipeline)}/{disk.escape(run)}"
