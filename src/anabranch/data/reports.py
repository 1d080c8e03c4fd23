"""What attempts on other machines report: one small object for each, below the storage that they write to."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from anabranch.data import disk
from anabranch.data.objects import mirror
from anabranch.model.access import DONE, done
from anabranch.model.pipeline import StepId

if TYPE_CHECKING:
    from collections.abc import Iterable
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


def forget(storage: Path, deployment: str) -> int:
    """Delete the reports of a deployment's runs; return of how many runs. Those of others in the storage stay.

    Raises:
        StepError: `storage-unreachable`, `storage-denied`, `storage-read-only`.
    """
    runs: dict[str, list[str]] = {}
    for name in _names(storage):
        runs.setdefault(name.rpartition("/")[0], []).append(name)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        whose = pool.map(partial(_whose, storage), [names[0] for names in runs.values()])
        mine = [names for names, deployed in zip(runs.values(), whose, strict=True) if deployed == deployment]
    gone = [name for names in mine for name in names]
    if (store := mirror.remote(storage)) is not None:
        store.delete([*_said(store.list(DONE), gone), *gone])
        return len(mine)
    for name in gone:
        with disk.told(storage / name):
            (storage / name).unlink(missing_ok=True)
    with suppress(OSError):  # folders that are not empty stay
        for folder in sorted({parent for name in gone for parent in (storage / name).parents}, reverse=True):
            if storage in folder.parents:
                folder.rmdir()
    return len(mine)


def _said(those: Iterable[str], reports: Iterable[str]) -> list[str]:
    """Return, of what jobs left to say that a step ended well, that of the runs of which these are the reports.

    It is called after the run, and the number of its retry.
    """
    runs: set[tuple[str, str]] = set()
    for name in reports:
        *_, pipeline, run, file = name.split("/")
        step = file.removesuffix(".json").rpartition(".")[0]
        runs.add((done(disk.unescape(pipeline), disk.unescape(step)), disk.unescape(run)))
    return [name for name in those if (name.rpartition("/")[0], name.rpartition("/")[2].partition(".")[0]) in runs]


AT_ONCE = 8
"""Reports that are looked into at the same time."""


def _names(storage: Path) -> list[str]:
    if (store := mirror.remote(storage)) is not None:
        return [name for name in store.list(ALL) if name.endswith(".json")]
    found = sorted((storage / ALL).glob("*/*/[!.]*.json"))
    return [path.relative_to(storage).as_posix() for path in found]


def _whose(storage: Path, name: str) -> str:
    store = mirror.remote(storage)
    try:
        body = (storage / name).read_bytes() if store is None else store.read(name) or b"{}"
        return str(json.loads(body).get("deployment", ""))
    except (OSError, ValueError, AttributeError):
        return ""


ALL = f"{disk.OURS}/reports"
"""The folder of all reports, below a storage."""


def _folder(pipeline: str, run: str) -> str:
    return f"{ALL}/{disk.escape(pipeline)}/{disk.escape(run)}"
