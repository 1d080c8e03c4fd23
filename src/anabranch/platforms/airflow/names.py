"""What pipelines, steps and files are called on Airflow."""

from __future__ import annotations

import hashlib
import keyword
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anabranch.model.pipeline import StepId
    from anabranch.model.resource import Owner

LONGEST = 250
"""Characters of a DAG's or a task's id.

Source: https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dags.html
"""

LONGEST_TAG = 100
"""Characters of a DAG's tag.

Source: https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/models/dag.py
"""


def dag_id(owner: Owner, pipeline: str) -> str:
    """Return the DAG of a pipeline: the project is in its name, so that two projects never share one.

    >>> from anabranch.model.resource import Owner
    >>> dag_id(Owner("flights", "prod"), "daily")
    'flights.daily'
    """
    parts = [owner.project, pipeline] if owner.namespace == "main" else [owner.project, pipeline, owner.namespace]
    return _short(".".join(_safe(part) for part in parts))


def file_of(owner: Owner, dag: str) -> str:
    """Return the DAG file of a DAG, below the folder of all."""
    return f"{owner.project}/{dag}.py"


def mark_tag(owner: Owner) -> str:
    """Return the tag that says whose a DAG is, as Airflow tells it once the file is gone.

    >>> from anabranch.model.resource import Owner
    >>> mark_tag(Owner("flights", "prod"))
    'flights/prod/main'
    """
    return tag(f"{owner.project}/{owner.environment}/{owner.namespace}")


def task_id(step: StepId) -> str:
    """Return the task of a step; steps of an inner pipeline are in a group of its name, which Airflow puts before it.

    >>> from anabranch.model.pipeline import StepId
    >>> task_id(StepId("inner/clean"))
    'inner.clean'
    """
    return ".".join(map(group_id, step.split("/")))


def group_id(name: str) -> str:
    """Return the group of an inner pipeline, or a task within its group: without dots, which groups may not have."""
    return _safe(name)


def tag(text: str) -> str:
    """Return a tag of ours as Airflow takes it.

    >>> tag("flights")
    'flights'
    """
    return text if len(text) <= LONGEST_TAG else f"{text[: LONGEST_TAG - 13]}-{_hash(text)}"


def _safe(name: str) -> str:
    """Return a name as one part of an id: without the dot that parts are joined by, and never that of another."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return safe if safe == name else f"{safe}-{_hash(name)}"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 13]}-{_hash(name)}"


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def variable(step: StepId) -> str:
    """Return the name of a step's task in the DAG file.

    >>> from anabranch.model.pipeline import StepId
    >>> variable(StepId("inner/clean")), variable(StepId("class"))
    ('inner__clean', 'class_')
    """
    name = re.sub(r"\W", "_", step.replace("/", "__"))
    return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN else name


_TAKEN = frozenset(
    {
        "AirflowFailException",
        "AirflowSkipException",
        "Asset",
        "BashOperator",
        "CronTriggerTimetable",
        "DAG",
        "DATASETS",
        "DEFINITION",
        "DatabricksRunNowOperator",
        "EmrAddStepsOperator",
        "EmrServerlessStartJobOperator",
        "Execution",
        "FETCH",
        "GlueJobOperator",
        "KubernetesPodOperator",
        "LambdaInvokeFunctionOperator",
        "NAMESPACE",
        "PAYLOAD",
        "PROTECTED",
        "PYTHON",
        "Param",
        "RuntimeError",
        "STORAGE",
        "Step",
        "StepFunctionStartExecutionOperator",
        "TaskGroup",
        "TriggerDagRunOperator",
        "V1ResourceRequirements",
        "super",
        "time",
        "timedelta",
    }
)
"""What a DAG file uses by name."""
