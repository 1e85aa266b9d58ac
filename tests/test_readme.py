"""What the README shows works as written."""

import ast
import re
import shlex
import warnings
from pathlib import Path

import pytest

from gatetheory import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
    if line
]
LINKS = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)


def python() -> str:
    """Every Python block; later ones build on earlier ones."""
    return "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))


def test_there_is_something_to_show() -> None:
    assert len(python().splitlines()) >= 20
    assert {shlex.split(c)[1] for c in COMMANDS} == {
        "models",
        "equations",
        "solve",
        "transition",
        "phase-diagram",
        "gradient-regions",
        "simulate",
        "validate",
        "report",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_parses(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "gatetheory"
    assert cli._parser().parse_args(arguments).verb == arguments[0]


@pytest.mark.slow
def test_the_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(ast.parse(python()), "README.md", "exec"), names)
    shown = capsys.readouterr().out
    assert "3 fixed point(s)" in shown
    assert "0.00659856814738852084632355423717" in shown
    assert names["checked"].passed  # type: ignore[attr-defined]


@pytest.mark.parametrize("link", LINKS)
def test_the_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_two_commands_are_there() -> None:
    assert "    python -m pip install . && gatetheory report\n" in README
    assert "    python -m pip install '.[test]' && python -m pytest\n" in README
