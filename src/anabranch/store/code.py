"""Snapshots of a project's code, addressed by content: a run can be repeated with the same code, and compared."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import stat as stat_bits
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import NotFoundError
from anabranch.store.told import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

LARGEST = 5_000_000
"""Bytes above which a file of the project is taken for data, not code."""

SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "dist", "build", "target"})
"""Folders that never hold the project's own code. Folders whose name starts with a dot are left out too."""


LIBRARIES = ".libraries.txt"
"""The file of every snapshot that lists what was installed beside the code: Python, then a line for each library."""

PLAN = b'{"anabranch plan": '
"""How the files begin that plans are kept in: they may lie in a project, and are none of its code."""

_NO_CODE = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})
"""Files that mark a folder, wherever it is, as one that some tool makes: a Python environment, a cache, our output.

Source: https://bford.info/cachedir/
"""


class CodeStore:
    """The code of a project as its runs saw it: one blob a file, one tree a run."""

    def __init__(
        self, root: Path, folder: Path, without: Sequence[Path] = (), libraries: Callable[[], str] | None = None
    ) -> None:
        """Name the places.

        Args:
            root: the project's root.
            folder: where blobs and trees are kept.
            without: folders that are not code, such as the storage.
            libraries: what is installed beside the code where it runs; by default, what is installed here.
        """
        self._root, self._folder, self._libraries = root, folder, libraries or installed
        self._without = frozenset(str(each) for each in without)

    def running_with(self, libraries: Callable[[], str]) -> CodeStore:
        """Return a store of the same snapshots, for code that runs where other libraries are installed."""
        return CodeStore(self._root, self._folder, [*map(Path, self._without)], libraries)

    def snapshot(self) -> str:
        """Keep the code as it is now; return the digest of its tree."""
        known = self._known()
        tree: dict[str, list[object]] = {}
        seen: dict[str, list[object]] = {}
        for name, entry in _files(str(self._root), self._without):
            stat = entry.stat()
            if stat.st_size > LARGEST:
                continue
            stamp = [stat.st_mtime_ns, stat.st_size, stat.st_ino]
            cached = known.get(name)
            blob = str(cached[1]) if cached and cached[0] == stamp else self._keep_code(Path(entry.path).read_bytes())
            seen[name] = [stamp, blob]
            if not blob:
                continue
            tree[name] = [blob, 0o111 if stat.st_mode & stat_bits.S_IXUSR else 0]  # for others the umask decides
        tree[LIBRARIES] = [self._keep(self._libraries().encode()), 0]
        digest, body = _digested(tree)
        self._write(self._tree_file(digest), body)
        if seen != known:
            self._write(self._folder / "index.json", json.dumps(seen).encode())
        return digest

    def has(self, digest: str) -> bool:
        """Tell whether a snapshot is kept here."""
        return self._tree_file(digest).exists()

    def adopt(self, digest: str, files: Iterable[tuple[str, bytes, bool]], libraries: str) -> bool:
        """Keep a snapshot that was made elsewhere, if it is the one of that digest; tell whether it is.

        Args:
            digest: of its tree.
            files: name, content, and whether it may be executed.
            libraries: what was installed beside it.
        """
        tree: dict[str, list[object]] = {
            name: [self._keep(content), 0o111 if executable else 0] for name, content, executable in files
        }
        tree[LIBRARIES] = [self._keep(libraries.encode()), 0]
        found, body = _digested(tree)
        if found == digest:
            self._write(self._tree_file(digest), body)
        return found == digest

    def materialise(self, digest: str) -> Path:
        """Return a folder that holds the code of a snapshot.

        Raises:
            NotFoundError: `no-code`, the snapshot is not here.
        """
        folder = self._folder / "trees" / digest
        if folder.exists():
            return folder
        tree = self._tree(digest)
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        for name, (blob, executable) in tree.items():
            if name == LIBRARIES:
                continue
            target = made / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._blob_file(str(blob)).read_bytes())
            target.chmod(0o644 | (0o111 if executable else 0))
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():  # else another process made the same
                raise
        return folder

    def tree(self, digest: str) -> CodeTree:
        """Return the files of a snapshot.

        Raises:
            NotFoundError: `no-code`, the snapshot is not here.
        """
        tree = self._tree(digest)
        executable = frozenset(name for name, (_, mode) in tree.items() if mode)
        return CodeTree({name: self._blob_file(str(blob)) for name, (blob, _) in tree.items()}, executable)

    def diff(self, old: str, new: str) -> str:
        """Return the changes between two snapshots as a unified diff; empty when there are none."""
        before, after = self._tree(old), self._tree(new)
        parts: list[str] = []
        for name in sorted({*before, *after}):
            if before.get(name) == after.get(name):
                continue
            texts = [self._text(tree.get(name)) for tree in (before, after)]
            if texts[0] is None or texts[1] is None:
                parts.append(f"binary file {name} changed\n")
                continue
            heads = (
                "/dev/null" if name not in before else f"a/{name}",
                "/dev/null" if name not in after else f"b/{name}",
            )
            lines = difflib.unified_diff(texts[0].splitlines(), texts[1].splitlines(), *heads, lineterm="")
            parts.append("\n".join(lines) + "\n")
        return "".join(parts)

    def _text(self, entry: list[object] | None) -> str | None:
        if entry is None:
            return ""
        try:
            return self._blob_file(str(entry[0])).read_bytes().decode()
        except UnicodeDecodeError:
            return None

    def _known(self) -> dict[str, list[object]]:
        try:
            known: dict[str, list[object]] = json.loads((self._folder / "index.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return known

    def _keep_code(self, body: bytes) -> str:
        """Keep a file's content, and return its digest; empty where it is no code."""
        return "" if body.startswith(PLAN) else self._keep(body)

    def _keep(self, body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        self._write(self._blob_file(digest), body)
        return digest

    def _tree(self, digest: str) -> dict[str, list[object]]:
        try:
            tree: dict[str, list[object]] = json.loads(self._tree_file(digest).read_bytes())
        except FileNotFoundError:
            message = f"the code {digest[:12]} is not kept here any more"
            raise NotFoundError(message, code="no-code", hint="use --code current") from None
        return tree

    def _tree_file(self, digest: str) -> Path:
        return self._folder / "trees" / f"{digest}.json"

    def _blob_file(self, digest: str) -> Path:
        return self._folder / "blobs" / digest[:2] / digest

    def _write(self, path: Path, body: bytes) -> None:
        """Write a file so that it is either whole or not there; what is addressed by content is written once."""
        if path.name != "index.json" and path.exists():
            return
        with told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            fd, made = tempfile.mkstemp(prefix=".new-", dir=path.parent)
            with os.fdopen(fd, "wb") as file:
                file.write(body)
            Path(made).replace(path)


def _digested(tree: dict[str, list[object]]) -> tuple[str, bytes]:
    """Return the digest of a tree, and the tree as it is kept."""
    body = json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(body).hexdigest(), body


def _files(root: str, without: frozenset[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Return the project's files with their names relative to the root, sorted."""
    stack = [("", root)]
    while stack:
        prefix, folder = stack.pop()
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        if not _NO_CODE.isdisjoint(entry.name for entry in entries):
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in SKIPPED or entry.path in without:
                continue
            if entry.is_dir(follow_symlinks=False):
                stack.append((f"{prefix}{entry.name}/", entry.path))
            elif entry.is_file():
                # File names are UTF-8 whatever the locale is: else the same code would have another name elsewhere.
                yield os.fsencode(prefix + entry.name).decode(errors="surrogateescape"), entry


class CodeTree:
    """The files of one snapshot, read when they are asked for."""

    def __init__(self, blobs: dict[str, Path], executable: frozenset[str] = frozenset()) -> None:
        """Name the file that holds each file's content, and the files that may be executed."""
        self._blobs, self._executable = blobs, executable

    def names(self) -> list[str]:
        """Return the files of the project, sorted."""
        return sorted(name for name in self._blobs if name != LIBRARIES)

    def differing(self, other: CodeTree) -> frozenset[str]:
        """Return the files that are not the same in another snapshot, those that only one of them has among them."""
        names = self._blobs.keys() | other._blobs.keys()
        return frozenset(name for name in names if self._blobs.get(name) != other._blobs.get(name))

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None when it is not there."""
        blob = self._blobs.get(name)
        return blob.read_bytes() if blob else None

    def executable(self, name: str) -> bool:
        """Tell whether a file may be executed."""
        return name in self._executable

    def libraries(self) -> dict[str, str]:
        """Return what was installed: versions by name."""
        lines = (self.read(LIBRARIES) or b"").decode().splitlines()
        return dict(line.split("==", 1) for line in lines if "==" in line)


@cache
def installed() -> str:
    """Return Python's version, and each library that this interpreter can import, with its version."""
    names: set[str] = set()
    for folder in sys.path:
        with suppress(OSError):
            names.update(name.removesuffix(".dist-info") for name in os.listdir(folder) if name.endswith(".dist-info"))  # noqa: PTH208
    pairs = (name.rpartition("-") for name in names)
    found = sorted({f"{name.lower().replace('_', '-')}=={version}" for name, _, version in pairs})
    python = f"python=={sys.version_info.major}.{sys.version_info.minor}"
    return "\n".join([python, *(line for line in found if not line.startswith("anabranch=="))]) + "\n"
