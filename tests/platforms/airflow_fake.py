"""An Airflow that remembers: DAGs of a folder, their runs, what is paused. It runs nothing; tests say how runs end.

It may be told to stumble: to answer badly, or to hang up before or after it has done what it was asked.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

BEFORE, AFTER = "before", "after"
"""When it hangs up."""


@dataclass
class Dag:
    """A DAG as it was read last."""

    file: str
    tags: list[str]
    tasks: list[str]
    stale: bool = False
    paused: bool = False
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Airflow:
    """What the fake remembers, and its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dags: dict[str, Dag] = {}
        self.assets: set[str] = set()
        self.errors: list[dict[str, Any]] = []
        self.connections: set[str] = set()
        self.providers: list[str] = ["apache-airflow-providers-standard"]
        self.logs: dict[str, list[Any]] = {}
        self.looks = True
        self.late = 0
        self.trouble: list[tuple[str, str | int | bytes]] = []
        self.asked: list[str] = []
        self.url = ""

    def look(self) -> None:
        """Read the DAG folder, as the dag-processor does."""
        found = {path.stem: path for path in self.folder.rglob("*.py")}
        for name, dag in self.dags.items():
            gone = name not in found
            dag.stale = gone and self.late <= 0
            self.late -= gone
        for name, path in found.items():
            text = path.read_text()
            tags = json.loads(re.findall(r"^ +tags=(\[.*\]),$", text, re.MULTILINE)[0])
            tasks = re.findall(r'task_id="([^"]+)"', text)
            old = self.dags.get(name)
            file = path.relative_to(self.folder).as_posix()
            self.dags[name] = Dag(file, tags, tasks, False, *((old.paused, old.runs, old.states) if old else ()))
            self.assets |= {json.loads(each) for each in re.findall(r': Asset\(("(?:[^"\\]|\\.)*")\)', text)}

    def end(self, dag: str, run: str, state: str = "success") -> None:
        """Let a run and all of its tasks end."""
        told = self.dags[dag].runs[run]
        if told["state"] in {"success", "failed"}:
            return
        told |= {"state": state, "end_date": _now()}
        for task in self.dags[dag].states[run].values():
            task["start_date"] = task["start_date"] or _now()
            task |= {"state": state, "try_number": max(1, task["try_number"]), "end_date": _now()}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        """Do what is asked; return what is answered."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match (method, *parts):
            case ("GET", "auth", "token"):
                return {"access_token": "a-token-of-the-fake"}
            case ("GET", "api", "v2", "version"):
                return {"version": "3.3.2"}
            case ("GET", "api", "v2", "importErrors"):
                return {"import_errors": self.errors, "total_entries": len(self.errors)}
            case ("GET", "api", "v2", "providers"):
                return {"providers": [{"package_name": each} for each in self.providers], "total_entries": 1}
            case ("GET", "api", "v2", "connections", name):
                if name not in self.connections:
                    raise Refused(404, f"The Connection with connection_id: `{name}` was not found")
                return {"connection_id": name}
            case ("GET", "api", "v2", "assets"):
                return {"assets": [{"uri": each} for each in sorted(self.assets)], "total_entries": len(self.assets)}
            case (_, "api", "v2", "dags", *rest):
                if self.looks:
                    self.look()
                return self._dags(method, rest, query, body)
            case _:
                raise Refused(404, "Not Found")

    def _dags(self, method: str, rest: list[str], query: dict[str, list[str]], body: Any) -> Any:
        if not rest:
            found = [_dag(name, dag) for name, dag in self.dags.items() if set(query.get("tags", ())) <= set(dag.tags)]
            return {"dags": found, "total_entries": len(found)}
        name, *inside = rest
        if name not in self.dags:
            raise Refused(404, f"The Dag with ID: `{name}` was not found")
        return self._dag(method, name, inside, body)

    def _dag(self, method: str, name: str, inside: list[str], body: Any) -> Any:
        dag = self.dags[name]
        match (method, *inside):
            case ("GET",):
                return _dag(name, dag)
            case ("PATCH",):
                dag.paused = body["is_paused"]
                return {}
            case ("DELETE",):
                return self._delete(name, dag)
            case ("GET", "dagRuns"):
                return {"dag_runs": [*reversed(dag.runs.values())], "total_entries": len(dag.runs)}
            case ("POST", "dagRuns"):
                return self._start(dag, body)
            case ("POST", "clearTaskInstances"):
                dag.runs[body["dag_run_id"]] |= {"state": "queued", "end_date": None}
                for task in body["task_ids"]:
                    dag.states[body["dag_run_id"]][task]["state"] = None
                return {}
            case (_, "dagRuns", run, *more):
                if run not in dag.runs:
                    raise Refused(404, f"The DagRun with dag_id: `{name}` and run_id: `{run}` was not found")
                return self._run(method, dag, run, more, body)
            case _:
                raise Refused(404, "Not Found")

    def _delete(self, name: str, dag: Dag) -> Any:
        if any(task["state"] == "running" for run in dag.states.values() for task in run.values()):
            raise Refused(409, f"Task instances of dag with id: '{name}' are still running")
        if dag.stale:
            del self.dags[name]
        else:  # it is read once more, by a dag-processor that has not noticed
            dag.runs, dag.states = {}, {}
        return {}

    def _start(self, dag: Dag, body: Any) -> Any:
        run = body["dag_run_id"]
        if run in dag.runs:
            raise Refused(409, f"DagRun with DAG ID and DagRun ID: `{run}` already exists")
        now = _now()
        told = {"dag_run_id": run, "state": "queued" if dag.paused else "running", "conf": body["conf"], "note": None}
        dag.runs[run] = told | {"queued_at": now, "start_date": now, "end_date": None, "run_type": "manual"}
        empty = {"state": None, "try_number": 0, "start_date": None, "end_date": None}
        dag.states[run] = {task: {"task_id": task, **empty} for task in dag.tasks}
        return dag.runs[run]

    def _run(self, method: str, dag: Dag, run: str, more: list[str], body: Any) -> Any:
        match (method, *more):
            case ("GET",):
                return dag.runs[run]
            case ("PATCH",):
                dag.runs[run] |= body | ({"end_date": _now()} if "state" in body else {})
                if body.get("state") == "failed":
                    for task in dag.states[run].values():
                        if task["state"] != "success":
                            task["state"] = "failed" if task["state"] == "running" else "skipped"
                return dag.runs[run]
            case ("GET", "taskInstances"):
                found = [*dag.states[run].values()]
                return {"task_instances": found, "total_entries": len(found)}
            case ("GET", "taskInstances", task, "logs", _):
                if task not in self.logs:
                    raise Refused(404, "TaskInstance not found")
                return {"content": self.logs[task]}
            case _:
                raise Refused(404, "Not Found")


def _dag(name: str, dag: Dag) -> dict[str, Any]:
    tags = [{"name": tag} for tag in dag.tags]
    return {
        "dag_id": name,
        "tags": tags,
        "is_stale": dag.stale,
        "is_paused": dag.paused,
        "relative_fileloc": dag.file,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat()


@contextmanager
def serving(folder: Path) -> Generator[Airflow]:
    """Run a fake of a DAG folder."""
    airflow = Airflow(folder)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            asked = urlsplit(self.path)
            line = f"{self.command} {asked.path}"
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            with lock:
                airflow.asked.append(line)
                found = next((each for each in airflow.trouble if re.search(each[0], line)), None)
                if found:
                    airflow.trouble.remove(found)
                what = found[1] if found else None
                if what == BEFORE:
                    return
                if isinstance(what, int | bytes):
                    self._send(*((what, {"detail": f"stumbled {what}"}) if isinstance(what, int) else (200, what)))
                    return
                try:
                    status, told = 200, airflow.answer(self.command, asked.path, parse_qs(asked.query), body)
                except Refused as refused:
                    status, told = refused.status, {"detail": str(refused)}
                if what != AFTER:
                    self._send(status, told)

        def _send(self, status: int, told: Any) -> None:
            sent = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - names of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - names of http.server
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    airflow.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield airflow
    finally:
        server.shutdown()
        server.server_close()
