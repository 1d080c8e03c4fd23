"""What a deployment finds on its Airflow, before anything is made: `check -e` says each thing that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.model.call import ContainerCall, NativeCall
from anabranch.model.errors import AnabranchError, ConflictError, Diagnostic, NotFoundError, Severity
from anabranch.platforms.airflow.api import part
from anabranch.platforms.airflow.cells import PROVIDERS
from anabranch.platforms.airflow.names import dag_id, file_of
from anabranch.platforms.airflow.runs import DAG_SOURCE, import_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.model.environment import Airflow, Environment
    from anabranch.model.pipeline import Pipeline, Step
    from anabranch.model.place import Place
    from anabranch.model.resource import Owner
    from anabranch.platforms.airflow.api import AirflowApi


def folders(environment: Environment, airflow: Airflow) -> Iterator[Diagnostic]:
    """Yield that the DAG folder is not there: `apply` would make it, and an Airflow that reads another sees nothing."""
    if "://" not in airflow.dags and not Path(airflow.dags).is_dir():
        message = f"environment `{environment.name}` has its DAG folder at {airflow.dags}, where there is none yet"
        hint = "look at airflow.dags, and whether it is mounted here; apply makes it"
        yield Diagnostic("no-folder", message, hint, environment.place, Severity.WARNING)


class Preflight:
    """One look at an Airflow."""

    def __init__(self, api: AirflowApi, owner: Owner, environment: Environment, airflow: Airflow) -> None:
        """Name it; nothing is asked yet."""
        self._api, self._owner, self._environment, self._airflow = api, owner, environment, airflow

    def findings(self, pipelines: Sequence[Pipeline]) -> Iterator[Diagnostic]:
        """Yield what is not there; where Airflow cannot be asked, that, as a warning."""
        try:
            self._api.get("/version", holding="version")
            errors = list(self._api.pages("/importErrors", "import_errors"))
        except AnabranchError as error:
            yield self._unknown(f"Airflow of `{self._environment.name}` was not looked at", None, error)
            return
        for name, connection in self._airflow.connections:
            yield from self._connection(name, connection)
        yield from self._providers(pipelines)
        ours = {dag_id(self._owner, each.name): each for each in pipelines}
        for dag, pipeline in ours.items():
            yield from self._own(dag, pipeline, errors)
        for pipeline in pipelines:
            for step in pipeline.steps:
                if isinstance(step.call, NativeCall) and step.call.platform == "airflow" and step.call.job not in ours:
                    yield from self._other(step.call.job, step)

    def _connection(self, name: str, connection: str) -> Iterator[Diagnostic]:
        """Yield that a connection is not in Airflow's database; its workers may have it from elsewhere.

        Source: https://airflow.apache.org/docs/apache-airflow/stable/howto/connection.html
        """
        place = self._environment.place
        try:
            self._api.get(f"/connections/{part(connection)}")
        except NotFoundError:
            message = f"Airflow has no connection `{connection}`, which environment `{self._environment.name}` names"
            message += f" for {name}, unless its workers have it from their variables or a secrets backend"
            yield Diagnostic("no-connection", message, "make it in Airflow", place, Severity.WARNING)
        except AnabranchError as error:
            yield self._unknown(f"the connection `{connection}`", place, error)

    def _providers(self, pipelines: Sequence[Pipeline]) -> Iterator[Diagnostic]:
        """Yield the first step of each kind whose provider is not installed."""
        needed: dict[str, Step] = {}
        for pipeline in pipelines:
            for step in pipeline.steps:
                if (package := _provider(step)) is not None:
                    needed.setdefault(package, step)
        if not needed:
            return
        try:
            there = {str(each["package_name"]) for each in self._api.pages("/providers", "providers")}
        except AnabranchError as error:
            yield self._unknown("the providers that are installed", self._environment.place, error)
            return
        for package, step in needed.items():
            if package not in there:
                message = f"step `{step.id}` needs {package}, which is not installed on Airflow"
                yield Diagnostic("no-provider", message, f"there: pip install {package}", step.place)

    def _own(self, dag: str, pipeline: Pipeline, errors: Sequence[dict[str, Any]]) -> Iterator[Diagnostic]:
        """Yield what stands in the way of a pipeline's DAG."""
        if (said := import_error(errors, dag)) is not None:
            hint = "it may be of the file before the last apply; see its import errors"
            message = f"Airflow cannot import {said[0]}: {said[1]}"
            yield Diagnostic("dag-import-error", message, hint, pipeline.place, Severity.WARNING)
        try:
            told = self._api.get(f"/dags/{part(dag)}")
        except NotFoundError:
            return  # it was not deployed yet
        except AnabranchError as error:
            yield self._unknown(f"the DAG {dag}", pipeline.place, error)
            return
        file = str(told.get("relative_fileloc") or told.get("fileloc") or "")
        if told.get("is_stale"):
            return
        if file and not file.endswith(file_of(self._owner, dag)):
            message = f"Airflow has a DAG {dag} from {file}, which pipeline `{pipeline.name}` would share its id with"
            yield Diagnostic("foreign-object", message, f"rename one of them (source: {DAG_SOURCE})", pipeline.place)
        elif told.get("is_paused"):
            message = f"the DAG {dag} is paused on Airflow: runs of `{pipeline.name}` wait"
            yield Diagnostic("dag-paused", message, "unpause it there", pipeline.place, Severity.WARNING)

    def _other(self, dag: str, step: Step) -> Iterator[Diagnostic]:
        """Yield what is wrong with a DAG that a step starts."""
        try:
            told = self._api.get(f"/dags/{part(dag)}")
        except NotFoundError:
            told = {"is_stale": True}
        except AnabranchError as error:
            yield self._unknown(f"the DAG {dag}", step.place, error)
            return
        if told.get("is_stale"):
            message = f"step `{step.id}` starts the DAG {dag}, which Airflow does not have"
            yield Diagnostic("not-on-airflow", message, "make it, or name another", step.place)
        elif told.get("is_paused"):
            message = f"step `{step.id}` starts the DAG {dag}, which is paused on Airflow: the step would wait for it"
            yield Diagnostic("dag-paused", message, "unpause it there", step.place, Severity.WARNING)

    def _unknown(self, what: str, place: Place | None, error: AnabranchError) -> Diagnostic:
        """Return that something cannot be seen: who is denied it here would be denied it later, too."""
        severity = (
            Severity.ERROR if isinstance(error, ConflictError) or error.code == "not-airflow" else Severity.WARNING
        )
        code = error.code if severity is Severity.ERROR else "not-looked-at"
        return Diagnostic(code, f"{what}: {error.message}", error.hint, place or self._environment.place, severity)


def _provider(step: Step) -> str | None:
    match step.call:
        case NativeCall(platform):
            return PROVIDERS.get(f"native {platform}")
        case ContainerCall():
            return PROVIDERS["container"]
        case _:
            return None
