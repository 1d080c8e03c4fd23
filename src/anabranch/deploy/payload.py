"""Payloads: the project's code and our runtime in one file that any Python can run."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from anabranch.model import codec
from anabranch.model.dataset import DatasetSpec
from anabranch.model.pipeline import Param, Pipeline, Step
from anabranch.model.resource import PAYLOAD, artifact_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.resources.abc import Traversable

_CODE = "project/"
"""Where the project's files lie in a payload."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can tell: when a payload was built says nothing about what is in it."""

MAIN = '''\
"""Unpacks this payload once, beside others of this machine, and runs a step of it."""

import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

payload = Path(sys.argv[0]).resolve()
cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anabranch" / "payloads"
folder = cache / payload.stem
if not folder.exists():
    cache.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=cache))
    with zipfile.ZipFile(payload) as file:
        file.extractall(made)
        for entry in file.infolist():
            (made / entry.filename).chmod(entry.external_attr >> 16)
    try:
        made.rename(folder)
    except OSError:
        if not folder.exists():  # else another step was quicker
            raise
        shutil.rmtree(made)
sys.path[0] = str(folder / "runtime")
os.environ["PYTHONPATH"] = str(folder / "runtime")
from anabranch.entry import main

sys.stdout.reconfigure(line_buffering=True)
code = main(sys.argv[1:], folder / "project")
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)  # a library's leftover thread must not keep a finished step alive
'''


def payload(code: Iterable[tuple[str, bytes, bool]], boot: Mapping[str, bytes]) -> bytes:
    """Return a zip that `python payload.pyz step ...` runs.

    Args:
        code: the project's files: name, content, and whether it may be executed.
        boot: files that it has besides, by name.
    """
    entries = {"__main__.py": (MAIN.encode(), False)}
    entries |= {name: (content, False) for name, content in boot.items()}
    entries |= {f"runtime/{name}": (content, False) for name, content in _runtime()}
    entries |= {f"{_CODE}{name}": (content, executable) for name, content, executable in code}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, (content, executable) in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            file.writestr(entry, content, compresslevel=6)
    return made.getvalue()


def definition(pipeline: Pipeline, code: str, libraries: str, payload: bytes) -> bytes:
    """Return a pipeline so that one step of it can be read without the others.

    Args:
        pipeline: bound to its environment.
        code: the digest of the snapshot that it was deployed with.
        libraries: what the snapshot says of what was installed.
        payload: holds the files of the snapshot.
    """
    told: dict[str, Any] = {
        "anabranch": codec.VERSION,
        "pipeline": pipeline.name,
        "code": code,
        "libraries": libraries,
        "payload": artifact_name(*PAYLOAD, payload),
        "params": codec.encode(pipeline.params, places=False),
        "datasets": {spec.name: codec.encode(spec, places=False) for spec in pipeline.datasets},
        "steps": {step.id: codec.encode(step, places=False) for step in pipeline.steps},
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Defined:
    """What a definition tells: a pipeline, the digest of its code, and where that code is to be found.

    `payload` is the artifact that holds the code; `libraries` is what was installed beside it.
    """

    pipeline: Pipeline
    code: str
    payload: str
    libraries: str


def code_in(payload: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """Yield the project's files in a payload: name, content, and whether it may be executed."""
    with zipfile.ZipFile(io.BytesIO(payload)) as file:
        for entry in file.infolist():
            if entry.filename.startswith(_CODE):
                executable = bool(entry.external_attr >> 16 & 0o111)
                yield entry.filename.removeprefix(_CODE), file.read(entry), executable


def defined(definition: bytes) -> Defined:
    """Return what a definition tells."""
    told: dict[str, Any] = json.loads(definition)
    steps = tuple(codec.decode(Step, each) for each in told["steps"].values())
    datasets = tuple(codec.decode(DatasetSpec, each) for each in told["datasets"].values())
    params = tuple(codec.decode(Param, each) for each in told["params"])
    pipeline = Pipeline(told["pipeline"], steps, datasets, params)
    return Defined(pipeline, told["code"], told.get("payload", ""), told.get("libraries", ""))


def _runtime() -> Iterator[tuple[str, bytes]]:
    """Yield our own package: the rooms that a step needs, which are all but the verbs' faces."""
    yield from _below(resources.files("anabranch"), "anabranch")


_LEFT_OUT = frozenset({"__pycache__", "cli"})


def _below(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.name in _LEFT_OUT:
            continue
        if each.is_dir():
            yield from _below(each, f"{name}/{each.name}")
        else:
            yield f"{name}/{each.name}", each.read_bytes()
