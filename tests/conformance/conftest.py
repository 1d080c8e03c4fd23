"""The platforms that run the conformance project: each is started once, when a test wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.conformance.both import Both, OnAirflow, OnAws, OnGlue

from tools import airflow, aws

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """An AWS that really runs code, which the Airflow of these tests sees too; give the URL of its bucket."""
    if not aws.COMMAND.exists():
        pytest.skip("no AWS emulator: python3 tools/bootstrap.py emulators")
    with aws.serving(tmp_path_factory.mktemp("aws")) as given, pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        yield "s3://lake"


@pytest.fixture(scope="session")
def on_airflow(tmp_path_factory: pytest.TempPathFactory, cloud: str) -> Generator[OnAirflow]:  # noqa: ARG001 - it is seen
    if not airflow.COMMAND.exists():
        pytest.skip("no Airflow: python3 tools/bootstrap.py airflow")
    folder = tmp_path_factory.mktemp("conformance")
    with airflow.serving(folder, folder / "dags") as url:
        found = OnAirflow(folder, url)
        found.project.deployment("real").apply(lambda _: None)
        yield found


@pytest.fixture(scope="session")
def on_aws(tmp_path_factory: pytest.TempPathFactory, cloud: str) -> OnAws:  # noqa: ARG001 - it is seen
    found = OnAws(tmp_path_factory.mktemp("conformance"))
    found.project.deployment("real").apply(lambda _: None)
    return found


@pytest.fixture(scope="session")
def on_glue(tmp_path_factory: pytest.TempPathFactory, cloud: str) -> OnGlue:  # noqa: ARG001 - it is seen
    found = OnGlue(tmp_path_factory.mktemp("conformance"))
    found.project.deployment("real").apply(lambda _: None)
    return found


@pytest.fixture(scope="session", params=["airflow", "aws", "glue"])
def both(request: pytest.FixtureRequest) -> Both:
    """The project here and on each platform."""
    found: Both = request.getfixturevalue(f"on_{request.param}")
    return found
