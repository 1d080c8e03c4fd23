"""What dbt tells of a build: `run_results.json`, `manifest.json`, and its log where it did not come that far."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import AnabranchError, ContractError, StepError
from anabranch.model.place import Place
from anabranch.model.run import StepState, SubStep

if TYPE_CHECKING:
    from pathlib import Path

_STATES = {
    "success": StepState.SUCCEEDED,
    "pass": StepState.SUCCEEDED,
    "warn": StepState.SUCCEEDED,
    "no-op": StepState.SUCCEEDED,
    "skipped": StepState.SKIPPED,
}
_FILE = re.compile(r"\(([^()\s]+\.(?:sql|ya?ml|py|csv|md))\)(?:.*?\bline (\d+))?", re.DOTALL)
_TELLING = 3


@dataclass(frozen=True)
class Node:
    """One model, seed, snapshot or test. `file` is relative to the dbt project; `compiled` is the SQL that ran."""

    kind: str
    name: str
    status: str
    seconds: float
    rows: int | None
    message: str
    file: str
    compiled: str

    @property
    def part(self) -> SubStep:
        """The node as a part of a step."""
        state = _STATES.get(self.status, StepState.FAILED)
        message = "" if self.status in {"success", "pass", "skipped"} else self.message
        return SubStep(f"{self.kind} {self.name}", state, self.seconds, self.rows, message)


def read(target: Path) -> tuple[Node, ...]:
    """Return what became of each node, in the order in which dbt finished them; nothing if it never began."""
    results, manifest = _json(target / "run_results.json"), _json(target / "manifest.json")
    known: dict[str, Any] = {**manifest.get("nodes", {}), **manifest.get("unit_tests", {})}
    return tuple(_node(each, known.get(each["unique_id"], {})) for each in results.get("results", []))


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # dbt was killed while, or before, it wrote the file
        return {}
    return found


def _node(told: dict[str, Any], known: dict[str, Any]) -> Node:
    kind, _, rest = str(told["unique_id"]).partition(".")
    rows = (told.get("adapter_response") or {}).get("rows_affected")
    return Node(
        kind.replace("_", " "),
        str(known.get("name") or rest.partition(".")[2]),
        str(told["status"]),
        float(told.get("execution_time") or 0.0),
        rows if isinstance(rows, int) and rows >= 0 else None,
        _short(str(told.get("message") or "")),
        str(known.get("original_file_path") or ""),
        str(known.get("compiled_path") or ""),
    )


def _short(message: str) -> str:
    r"""Return dbt's message on one line, without the node's name, which is told already.

    >>> _short("Runtime Error in model legs (models/legs.sql)\n  Binder Error: no column x\n\n  LINE 1: ...")
    'Binder Error: no column x'
    """
    lines = [line.strip() for line in message.partition("\n  \n")[0].partition("\n\n")[0].splitlines()]
    if len(lines) > 1 and " Error in " in lines[0]:
        lines = lines[1:]
    return "; ".join(line for line in lines[:_TELLING] if line)


def failure(nodes: tuple[Node, ...], project: str) -> AnabranchError | None:
    """Return the error that tells what failed, or None when dbt says of nothing that it failed.

    Tests on data that found rows are a broken contract; whatever else fails is a failed step.
    """
    failed = [node for node in nodes if node.part.state is StepState.FAILED]
    if not failed:
        return None
    text = "\n".join(f"{node.kind} {node.name} ({node.file}): {node.message}" for node in failed)
    hint = f"the SQL that ran is {failed[0].compiled}" if failed[0].compiled else "see dbt's output in the log"
    place = Place(f"{project}/{failed[0].file}") if failed[0].file else None
    if all(node.kind == "test" and node.status == "fail" for node in failed):
        return ContractError(text, code="dbt-test-failed", hint=hint, place=place)
    return StepError(text, code="dbt-failed", hint=hint, place=place)


def trouble(log: Path, project: str) -> StepError | None:
    """Return the error that ended dbt before it built anything, from its log in JSON lines."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        if '"MainEncounteredError"' in line:
            told = str(json.loads(line)["info"]["msg"]).removeprefix("Encountered an error:").strip()
            at = _FILE.search(told)
            place = Place(f"{project}/{at[1]}", int(at[2] or 0)) if at else None
            message = "; ".join(each.strip() for each in told.splitlines() if each.strip())
            return StepError(f"dbt: {message}", code="dbt-failed", hint="see dbt's output in the log", place=place)
    return None
