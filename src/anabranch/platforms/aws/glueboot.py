"""How Glue enters a payload: the script of our jobs, which runs on Python 3.9 or newer. anabranch does not import it.

The payload and its packages are fetched from S3, then the attempt runs as it does on Lambda, by the payload's own
`lambda_function.py`. A job can fail, but returns nothing: a step that ended well says so in an object.
What it prints is written to the pipeline's log group too, where `runs logs` reads it.
"""

import json
import os
import sys
import tarfile
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

PREFIX = "anabranch_"
"""How our arguments start."""
CACHE = Path(os.environ.get("ANABRANCH_CACHE", "/tmp/anabranch"))  # noqa: S108 - the disk that a job has
SECONDS, LINES = 2.0, 500
"""How long, and how many, lines wait to be written to the log."""
BATCH, EVENT, LINE = 1_048_576, 26, 200_000
"""Bytes that are written to a log at once, those that each line has besides, and those of a line that are told.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""


def given(name: str) -> str:
    """Return one of our arguments: `--anabranch_NAME VALUE`, else from the environment, else nothing."""
    words = sys.argv[1:]
    for word, value in zip(words, words[1:]):  # noqa: B905, RUF007 - Python 3.9 knows neither strict nor pairwise
        if word == f"--{PREFIX}{name}":
            return value
    return os.environ.get(PREFIX + name, "")


def fetched(url: str, folder: Path) -> Path:
    """Return the folder in which an archive from S3 is unpacked, fetched unless it is there."""
    import boto3

    bucket, _, key = url[len("s3://") :].partition("/")
    target = folder / key.rpartition("/")[2].partition(".")[0]
    if target.exists():
        return target
    fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    fresh.mkdir(parents=True)
    archive = fresh / "archive"
    boto3.client("s3").download_file(bucket, key, str(archive))
    if url.endswith(".tar.gz"):
        with tarfile.open(archive) as packed:
            packed.extractall(fresh)  # noqa: S202 - the environment's own
    else:
        with zipfile.ZipFile(archive) as file:
            file.extractall(fresh)  # noqa: S202 - our own
            for each in file.infolist():
                (fresh / each.filename).chmod(each.external_attr >> 16 or 0o644)
    archive.unlink()
    try:
        fresh.rename(target)
    except OSError:
        if not target.exists():  # else another job was quicker
            raise
    return target


class Told:
    """A stream whose lines are written to a log group, too."""

    def __init__(self, stream: Any, group: str) -> None:
        """Open a stream of the group's."""
        import boto3

        self.stream, self.group = stream, group
        self.logs = boto3.client("logs")
        self.name = f"glue/{uuid.uuid4().hex}"
        self.waiting: list[dict[str, Any]] = []
        self.since, self.line = time.monotonic(), ""
        self.logs.create_log_stream(logGroupName=group, logStreamName=self.name)

    def write(self, text: str) -> int:
        """Write text; lines that are whole are told."""
        *lines, self.line = (self.line + text).split("\n")
        self.waiting += map(entry, lines)
        if len(self.waiting) >= LINES or time.monotonic() - self.since > SECONDS:
            self.tell()
        return int(self.stream.write(text))

    def flush(self) -> None:
        """Write what waits to the stream; the log has its own time."""
        self.stream.flush()

    def tell(self) -> None:
        """Write what waits to the log: a step does not fail because nobody can read what it prints."""
        told, self.waiting, self.since = self.waiting, [], time.monotonic()
        try:
            for events in batches(told):
                self.logs.put_log_events(logGroupName=self.group, logStreamName=self.name, logEvents=events)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.stream.write(f"the log is not written: {error}\n")

    def end(self) -> None:
        """Write all that waits to the log, and the last line where it is not whole."""
        if self.line:
            self.waiting.append(entry(self.line))
            self.line = ""
        self.tell()


def entry(line: str) -> dict[str, Any]:
    """Return a line as a log takes it, cut off where it is too long."""
    message = line.encode("utf-8", "replace")[:LINE].decode("utf-8", "ignore")
    return {"timestamp": int(time.time() * 1000), "message": message or " "}


def batches(events: "list[dict[str, Any]]") -> "list[list[dict[str, Any]]]":
    """Return lines in groups that a log takes at once."""
    found: list[list[dict[str, Any]]] = [[]]
    size = 0
    for each in events:
        more = len(each["message"].encode()) + EVENT
        if len(found[-1]) == LINES or size + more > BATCH:
            found.append([])
            size = 0
        found[-1].append(each)
        size += more
    return [group for group in found if group]


class Context:
    """What Lambda tells a function of the time that is left."""

    def __init__(self, seconds: float) -> None:
        """Start to count."""
        self.end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> float:
        """Return what is left."""
        return (self.end - time.monotonic()) * 1000


def ready() -> None:
    """Set what the payload's `lambda_function.py` looks for, and make it importable."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        os.environ.setdefault(name, given("region"))
    os.environ.setdefault("ANABRANCH_CACHE", str(CACHE))
    os.environ["ANABRANCH_PACKAGES"], os.environ["ANABRANCH_ROLE"] = given("packages"), given("role")
    if given("spark"):
        os.environ["ANABRANCH_SPARK_SESSION"] = "1"
    lasting()
    payload = fetched(given("payload"), CACHE / "payloads")
    if given("interpreter"):
        python = fetched(given("interpreter"), CACHE / "interpreters") / "python" / "bin" / "python3"
        os.environ["ANABRANCH_PYTHON"] = str(python)
    elif sys.version_info[:2] != tuple(int(part) for part in given("python").split(".")):
        found = ".".join(str(part) for part in sys.version_info[:2])
        message = f"the payload is for Python {given('python')}, and this job has {found}: say aws.interpreter"
        raise SystemExit(message)
    sys.path.insert(0, str(payload))


def lasting() -> None:
    """Hand on the keys that only boto3 knows where to find: the step's own S3 client knows fewer places."""
    import boto3

    found = boto3.Session().get_credentials()
    if found is not None and found.method not in {"env", "iam-role", "container-role"}:
        keys = found.get_frozen_credentials()
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = keys.access_key, keys.secret_key
        if keys.token:
            os.environ["AWS_SESSION_TOKEN"] = keys.token


def main() -> None:
    """Run the attempt."""
    ready()
    from lambda_function import handle  # type: ignore[import-not-found]

    event = json.loads(given("event"))
    told = Told(sys.stdout, given("logs"))
    sys.stdout = told
    try:
        good = handle(event, Context(float(given("seconds"))))["ok"]
    finally:
        told.end()
        sys.stdout = told.stream
    if good:
        import boto3

        bucket, _, key = given("done")[len("s3://") :].partition("/")
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"")


if __name__ == "__main__":
    main()
