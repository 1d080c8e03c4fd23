"""The variables by which everything that speaks OpenTelemetry is told where to send, and what it is.

Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/,
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from anabranch.model.errors import StepError
from anabranch.platforms.delivery import REFUSED
from anabranch.platforms.process.secrets import resolve_references

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from anabranch.model.export import OpenTelemetry

DEFAULT = "http://localhost:4318"
_PATH = "/v1/traces"
_PREFIX = "OTEL_EXPORTER_OTLP_"


@dataclass(frozen=True)
class Receiver:
    """Where requests go, and how. `certificate` is a file with the authorities that sign for it; empty is as usual."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    certificate: str = ""
    gzip: bool = False

    def tls(self) -> ssl.SSLContext | None:
        """Return how it is verified; None is as usual.

        Raises:
            StepError: `export-refused`, the certificate cannot be read.
        """
        if not self.certificate:
            return None
        import ssl

        try:
            return ssl.create_default_context(cafile=self.certificate)
        except OSError as error:
            message = f"the certificate {self.certificate} cannot be read: {error.strerror or error}"
            raise StepError(message, code=REFUSED, hint=f"look at {_PREFIX}CERTIFICATE") from None


def receiver(target: OpenTelemetry, variables: Mapping[str, str]) -> Receiver:
    """Return where a target's requests go. What `anabranch.yaml` says comes first, then the variables.

    Args:
        target: without a file.
        variables: of the environment.

    Raises:
        StepError: `missing-secret`; `export-refused`, the variables ask for gRPC or name no URL.
    """

    def said(name: str) -> str:
        return (variables.get(f"{_PREFIX}TRACES_{name}") or variables.get(_PREFIX + name, "")).strip()

    url = f"{target.endpoint.rstrip('/')}{_PATH}" if target.endpoint else _from(variables)
    if not target.endpoint and said("PROTOCOL") == "grpc":
        message = f"{_PREFIX}PROTOCOL asks for grpc, and traces go over HTTP from here"
        hint = f"set it to http/protobuf, and {_PREFIX}ENDPOINT to the port for HTTP, mostly 4318"
        raise StepError(message, code=REFUSED, hint=hint)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise StepError(f"{_PREFIX}ENDPOINT is no URL of http or https", code=REFUSED, hint=f"such as {DEFAULT}")
    headers = pairs(said("HEADERS")) | resolve_references(target.headers)
    return Receiver(url, headers, said("CERTIFICATE"), said("COMPRESSION") == "gzip")


def _from(variables: Mapping[str, str]) -> str:
    whole = variables.get(f"{_PREFIX}TRACES_ENDPOINT", "").strip()
    return whole or (variables.get(f"{_PREFIX}ENDPOINT", "").strip() or DEFAULT).rstrip("/") + _PATH


def disabled(variables: Mapping[str, str]) -> bool:
    """Tell whether the variables switch OpenTelemetry off.

    >>> disabled({"OTEL_SDK_DISABLED": "True"}), disabled({})
    (True, False)
    """
    return variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def resource(project: str, version: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what the spans are of: the project, unless the variables say otherwise.

    >>> resource("flights", "1.0", {"OTEL_RESOURCE_ATTRIBUTES": "team=data%20eng"})["team"]
    'data eng'
    """
    told = pairs(variables.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    name = variables.get("OTEL_SERVICE_NAME", "").strip() or told.get("service.name") or project
    sdk = {"telemetry.sdk.name": "anabranch", "telemetry.sdk.language": "python", "telemetry.sdk.version": version}
    return sdk | told | {"service.name": name}


def pairs(text: str) -> dict[str, str]:
    """Return what a variable lists, as W3C's Baggage writes it.

    >>> pairs("api-key=a%3Db, x-tenant = 7 ,")
    {'api-key': 'a=b', 'x-tenant': '7'}
    """
    split = (each.partition("=") for each in text.split(","))
    return {unquote(key.strip()): unquote(value.strip()) for key, equals, value in split if equals and key.strip()}
