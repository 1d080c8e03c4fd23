"""What Airflow remembers of a deployment's DAGs once their files are gone: them, and the history of their runs."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from anabranch.model.errors import NotFoundError, StepError
from anabranch.platforms.airflow.api import part
from anabranch.platforms.airflow.names import file_of, mark_tag

if TYPE_CHECKING:
    from anabranch.model.resource import Owner
    from anabranch.platforms.airflow.api import AirflowApi

NOTICED_WITHIN = 400.0
"""Seconds within which Airflow should notice that a DAG file is gone: left alone, it looks every 300.

Source: https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html#refresh-interval
"""
POLL = 0.5
"""Seconds between two looks."""


class AirflowRegistry:
    """The DAGs of one deployment, as Airflow's database has them."""

    def __init__(self, api: AirflowApi, owner: Owner) -> None:
        """Name it; nothing is asked yet."""
        self._api, self._owner = api, owner

    def dags(self) -> list[str]:
        """Return the ids of the DAGs that carry the deployment's mark, whether their files are there or not."""
        found: list[str] = []
        for each in self._api.pages("/dags", "dags", tags=mark_tag(self._owner), exclude_stale="false"):
            dag = str(each["dag_id"])
            if each.get("relative_fileloc") == file_of(self._owner, dag):  # else somebody copied one of our files
                found.append(dag)
        return sorted(found)

    def pause(self, dag: str) -> None:
        """Let nothing start any more: Airflow may go by its schedule until it notices that the file is gone."""
        with suppress(NotFoundError):
            self._api.ask("PATCH", f"/dags/{part(dag)}", {"is_paused": True}, again=True)

    def forget(self, dag: str, patience: float = NOTICED_WITHIN) -> None:
        """Delete a DAG whose file is gone from the database, with its runs; it may be gone already.

        A DAG that is deleted before Airflow has noticed that its file is gone comes back: it is waited for.

        Raises:
            ConflictError: `airflow-conflict`, something of it runs; `airflow-denied`.
            StepError: `dag-not-gone`.
        """
        deadline = time.monotonic() + patience
        path = f"/dags/{part(dag)}"
        with suppress(NotFoundError):
            while not self._api.get(path).get("is_stale"):
                if time.monotonic() > deadline:
                    message = f"Airflow still has {dag}, {patience:.0f} s after its file was deleted; it is paused"
                    hint = "look at its dag-processor and dag_processor.refresh_interval, then do it again"
                    raise StepError(message, code="dag-not-gone", hint=hint)
                time.sleep(POLL)
            self._api.ask("DELETE", path)
