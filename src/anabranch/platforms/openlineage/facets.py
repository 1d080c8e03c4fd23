"""Facets: what is known of a run, a job or a dataset, each in the form that its schema wants.

Each function returns facets by name, or nothing where nothing is known, so that callers join them.
Source: https://openlineage.io/docs/spec/facets
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from anabranch.platforms.openlineage.names import PRODUCER, VERSION

if TYPE_CHECKING:
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.export import Repository
    from anabranch.model.place import Place
    from anabranch.model.run import Failure, PortStats

Facets: TypeAlias = "dict[str, Any]"
"""By name, as the specification has them."""

_SCHEDULED = re.compile(r"^scheduled__(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00)")
_SOURCE = "anabranch"


def facet(name: str, schema: str, /, **known: Any) -> Facets:
    """Return one facet, without what is empty. `schema` is its version and name."""
    kind = schema.partition("/")[2]
    url = f"https://openlineage.io/spec/facets/{schema}.json#/$defs/{kind}"
    kept = {key: value for key, value in known.items() if value not in (None, "", [])}
    return {name: {"_producer": PRODUCER, "_schemaURL": url, **kept}}


def parent(run: str, namespace: str, name: str) -> Facets:
    """The run of the pipeline, of which this run of a step is a part."""
    told = {"run": {"runId": run}, "job": {"namespace": namespace, "name": name}}
    return facet("parent", "1-2-0/ParentRunFacet", **told, root=told)


def engine() -> Facets:
    """What runs the steps."""
    told = {"name": "anabranch", "version": VERSION, "openlineageAdapterVersion": VERSION}
    return facet("processing_engine", "1-1-1/ProcessingEngineRunFacet", **told)


def nominal_time(run: str) -> Facets:
    """The time that a schedule meant; the run's id tells it, where it was started by one.

    >>> nominal_time("scheduled__2013-01-05T06:00:00+00:00")["nominalTime"]["nominalStartTime"]
    '2013-01-05T06:00:00Z'
    >>> nominal_time("7f3a9c2k")
    {}
    """
    if not (match := _SCHEDULED.match(run)):
        return {}
    start = match[1].replace("+00:00", "Z")
    return facet("nominalTime", "1-0-1/NominalTimeRunFacet", nominalStartTime=start)


def error(failure: Failure) -> Facets:
    """Why a run failed: the message that people see, with the traceback where there is one."""
    told = {"programmingLanguage": "PYTHON", "stackTrace": failure.trace}
    return facet("errorMessage", "1-0-1/ErrorMessageRunFacet", message=failure.message or failure.code, **told)


def run_tags(**tags: str) -> Facets:
    """What else identifies a run here."""
    told = [{"key": key, "value": value, "source": _SOURCE} for key, value in tags.items() if value]
    return facet("tags", "1-0-0/TagsRunFacet", tags=told) if told else {}


def job(kind: str, description: str, place: Place | None, repository: Repository | None) -> Facets:
    """What a job is, what it is for, and where it is written."""
    told = {"processingType": "BATCH", "integration": "ANABRANCH", "jobType": kind}
    found = facet("jobType", "2-0-4/JobTypeJobFacet", **told)
    if description:
        found |= facet("documentation", "1-1-0/DocumentationJobFacet", description=description)
    if repository is not None and place is not None and not place.file.startswith(("/", "..")):
        path = f"{repository.folder}/{place.file}" if repository.folder else place.file
        line = f"#L{place.line}" if place.line else ""
        url = f"{repository.url}/blob/{repository.commit}/{quote(path)}{line}"
        told = {"type": "git", "url": url, "repoUrl": repository.url, "path": path, "version": repository.commit}
        found |= facet("sourceCodeLocation", "1-1-0/SourceCodeLocationJobFacet", **told)
    return found


def dataset(spec: DatasetSpec, version: str) -> Facets:
    """What a dataset promises, its name in the registry, its sensitive columns, and its version where one is known."""
    fields = [
        {"name": column.name}
        | ({"type": column.type} if column.type else {})
        | ({"description": column.description} if column.description else {})
        for column in spec.columns
    ]
    tags = [
        {"key": key, "value": value, "source": _SOURCE}
        for key, value in (("dataset", spec.name), ("stage", spec.stage.value), ("format", spec.format.value))
    ]
    tags += [
        {"key": "sensitive", "value": "true", "source": _SOURCE, "field": column.name}
        for column in spec.columns
        if column.sensitive
    ]
    found = facet("tags", "1-0-0/TagsDatasetFacet", tags=tags)
    if fields:
        found |= facet("schema", "1-2-0/SchemaDatasetFacet", fields=fields)
    if spec.description:
        found |= facet("documentation", "1-1-0/DocumentationDatasetFacet", description=spec.description)
    if version:
        found |= facet("version", "1-0-1/DatasetVersionDatasetFacet", datasetVersion=version)
    return found


def read(stats: PortStats) -> Facets:
    """How much was read."""
    if stats.rows is None and stats.bytes is None:
        return {}
    return facet("inputStatistics", "1-0-0/InputStatisticsInputDatasetFacet", rowCount=stats.rows, size=stats.bytes)


def written(stats: PortStats) -> Facets:
    """How much was written."""
    if stats.rows is None and stats.bytes is None:
        return {}
    told = {"rowCount": stats.rows, "size": stats.bytes}
    return facet("outputStatistics", "1-0-2/OutputStatisticsOutputDatasetFacet", **told)
