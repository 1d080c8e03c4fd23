"""A pipeline as a DAG file that people can read: static, and imported by Airflow without any package of ours."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anabranch.model.graph import order
from anabranch.model.pipeline import Schedule
from anabranch.model.resource import Owner
from anabranch.platforms.airflow.names import task_id, variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Param, Pipeline, Step, StepId

MARK = "# anabranch: "
"""How the line starts that says whose a DAG file is."""

HEAD = '''\
# Written by `anabranch apply`: change the pipeline, not this file, which the next apply writes anew.
{mark}{owner}
"""{title}"""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG{names}
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
{imports}
PYTHON = {python}
PAYLOAD = {payload}
DEFINITION = {definition}
STORAGE = {storage}
NAMESPACE = {namespace}
PROTECTED = {protected}
{fetch}

class Step(BashOperator):
    """One step. It tells a broken contract by its exit code: another attempt would break it again."""

    def __init__(self, *, task_id, step=None, payload=PAYLOAD, **settings):
        super().__init__(
            task_id=task_id,
            bash_command='exec "$PYTHON" {fetched}"$PAYLOAD" step "$STEP" --definition "$DEFINITION" '
            '--storage "$STORAGE" --namespace "$NAMESPACE" --protected "$PROTECTED" ',
            env={{
                "PYTHON": PYTHON,{fetching}
                "PAYLOAD": payload,
                "DEFINITION": DEFINITION,
                "STORAGE": STORAGE,
                "NAMESPACE": NAMESPACE,
                "PROTECTED": PROTECTED,
                "STEP": step or task_id,
                "ANABRANCH_RUN": "{{{{ run_id }}}}",
                "ANABRANCH_ATTEMPT": "{{{{ ti.try_number }}}}",
                "ANABRANCH_PARAMS": "{{{{ params | tojson }}}}",
                "ANABRANCH_INPUT": "{{{{ dag_run.conf.get('input') | tojson }}}}",
            }},
            append_env=True,
            do_xcom_push=False,
            skip_on_exit_code={breach},
            **settings,
        )

    def execute(self, context):
        try:
            return super().execute(context)
        except AirflowSkipException:
            raise AirflowFailException("the step broke a contract: see its log") from None

'''

FETCH = '''
# Fetches the payload from its bucket, once on each worker, and runs it.
FETCH = """
import os, runpy, sys
from pathlib import Path
url, sys.argv = sys.argv[1], sys.argv[1:]
cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anabranch" / "fetched"
folder, _, name = url.rpartition("/")
file = cache / name
if not file.exists():
    from obstore.store import from_url
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "") if url.startswith("s3:") else ""
    options = {"allow_http": endpoint.startswith("http:")}
    store = from_url(folder, config={"endpoint": endpoint} if endpoint else None, client_options=options)
    body = store.get(name).bytes()
    cache.mkdir(parents=True, exist_ok=True)
    part = cache / f"{name}.{os.getpid()}"
    part.write_bytes(bytes(body))
    part.replace(file)
sys.argv[0] = str(file)
runpy.run_path(str(file), run_name="__main__")
"""
'''
"""Part of DAG files whose payloads lie in an object store."""

WIDTH = 112
"""Characters of a task that stands on one line."""

BREACH = 5
"""The exit code of a step that broke a contract."""


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
        tags: of the DAG, for people.
    """

    payload: str
    definition: str
    python: str
    storage: str
    reused: Mapping[StepId, str] = field(default_factory=dict)
    protected: str = ""
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
    groups = sorted({step.id.rpartition("/")[0] for step in pipeline.steps if "/" in step.id})
    names = [name for name, used in (("Asset", assets), ("Param", pipeline.params), ("TaskGroup", groups)) if used]
    timed = isinstance(pipeline.trigger, Schedule)
    imports = "from airflow.timetables.trigger import CronTriggerTimetable\n" if timed else ""
    head = HEAD.format(
        mark=MARK,
        owner=json.dumps({"project": owner.project, "environment": owner.environment, "namespace": owner.namespace}),
        title=_docstring(f"{pipeline.name}: {pipeline.description}" if pipeline.description else pipeline.name),
        names="".join(f", {name}" for name in names),
        imports=imports,
        python=_text(files.python),
        payload=_text(files.payload),
        definition=_text(files.definition),
        storage=_text(files.storage),
        namespace=_text(owner.namespace),
        protected=_text(files.protected),
        fetched='-c "$FETCH" ' if _is_far(files) else "",
        fetch=FETCH if _is_far(files) else "",
        fetching='\n                "FETCH": FETCH,' if _is_far(files) else "",
        breach=BREACH,
    )
    lines = [*_asset_lines(assets), *_dag_lines(pipeline, dag, owner, (version(files), *files.tags))]
    lines += [f"    {line}" if line else "" for line in _task_lines(pipeline, assets, files)]
    return head + "\n".join(lines) + "\n"


