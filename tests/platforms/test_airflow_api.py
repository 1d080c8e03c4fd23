"""Airflow that is down, denies, stumbles or talks nonsense: each is told, and nothing that is unsafe is asked twice."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from tools.aws import free_port

from anabranch.model.errors import AnabranchError, ConflictError, NotFoundError, StepError
from anabranch.platforms.airflow.api import PAGE, PATIENCE, SILENCES, AirflowApi

if TYPE_CHECKING:
    from collections.abc import Generator


class Server:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.asked: Counter[str] = Counter()
        self.tokens: list[str | None] = []
        self.headers: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                path = f"{self.command} {self.path.partition('?')[0]}"
                outer.asked[path] += 1
                outer.tokens.append(self.headers.get("Authorization"))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                waiting = outer.answers.get(path, [(404, {"detail": "nothing there"})])
                status, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                if callable(body):
                    body = body(self.path)
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(sent)))
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - names of http.server

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - names of http.server
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Generator[Server]:
    found = Server()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_an_airflow_that_is_down_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(StepError) as caught:
        AirflowApi(url, "t").get("/dags")
    assert caught.value.code == "airflow-unreachable"
    assert url in caught.value.message


def test_an_airflow_that_hangs_is_told_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(PATIENCE.values()) * SILENCES <= 60
    monkeypatch.setitem(PATIENCE, "read", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hung:
        url = f"http://127.0.0.1:{hung.getsockname()[1]}"
        with pytest.raises(StepError, match=f"{url} does not answer: .*timed out") as caught:
            AirflowApi(url, "t").get("/dags")
        assert caught.value.code == "airflow-unreachable"
        hung.settimeout(0.1)
        asked = [hung.accept()[0] for _ in range(SILENCES)]
        with pytest.raises(TimeoutError):
            hung.accept()
        for each in asked:
            each.close()


def test_a_stumble_is_asked_again_a_few_times_and_a_change_only_once(server: Server) -> None:
    server.answers["GET /api/v2/dags"] = [(503, {}), (502, {}), (200, {"dags": []})]
    server.answers["POST /api/v2/dags/x/dagRuns"] = [(503, {"detail": "too busy"})]
    api = AirflowApi(server.url, "t")
    assert api.get("/dags") == {"dags": []}
    assert server.asked["GET /api/v2/dags"] == 3
    with pytest.raises(StepError, match="too busy") as caught:
        api.ask("POST", "/dags/x/dagRuns", {})
    assert caught.value.code == "airflow-unreachable"
    assert server.asked["POST /api/v2/dags/x/dagRuns"] == 1
    server.answers["GET /api/v2/dags"] = [(500, b"<html>oops")]
    with pytest.raises(StepError, match="oops"):
        api.get("/dags")
    assert server.asked["GET /api/v2/dags"] == 3 + 5


@pytest.mark.parametrize(
    "status, error, code",
    [
        (401, ConflictError, "airflow-denied"),
        (403, ConflictError, "airflow-denied"),
        (404, NotFoundError, "not-on-airflow"),
        (422, StepError, "airflow-refused"),
    ],
)
def test_each_refusal_has_its_code_and_shows_no_token(
    server: Server, status: int, error: type[AnabranchError], code: str
) -> None:
    server.answers["GET /api/v2/dags/x"] = [(status, {"detail": "said why"})]
    with pytest.raises(error, match="said why") as caught:
        AirflowApi(server.url, "very-secret-token").get("/dags/x")
    assert caught.value.code == code
    assert "very-secret-token" not in f"{caught.value.message}{caught.value.hint}"


def test_a_token_is_asked_for_once_and_then_shown(server: Server) -> None:
    server.answers["POST /auth/token"] = [(201, {"access_token": "fresh"})]
    server.answers["GET /api/v2/dags"] = [(200, {})]
    api = AirflowApi(server.url, user="me", password="mine")
    api.get("/dags")
    api.get("/dags")
    assert server.asked["POST /auth/token"] == 1
    assert server.tokens == [None, "Bearer fresh", "Bearer fresh"]


def test_a_listing_is_read_to_its_end_by_pages(server: Server) -> None:
    def page(path: str) -> Any:
        offset = int(path.partition("offset=")[2].partition("&")[0])
        count = 2 * PAGE + 1
        return {"runs": [{"n": n} for n in range(offset, min(offset + PAGE, count))], "total_entries": count}

    server.answers["GET /api/v2/runs"] = [(200, page)]
    found = list(AirflowApi(server.url, "t").pages("/runs", "runs"))
    assert [each["n"] for each in found] == list(range(2 * PAGE + 1))
    assert server.asked["GET /api/v2/runs"] == 3


def test_what_is_no_airflow_is_told_so_whatever_it_answers(server: Server) -> None:
    """A login page, an empty object, a path that it does not know, a token by another name."""
    server.answers["GET /api/v2/dags"] = [(200, b"<html>log in, please</html>")]
    server.answers["GET /api/v2/runs"] = [(200, {})]
    server.answers["GET /api/v2/x"] = [(404, {"detail": "Not Found"})]
    server.answers["GET /api/v2/y"] = [(404, {"error": "/api/v1 has been removed"})]
    server.answers["GET /auth/token"] = [(200, {"jwt": "a-real-secret"})]
    api = AirflowApi(server.url, "tttt")
    for ask in (
        lambda: api.get("/dags"),
        lambda: list(api.pages("/runs", "runs")),
        lambda: api.get("/runs", holding="state"),
        lambda: api.get("/x"),
        lambda: api.get("/y"),
        lambda: AirflowApi(server.url).get("/x"),
    ):
        with pytest.raises(StepError, match=server.url) as caught:
            ask()
        assert caught.value.code == "not-airflow"
        assert "airflow.url" in caught.value.hint
        assert "a-real-secret" not in caught.value.message


@pytest.mark.parametrize("status", [401, 404, 422, 500])
def test_a_server_that_repeats_what_it_was_sent_gives_no_secret_away(server: Server, status: int) -> None:
    server.answers["GET /api/v2/x"] = [(status, {"detail": [{"input": {"token": "very-secret", "user": "me"}}]})]
    server.answers["POST /auth/token"] = [(status, {"detail": [{"input": {"username": "me", "password": "hunter2"}}]})]
    for api in (AirflowApi(server.url, "very-secret"), AirflowApi(server.url, user="me", password="hunter2")):
        with pytest.raises(AnabranchError, match="me") as caught:
            api.get("/x")
        assert not {"very-secret", "hunter2"} & set(re.split(r"[^\w-]+", f"{caught.value.message}{caught.value.hint}"))


@pytest.mark.parametrize("token", ["two\nlines", "no\u20accoin"])
def test_a_token_that_no_header_can_have_is_told_without_it(server: Server, token: str) -> None:
    with pytest.raises(ConflictError) as caught:
        AirflowApi(server.url, token).get("/dags")
    assert caught.value.code == "airflow-denied"
    assert token not in caught.value.message


def test_a_server_that_says_to_wait_an_hour_is_asked_sooner(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.platforms.airflow.api._LONGEST_WAIT", 0.1)
    server.headers = {"Retry-After": "3600"}
    server.answers["GET /api/v2/dags"] = [(429, {}), (503, {}), (200, {"dags": []})]
    began = time.monotonic()
    assert AirflowApi(server.url, "t").get("/dags") == {"dags": []}
    assert time.monotonic() - began < 30


def test_a_call_that_comes_to_the_same_is_repeated_when_it_says_so(server: Server) -> None:
    server.answers["POST /api/v2/x"] = [(503, {}), (500, {}), (409, {"detail": "there already"})]
    with pytest.raises(ConflictError, match="there already") as caught:
        AirflowApi(server.url, "t").ask("POST", "/x", {}, again=True)
    assert caught.value.code == "airflow-conflict"
    assert server.asked["POST /api/v2/x"] == 3
