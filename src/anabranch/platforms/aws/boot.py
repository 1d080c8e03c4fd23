"""How Lambda enters a payload: this file lies in it as `lambda_function.py`. It is not imported by anabranch.

Glue's jobs come here too, by `glueboot.py`, so it must run on Python 3.9.

Packages are fetched from S3 once for each instance of the function, because they pass what a function's own zip may
hold. The step runs in a process of its own, so that no step sees what another left, and its time can be over.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("ANABRANCH_CACHE", "/tmp/anabranch"))  # noqa: S108 - the only place that a function may write to
MARGIN = 10.0
"""Seconds before the function's end at which the step's is, so that it can be told."""
BREACH = 5
"""The exit code of a step that broke a contract."""


class StepFailed(Exception):
    """The step failed: the state machine tries again, if it may."""


def handle(event: dict[str, Any], context: Any) -> dict[str, bool]:
    """Run one attempt of one step; return whether it is good, or raise when another attempt may help."""
    given = event["given"]
    print(f"anabranch {given['run']} {event['step']} {event['attempt']}", flush=True)
    variables = {**os.environ, **told(event), **narrowed(given.get("policy", ""))}
    # Where Glue has started Spark, its own modules are the last on the path: pyspark is among them.
    theirs = (
        [os.environ["PYTHONPATH"]] if "ANABRANCH_SPARK_SESSION" in os.environ and "PYTHONPATH" in os.environ else []
    )
    variables["PYTHONPATH"] = os.pathsep.join([str(HERE / "runtime"), str(packages()), *filter(None, theirs)])
    command = [event["step"], "--definition", given["definition"], "--storage", given["storage"]]
    command += ["--namespace", given["namespace"], "--protected", given.get("protected", "")]
    left = context.get_remaining_time_in_millis() / 1000 - MARGIN
    limit = min(left, event["timeout"]) if event.get("timeout") else left
    code, over = run(["step", *command], variables, limit)
    if over:
        run(["lost", *command, "--timeout", f"{limit:g}"], variables, MARGIN)
    elif code < 0:
        run(["lost", *command, "--signal", str(-code)], variables, MARGIN)
    if code == BREACH:
        return {"ok": False}
    if code:
        raise StepFailed(f"{event['step']} failed: see its log")
    return {"ok": True}


def told(event: dict[str, Any]) -> dict[str, str]:
    """Return what the step is told in its environment, where no value can become a command."""
    given = event["given"]
    return {
        "ANABRANCH_RUN": given["run"],
        "ANABRANCH_ATTEMPT": str(int(event["attempt"])),
        "ANABRANCH_PARAMS": json.dumps(given["params"]),
        "ANABRANCH_INPUT": json.dumps(given["input"]),
        "ANABRANCH_STEP_ENVIRONMENT": "1",  # the packages hold what the step requires
        "XDG_CACHE_HOME": str(CACHE),
        "HOME": str(CACHE),
    }


def narrowed(policy: str) -> dict[str, str]:
    """Return credentials that may do no more than a policy says, of all that the function may do."""
    if not policy:
        return {}
    import boto3

    role = os.environ["ANABRANCH_ROLE"]
    found = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="anabranch-branch", Policy=policy)
    keys = found["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def packages() -> Path:
    """Return the folder of the packages, fetched and unpacked unless it is there."""
    bucket, _, key = os.environ["ANABRANCH_PACKAGES"].removeprefix("s3://").partition("/")
    folder = CACHE / "packages" / Path(key).stem
    site = folder / "site-packages"  # so it is called wherever libraries lie: their frames are not the user's
    if not folder.exists():
        import boto3

        fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
        fresh.mkdir(parents=True)
        boto3.client("s3").download_file(bucket, key, str(fresh / "packages.zip"))
        with zipfile.ZipFile(fresh / "packages.zip") as file:
            file.extractall(fresh / site.name)
        (fresh / "packages.zip").unlink()
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was quicker
                raise
    return site


def run(arguments: list[str], variables: dict[str, str], limit: float) -> tuple[int, bool]:
    """Run the entry point; return its exit code, and whether its time was over. What it prints is the log."""
    python = os.environ.get("ANABRANCH_PYTHON", sys.executable)  # Glue's own may be too old
    command = [python, str(Path(__file__).resolve()), str(HERE / "project"), *arguments]
    process = subprocess.Popen(
        command,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",  # a step may print what it likes
        start_new_session=True,
    )
    over = threading.Event()

    def end() -> None:
        over.set()
        kill(process)

    timer = threading.Timer(max(0.1, limit), end)
    timer.start()
    with process:
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
            return process.wait(), over.is_set()
        finally:  # whatever happened, nothing of the step goes on
            timer.cancel()
            kill(process)


def kill(process: "subprocess.Popen[str]") -> None:
    """End a process and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def enter(project: str, arguments: list[str]) -> None:
    """Be the process of one attempt."""
    del sys.path[0]  # this file's folder, where no step looks for modules
    main = import_module("anabranch.entry").main  # of the payload's own runtime
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code = main(arguments, Path(project))
    sys.stdout.flush()
    os._exit(code)  # a library's leftover thread must not keep a finished step alive


if __name__ == "__main__":
    enter(sys.argv[1], sys.argv[2:])