def _is_far(files: Files) -> bool:
    """Tell whether payloads lie where a worker must fetch them."""
    return any("://" in each for each in (files.payload, *files.reused.values()))


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


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _assets(pipeline: Pipeline, storage: str) -> dict[str, str]:
    """Return the URI of each dataset that a step writes or reads.

    It is the asset's name, too: Airflow refuses tasks whose asset shares its name with another, of whatever project.
    """
    root = storage if "://" in storage else f"file://{storage}"
    return {spec.name: f"{root}/{spec.location}" for spec in pipeline.datasets}


def _asset_lines(assets: dict[str, str]) -> Iterator[str]:
    if assets:
        yield ""
        yield "DATASETS = {"
        for name, uri in sorted(assets.items()):
            yield f"    {_text(name)}: Asset({_text(uri)}),"
        yield "}"


def _dag_lines(pipeline: Pipeline, dag: str, owner: Owner, tags: Sequence[str]) -> Iterator[str]:
    yield ""
    yield "with DAG("
    yield f"    {_text(dag)},"
    match pipeline.trigger:
        case Schedule(cron, timezone) if owner.namespace == "main":
            yield f"    schedule=CronTriggerTimetable({_text(cron)}, timezone={_text(timezone)}),"
        case _:
            yield "    schedule=None,"
    yield "    catchup=False,"
    yield "    max_active_runs=1,  # a run of a pipeline never meets another of it"
    yield "    is_paused_upon_creation=False,"
    yield f"    tags={json.dumps(['anabranch', owner.project, owner.environment, owner.namespace, *tags])},"
    if pipeline.params:
        yield "    params={"
        for param in pipeline.params:
            yield f"        {_text(param.name)}: {_param(param)},"
        yield "    },"
    yield "):"


def _param(param: Param) -> str:
    settings = [] if param.default is None else [_text(param.default)]
    settings.append('type="string"')
    if param.choices:
        settings.append(f"enum={json.dumps(list(param.choices))}")
    if param.description:
        settings.append(f"description={_text(param.description)}")
    return f"Param({', '.join(settings)})"


def _task_lines(pipeline: Pipeline, assets: dict[str, str], files: Files) -> Iterator[str]:
    opened: list[str] = []
    made: set[str] = set()
    for step_id in order(pipeline):
        step = pipeline.step_by_id[step_id]
        groups = step_id.split("/")[:-1]
        if groups != opened:
            opened = groups
            for depth in range(1, len(groups) + 1):
                name = "/".join(groups[:depth])
                if name not in made:
                    made.add(name)
                    parent = f", parent_group={_group(groups[: depth - 1])}" if depth > 1 else ""
                    yield f"{_group(groups[:depth])} = TaskGroup({_text(groups[depth - 1])}{parent})"
        yield from _task(step, groups, assets, files)
    yield ""
    for step_id in order(pipeline):
        sources = [variable(source) for source in pipeline.upstream[step_id]]
        if sources:
            yield f"{_list(sources)} >> {variable(step_id)}"


def _group(groups: Sequence[str]) -> str:
    return f"in_{variable('/'.join(groups))}"  # type: ignore[arg-type]


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _task(step: Step, groups: Sequence[str], assets: dict[str, str], files: Files) -> Iterator[str]:
    own: StepId = step.id
    inside = task_id(own).rpartition(".")[2] if groups else task_id(own)
    settings = [f"task_id={_text(inside)}"]
    if inside != own:
        settings.append(f"step={_text(own)}")
    if groups:
        settings.append(f"task_group={_group(groups)}")
    if own in files.reused:
        settings.append(f"payload={_text(files.reused[own])}")
    settings += _retry(step)
    if step.timeout is not None:
        settings.append(f"execution_timeout=timedelta(seconds={step.timeout:g})")
    for word, names in (
        ("inlets", [port.dataset for port in step.reads]),
        ("outlets", [port.dataset for port in step.outputs]),
    ):
        listed = [f"DATASETS[{_text(name)}]" for name in names if name in assets]
        if listed:
            settings.append(f"{word}=[{', '.join(listed)}]")
    if step.description:
        settings.append(f"doc={_text(step.description)}")
    line = f"{variable(own)} = Step({', '.join(settings)})"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{variable(own)} = Step("
    yield from (f"    {each}," for each in settings)
    yield ")"


def _retry(step: Step) -> Iterator[str]:
    retry = step.retry
    if retry.attempts == 1:
        yield "retries=0"
        return
    yield f"retries={retry.attempts - 1}"
    yield f"retry_delay=timedelta(seconds={retry.delay:g})"
    if retry.backoff > 1:
        yield f"retry_exponential_backoff={retry.backoff:g}"
        yield f"max_retry_delay=timedelta(seconds={retry.max_delay:g})"
