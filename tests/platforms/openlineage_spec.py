"""Whether events are as OpenLineage wants them: by the classes of its own client, and by its schemas where these are.

The classes are generated from the schemas. The schemas themselves are in no package: to use them too, name the folder
`spec` of a checkout of OpenLineage in ANABRANCH_OPENLINEAGE_SPEC.
"""

from __future__ import annotations

import json
import os
import pkgutil
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import attr
from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import generated
from openlineage.client.generated.base import (
    BaseFacet,
    DatasetFacet,
    EventType,
    InputDatasetFacet,
    Job,
    JobFacet,
    OutputDatasetFacet,
    Run,
    RunEvent,
    RunFacet,
)
from referencing import Registry, Resource

SPEC = os.environ.get("ANABRANCH_OPENLINEAGE_SPEC", "")


def demand_valid(event: dict[str, Any]) -> None:
    """Fail unless an event is one of OpenLineage's: nothing unknown in it, nothing missing, each facet in its place."""
    assert event["schemaURL"] == RunEvent._get_schema()
    known = {field.name for field in attr.fields(RunEvent)}
    assert set(event) <= known
    made = RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        eventType=EventType[event["eventType"]],
        run=Run(event["run"]["runId"]),
        job=Job(event["job"]["namespace"], event["job"]["name"]),
    )
    assert made.producer == event["producer"]
    _facets(event["run"]["facets"], RunFacet)
    _facets(event["job"]["facets"], JobFacet)
    for each in event["inputs"]:
        assert set(each) == {"namespace", "name", "facets", "inputFacets"}
        _facets(each["facets"], DatasetFacet)
        _facets(each["inputFacets"], InputDatasetFacet)
    for each in event["outputs"]:
        assert set(each) == {"namespace", "name", "facets", "outputFacets"}
        _facets(each["facets"], (DatasetFacet, InputDatasetFacet))
        _facets(each["outputFacets"], OutputDatasetFacet)
    if SPEC:
        _by_schema("OpenLineage", "RunEvent", event)


def _facets(found: dict[str, Any], kinds: Any) -> None:
    for name, facet in found.items():
        kind = _kinds()[facet["_schemaURL"]]
        assert issubclass(kind, kinds), name
        _load(kind, facet)
        if SPEC:
            file = facet["_schemaURL"].partition("#")[0].rpartition("/")[2].removesuffix(".json")
            _by_schema(f"facets/{file}", "", {name: facet})


def _load(kind: type[Any], data: Any) -> Any:
    """Make an object of the client's class, and of those within it; unknown and missing keys raise."""
    fields = {field.name: field for field in attr.fields(kind)}
    unknown = set(data) - set(fields)
    assert not unknown, f"{kind.__name__}: {unknown}"
    given = {fields[key].alias: value for key, value in data.items() if fields[key].init}
    made = kind(**given)
    module = import_module(kind.__module__)
    for key, value in data.items():
        inner = next((each for each in vars(module).values() if _is_of(fields[key], each)), None)
        for each in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(each, dict):
                _load(inner, each)
    return made


def _is_of(field: Any, kind: object) -> bool:
    """Tell whether a field's annotation, which is text, names a class of the client."""
    return isinstance(kind, type) and attr.has(kind) and kind.__name__ in re.findall(r"\w+", str(field.type))


@cache
def _kinds() -> dict[str, type[Any]]:
    for module in pkgutil.iter_modules(generated.__path__):
        import_module(f"openlineage.client.generated.{module.name}")
    found: dict[str, type[Any]] = {}
    waiting: list[type[Any]] = [BaseFacet]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind._get_schema(), kind)
        waiting += kind.__subclasses__()
    return found


def _by_schema(file: str, part: str, data: Any) -> None:
    schema = json.loads(Path(SPEC, f"{file}.json").read_text())
    wanted = {"$ref": f"{schema['$id']}#/$defs/{part}"} if part else {"$ref": schema["$id"]}
    Draft202012Validator(wanted, registry=_registry(), format_checker=FormatChecker()).validate(data)


@cache
def _registry() -> Registry[Any]:
    files = [Path(SPEC, "OpenLineage.json"), *Path(SPEC, "facets").glob("*.json")]
    found = [Resource.from_contents(json.loads(file.read_text())) for file in files]
    return Registry().with_resources([(each.contents["$id"], each) for each in found])
