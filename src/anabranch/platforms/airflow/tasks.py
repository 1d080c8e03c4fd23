"""The tasks of a DAG file: one for each step, in groups, with the edges between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.model.call import ContainerCall, NativeCall
from anabranch.model.graph import order
from anabranch.model.pipeline import StepId
from anabranch.platforms.airflow import native, payloads, pod
from anabranch.platforms.airflow.jinja import filling, literal
from anabranch.platforms.airflow.names import group_id, variable
from anabranch.platforms.airflow.narrow import session_policy
from anabranch.platforms.airflow.source import WIDTH, Code, lines, source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anabranch.model.pipeline import Pipeline, Step
    from anabranch.platforms.airflow.dagfile import Files
    from anabranch.platforms.airflow.source import Value


@dataclass(frozen=True)
class Parts:
    """What the tasks of a pipeline need of their file.

    Attributes:
        imports: module and name.
        classes: source of classes that stand for an operator.
        runs_payloads: whether some step is a process on a worker.
    """

    imports: frozenset[tuple[str, str]]
    classes: tuple[str, ...]
    runs_payloads: bool


def parts_of(pipeline: Pipeline) -> Parts:
    """Return what the tasks of a pipeline need of their file, and nothing else."""
    imports: set[tuple[str, str]] = set()
    classes: dict[str, None] = {}
    runs_payloads = False
    for step in pipeline.steps:
        match step.call:
            case NativeCall(platform):
                found = native.NATIVE[platform]
                imports.add((found.module, found.operator))
                if found.lines:
                    imports.add(("", "time"))
                    classes[found.lines] = None
            case ContainerCall():
                imports.add((pod.MODULE, pod.OPERATOR))
                if step.needs.resources:
                    imports.add(("kubernetes.client", "V1ResourceRequirements"))
            case _:
                runs_payloads = True
                imports.update(payloads.IMPORTS)
    return Parts(frozenset(imports), tuple(classes), runs_payloads)


def task_lines(pipeline: Pipeline, assets: Mapping[str, str], files: Files) -> Iterator[str]:
    """Yield the tasks and their edges.

    Args:
        pipeline: valid, and nothing of it is refused by `cells`.
        assets: the datasets that are Airflow's assets, too.
        files: what the tasks name.
    """
    groups = _groups(pipeline)
    made: set[str] = set()
    for step_id in order(pipeline):
        inside = step_id.rpartition("/")[0]
        for name in _around(inside):
            if name not in made:
                made.add(name)
                outer, _, own = name.rpartition("/")
                parent = f", parent_group={groups[outer]}" if outer else ""
                yield f"{groups[name]} = TaskGroup({source(group_id(own))}{parent})"
        yield from _task(pipeline, pipeline.step_by_id[step_id], groups.get(inside, ""), assets, files)
    yield ""
    for step_id in order(pipeline):
        sources = [variable(each) for each in pipeline.upstream[step_id]]
        if sources:
            yield f"{sources[0] if len(sources) == 1 else source([*map(Code, sources)])} >> {variable(step_id)}"


def _around(inside: str) -> Iterator[str]:
    """Yield an inner pipeline and those that it is in, the outermost first.

    >>> list(_around("weekly/daily"))
    ['weekly', 'weekly/daily']
    """
    parts = inside.split("/") if inside else []
    yield from ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _groups(pipeline: Pipeline) -> dict[str, str]:
    """Return the name of each inner pipeline's group in the file, which no step and no other group has."""
    taken = {variable(step.id) for step in pipeline.steps}
    found: dict[str, str] = {}
    for name in sorted({each for step in pipeline.steps for each in _around(step.id.rpartition("/")[0])}):
        found[name] = f"in_{variable(StepId(name))}"
        while found[name] in taken:
            found[name] += "_"
        taken.add(found[name])
    return found


def _task(pipeline: Pipeline, step: Step, group: str, assets: Mapping[str, str], files: Files) -> Iterator[str]:
    name, own = _work(pipeline, step, files)
    settings: dict[str, Value] = {"task_id": group_id(step.id.rpartition("/")[2])}
    if name == "Step" and settings["task_id"] != step.id:
        settings["step"] = literal(step.id)
    if group:
        settings["task_group"] = Code(group)
    settings |= own
    settings |= _retry(step)
    if step.timeout is not None:
        settings["execution_timeout"] = _seconds(step.timeout)
    for word, names in (
        ("inlets", [port.dataset for port in step.reads]),
        ("outlets", [port.dataset for port in step.outputs]),
    ):
        listed = [Code(f"DATASETS[{source(each)}]") for each in names if each in assets]
        if listed:
            settings[word] = listed
    if step.description:
        settings["doc"] = step.description
    line = f"{variable(step.id)} = {name}({', '.join(f'{key}={source(value)}' for key, value in settings.items())})"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{variable(step.id)} = {name}("
    for key, value in settings.items():
        yield from (f"    {each}" for each in lines(value, f"{key}=", ","))
    yield ")"


def _work(pipeline: Pipeline, step: Step, files: Files) -> tuple[str, dict[str, Value]]:
    """Return the class of a step's task, and what only that class is given."""
    match step.call:
        case NativeCall(platform) as call:
            filled = filling(pipeline, step, files.storage)
            policy = session_policy(files.protected, files.storage)
            connection = files.connections.get(platform, "")
            return native.NATIVE[platform].name, native.task(call, step, filled, connection, policy)
        case ContainerCall() as call:
            filled = filling(pipeline, step, files.storage)
            return pod.OPERATOR, pod.task(call, step, filled, files.connections.get("container", ""))
        case _:
            return "Step", {"payload": files.reused[step.id]} if step.id in files.reused else {}


def _retry(step: Step) -> dict[str, Value]:
    retry = step.retry
    found: dict[str, Value] = {"retries": retry.attempts - 1}
    if retry.attempts == 1:
        return found
    found["retry_delay"] = _seconds(retry.delay)
    if retry.backoff > 1:
        found["retry_exponential_backoff"] = Code(f"{retry.backoff:g}")
        found["max_retry_delay"] = _seconds(retry.max_delay)
    return found


def _seconds(seconds: float) -> Code:
    """Return a time, to the millisecond however long it is.

    >>> _seconds(1234567.0), _seconds(0.5)
    ('timedelta(seconds=1234567)', 'timedelta(seconds=0.5)')
    """
    whole = f"{seconds:.3f}".rstrip("0").rstrip(".")
    return Code(f"timedelta(seconds={whole})")
