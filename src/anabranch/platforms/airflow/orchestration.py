"""Airflow, as one namespace of a project uses it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from anabranch.model.errors import AnabranchError, Diagnostic, NotFoundError, Severity, UsageError
from anabranch.model.pipeline import Needs
from anabranch.platforms.airflow import cells
from anabranch.platforms.airflow.api import AirflowApi
from anabranch.platforms.airflow.dagfile import owner_of, payload_of
from anabranch.platforms.airflow.deploy import AirflowFolder, compile_pipelines
from anabranch.platforms.airflow.drive import AirflowRuns
from anabranch.platforms.airflow.mwaa import MwaaApi
from anabranch.platforms.airflow.names import dag_id, file_of
from anabranch.platforms.airflow.narrow import session_policy
from anabranch.platforms.airflow.preflight import Preflight, folders
from anabranch.platforms.airflow.registry import AirflowRegistry
from anabranch.platforms.process.secrets import resolve_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anabranch.model.environment import Airflow, Environment
    from anabranch.model.pipeline import Pipeline, Step, StepId
    from anabranch.model.report import Reports
    from anabranch.model.resource import Owner, Resource
    from anabranch.ports import Built, Files


class AirflowOrchestration:
    """An Airflow and its two folders."""

    boot: Mapping[str, bytes] = {}
    interpreter = ""

    def __init__(self, environment: Environment, airflow: Airflow, owner: Owner, dags: Files, artifacts: Files) -> None:
        """Name it; nothing is asked yet.

        Args:
            environment: where pipelines are deployed.
            airflow: its orchestrator.
            owner: whose deployment it is.
            dags: the folder of the DAG files.
            artifacts: where payloads are delivered.
        """
        self._environment, self._airflow, self._owner = environment, airflow, owner
        self._dags, self._artifacts = dags, artifacts
        self.platform = AirflowFolder(dags, artifacts, owner, self._registry)

    def _registry(self) -> AirflowRegistry | None:
        """Return what Airflow remembers of DAGs; None where nobody says where to ask."""
        return AirflowRegistry(self.api, self._owner) if self._airflow.url or self._airflow.mwaa else None

    @cached_property
    def api(self) -> AirflowApi:
        """Its REST API.

        Raises:
            UsageError: `no-url`.
            StepError: `missing-secret`, `not-installed`.
        """
        if self._airflow.mwaa:
            return MwaaApi(self._airflow.mwaa, self._airflow.region)
        if not self._airflow.url:
            message = f"environment `{self._environment.name}` has no address to ask"
            raise UsageError(message, code="no-url", hint="airflow: {url: http://...}, or {mwaa: NAME}")
        given = [("token", self._airflow.token), ("password", self._airflow.password)]
        secrets = resolve_secrets(Needs(secrets=tuple((name, value) for name, value in given if value)))
        return AirflowApi(self._airflow.url, secrets.get("token", ""), self._airflow.user, secrets.get("password", ""))

    def refusals(self, pipeline: Pipeline) -> list[Diagnostic]:
        """Return what of a pipeline it cannot do."""
        return [
            *cells.unknown_connections(self._environment, self._airflow),
            *cells.long_tags(self._environment),
            *cells.engines(pipeline, self._environment),
            *cells.refusals(pipeline),
        ]

    def preflight(self, pipelines: Sequence[Pipeline]) -> list[Diagnostic]:
        """Return what is not there of what pipelines need; Airflow is asked where it has an address."""
        found = [*folders(self._environment, self._airflow)]
        if self._airflow.url or self._airflow.mwaa:
            try:
                looked = Preflight(self.api, self._owner, self._environment, self._airflow)
            except AnabranchError as error:  # no secret here: where it is applied there may be one
                message = f"Airflow of `{self._environment.name}` was not looked at: {error.message}"
                place = self._environment.place
                return [*found, Diagnostic("not-looked-at", message, error.hint, place, Severity.WARNING)]
            found += looked.findings(pipelines)
        return found

    def resources(
        self,
        pipelines: Mapping[str, tuple[Pipeline, bytes]],
        built: Built,
        root: str,
        reused: Mapping[StepId, str],
    ) -> list[Resource]:
        """Return what should be there: see `Orchestration.resources`."""
        return compile_pipelines(
            pipelines,
            built.payload,
            environment=self._environment,
            airflow=self._airflow,
            owner=self._owner,
            reused=reused,
            root=root,
        )

    def artifact(self, name: str) -> bytes | None:
        """Return a file that was delivered."""
        return self._artifacts.read(f"{self._owner.path}/{name}")

    def dependants(self) -> list[str]:
        """Return the namespaces whose DAGs run this one's payloads."""
        mine, found = f"/{self._owner.path}/", set[str]()
        for name in self._dags.list(self._owner.project):
            text = (self._dags.read(name) or b"").decode(errors="replace")
            owner = owner_of(text)
            if owner is not None and owner.namespace != self._owner.namespace and mine in text:
                found.add(owner.namespace)
        return sorted(found)

    def policy(self, root: str, steps: Sequence[Step]) -> str:  # noqa: ARG002 - jobs of others have rights of their own
        """Return what narrows a branch's calls of jobs on AWS: an Airflow's workers have one set of rights."""
        return session_policy(self._environment.storage, root)

    def dag_file(self, pipeline: Pipeline) -> str | None:
        """Return the DAG file of a pipeline that is deployed, if there is one of ours."""
        content = self._dags.read(file_of(self._owner, dag_id(self._owner, pipeline.name)))
        text = (content or b"").decode(errors="replace")
        return text if owner_of(text) == self._owner else None

    def jobs(self, pipeline: Pipeline) -> dict[StepId, str]:
        """Return the payload that runs the steps of a deployed pipeline."""
        file = self.dag_file(pipeline)
        return dict.fromkeys(pipeline.step_by_id, payload_of(file)) if file else {}

    def runs(self, pipeline: Pipeline, root: str, reports: Callable[[str], Reports]) -> AirflowRuns:  # noqa: ARG002 - the DAG knows its root
        """Return the runs of a deployed pipeline: see `Orchestration.runs`."""
        file = self.dag_file(pipeline)
        if file is None:
            where = self._owner.environment
            message = f"pipeline `{pipeline.name}` is not deployed to {where}"
            raise NotFoundError(message, code="not-deployed", hint=f"anabranch apply -e {where}")
        dag = dag_id(self._owner, pipeline.name)
        return AirflowRuns(self.api, dag, file, pipeline, self._owner.namespace, reports)
