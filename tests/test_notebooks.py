"""Every notebook runs from top to bottom, with warnings as errors inside, and defines nothing."""

import ast
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import gatetheory

PACKAGE = Path(gatetheory.__file__).parent  # the one under test, installed or not
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert isinstance(notebook, nbformat.NotebookNode)
    return notebook


def code_of(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert {"01_model_and_equations", "02_jacobian_spectrum"} <= {p.stem for p in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: str(p.stem))
def test_it_defines_nothing(path: Path) -> None:
    """What is worth defining belongs into the package, where it is tested."""
    for source in code_of(read(path)):
        for node in ast.walk(ast.parse(source)):
            definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
            assert not isinstance(node, definition), ast.unparse(node)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: str(p.stem))
def test_no_output_is_stored(path: Path) -> None:
    cells = [c for c in read(path).cells if c.cell_type == "code"]
    assert not any(c.outputs or c.execution_count for c in cells)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: str(p.stem))
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.fspath(PACKAGE.parent))
    monkeypatch.setenv("IPYTHONDIR", os.fspath(tmp_path))
    notebook = read(path)
    # Not for the kernel's own machinery, which warns as it starts and stops.
    strict = "import warnings\nwarnings.simplefilter('error')"
    lenient = "warnings.simplefilter('default')"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(strict))  # type: ignore[no-untyped-call]
    notebook.cells.append(nbformat.v4.new_code_cell(lenient))  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=240, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert not [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    assert any("image/svg+xml" in o.get("data", {}) for o in outputs)
    assert any("text/latex" in o.get("data", {}) for o in outputs)
