"""The part of a DAG file by which a worker runs a step of a payload, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.platforms.airflow.jinja import literal
from anabranch.platforms.airflow.source import source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.platforms.airflow.dagfile import Files

STEP = '''\
class Step(BashOperator):
    """One step. It tells a broken contract by its exit code: another attempt would break it again."""

    def __init__(self, *, task_id, step=None, payload=PAYLOAD, **settings):
        super().__init__(
            task_id=task_id,
            bash_command='exec "$PYTHON" {fetched}"$PAYLOAD" step "$STEP" --definition "$DEFINITION" '
            '--storage "$STORAGE" --namespace "$NAMESPACE" --protected "$PROTECTED" ',
            env={{
                "PYTHON": PYTHON,{fetching}
                "PAYLOAD": payload,
                "DEFINITION": DEFINITION,
                "STORAGE": STORAGE,
                "NAMESPACE": NAMESPACE,
                "PROTECTED": PROTECTED,
                "STEP": step or task_id,
                "ANABRANCH_RUN": "{{{{ run_id }}}}",
                "ANABRANCH_ATTEMPT": "{{{{ ti.try_number }}}}",
                "ANABRANCH_PARAMS": "{{{{ params | tojson }}}}",
                "ANABRANCH_INPUT": "{{{{ dag_run.conf.get('input') | tojson }}}}",
            }},
            append_env=True,
            do_xcom_push=False,
            skip_on_exit_code={breach},
            **settings,
        )

    def execute(self, context):
        try:
            return super().execute(context)
        except AirflowSkipException:
            raise AirflowFailException("the step broke a contract: see its log") from None
'''

FETCH = '''\
# Fetches the payload from its bucket, once on each worker, and runs it.
FETCH = """
import os, runpy, sys
from pathlib import Path
url, sys.argv = sys.argv[1], sys.argv[1:]
cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anabranch" / "fetched"
folder, _, name = url.rpartition("/")
file = cache / name
if not file.exists():
    from obstore.store import from_url
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "") if url.startswith("s3:") else ""
    options = {"allow_http": endpoint.startswith("http:")}
    store = from_url(folder, config={"endpoint": endpoint} if endpoint else None, client_options=options)
    body = store.get(name).bytes()
    cache.mkdir(parents=True, exist_ok=True)
    part = cache / f"{name}.{os.getpid()}"
    part.write_bytes(bytes(body))
    part.replace(file)
sys.argv[0] = str(file)
runpy.run_path(str(file), run_name="__main__")
"""
'''
"""Part of DAG files whose payloads lie in an object store."""

BREACH = 5
"""The exit code of a step that broke a contract."""

IMPORTS = (
    ("airflow.providers.standard.operators.bash", "BashOperator"),
    ("airflow.sdk.exceptions", "AirflowFailException"),
    ("airflow.sdk.exceptions", "AirflowSkipException"),
)
"""What the class of the steps is made of: module and name."""


def constant_lines(namespace: str, files: Files) -> Iterator[str]:
    """Yield what all steps of a DAG file are told, as templates: the operator renders its environment."""
    yield f"PYTHON = {source(literal(files.python))}"
    yield f"PAYLOAD = {source(files.payload)}"
    yield f"DEFINITION = {source(files.definition)}"
    yield f"STORAGE = {source(literal(files.storage))}"
    yield f"NAMESPACE = {source(literal(namespace))}"
    yield f"PROTECTED = {source(literal(files.protected))}"
    if _is_far(files):
        yield ""
        yield from FETCH.rstrip().splitlines()


def step_lines(files: Files) -> Iterator[str]:
    """Yield the class of the steps."""
    far = _is_far(files)
    text = STEP.format(
        fetched='-c "$FETCH" ' if far else "",
        fetching='\n                "FETCH": FETCH,' if far else "",
        breach=BREACH,
    )
    yield from text.rstrip().splitlines()


def _is_far(files: Files) -> bool:
    """Tell whether payloads lie where a worker must fetch them."""
    return any("://" in each for each in (files.payload, *files.reused.values()))
