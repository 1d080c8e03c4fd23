"""Calls that name locations themselves: what a branch must refuse, since it could not keep them off main's data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anabranch.model.call import ContainerCall, DbtCall, NativeCall, ShellCall, SparkCall
from anabranch.model.errors import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from anabranch.model.pipeline import Pipeline, Step, StepId

_URL = re.compile(
    r"\b(?:s3a?|s3n|gs|az|abfss?|wasbs?|adl|hdfs|dbfs|file|jdbc:\w+|postgres(?:ql)?|mysql|https?)://[^\s'\"]+"
)
_ABSOLUTE = re.compile(r"(?:^|[=:>\s'\"])(/[\w.@-]+/[\w.@/-]+)")
_WORD = re.compile(r"[\w.@%-]+(?:/[\w.@%-]+)+")
_SYSTEM = ("/bin/", "/dev/", "/etc/", "/lib/", "/opt/", "/proc/", "/sbin/", "/tmp/", "/usr/", "/var/tmp/")  # noqa: S108


def refusals(pipeline: Pipeline, steps: Collection[StepId], storage: str) -> tuple[Diagnostic, ...]:
    """Return why steps cannot be branched: their calls name locations, so nothing would keep them off main's data.

    Args:
        pipeline: what is branched.
        steps: those that would run.
        storage: main's storage root.
    """
    found: list[Diagnostic] = []
    chosen, locations = set(steps), frozenset(spec.location for spec in pipeline.datasets)
    for step in pipeline.steps:
        if step.id not in chosen:
            continue
        hint = f"write ${{in.PORT}} or ${{out.PORT}} in its place, or leave the step out: --skip {step.id}"
        for literal in dict.fromkeys(_literals(locations, step, storage)):
            message = f"step `{step.id}` names the location {literal} itself, so a branch cannot give it another"
            found.append(Diagnostic("literal-location", message, hint, step.place))
        if isinstance(step.call, NativeCall):
            found += [Diagnostic("literal-location", what, hint, step.place) for what in _unsaid(step, step.call)]
    return tuple(found)


def _unsaid(step: Step, call: NativeCall) -> Iterator[str]:
    """Yield what a job is not told: it knows main's locations by itself, and would go there."""
    if not step.reads and not step.outputs:
        yield f"step `{step.id}` starts the job {call.job} of {call.platform} on no dataset, as if it were main's run"
    text = " ".join(value for _, value in call.arguments)
    for where, ports in (("in", step.reads), ("out", step.outputs)):
        for port in ports:
            # What is written $${in.x} is text, and no location.
            if f"${{{where}.{port.name}}}" not in text.replace(f"$${{{where}.{port.name}}}", ""):
                yield f"step `{step.id}` does not hand its job the location of `{port.name}`"


def _literals(locations: Collection[str], step: Step, storage: str) -> Iterator[str]:
    for text in _texts(step):
        yield from (match[0] for match in _URL.finditer(text))
        for match in _ABSOLUTE.finditer(_URL.sub("", text)):
            if not match[1].startswith(_SYSTEM) or match[1].startswith(storage.rstrip("/") + "/"):
                yield match[1]
        for word in _WORD.findall(_ABSOLUTE.sub(" ", text)):
            parts = word.split("/")
            for start in range(len(parts)):  # data/final/x.csv names final/x.csv
                if "/".join(parts[start:]) in locations:
                    yield word


def _texts(step: Step) -> tuple[str, ...]:
    match step.call:
        case ShellCall(argv):
            return argv[1:] if not step.call.shell else argv
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
