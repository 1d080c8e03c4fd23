"""Files delivered to an object store, such as a bucket that a managed Airflow reads its DAGs from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.data.objects.store import Objects, objects

if TYPE_CHECKING:
    from collections.abc import Sequence


class ObjectFiles:
    """The `Files` below a URL."""

    def __init__(self, url: str) -> None:
        """Name the place; nothing is asked yet."""
        self._url = url

    @property
    def _objects(self) -> Objects:
        return objects(self._url)

    def list(self, below: str) -> Sequence[str]:
        """Return the names of the files in a folder and below it, sorted."""
        return list(self._objects.list(below))

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None when it is not there."""
        return self._objects.read(name)

    def write(self, name: str, content: bytes) -> None:
        """Write a file; a reader finds it whole or not at all."""
        self._objects.put(name, content)

    def delete(self, name: str) -> None:
        """Delete a file; it may be gone already."""
        self._objects.delete([name])
