"""Rules about what steps run: their placeholders, their files, and where they can run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anabranch.model.call import ContainerCall, DbtCall, NativeCall, ShellCall, SparkCall, SqlCall, kind
from anabranch.model.errors import Diagnostic, Severity, closest

if TYPE_CHECKING:
    from anabranch.check.subject import Subject
    from anabranch.model.pipeline import Step

_PLACEHOLDER = re.compile(r"\$\{(in|out|params)\.([^}]*)\}")


def known_placeholders(subject: Subject) -> list[Diagnostic]:
    """Each `${in.x}`, `${out.x}` and `${params.x}` names a port or param."""
    params = [param.name for param in subject.pipeline.params]
    found: list[Diagnostic] = []
    for step in subject.pipeline.steps:
        outputs = [port.name for port in step.outputs] + (["value"] if step.value is not None else [])
        known = {"in": [port.name for port in step.inputs], "out": outputs, "params": params}
        for text in _texts(step):
            for where, name in _PLACEHOLDER.findall(text):
                if name not in known[where]:
                    message = f"step `{step.id}`: `${{{where}.{name}}}` names nothing"
                    found.append(Diagnostic("unknown-port", message, closest(name, known[where]), step.place))
    return found


def _texts(step: Step) -> tuple[str, ...]:
    match step.call:
        case ShellCall(argv):
            return argv
        case SparkCall():
            return (*step.call.args, *(value for _, value in step.call.conf))
        case DbtCall():
            return tuple(value for _, value in step.call.vars)
        case ContainerCall(_, argv):
            return argv
        case NativeCall():
            return tuple(value for _, value in step.call.arguments)
        case _:
            return ()


def files_there(subject: Subject) -> list[Diagnostic]:
    """Files that calls name are in the project."""
    found: list[Diagnostic] = []
    for step in subject.pipeline.steps:
        for name in _files(step):
            if not (subject.root / name).exists():
                around = (subject.root / name).parent
                known = [path.name for path in around.iterdir()] if around.is_dir() else []
                message = f"step `{step.id}` runs `{name}`, which is not in the project"
                found.append(Diagnostic("missing-file", message, closest(name.rpartition("/")[2], known), step.place))
    return found


def _files(step: Step) -> tuple[str, ...]:
    match step.call:
        case SqlCall(file=file) if file:
            return (file,)
        case SparkCall() if "://" not in step.call.main:
            return (step.call.main, *(file for file in step.call.py_files if "://" not in file))
        case DbtCall():
            return (f"{step.call.project}/dbt_project.yml",)
        case ShellCall(argv, shell) if not shell and argv and "/" in argv[0] and not argv[0].startswith(("/", "$")):
            return (argv[0],)
        case _:
            return ()


def local_calls(subject: Subject) -> list[Diagnostic]:
    """Calls that do not run on this machine are told."""
    return [
        Diagnostic(
            "not-local",
            f"step `{step.id}` is a {kind(step.call)} call, which does not run on this machine",
            "leave it out of local runs with --only, --from or --to",
            step.place,
            Severity.WARNING,
        )
        for step in subject.pipeline.steps
        if isinstance(step.call, ContainerCall | NativeCall)
    ]


def distinct_names(subject: Subject) -> list[Diagnostic]:
    """Ports of one step differ, also as environment variables (`a-b` and `a_b` would be one)."""
    found: list[Diagnostic] = []
    for step in subject.pipeline.steps:
        for ports in (step.inputs, step.outputs):
            seen: dict[str, str] = {}
            for port in ports:
                variable = re.sub(r"\W", "_", port.name, flags=re.ASCII).upper()
                if variable in seen:
                    message = f"step `{step.id}`: ports `{seen[variable]}` and `{port.name}` have one name"
                    hint = "name one port otherwise: {port: dataset}"
                    found.append(Diagnostic("duplicate-port", message, hint, port.place or step.place))
                seen[variable] = port.name
    return found
