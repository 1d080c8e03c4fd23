"""Amazon MWAA: an Airflow whose address and tokens are asked of AWS, with the credentials of AWS's own tools.

AWS gives a token that opens the web server once, within a minute; the web server gives a session for it, whose token
its REST API takes for some hours. AWS's own `InvokeRestApi` would be one call, but takes no path above 64 characters,
and a task's log in a run of a DAG has a longer one.
Source: https://docs.aws.amazon.com/mwaa/latest/userguide/access-mwaa-apache-airflow-rest-api.html
Source: https://docs.aws.amazon.com/mwaa/latest/API/API_InvokeRestApi.html
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from anabranch.model.errors import ConflictError, NotFoundError, StepError
from anabranch.platforms.airflow.api import AirflowApi

if TYPE_CHECKING:
    from anabranch.model.errors import AnabranchError

LOGIN, COOKIE = "/pluginsv2/aws_mwaa/login", "_token"
"""Where an Airflow 3 of MWAA gives a session, and the cookie that has its token."""

SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 4},  # with random, growing delays
}


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
            ConflictError: `mwaa-denied`, `airflow-denied`.
            NotFoundError: `no-mwaa`.
            StepError: `mwaa-refused`, `mwaa-unreachable`, `not-installed`, and as `get`.
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
        try:
            from boto3.session import Session
            from botocore import exceptions
            from botocore.config import Config
        except ImportError:
            message, hint = "asking MWAA needs the package boto3", "pip install 'anabranch[airflow,aws]'"
            raise StepError(message, code="not-installed", hint=hint) from None
        try:
            client = Session(region_name=self._region or None).client("mwaa", config=Config(**SETTINGS))
            told: dict[str, Any] = client.create_web_login_token(Name=self._name)
        except exceptions.ClientError as error:
            raise self._refused(error.response.get("Error", {})) from None
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as error:
            message = f"AWS was not asked for MWAA environment `{self._name}`: {str(error).lower()}"
            hint = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            raise ConflictError(message, code="mwaa-denied", hint=hint) from None
        except exceptions.NoRegionError:
            message = f"nothing says in which region MWAA environment `{self._name}` is"
            raise StepError(
                message, code="mwaa-refused", hint=f"airflow: {{mwaa: {self._name}, region: ...}}"
            ) from None
        except exceptions.BotoCoreError as error:
            message = f"AWS does not answer for MWAA environment `{self._name}`: {str(error).partition(chr(10))[0]}"
            raise StepError(message, code="mwaa-unreachable", hint="look at the network and the region") from None
        return told

    def _refused(self, told: dict[str, Any]) -> AnabranchError:
        code, said = str(told.get("Code", "")), str(told.get("Message", ""))
        if code == "ResourceNotFoundException":
            message = f"AWS has no MWAA environment `{self._name}`: {said}"
            return NotFoundError(message, code="no-mwaa", hint="look at its name, its region, and whether it is up")
        if "Denied" in code or "Token" in code or code in {"InvalidAccessKeyId", "SignatureDoesNotMatch"}:
            message = f"AWS denies MWAA environment `{self._name}` ({code}): {said}"
            hint = "log in again, or ask for the right airflow:CreateWebLoginToken"
            return ConflictError(message, code="mwaa-denied", hint=hint)
        message = f"AWS refuses MWAA environment `{self._name}` ({code}): {said}"
        return StepError(message, code="mwaa-refused", hint="look at what it says")


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
