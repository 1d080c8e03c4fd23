"""`anabranch.lock`: what the requirements of steps came to, so that they come to the same elsewhere and later."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import ConflictError, Diagnostic, InvalidProject
from anabranch.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from anabranch.model.pipeline import Pipeline, Step

FILE = "anabranch.lock"
VERSION = 1

Locks = dict[str, list[str]]
"""Packages with their versions, those that others need among them, by what was asked for."""


def read_locks(root: Path) -> Locks:
    """Return a project's locks; none where there is no file.

    Raises:
        InvalidProject: `bad-lock`, the file is none of ours.
        ConflictError: `newer-version`.
    """
    try:
        told: Any = json.loads((root / FILE).read_text(encoding="utf-8"))
        version, locks = int(told["anabranch"]), dict(told["requirements"])
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        message = f"{FILE} cannot be read: {error}"
        hint = "delete it: it is made anew by the next run, with the newest versions"
        raise InvalidProject([Diagnostic("bad-lock", message, hint, Place(FILE, 1))]) from None
    if version > VERSION:
        message = f"{FILE} is of version {version}, this anabranch knows up to {VERSION}"
        raise ConflictError(message, code="newer-version", hint="upgrade anabranch")
    return locks


def write_locks(root: Path, locks: Mapping[str, Sequence[str]]) -> None:
    """Write a project's locks, whole or not at all; it belongs into git."""
    told = {"anabranch": VERSION, "requirements": {key: list(locks[key]) for key in sorted(locks)}}
    fresh = root / f".{FILE}.{os.getpid()}"
    fresh.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    fresh.replace(root / FILE)


def key_of(requirements: Iterable[str]) -> str:
    """Return what was asked for, however it was ordered.

    >>> key_of(["six", "attrs>=23 "])
    'attrs>=23, six'
    """
    return ", ".join(sorted(each.strip() for each in requirements))


def with_locks(pipeline: Pipeline, locks: Mapping[str, Sequence[str]]) -> Pipeline:
    """Return the pipeline whose steps require exactly what is locked; what is not stays as it is asked for."""
    if not any(step.needs.requirements for step in pipeline.steps):
        return pipeline
    return replace(pipeline, steps=tuple(_locked(step, locks) for step in pipeline.steps))


def _locked(step: Step, locks: Mapping[str, Sequence[str]]) -> Step:
    found = locks.get(key_of(step.needs.requirements))
    return step if found is None else replace(step, needs=replace(step.needs, requirements=tuple(found)))


def unlocked(pipelines: Iterable[Pipeline], locks: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the requirements that no lock tells of, by key: those of a locked step are its lock's."""
    settled = {key_of(each) for each in locks.values()}
    asked = {key_of(s.needs.requirements): s.needs.requirements for p in pipelines for s in p.steps}
    return {key: each for key, each in asked.items() if each and key not in settled and key not in locks}
