"""Who may import whom. The contracts stand in pyproject.toml."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "gatetheory").rglob("*.py"))

# These load heavy libraries late on purpose: the package's door and the command line.
LAZY = {"__init__.py", "__main__.py", "cli.py"}


def test_contracts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    code = lint_imports(config_filename="pyproject.toml", cache_dir=None)
    assert code == 0, capsys.readouterr().out


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_way_around_the_contracts(path: Path) -> None:
    """No import of the package's door, which imports everything, and none inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node, name in imports(tree):
        line = f"{path.name}:{node.lineno}"
        assert not name.startswith("."), f"{line}: write the full name of the module"
        if path.name not in LAZY:
            assert name != "gatetheory", f"{line}: import from the module, not from the package"
    if path.name in LAZY:
        return
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node, name in imports(function):
                if name.startswith("gatetheory"):
                    pytest.fail(f"{path.name}:{node.lineno}: import {name} at the top of the file")
