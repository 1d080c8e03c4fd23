"""A container call as a pod, which gets its ports by its arguments and variables, as a process on a worker does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anabranch.platforms.airflow.jinja import literal
from anabranch.platforms.airflow.source import Code, source
from anabranch.platforms.process.context import variable_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.call import ContainerCall
    from anabranch.model.pipeline import Step
    from anabranch.platforms.airflow.jinja import Filling
    from anabranch.platforms.airflow.source import Value

OPERATOR = "KubernetesPodOperator"
MODULE = "airflow.providers.cncf.kubernetes.operators.pod"
PACKAGE = "apache-airflow-providers-cncf-kubernetes"
CONNECTION = "kubernetes_conn_id"

START_SECONDS = 600
"""Within which a pod must have begun: a cluster that grows first, or a large image, takes more than the usual 120.

Source: https://airflow.apache.org/docs/apache-airflow-providers-cncf-kubernetes/stable/operators.html
"""

QUANTITY = re.compile(r"\d+(\.\d+)?(m|[kMGTPE]i?)?")
"""An amount of something. Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"""

RESOURCES = ("cpu", "memory")
"""What a pod can be given, and is kept to. Memory is in MB where it has no unit, as everywhere."""


def wrong_with(step: Step) -> Iterator[tuple[str, str]]:
    """Yield what a pod cannot be given of what a step needs, each with what to try."""
    for name, value in step.needs.resources:
        if name not in RESOURCES:
            yield f"asks for {name}, which a pod is not given by us", f"ask for {' and '.join(RESOURCES)}"
        elif not QUANTITY.fullmatch(value):
            yield f"asks for {value} of {name}, which Kubernetes does not understand", "such as 500m, or 2Gi"
    if step.needs.secrets:
        names = ", ".join(name for name, _ in step.needs.secrets)
        yield (
            f"has the secrets {names}, and a pod's variables can be read by whoever sees the pod",
            "let the image read them from the cluster, and leave them out here",
        )


def task(call: ContainerCall, step: Step, filling: Filling, connection: str) -> dict[str, Value]:
    """Return what the operator of a pod is given.

    Args:
        call: of the step.
        step: whose call it is.
        filling: what takes the place of its placeholders.
        connection: the Airflow connection to use; empty for the operator's own.
    """
    ours: dict[str, Value] = {"ANABRANCH_RUN": "{{ run_id }}", "ANABRANCH_ATTEMPT": "{{ ti.try_number }}"}
    ours |= {variable_of(key): filling.template(f"${{{key}}}") for key in filling.values}
    found: dict[str, Value] = {
        "name": _pod_name(step.id),
        "image": literal(call.image),
        **({"arguments": [filling.template(word) for word in call.argv]} if call.argv else {}),
        "env_vars": {**{name: literal(text) for name, text in step.needs.env}, **ours},
        **({"container_resources": _resources(step)} if step.needs.resources else {}),
        "startup_timeout_seconds": START_SECONDS,
        **({CONNECTION: connection} if connection else {}),
    }
    return found


def _resources(step: Step) -> Code:
    given: dict[str, Value] = {
        name: f"{value}Mi" if name == "memory" and value.isdigit() else value for name, value in step.needs.resources
    }
    return Code(f"V1ResourceRequirements(requests={source(given)}, limits={source(given)})")


def _pod_name(step: str) -> str:
    """Return the beginning of the names of a step's pods; the operator shortens it, and makes each its own.

    >>> _pod_name("inner/Clean_up")
    'inner-clean-up'
    """
    return re.sub(r"[^a-z0-9]+", "-", step.lower()).strip("-") or "step"
