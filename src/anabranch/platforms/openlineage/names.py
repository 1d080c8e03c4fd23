"""What things are called in OpenLineage: runs, datasets, times, and who says so.

Source: https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from uuid import NAMESPACE_URL, uuid5

VERSION = version("anabranch")

PRODUCER = f"urn:anabranch:{VERSION}"
"""The URI of who tells: the package, at its version."""

_RUNS = uuid5(NAMESPACE_URL, "urn:anabranch:run")


def run_uuid(run: str, step: str = "") -> str:
    """Return the UUID of a run, or of one of its steps: always the same, so that telling it twice tells of one run.

    Args:
        run: what identifies it among those of all projects; see `Origin.key`.
        step: the step's id; empty for the run itself.

    >>> run_uuid("flights//7f3a9c2k") == run_uuid("flights//7f3a9c2k") != run_uuid("flights//7f3a9c2k", "clean")
    True
    """
    return str(uuid5(_RUNS, f"{run}/{step}"))


def dataset_name(storage: str, location: str) -> tuple[str, str]:
    """Return a dataset's namespace and name, as others who read the same place call it.

    Args:
        storage: a storage root: an absolute path or a URL.
        location: of the dataset, relative to it.

    >>> dataset_name("/srv/data", "final/delays.parquet")
    ('file', '/srv/data/final/delays.parquet')
    >>> dataset_name("s3://lake/flights", "final/delays.parquet")
    ('s3://lake', 'flights/final/delays.parquet')
    """
    scheme, separator, rest = storage.rstrip("/").partition("://")
    if not separator:
        return "file", f"{storage.rstrip('/')}/{location}"
    bucket, _, prefix = rest.partition("/")
    return f"{scheme}://{bucket}", f"{prefix}/{location}" if prefix else location


def timestamp(at: float) -> str:
    """Return a Unix time as the text that the specification wants.

    >>> timestamp(1357365600.25)
    '2013-01-05T06:00:00.250000Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
