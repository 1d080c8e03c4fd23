"""A pipeline as a DAG file that people can read: static, and imported by Airflow without any package of ours."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from anabranch.model.pipeline import Schedule
from anabranch.model.resource import Owner
from anabranch.platforms.airflow.names import mark_tag, tag
from anabranch.platforms.airflow.payloads import constant_lines, step_lines
from anabranch.platforms.airflow.source import source
from anabranch.platforms.airflow.tasks import parts_of, task_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Param, Pipeline, StepId

MARK = "# anabranch: "
"""How the line starts that says whose a DAG file is."""

HEAD = "# Written by `anabranch apply`: change the pipeline, not this file, which the next apply writes anew."


@dataclass(frozen=True)
class Files:
    """What a DAG file names, as the workers see it.

    Attributes:
        payload: the path of the payload that runs its steps.
        definition: the path of the pipeline's definition.
        python: the interpreter of the workers.
        storage: the root of the namespace's datasets.
        reused: the paths of other payloads, by the step that they run.
        protected: storage that Python steps must not write to.
        connections: Airflow connections, by the platform whose jobs use them.
        tags: of the DAG, for people.
    """

    payload: str
    definition: str
    python: str
    storage: str
    reused: Mapping[StepId, str] = field(default_factory=dict)
    protected: str = ""
    connections: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = field(default=(), repr=False)  # no part of the version


def dag_file(pipeline: Pipeline, owner: Owner, dag: str, files: Files) -> str:
    """Return the DAG file of a pipeline.

    Args:
        pipeline: valid, and nothing of it is refused by `cells`.
        owner: whose it is.
        dag: the DAG's id.
        files: what it names.
    """
    assets = _assets(pipeline, files.storage) if owner.namespace == "main" else {}  # a branch's data is nobody's event
    body = [*_dag_lines(pipeline, dag, owner, (version(files), *files.tags))]
    body += [f"    {line}" if line else "" for line in task_lines(pipeline, assets, files)]
    used = parts_of(pipeline)
    imports = {*used.imports, ("airflow.sdk", "DAG")}
    imports |= {("airflow.sdk", "Asset")} if assets else set()
    imports |= {("airflow.sdk", "Param")} if pipeline.params else set()
    imports |= {("airflow.sdk", "TaskGroup")} if any("/" in step.id for step in pipeline.steps) else set()
    imports |= {("datetime", "timedelta")} if any("timedelta(" in line for line in body) else set()
    if isinstance(pipeline.trigger, Schedule):
        imports.add(("airflow.timetables.trigger", "CronTriggerTimetable"))
    told = {"project": owner.project, "environment": owner.environment, "namespace": owner.namespace}
    title = _docstring(f"{pipeline.name}: {pipeline.description}" if pipeline.description else pipeline.name)
    head = [HEAD, f"{MARK}{json.dumps(told)}", f'"""{title}"""', "", *_import_lines(imports)]
    if used.runs_payloads:
        head += ["", *constant_lines(owner.namespace, files), "", "", *step_lines(files)]
    for text in used.classes:
        head += ["", "", *text.rstrip().splitlines()]
    gap = ["", ""] if used.runs_payloads or used.classes else [""]
    return "\n".join([*head, *gap, *_asset_lines(assets), *body]) + "\n"


def _import_lines(imports: Collection[tuple[str, str]]) -> Iterator[str]:
    """Yield the imports of a file: Python's own first, each module once; a name without a module is one."""
    names: dict[str, list[str]] = {}
    for module, name in sorted(imports, key=lambda each: (each[0], not each[1].isupper(), each[1])):
        names.setdefault(module, []).append(name)
    own = {module: found for module, found in names.items() if "." not in module}
    if own:
        yield from (f"import {name}" for name in own.pop("", []))
        yield from (f"from {module} import {', '.join(found)}" for module, found in own.items())
        yield ""
    yield from (f"from {module} import {', '.join(found)}" for module, found in names.items() if "." in module)


def owner_of(text: str) -> Owner | None:
    """Return whose a DAG file is, by its mark; None for any other file."""
    for line in text.splitlines()[:2]:
        if line.startswith(MARK):
            try:
                told: Any = json.loads(line.removeprefix(MARK))
                return Owner(told["project"], told["environment"], told["namespace"])
            except (ValueError, KeyError, TypeError):
                return None
    return None


def version(files: Files) -> str:
    """Return what tells one state of a DAG's code from another; it is one of its tags, so Airflow says which it has."""
    return f"version-{hashlib.sha256(repr(files).encode()).hexdigest()[:12]}"


def assets_of(text: str) -> frozenset[str]:
    """Return the URIs of the assets that a DAG file names."""
    return frozenset(json.loads(found) for found in re.findall(r': Asset\(("(?:[^"\\]|\\.)*")\)', text))


def payload_of(text: str) -> str:
    """Return the payload that a DAG file's steps run."""
    line = next((line for line in text.splitlines() if line.startswith("PAYLOAD = ")), 'PAYLOAD = ""')
    return str(json.loads(line.removeprefix("PAYLOAD = ")))


def version_of(text: str) -> str:
    """Return the version that a DAG file says it has."""
    found = re.search(r"version-[0-9a-f]{12}", text)
    return found[0] if found else ""


def _docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _assets(pipeline: Pipeline, storage: str) -> dict[str, str]:
    """Return the URI of each dataset that a step writes or reads.

    It is the asset's name, too: Airflow refuses tasks whose asset shares its name with another, of whatever project.
    """
    root = storage if "://" in storage else f"file://{_quoted(storage)}"
    return {spec.name: f"{root}/{_quoted(spec.location)}" for spec in pipeline.datasets}


def _quoted(path: str) -> str:
    """Return a path as a URI has it: Airflow cuts one off at a question mark or a hash.

    >>> _quoted("/srv/lake #1/a=b")
    '/srv/lake%20%231/a=b'
    """
    return quote(path, safe="/:=+,@~")


def _asset_lines(assets: dict[str, str]) -> Iterator[str]:
    if assets:
        yield "DATASETS = {"
        for name, uri in sorted(assets.items()):
            yield f"    {source(name)}: Asset({source(uri)}),"
        yield "}"
        yield ""


def _dag_lines(pipeline: Pipeline, dag: str, owner: Owner, tags: Sequence[str]) -> Iterator[str]:
    yield "with DAG("
    yield f"    {source(dag)},"
    match pipeline.trigger:
        case Schedule(cron, timezone) if owner.namespace == "main":
            yield f"    schedule=CronTriggerTimetable({source(cron)}, timezone={source(timezone)}),"
        case _:
            yield "    schedule=None,"
    yield "    catchup=False,"
    yield "    max_active_runs=1,  # a run of a pipeline never meets another of it"
    yield "    is_paused_upon_creation=False,"
    own = [tag(each) for each in (owner.project, owner.environment, owner.namespace)]
    yield f"    tags={source(['anabranch', *own, mark_tag(owner), *tags])},"
    if pipeline.params:
        yield "    params={"
        for param in pipeline.params:
            yield f"        {source(param.name)}: {_param(param)},"
        yield "    },"
    yield "):"


def _param(param: Param) -> str:
    settings = [] if param.default is None else [source(param.default)]
    settings.append('type="string"')
    if param.choices:
        settings.append(f"enum={source(param.choices)}")
    if param.description:
        settings.append(f"description={source(param.description)}")
    return f"Param({', '.join(settings)})"
