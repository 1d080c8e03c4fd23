"""Amazon MWAA: an Airflow whose address and tokens are asked of AWS, with the credentials of AWS's own tools.

AWS gives a token that opens the web server once, within a minute; the web server gives a session for it, whose token
its REST API takes for some hours. AWS's own `InvokeRestApi` would be one call, but takes no path above 64 characters,
and a task's log in a run of a DAG has a longer one.
Source: https://docs.aws.amazon.com/mwaa/latest/userguide/access-mwaa-apache-airflow-rest-api.html
Source: https://docs.aws.amazon.com/mwaa/latest/API/API_InvokeRestApi.html
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlencode

from anabranch.model.environment import Aws
from anabranch.model.errors import AnabranchError, NotFoundError
from anabranch.platforms.airflow.api import AirflowApi
from anabranch.platforms.aws.client import AwsClient

LOGIN, COOKIE = "/pluginsv2/aws_mwaa/login", "_token"
"""Where an Airflow 3 of MWAA gives a session, and the cookie that has its token."""


class MwaaApi(AirflowApi):
    """The Airflow of one MWAA environment."""

    def __init__(self, name: str, region: str = "", scheme: str = "https") -> None:
        """Name the environment; nothing is asked yet.

        Args:
            name: as AWS lists it.
            region: where it is; empty for the one that AWS's own tools would take.
            scheme: how its web server is spoken to.

        Raises:
            StepError: `not-installed`.
        """
        super().__init__("")
        self._name, self._region, self._scheme = name, region, scheme

    def _new_token(self) -> str:
        """Return the token of a new session.

        Raises:
            NotFoundError: `no-mwaa`.
            ConflictError: `airflow-denied`, and as of `AwsClient.ask`.
            StepError: as of `AwsClient.ask`, and as `get`.
        """
        told = self._asked()
        self._url = f"{self._scheme}://{told['WebServerHostname']}"
        body = urlencode({"token": told["WebToken"]}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._send("POST", LOGIN, body, headers, follow=False)  # the cookie comes with the redirection
        token = _cookie(answer.headers.getlist("Set-Cookie"))
        if not token:
            self._answer(max(answer.status, 300), answer.data.decode(errors="replace"), LOGIN)
        return token

    def _asked(self) -> dict[str, Any]:
        aws, environment = AwsClient(Aws("", self._region)), f"MWAA environment `{self._name}`"
        try:
            return aws.ask("mwaa", "create_web_login_token", Name=self._name)
        except NotFoundError as error:
            message, hint = f"{environment}: {error.message}", "look at its name, its region, and whether it is up"
            raise NotFoundError(message, code="no-mwaa", hint=hint) from None
        except AnabranchError as error:
            error.message = f"{environment}: {error.message}"
            error.args = (error.message,)
            raise


def _cookie(headers: list[str]) -> str:
    """Return the token among the cookies of an answer; empty where there is none.

    >>> _cookie(["session=x; Path=/", "_token=abc.def; HttpOnly; Path=/"])
    'abc.def'
    """
    for header in headers:
        try:
            found = SimpleCookie(header).get(COOKIE)
        except CookieError:
            continue
        if found is not None and found.value:
            return found.value
    return ""
