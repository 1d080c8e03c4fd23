"""The JSON API does what its OpenAPI document says, whatever it is asked."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.web.servers import data, get, post, token

from anabranch.web.act import ACTS
from anabranch.web.pages import PAGES


@pytest.mark.slow
def test_the_api_is_what_its_document_says(base: str, tmp_path: Path) -> None:
    """Schemathesis asks for all that the document allows, and for what it does not."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{base}/api/v1/openapi.json"]
    options = ["--max-examples=6", "--workers=2", "--phases=examples,coverage,fuzzing", "--seed=1", "--no-color"]
    done = subprocess.run(
        [*command, *options, "--request-timeout=60"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "22 passed" in done.stdout or "Tested: 22" in done.stdout, done.stdout[-2000:]


def test_every_page_and_button_is_in_the_document(base: str) -> None:
    told = data(f"{base}/api/v1/openapi.json")
    methods = [(path, method) for path, methods in told["paths"].items() for method in methods]
    assert len(methods) == len(PAGES) + len(ACTS) + 1


def test_every_twin_of_something_real_matches_its_schema(base: str) -> None:
    """The examples of the document are things of this very project, so its answers are not empty."""
    told = data(f"{base}/api/v1/openapi.json")
    for path, methods in told["paths"].items():
        if "get" not in methods:
            continue
        operation, url = methods["get"], path
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                url = url.replace("{%s}" % parameter["name"], urllib.parse.quote(parameter["example"]))  # noqa: UP031
        status, text, _ = get(base + url)
        assert status == 200, (url, text)
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": told["components"]}).validate(json.loads(text))


def test_a_page_names_its_twin(base: str) -> None:
    _, text, _ = get(f"{base}/runs?state=failed")
    assert 'href="/api/v1/runs?state=failed"' in text
    assert [run["state"] for run in data(f"{base}/api/v1/runs?state=failed")["runs"]] == ["failed"]


def test_a_program_presses_buttons_too(base: str) -> None:
    status, text, _ = post(f"{base}/api/v1/runs/last/retry", {"what": "sideways"}, x_anabranch_token=token(base))
    assert (status, json.loads(text)["diagnostics"][0]["code"]) == (400, "bad-form")
    status, text, _ = post(f"{base}/api/v1/runs/last/cancel", {}, x_anabranch_token=token(base))
    assert (status, json.loads(text)["diagnostics"][0]["code"]) == (409, "run-ended")
    status, text, _ = post(f"{base}/api/v1/pipelines/slow/run", {"param.lines": "1"}, x_anabranch_token=token(base))
    assert status == 202, text
    assert data(f"{base}/api/v1{json.loads(text)['page']}")["run"]["params"] == {"lines": "1"}


def test_prometheus_reads_the_counts(base: str) -> None:
    _, text, headers = get(f"{base}/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples['anabranch_runs{pipeline="daily",namespace="main",state="failed"}'] == "1"
    assert samples['anabranch_last_run_state{pipeline="daily",state="failed"}'] == "1"
    assert float(samples['anabranch_next_start_timestamp_seconds{pipeline="daily"}']) > 0
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
