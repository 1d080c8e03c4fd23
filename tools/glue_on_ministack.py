"""Starts ministack with what its Glue lacks: a job has the rights of its role, and minutes are minutes.

It runs in the emulators' own environment. Scripts get their arguments as environment variables there, so that is how a
job is given its role's keys, too, as ministack itself gives them to functions.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def run_as_roles() -> None:
    """Have jobs run as their roles, for the minutes that they may take."""
    glue: Any = import_module("ministack.services.glue")
    keys_of: Any = import_module("ministack.core.lambda_runtime").execution_credentials
    run_script = glue._execute_subprocess  # noqa: SLF001 - nothing of it is public

    def as_role(run: dict[str, Any], job: dict[str, Any], args: dict[str, str], resolved: str) -> None:
        name = f"arn:aws:lambda:{glue.get_region()}:{glue.get_account_id()}:function:glue-{job['Name']}"
        keys = keys_of({"FunctionArn": name, "FunctionName": job["Name"], "Role": job["Role"]})
        run_script(run, {**job, "Timeout": job["Timeout"] * 60}, {**args, **keys}, resolved)

    glue._execute_subprocess = as_role  # noqa: SLF001 - as above


if __name__ == "__main__":
    run_as_roles()
    sys.exit(import_module("ministack.app").main())
