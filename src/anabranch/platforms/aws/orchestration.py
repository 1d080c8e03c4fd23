"""AWS, as one namespace of a project uses it."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from anabranch.model.errors import NotFoundError
from anabranch.platforms.aws import cells, sizes
from anabranch.platforms.aws.account import AwsAccount
from anabranch.platforms.aws.client import AwsClient
from anabranch.platforms.aws.deploy import Deploying, machine_name
from anabranch.platforms.aws.drive import AwsRuns
from anabranch.platforms.aws.names import Arns, path_of
from anabranch.platforms.aws.policies import for_branch
from anabranch.platforms.aws.preflight import Preflight
from anabranch.ports import Built

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anabranch.model.access import Access
    from anabranch.model.environment import Aws, Environment
    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import Pipeline, Step, StepId
    from anabranch.model.report import Reports
    from anabranch.model.resource import Owner, Resource


class AwsOrchestration:
    """An account in one region."""

    def __init__(
        self, environment: Environment, aws: Aws, owner: Owner, access: Callable[[Step, Pipeline], Access]
    ) -> None:
        """Name it; nothing is asked yet.

        Args:
            environment: where pipelines are deployed.
            aws: its orchestrator.
            owner: whose deployment it is.
            access: returns what a step may touch in storage.
        """
        self._environment, self._aws, self._owner, self._access = environment, aws, owner, access
        self._arns = Arns.of(aws)
        self._started: dict[str, float] = {}
        self.client = AwsClient(aws)
        self.platform = AwsAccount(self.client, self._arns, environment.artifacts, owner)
        self.interpreter = aws.runtime.removeprefix("python")

    @property
    def boot(self) -> dict[str, bytes]:
        """How Lambda enters a payload."""
        return {"lambda_function.py": _file("boot.py")}

    def refusals(self, pipeline: Pipeline) -> list[Diagnostic]:
        """Return what of a pipeline it cannot do."""
        branch = self._owner.namespace != "main"
        found = cells.refusals(pipeline, self._environment, self._aws, branch=branch)
        found += sizes.names(self._owner, self._environment)
        return [*found, *cells.only_in_main(pipeline)]

    def preflight(self, pipelines: Sequence[Pipeline]) -> list[Diagnostic]:
        """Return what is too large, and what of others is not there; the account is asked."""
        deploying = self._deploying(Built(), self._environment.storage, {})
        well = (each for each in pipelines if all(told.severity != "error" for told in self.refusals(each)))
        return [
            *(problem for each in well for problem in deploying.too_large(each)),
            *Preflight(self.client, self._arns, self._environment, self._aws).findings(pipelines),
        ]

    def resources(
        self,
        pipelines: Mapping[str, tuple[Pipeline, bytes]],
        built: Built,
        root: str,
        reused: Mapping[StepId, str],
    ) -> list[Resource]:
        """Return what should be there: see `Orchestration.resources`."""
        return self._deploying(built, root, reused).resources(pipelines)

    def _deploying(self, built: Built, root: str, reused: Mapping[StepId, str]) -> Deploying:
        return Deploying(
            self._environment,
            self._aws,
            self._owner,
            built,
            root.rstrip("/"),
            reused,
            self._access,
            _file("glueboot.py"),
        )

    def artifact(self, name: str) -> bytes | None:
        """Return a file that was delivered."""
        return self.platform.artifacts.read(self.client, f"{self._owner.path}/{name}")

    def dependants(self) -> list[str]:
        """Return the namespaces that are deployed beside this one, which call its jobs: their roles tell."""
        beside = path_of(self._owner).rsplit("/", 2)[0] + "/"
        paths = {each["Path"] for each in self.client.pages("iam", "list_roles", "Roles", PathPrefix=beside)}
        return sorted(path.removeprefix(beside).strip("/") for path in paths - {path_of(self._owner)})

    def policy(self, root: str, steps: Sequence[Step]) -> str:
        """Return the session policy of a branch's calls."""
        return for_branch(root, self._arns, steps)

    def jobs(self, pipeline: Pipeline) -> dict[StepId, str]:
        """Return the functions and jobs that run the steps of a deployed pipeline."""
        deploying = self._deploying(Built(), self._environment.storage, {})
        return {step.id: arn for step in pipeline.steps if (arn := deploying.job_of(step, pipeline))}

    def runs(self, pipeline: Pipeline, root: str, reports: Callable[[str], Reports]) -> AwsRuns:  # noqa: ARG002 - it is told in each call
        """Return the runs of a deployed pipeline: see `Orchestration.runs`."""
        arn = self._arns.machine(machine_name(self._owner, pipeline.name))
        try:
            self.client.ask("stepfunctions", "describe_state_machine", stateMachineArn=arn)
        except NotFoundError:
            self.client.need_account()  # in another account there is nothing of ours, and applying would not help
            where = self._owner.environment
            message = f"pipeline `{pipeline.name}` is not deployed to {where}"
            raise NotFoundError(message, code="not-deployed", hint=f"anabranch apply -e {where}") from None
        return AwsRuns(self.client, self._arns, self._owner, pipeline, reports, self._started)


def _file(name: str) -> bytes:
    return resources.files("anabranch.platforms.aws").joinpath(name).read_bytes()
