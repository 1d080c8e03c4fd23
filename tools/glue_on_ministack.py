"""Starts ministack with what its Glue lacks: rights, Spark, and a script and minutes of its own for each job.

It runs in the emulators' own environment. A job has its role's rights, or fewer where the call says so. A Python shell
job gets its arguments as environment variables there, a Spark job as arguments; Spark is Sail, a server that Spark's
own client speaks to, started for each job with the job's rights, so that what it may read and write is enforced, too.
"""

from __future__ import annotations

import contextvars
import json
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

WITH_SPARK = """
import json, os, runpy, sys
from pysail.spark import SparkConnectServer
os.environ["AWS_ALLOW_HTTP"] = "true"
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
host, port = server.listening_address
os.environ["SPARK_REMOTE"] = f"sc://{host}:{port}"
script, arguments = json.loads(os.environ.pop("GLUE_JOB"))
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
"""


def run_as_roles() -> None:
    """Have jobs run as their roles, for the minutes that they may take, each with a copy of its script.

    Two jobs with one script would else be started while the file is written again, and run half of it.
    """
    glue: Any = import_module("ministack.services.glue")
    sessions: Any = import_module("ministack.services.sts")._sessions  # noqa: SLF001 - nothing of it is public
    keys_of: Any = import_module("ministack.core.lambda_runtime").execution_credentials
    run_script, start = glue._execute_subprocess, glue._start_job_run  # noqa: SLF001 - as above

    def no_stub(_: dict[str, Any]) -> bool:
        """Of a Spark job it would say at once that it succeeded."""
        return False

    find_script, writing = glue._resolve_script, threading.Lock()  # noqa: SLF001 - as above
    narrowed: contextvars.ContextVar[str] = contextvars.ContextVar("narrowed", default="")

    def alone(location: str) -> str:
        with writing:
            return str(find_script(location) or "")

    def start_narrowed(data: dict[str, Any]) -> Any:
        narrowed.set(data.get("ExecutionRoleSessionPolicy", ""))  # the job's thread copies this
        return start(data)

    def as_role(run: dict[str, Any], job: dict[str, Any], args: dict[str, str], _: str) -> None:
        # One name for each run: its keys are no other's, and may do less.
        name = f"arn:aws:lambda:{glue.get_region()}:{glue.get_account_id()}:function:glue-{job['Name']}-{run['Id']}"
        keys = keys_of({"FunctionArn": name, "FunctionName": job["Name"], "Role": job["Role"]})
        if policy := narrowed.get():
            sessions[keys["AWS_ACCESS_KEY_ID"]]["SessionPolicies"] = {"Policy": policy, "PolicyArns": []}
        with tempfile.TemporaryDirectory() as folder:
            script, main = Path(folder, "script.py"), Path(folder, "main.py")
            with writing:
                script.write_bytes(Path(find_script(job["Command"]["ScriptLocation"])).read_bytes())
            main.write_text(WITH_SPARK)
            told = {**args, **keys}
            spark = job["Command"]["Name"] == "glueetl"
            if spark:
                words = [word for pair in args.items() for word in pair]
                told = {**keys, "GLUE_JOB": json.dumps([str(script), words])}
            run_script(run, {**job, "Timeout": job["Timeout"] * 60}, told, str(main if spark else script))

    glue._resolve_script = alone  # noqa: SLF001 - as above
    glue._start_job_run = start_narrowed  # noqa: SLF001 - as above
    glue._is_spark_job = no_stub  # noqa: SLF001 - as above
    glue._execute_subprocess = as_role  # noqa: SLF001 - as above


if __name__ == "__main__":
    run_as_roles()
    import_module("tags_on_ministack").keep_tags()
    sys.exit(import_module("ministack.app").main())
