"""Where runs are told of besides our own store, and where a run is from for those who know nothing of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from anabranch.model.branch import MAIN

if TYPE_CHECKING:
    from anabranch.model.pipeline import Pipeline
    from anabranch.model.run import RunId


@dataclass(frozen=True, slots=True)
class OpenLineage:
    """Takes a run's lineage: who read what, and what came of it. Either `file` or `url` is set.

    Attributes:
        file: an absolute path; events are appended to it, one a line.
        url: of a catalogue's API.
        token: a `secret://` reference to a bearer token.
        headers: of each request; values are `secret://` references.
        namespace: of the jobs; the project's name when empty.
    """

    file: str = ""
    url: str = ""
    token: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class OpenTelemetry:
    """Takes a run's trace. Without a `file` and an `endpoint`, the variables `OTEL_EXPORTER_OTLP_...` say where.

    Attributes:
        file: an absolute path; traces are appended to it as OTLP in JSON, one request a line.
        endpoint: the base URL of a receiver of OTLP over HTTP.
        headers: of each request; values are `secret://` references.
    """

    file: str = ""
    endpoint: str = ""
    headers: tuple[tuple[str, str], ...] = ()


ExportTarget: TypeAlias = OpenLineage | OpenTelemetry
"""A closed union: end each `match` on it with `assert_never`."""


@dataclass(frozen=True, slots=True)
class Repository:
    """The git repository that a run's code is in, as it was committed. `folder` is the project's in it, or empty."""

    url: str
    commit: str
    folder: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a run is from.

    Attributes:
        project: its name.
        pipeline: as the run started with it.
        storage: the root of what it writes, as people know it: an absolute path or a URL.
        environment: where it runs; empty for this machine.
        repository: of its code; None where that is not known for certain.
    """

    project: str
    pipeline: Pipeline
    storage: str
    environment: str = ""
    repository: Repository | None = None

    def namespace(self, branch: str, base: str = "") -> str:
        """Return what tells this pipeline's jobs from those of other projects, environments and branches.

        >>> Origin("flights", None, "/data").namespace("main")
        'flights'
        >>> Origin("flights", None, "s3://lake", "prod").namespace("fix-nulls", "team-a")
        'team-a/prod@fix-nulls'
        """
        place = f"{base or self.project}/{self.environment}" if self.environment else base or self.project
        return place if branch == MAIN else f"{place}@{branch}"

    def key(self, run: RunId) -> str:
        """Return what identifies a run among those of all projects and environments.

        >>> Origin("flights", None, "/data").key("7f3a9c2k")
        'flights//7f3a9c2k'
        """
        return f"{self.project}/{self.environment}/{run}"
