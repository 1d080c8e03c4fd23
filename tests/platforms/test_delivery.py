"""Delivery: one POST that leaks nothing and never waits for long, and lines that are whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from tests.receivers import Mood, Receiver
from tools.airflow import free_port

from anabranch.model.errors import StepError
from anabranch.platforms.delivery import REFUSED, UNREACHABLE
from anabranch.platforms.delivery.lines import append
from anabranch.platforms.delivery.post import Poster
from anabranch.platforms.opentelemetry.settings import Receiver as Found


def send(url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
    with closing(Poster(url, headers or {}, timeout=0.3)) as poster:
        poster.post(body)


def test_a_body_arrives_with_its_headers() -> None:
    with Receiver() as receiver:
        send(f"{receiver.url}/in", b"hello", {"Content-Type": "text/plain", "Authorization": "Bearer x"})
    (sent,) = receiver.sent
    assert (sent.path, sent.body) == ("/in", b"hello")
    assert sent.headers["authorization"] == "Bearer x"


@pytest.mark.parametrize(
    "mood, code",
    [
        ("broken", UNREACHABLE),
        ("busy", UNREACHABLE),
        ("hangs up", UNREACHABLE),
        ("nonsense", UNREACHABLE),
        ("silent", UNREACHABLE),
        ("denies", REFUSED),
        ("moved", REFUSED),
    ],
)
def test_what_goes_wrong_is_told_with_the_address_and_in_time(mood: Mood, code: str) -> None:
    with Receiver([mood]) as receiver:
        began = time.monotonic()
        with pytest.raises(StepError) as caught:
            send(f"{receiver.url}/in", b"hello")
        assert time.monotonic() - began < 3
    assert caught.value.code == code
    assert receiver.url in caught.value.message
    assert caught.value.hint
    assert receiver.asked == 1


def test_a_redirect_is_not_followed_so_no_token_goes_to_another_host() -> None:
    with Receiver() as other, Receiver(["moved"]) as receiver:
        with pytest.raises(StepError, match="302"):
            send(f"{receiver.url}/in", b"hello", {"Authorization": "Bearer x"})
        assert other.asked == 0
        assert receiver.asked == 1


def test_a_connection_stays_open_and_one_that_was_closed_is_opened_again() -> None:
    moods: list[Mood] = ["well", "well", "hangs up", "well"]
    with Receiver(moods) as receiver, closing(Poster(f"{receiver.url}/in", {})) as poster:
        for body in (b"1", b"2", b"3", b"4"):
            poster.post(body)  # the third is hung up on, and sent again
    assert [each.body for each in receiver.sent] == [b"1", b"2", b"3", b"4"]
    assert receiver.connections == 2


def test_a_proxy_of_the_environment_is_asked_for_the_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "localhost")
        send("http://catalogue.example:5000/in", b"hello")
    (sent,) = proxy.sent
    assert sent.path == "http://catalogue.example:5000/in"
    assert sent.headers["host"] == "catalogue.example:5000"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes the certificate, is not here")
def test_a_server_with_a_certificate_is_believed_only_by_those_who_know_who_signed_it(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", *made, *named], check=True, capture_output=True)
    with Receiver(tls=(str(certificate), str(key))) as receiver:
        with pytest.raises(StepError, match="certificate verify failed"):
            send(f"{receiver.url}/in", b"hello")
        known = Found(receiver.url, certificate=str(certificate)).tls()
        with closing(Poster(f"{receiver.url}/in", {}, tls=known)) as poster:
            poster.post(b"hello")
    assert [each.body for each in receiver.sent] == [b"hello"]


def test_nobody_there_is_told() -> None:
    with pytest.raises(StepError, match="refused") as caught:
        send(f"http://127.0.0.1:{free_port()}/in")
    assert caught.value.code == UNREACHABLE


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    with pytest.raises(StepError) as caught:
        send(f"http://me:hunter2@127.0.0.1:{free_port()}/in?key=hunter3")
    assert "hunter" not in caught.value.message


def test_lines_of_many_processes_stay_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "lines.ndjson"
    code = (
        "import sys; from anabranch.platforms.delivery.lines import append\n"
        "for i in range(50): append(sys.argv[1], [sys.argv[2] * 5000, sys.argv[2]])"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(file), each]) for each in "abc"]
    assert [each.wait(60) for each in running] == [0, 0, 0]
    lines = file.read_text().splitlines()
    assert len(lines) == 300
    assert all(len(set(line)) == 1 and len(line) in {1, 5000} for line in lines)
    assert all(long[0] == short for long, short in zip(lines[::2], lines[1::2], strict=True))


def test_a_line_that_a_crash_cut_off_does_not_swallow_the_next(tmp_path: Path) -> None:
    file = tmp_path / "lines.ndjson"
    file.write_text('{"half": ')
    append(str(file), ['{"whole": 1}'])
    assert file.read_text() == '{"half": \n{"whole": 1}\n'


def test_a_full_disk_leaves_no_half_line() -> None:
    with pytest.raises(StepError, match="No space left") as caught:
        append("/dev/full", ["hello"])
    assert caught.value.code == REFUSED


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StepError, match="Permission denied"):
        append(str(tmp_path / "lines.ndjson"), ["hello"])
