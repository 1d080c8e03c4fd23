"""Glue jobs: the description says whose they are."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import NotFoundError
from anabranch.platforms.aws.kinds.form import form_of, live_of, mark_of, owner_in
from anabranch.platforms.aws.kinds.patience import NEW_ROLE, patiently

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from anabranch.model.resource import Live, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.kinds.form import Found

CONCURRENT = 100
"""Runs of one job at a time: branches call main's jobs."""

SHELL, SPARK = "pythonshell", "glueetl"
"""The commands of jobs. Source: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-jobs-job.html"""

_SIZES = ("AllocatedCapacity", "MaxCapacity", "WorkerType", "NumberOfWorkers")
"""How large a job is, in all the ways that Glue tells it."""


def job_form(
    owner: Owner, *, role: str, command: tuple[str, str, str], size: Mapping[str, Any], arguments: Mapping[str, str]
) -> dict[str, Any]:
    """Return a job's form.

    Args:
        owner: whose it is.
        role: in full.
        command: `pythonshell` or `glueetl`, its script's URL, and the version of Glue.
        size: what Glue is asked for: MaxCapacity, or WorkerType and NumberOfWorkers, and Timeout in minutes.
        arguments: that each run gets.
    """
    name, script, version = command
    return {
        "role": role,
        "command": name,
        "script": script,
        "version": version,
        "size": dict(size),
        "arguments": dict(arguments),
        "retries": 0,
        "concurrent": CONCURRENT,
        "description": mark_of(owner),
    }


class Jobs:
    """The Glue jobs of an account."""

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Found]:
        """Yield what is there, from a listing."""
        for found in client.pages("glue", "get_jobs", "Jobs"):
            whose = owner_in(found.get("Description", ""))
            if whose == owner or found["Name"] in names:
                yield live_of("job", found["Name"], _form(found), whose)

    def create(self, client: AwsClient, resource: Resource) -> None:
        """Make a job, once its role can be taken."""
        tags = form_of(resource)["tags"]
        told = {"Name": resource.name, "Tags": tags, **_settings(resource)}
        patiently(lambda: client.ask("glue", "create_job", **told), NEW_ROLE)

    def update(self, client: AwsClient, resource: Resource) -> None:
        """Change a job. What is not told is as if it had never been said, so what others set is said again."""
        there = client.ask("glue", "get_job", JobName=resource.name)["Job"]
        theirs = client.taken("glue", "update_job", there, "JobUpdate")
        for name in _SIZES:  # of the other command they are refused
            theirs.pop(name, None)
        told = {"JobName": resource.name, "JobUpdate": {**theirs, **_settings(resource)}}
        patiently(lambda: client.ask("glue", "update_job", **told), NEW_ROLE)

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete a job; what it runs ends by itself."""
        with suppress(NotFoundError):
            client.ask("glue", "delete_job", JobName=live.name)


def _form(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form of a job as Glue tells it: sizes of the other command are defaults that mean nothing."""
    command = found.get("Command", {})
    sizes = ("MaxCapacity",) if command.get("Name") == SHELL else ("WorkerType", "NumberOfWorkers")
    return {
        "role": found.get("Role"),
        "command": command.get("Name"),
        "script": command.get("ScriptLocation"),
        "version": found.get("GlueVersion"),
        "size": {name: found.get(name) for name in (*sizes, "Timeout")},
        "arguments": found.get("DefaultArguments", {}),
        "retries": found.get("MaxRetries", 0),
        "concurrent": found.get("ExecutionProperty", {}).get("MaxConcurrentRuns", CONCURRENT),
        "description": found.get("Description", ""),
    }


def _settings(resource: Resource) -> dict[str, Any]:
    form = form_of(resource)
    python = "3.9" if form["command"] == SHELL else "3"
    return {
        "Description": form["description"],
        "Role": form["role"],
        "Command": {"Name": form["command"], "ScriptLocation": form["script"], "PythonVersion": python},
        "GlueVersion": form["version"],
        "DefaultArguments": form["arguments"],
        "MaxRetries": form["retries"],
        "ExecutionProperty": {"MaxConcurrentRuns": form["concurrent"]},
        **form["size"],
    }
