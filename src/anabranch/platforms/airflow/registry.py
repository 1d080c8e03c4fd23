"""What Airflow remembers of a deployment's DAGs once their files are gone: them, and the history of their runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.errors import NotFoundError
from anabranch.platforms.airflow.api import part
from anabranch.platforms.airflow.names import file_of, mark_tag

if TYPE_CHECKING:
    from anabranch.model.resource import Owner
    from anabranch.platforms.airflow.api import AirflowApi


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

    def forget(self, dag: str) -> None:
        """Delete a DAG from the database, with its runs; it may be gone already.

        Raises:
            ConflictError: `airflow-conflict`, something of it runs; `airflow-denied`.
        """
        try:
            self._api.ask("DELETE", f"/dags/{part(dag)}")
        except NotFoundError:
            return
