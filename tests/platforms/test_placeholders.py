from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.model.errors import StepError
from anabranch.platforms.process.placeholders import fill, script

EVIL = "a b  $(touch pwned) `touch pwned` \"'; touch pwned; ' * \\ \n $HOME ${HOME} é ${in.x}"
KEY, VARIABLE = "in.x", "ANABRANCH_IN_X"


def shell(text: str, value: str, folder: Path) -> str:
    """What a command line prints when its placeholder has the value."""
    code = script(text, {KEY: value}, {KEY: VARIABLE})
    environment = {"PATH": "/usr/bin:/bin", VARIABLE: value, "HOME": "/home/me"}
    done = subprocess.run(["/bin/sh", "-c", code], env=environment, cwd=folder, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize(
    "text",
    [
        "printf %s ${in.x}",
        'printf %s "${in.x}"',
        "printf %s '${in.x}'",
        'printf %s "$(printf %s "${in.x}")"',
        'printf %s "$(printf %s ${in.x})"',
        "printf %s \"$(printf %s '${in.x}')\"",
        'printf %s "`printf %s ${in.x}`"',
        "echo \\' >/dev/null; printf %s ${in.x}",
        "echo \\\" >/dev/null; printf %s '${in.x}'",
        "# it's a comment\nprintf %s ${in.x}",
        "echo a#'b >/dev/null' >/dev/null; printf %s '${in.x}'",
        "(printf %s ${in.x})",
        "case x in x) printf %s ${in.x};; esac",
        'f() { printf %s "$1"; }; f ${in.x}',
        'echo "it\'s" >/dev/null; printf %s ${in.x}',
        "echo '#' '<<EOF' >/dev/null\nprintf %s \"${in.x}\"",
        "echo $((1<<2)) > /dev/null\nprintf %s ${in.x}",
        "cat > /dev/null <<'EOF'\nit's $(( \"\nEOF\nprintf %s '${in.x}'",
    ],
)
def test_a_value_arrives_whole_and_is_never_run(text: str, tmp_path: Path) -> None:
    """In any quotes the placeholder gives the value as it is, however it looks to a shell."""
    assert shell(text, EVIL, tmp_path) == EVIL
    assert not (tmp_path / "pwned").exists()


def test_a_here_document_gets_the_value(tmp_path: Path) -> None:
    assert shell("cat <<-EOF | cat\n\tday: ${in.x}\n\tEOF\necho ${in.x}", "a  'b", tmp_path) == "day: a  'b\na  'b\n"


def test_a_quoted_here_document_says_why_it_gets_none() -> None:
    with pytest.raises(StepError, match="replaces nothing") as caught:
        script("python3 - <<'EOF'\nprint('${in.x}')\nEOF\n", {KEY: "1"}, {KEY: VARIABLE})
    assert "without quotes" in caught.value.hint


def test_what_is_the_shells_stays_the_shells(tmp_path: Path) -> None:
    text = 'x=1; echo "${x} $x ${x:-2} $((x + 1))" ${in.x}'
    assert shell(text, "ok", tmp_path) == "1 1 1 2 ok\n"


def test_two_dollars_keep_a_placeholder_as_text(tmp_path: Path) -> None:
    assert shell("printf %s '$${in.x}'", "ok", tmp_path) == "${in.x}"
    assert fill("$${in.x} ${in.x}", {KEY: "ok"}) == "${in.x} ok"


@pytest.mark.parametrize("method", ["argument", "script"])
def test_an_unknown_placeholder_names_the_closest(method: str) -> None:
    with pytest.raises(StepError, match=r"`\$\{in\.legz\}` names nothing") as caught:
        fill("${in.legz}", {"in.legs": "1"}) if method == "argument" else script("${in.legz}", {"in.legs": "1"}, {})
    assert (caught.value.code, caught.value.hint) == ("unknown-port", "did you mean 'in.legs'?")


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_an_argument_cannot_hold_every_text(value: str) -> None:
    with pytest.raises(StepError, match="no argument can hold") as caught:
        fill("${in.x}", {KEY: value})
    assert "ANABRANCH_CONTEXT" in caught.value.hint


PIECES = st.sampled_from(["'", '"', "`", "$(", "(", ")", "\\", " ", "\n", "#", "<<A", "A", "echo ", ";", "${in.x}"])


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from([EVIL, "';touch pwned;'", '";touch pwned;"']))
def test_no_command_line_runs_a_value(tmp_path_factory: pytest.TempPathFactory, text: str, value: str) -> None:
    """Even in command lines that no shell accepts, the value is not among what the shell reads."""
    folder = tmp_path_factory.mktemp("fuzz")
    try:
        code = script(text, {KEY: value}, {KEY: VARIABLE})
    except StepError:
        return
    assert "touch" not in code
    environment = {"PATH": "/usr/bin:/bin", VARIABLE: value}
    subprocess.run(
        ["/bin/sh", "-c", code],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=20,
    )
    assert not (folder / "pwned").exists()
