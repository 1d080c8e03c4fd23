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


def dag_id(owner: Owner, pipeline: str) -> str:
    """Return the DAG of a pipeline: the project is in its name, so that two projects never share one.

    >>> from anabranch.model.resource import Owner
    >>> dag_id(Owner("flights", "prod"), "daily")
    'flights.daily'
    """
    parts = [owner.project, pipeline] if owner.namespace == "main" else [owner.project, pipeline, owner.namespace]
    return _short(".".join(_safe(part) for part in parts))


def task_id(step: StepId) -> str:
    """Return the task of a step; steps of an inner pipeline are in a group of its name.

    >>> from anabranch.model.pipeline import StepId
    >>> task_id(StepId("inner/clean"))
    'inner.clean'
    """
    return _short(".".join(_safe(part) for part in step.split("/")))


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
        "STORAGE",
        "Step",
        "StepFunctionStartExecutionOperator",
        "TaskGroup",
        "TriggerDagRunOperator",
        "V1ResourceRequirements",
        "time",
        "timedelta",
    }
)
"""What a DAG file uses by name."""
