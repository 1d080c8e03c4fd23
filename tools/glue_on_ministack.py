"""Starts ministack with what its Glue lacks: a job has its role's rights and its own script; minutes are minutes.

It runs in the emulators' own environment. Scripts get their arguments as environment variables there, so that is how a
job is given its role's keys, too, as ministack itself gives them to functions.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import Any


def run_as_roles() -> None:
    """Have jobs run as their roles, for the minutes that they may take, each with a copy of its script.

    Two jobs with one script would else be started while the file is written again, and run half of it.
    """
    glue: Any = import_module("ministack.services.glue")
    keys_of: Any = import_module("ministack.core.lambda_runtime").execution_credentials
    run_script = glue._execute_subprocess  # noqa: SLF001 - nothing of it is public

    find_script, writing = glue._resolve_script, threading.Lock()  # noqa: SLF001 - as above

    def alone(location: str) -> str:
        with writing:
            return str(find_script(location) or "")

    def as_role(run: dict[str, Any], job: dict[str, Any], args: dict[str, str], _: str) -> None:
        name = f"arn:aws:lambda:{glue.get_region()}:{glue.get_account_id()}:function:glue-{job['Name']}"
        keys = keys_of({"FunctionArn": name, "FunctionName": job["Name"], "Role": job["Role"]})
        with tempfile.NamedTemporaryFile(suffix=".py") as script:
            with writing:
                script.write(Path(find_script(job["Command"]["ScriptLocation"])).read_bytes())
            script.flush()
            run_script(run, {**job, "Timeout": job["Timeout"] * 60}, {**args, **keys}, script.name)

    glue._resolve_script = alone  # noqa: SLF001 - as above
    glue._execute_subprocess = as_role  # noqa: SLF001 - as above


if __name__ == "__main__":
    run_as_roles()
    import_module("tags_on_ministack").keep_tags()
    sys.exit(import_module("ministack.app").main())
