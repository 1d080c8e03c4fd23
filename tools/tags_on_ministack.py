"""What ministack's tags lack: those that a Glue job is made with, and those of machines and logs in the one listing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def keep_tags() -> None:
    """Have a Glue job keep the tags that it is made with, and list the tags of state machines and log groups."""
    glue: Any = import_module("ministack.services.glue")
    tagging: Any = import_module("ministack.services.tagging")
    make, delete = glue._create_job, glue._delete_job  # noqa: SLF001 - nothing of it is public

    def made(data: dict[str, Any]) -> Any:
        answer = make(data)
        if data["Name"] in glue._jobs:  # noqa: SLF001 - as above
            glue._tags[glue._arn("job", data["Name"])] = dict(data.get("Tags", {}))  # noqa: SLF001 - as above
        return answer

    def deleted(data: dict[str, Any]) -> Any:
        glue._tags.pop(glue._arn("job", data.get("JobName")), None)  # noqa: SLF001 - as above
        return delete(data)

    glue._create_job, glue._delete_job = made, deleted  # noqa: SLF001 - as above
    tagging._COLLECTORS |= {"states": _machines, "logs": _groups}  # noqa: SLF001 - as above


def _machines() -> Iterator[tuple[str, list[dict[str, str]]]]:
    states: Any = import_module("ministack.services.stepfunctions")
    for arn, tags in states._tags.items():  # noqa: SLF001 - nothing of it is public
        yield arn, [{"Key": each["key"], "Value": each["value"]} for each in tags]


def _groups() -> Iterator[tuple[str, list[dict[str, str]]]]:
    logs: Any = import_module("ministack.services.cloudwatch_logs")
    for group in logs._log_groups.values():  # noqa: SLF001 - nothing of it is public
        tags = group.get("tags", {})
        yield group["arn"].removesuffix(":*"), [{"Key": name, "Value": value} for name, value in tags.items()]
