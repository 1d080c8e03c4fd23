"""Who may come in, who may change something, and what a browser may do with our pages."""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.projects import anabranch, write
from tests.web.servers import data, get, post, serving, shop, token

from anabranch import Project
from anabranch.web import create_app
from anabranch.web.guard import Access

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message


def test_nothing_inline_and_nothing_from_elsewhere_may_run(base: str) -> None:
    for path in ("/", "/runs/last", "/runs/none", "/static/style.css", "/api/v1/home", "/nowhere"):
        _, text, headers = get(base + path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "<script>" not in text
        assert " style=" not in text


def test_a_page_elsewhere_that_leads_a_name_here_is_refused(base: str) -> None:
    """DNS rebinding: the browser believes it talks to evil.example."""
    status, text, _ = get(f"{base}/api/v1/token", host="evil.example:80")
    assert (status, json.loads(text)["diagnostics"][0]["code"]) == (401, "unknown-host")
    assert get(f"{base}/api/v1/token", host="localhost:1234")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"x_anabranch_token": "guessed"},
    ],
)
def test_a_button_is_refused_from_another_origin_or_without_the_pages_token(base: str, headers: dict[str, str]) -> None:
    given = {"x_anabranch_token": token(base), **headers}
    status, text, _ = post(f"{base}/api/v1/runs/last/retry", {}, **given)
    assert (status, json.loads(text)["diagnostics"][0]["code"]) in {
        (403, "cross-origin"),
        (403, "no-same-origin-token"),
    }
    assert len(data(f"{base}/api/v1/runs?pipeline=daily")["runs"]) == 3


def test_a_token_is_asked_for_once_and_leaves_the_address(tmp_path: Path) -> None:
    with serving(shop(tmp_path), "--token", "s3cret") as address:
        base, _, query = address.partition("/?")
        assert query == "token=s3cret"
        status, text, headers = get(f"{base}/runs")
        assert status == 401
        assert "wants a token" in text
        assert headers["www-authenticate"] == "Bearer"
        assert get(f"{base}/runs?token=wrong")[0] == 401
        status, _, headers = get(f"{base}/runs?state=failed&token=s3cret")
        assert (status, headers["location"]) == (303, "/runs?state=failed")
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert get(f"{base}/runs", cookie=cookie.partition(";")[0])[0] == 200
        assert get(f"{base}/runs", authorization="Bearer s3cret")[0] == 200
        assert get(f"{base}/metrics", authorization="Bearer no")[0] == 401
        assert post(f"{base}/api/v1/pipelines/daily/run", {})[0] == 401


def test_a_sign_in_leads_nowhere_else(tmp_path: Path) -> None:
    with serving(shop(tmp_path), "--token", "s3cret") as address:
        host = urllib.parse.urlsplit(address).netloc
        connection = http.client.HTTPConnection(host)
        connection.request("GET", "//evil.example/?token=s3cret")
        answer = connection.getresponse()
        assert answer.status == 303
        assert answer.headers["location"].startswith("/evil.example")
        connection.close()


def test_behind_a_proxy_the_header_says_who_comes(tmp_path: Path) -> None:
    with serving(shop(tmp_path), "--auth-header", "X-Forwarded-User") as base:
        assert get(f"{base}/")[0] == 401
        status, text, _ = get(f"{base}/", x_forwarded_user="Ada <b>")
        assert status == 200
        assert "signed in as Ada &lt;b&gt;" in text


def test_it_listens_to_others_only_when_it_asks_who_they_are(tmp_path: Path) -> None:
    told = anabranch(shop(tmp_path), "ui", "--host", "0.0.0.0", "--port", "0", code=2)
    assert "open-to-all" in told
    assert "try: --token" in told


def test_it_can_be_mounted_in_another_application(tmp_path: Path) -> None:
    root = shop(tmp_path)
    anabranch(root, "run", "daily")
    app = Starlette(routes=[Mount("/watch", create_app(Project.load(root, defer=True), Access(hosts=())))])
    text = asked(app, "/watch/")
    assert 'href="/watch/pipelines/daily"' in text
    assert 'href="/watch/static/style.css' in text
    assert json.loads(asked(app, "/watch/api/v1/home"))["project"] == "shop"
    assert json.loads(asked(app, "/watch/api/v1/openapi.json"))["servers"] == [{"url": "/watch"}]
    assert 'href="/watch/api/v1/runs/last"' in asked(app, "/watch/runs/last")


def asked(app: Starlette, path: str) -> str:
    """Ask an application that no server runs."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"outer.example")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
    }
    with ThreadPoolExecutor() as threads:  # a browser of other tests has a loop in this one
        threads.submit(asyncio.run, app(scope, receive, send)).result()
    assert sent[0]["status"] == 200
    return b"".join(message.get("body", b"") for message in sent[1:]).decode()


def test_secrets_are_on_no_page(tmp_path: Path) -> None:
    """A step prints its secret; neither page, log, twin nor file has it."""
    root = write(
        tmp_path,
        {
            "anabranch.yaml": "project: s\npipelines: [p.yaml]\n",
            "p.yaml": """
                pipeline: p
                steps:
                  tell: {shell: 'echo "the word is $WORD"; exit 3', secrets: {WORD: secret://env/THE_WORD}}
            """,
        },
    )
    anabranch(root, "run", code=4, THE_WORD="open-sesame")
    with serving(root) as base:
        paths = ("/runs/last", "/runs/last/logs/1/tell", "/api/v1/runs/last", "/files/runs/last/logs/1/tell")
        texts = [get(base + path)[1] for path in paths]
        assert all("***" in text for text in texts)
        assert not any("open-sesame" in text for text in texts)
