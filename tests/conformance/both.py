"""One project on this machine and on a platform that runs it: what each test of the two needs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from tests.engines.account import listing
from tools.aws import ACCOUNT

from anabranch.app import Project
from anabranch.data.objects.store import objects
from anabranch.model.run import Recorded, Run, StepFailed, StepReused, StepStarted, StepSucceeded

if TYPE_CHECKING:
    from collections.abc import Collection

OURS = ("_branches", "_anabranch")
"""Where, below main's storage, we keep what is no dataset."""

HERE = Path(__file__).parent / "project"


class Told:
    def __init__(self) -> None:
        self.events: list[Recorded] = []

    def report(self, recorded: Recorded) -> None:
        self.events.append(recorded)


class Both:
    """The project with one storage for runs here, and another for runs there."""

    def __init__(
        self,
        folder: Path,
        storage: str,
        environment: dict[str, Any],
        project: str = "conformance",
        *,
        data: bool = True,
    ) -> None:
        self.folder, self.storage = folder, storage
        shutil.copytree(HERE, folder / "project")
        file = folder / "project" / "anabranch.yaml"
        said = yaml.safe_load(file.read_text())
        said["storage"] = str(folder / "here")
        variables = {"ANABRANCH_TEST_VARIABLE": "given"}
        said["environments"] = {"real": {**environment, "storage": storage, "variables": variables}}
        said["project"] = project
        file.write_text(yaml.safe_dump(said))
        if not data:
            return
        for name, rows in (("numbers", range(7)), ("nothing", range(0)), ("arrivals", range(3))):
            self.write(name, rows)

    def put(self, key: str, body: bytes) -> None:
        """Lay a file into the storage there."""
        raise NotImplementedError

    def lying(self, *without: str) -> dict[str, bytes]:
        """What is below the storage there, but for some folders."""
        raise NotImplementedError

    def deployed(self) -> dict[str, str]:
        """What is on the platform, and what tells one state of it from another."""
        raise NotImplementedError

    narrows = False
    """Whether a policy of the platform keeps a branch's calls below its root."""
    forbidden = ""
    """The code of the failure of a step that writes where it must not."""

    def bug(self, key: str) -> str:
        """Lines of a step that writes over main's data."""
        raise NotImplementedError

    def only_one_job_is_new(self, before: dict[str, str]) -> None:
        """Of a branch with one changed step, and one downstream of it."""
        raise NotImplementedError

    def datasets(self) -> dict[str, bytes]:
        """What lies there of main's data."""
        return self.lying(*OURS)

    @property
    def project(self) -> Project:
        return Project.load(self.folder / "project")

    def write(self, name: str, rows: range) -> None:
        body = ("id,n\n" + "".join(f"{i},{i * 3}\n" for i in rows)).encode()
        here = self.folder / "here" / "raw" / f"{name}.csv"
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_bytes(body)
        self.put(f"raw/{name}.csv", body)

    def run(self, name: str, given: Any = None, **params: Any) -> tuple[tuple[Run, Told], tuple[Run, Told]]:
        told = Told(), Told()
        mine, theirs = (
            {key: value.get(side, value) if isinstance(value, dict) else value for key, value in params.items()}
            for side in ("here", "there")
        )
        here = self.project.run(name, params=mine, input=given, reporter=told[0]).run
        there = self.project.remote("real").run(self.project.pipeline(name), theirs, given, told[1])
        return (here, told[0]), (there, told[1])


class OnAirflow(Both):
    def __init__(self, folder: Path, url: str) -> None:
        orchestrator = {"dags": str(folder / "dags"), "url": url, "python": sys.executable}
        super().__init__(folder, str(folder / "there"), {"airflow": orchestrator})

    def put(self, key: str, body: bytes) -> None:
        path = Path(self.storage, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def lying(self, *without: str) -> dict[str, bytes]:
        root = Path(self.storage)
        found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in sorted(found.items()) if not name.startswith(without or "//")}

    forbidden = "outside-branch"

    def bug(self, key: str) -> str:
        victim = str(Path(self.storage, key))
        return f"Path({victim!r}).write_text('gone')\n    return started.with_columns(pl.col(\"n\") * 10)"

    def only_one_job_is_new(self, before: dict[str, str]) -> None:
        (new,) = [text for name, text in self.deployed().items() if name not in before]
        assert new.count('payload="') == 1  # join: the payload is main's

    def deployed(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.folder / "dags").rglob("*.py")}


class OnAws(Both):
    job = "function"
    """What runs a step there."""
    settings: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        folder: Path,
        project: str = "conformance",
        *,
        data: bool = True,
        aws_more: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        orchestrator = {"account": ACCOUNT, "region": "us-east-1", "runtime": f"python3.{sys.version_info.minor}"}
        environment = {
            "aws": {**orchestrator, **self.settings, **(aws_more or {})},
            "artifacts": "s3://artifacts/conformance",
            **more,
        }
        super().__init__(folder, f"s3://lake/{project}", environment, project, data=data)

    def put(self, key: str, body: bytes) -> None:
        objects(self.storage).put(key, body)

    def lying(self, *without: str) -> dict[str, bytes]:
        store = objects(self.storage)
        return {key: store.read(key) or b"" for key in store.list("") if not key.startswith(without or "//")}

    narrows = True
    forbidden = "step-failed"

    def bug(self, key: str) -> str:
        lines = [
            "from obstore.store import from_url",
            "import obstore, os",
            'config = {"endpoint": os.environ["AWS_ENDPOINT_URL"]}',
            f'at = from_url({self.storage!r}, config=config, client_options={{"allow_http": True}})',
            f"obstore.put(at, {key!r}, b'gone')",
            'return started.with_columns(pl.col("n") * 10)',
        ]
        return "\n    ".join(lines)

    def only_one_job_is_new(self, before: dict[str, str]) -> None:
        new = sorted(name for name in self.deployed() if name not in before)
        kinds = [name.partition("/")[0] for name in new]
        assert kinds == [self.job, "logs", "machine", "role", "role"], new
        assert "right" in new[0]

    def deployed(self) -> dict[str, str]:
        return listing()


class OnGlue(OnAws):
    """Every step is a Glue job, as the emulator runs them: Python shell jobs, which are looked at."""

    job = "job"
    settings: ClassVar[dict[str, Any]] = {"glue": "shell", "poll": 1}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "on-glue", engines=dict.fromkeys(("python", "sql", "shell"), "glue"))


def logical(run: Run) -> dict[str, Any]:
    """What a run means, whatever ran it."""
    return {
        "state": run.state,
        "params": {name: value for name, value in run.params if name != "marker"},
        "input": run.input,
        "steps": {
            step.step: (
                step.state,
                step.attempts,
                step.value,
                [(port.dataset, port.rows, port.version) for port in step.reads],
                [(port.dataset, port.rows) for port in step.writes],
                (step.failure.kind, step.failure.code) if step.failure else None,
                step.because,
            )
            for step in run.steps
        },
    }


def in_order(project: Project, run: Run, told: Told, given: Collection[str] = ()) -> None:
    """No step started before those that it waits for had ended well; each started as often as it was tried."""
    upstream = project.pipeline(run.pipeline).upstream
    done: set[str] = set(given)
    starts: dict[str, int] = {}
    for each in told.events:
        match each.event:
            case StepStarted(step):
                assert set(upstream[step]) <= done
                starts[step] = starts.get(step, 0) + 1
            case StepSucceeded(step) | StepReused(step):
                done.add(step)
            case StepFailed(step):
                assert step not in done
            case _:
                pass
    assert starts == {step.step: step.attempts for step in run.steps if step.attempts}
