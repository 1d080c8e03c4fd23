"""Fingerprints of steps: what their calls run, and what the model says that decides what they make."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from anabranch.code.calls import Calls
from anabranch.code.canonical import digest
from anabranch.code.parts import Fingerprint
from anabranch.model import codec
from anabranch.model.call import PythonCall, SqlCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.code.modules import Tree
    from anabranch.model.call import Call
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Pipeline, Step

_ORDER = (
    "code of", "query", "file", "call", "ports", "contract", "params", "requirements", "environment", "library",
)  # fmt: skip
"""Parts in the order in which people want to read them."""


def reasons(before: Fingerprint, now: Fingerprint) -> tuple[str, ...]:
    """Return what differs between two fingerprints, for people; nothing exactly when their digests are equal.

    >>> reasons(Fingerprint((("library polars", "1.0"),)), Fingerprint((("library polars", "2.1"),)))
    ('library polars 1.0 -> 2.1',)
    """
    old, new = dict(before.parts), dict(now.parts)
    changed = (name for name in sorted({*old, *new}, key=_importance) if old.get(name) != new.get(name))
    return tuple(reason for name in changed for reason in _differences(name, old.get(name), new.get(name)))


def _differences(name: str, old: str | None, new: str | None) -> list[str]:
    if name in {"params", "environment"}:
        was, now = _named(old), _named(new)
        words = {key: "added" if key not in was else "removed" if key not in now else "changed" for key in {*was, *now}}
        return [f"{name}: {key} {words[key]}" for key in sorted(words) if was.get(key) != now.get(key)]
    if old is None:
        return [f"{name} is new"]
    if new is None:
        return [f"{name} is not used any more"]
    return [f"{name} {old} -> {new}" if name.startswith("library ") else f"{name} changed"]


def _named(part: str | None) -> dict[str, str]:
    found: dict[str, str] = json.loads(part or "{}")
    return found


def _importance(name: str) -> tuple[int, str]:
    return next((i for i, start in enumerate(_ORDER) if name.startswith(start)), len(_ORDER)), name


class Fingerprints:
    """The fingerprints of many steps of one snapshot; what they share is looked at once."""

    def __init__(self, tree: Tree, libraries: Mapping[str, str]) -> None:
        """Use a snapshot.

        Args:
            tree: its files.
            libraries: versions of what was installed beside it, by name.
        """
        self._tree = tree
        self._calls = Calls(tree, libraries)
        self._entries: dict[tuple[Call, tuple[str, ...]], Fingerprint] = {}
        self._contracts: dict[int, tuple[DatasetSpec, str]] = {}
        self._params: dict[tuple[int, frozenset[str]], tuple[Pipeline, str]] = {}

    def of(self, pipeline: Pipeline, step: Step) -> Fingerprint:
        """Return the fingerprint of a step."""
        call = self.of_call(step)
        parts = dict(call.parts)
        parts["ports"] = _ports(step)
        if pipeline.params and (params := self._of_params(pipeline, step)):
            parts["params"] = params
        if step.needs.requirements:
            parts["requirements"] = "\n".join(sorted(step.needs.requirements))
        if step.needs.env or step.needs.secrets:
            given = [("env", *pair) for pair in step.needs.env] + [("secret", *pair) for pair in step.needs.secrets]
            told = {name: digest(repr((kind, value))) for kind, name, value in given}
            parts["environment"] = json.dumps(told, sort_keys=True)
        specs = pipeline.dataset_by_name
        for name in [port.dataset for port in step.reads] + [port.dataset for port in step.outputs]:
            if name in specs:
                parts[f"contract of {name}"] = self._contract(specs[name])
        return Fingerprint(tuple(sorted(parts.items())), call.impure, call.random)

    def of_call(self, step: Step) -> Fingerprint:
        """Return the fingerprint of what a step runs alone: what is not in the model."""
        declared = tuple(sorted({name for name, _ in (*step.needs.env, *step.needs.secrets)}))
        key = (step.call, declared)
        if key not in self._entries:
            self._entries[key] = self._calls.of(step.call, declared)
        return self._entries[key]

    def _of_params(self, pipeline: Pipeline, step: Step) -> str:
        """Return the params that a step depends on; empty where there are none."""
        names = self._used(pipeline, step)
        known = self._params.get((id(pipeline), names))
        if known is None or known[0] is not pipeline:
            chosen = [param for param in pipeline.params if param.name in names]
            told = {each.name: digest(repr((each.type.value, each.default, each.choices))) for each in chosen}
            known = (pipeline, json.dumps(told, sort_keys=True) if told else "")
            self._params[id(pipeline), names] = known
        return known[1]

    def _used(self, pipeline: Pipeline, step: Step) -> frozenset[str]:
        """Return the params that a function or a query names; all for a process."""
        match step.call:
            case PythonCall():
                return frozenset(step.params)
            case SqlCall(query, file):
                text = ((self._tree.read(file) or b"").decode(errors="replace") if file else query).lower()
                return frozenset(each.name for each in pipeline.params if f"${each.name}".lower() in text)
            case _:
                return frozenset(each.name for each in pipeline.params)

    def _contract(self, spec: DatasetSpec) -> str:
        known = self._contracts.get(id(spec))
        if known is None or known[0] is not spec:
            columns = [(column.name, column.type, column.nullable) for column in spec.columns]
            stored = (str(spec.format), spec.location, spec.partition_by, str(spec.ingestion), spec.incremental_field)
            known = self._contracts[id(spec)] = (spec, digest(repr((columns, spec.primary_key, stored))))
        return known[1]


def _ports(step: Step) -> str:
    """Return the ports as the call sees them; their order in the spec means nothing."""
    reads = sorted((port.name, port.dataset, port.columns, str(port.rows)) for port in step.reads)
    writes = sorted((port.name, port.dataset) for port in step.outputs)
    takes = [codec.encode(port, places=False) for port in sorted(step.takes, key=lambda port: port.name)]
    value = codec.encode(step.value, places=False) if step.value else None
    return digest(repr((reads, writes, takes, value)))
