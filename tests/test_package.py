"""What is installed is complete, and the files beside it say the same."""

import tomllib
from importlib import metadata, resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = sorted(
    path.relative_to(ROOT / "gatetheory").as_posix()
    for path in (ROOT / "gatetheory").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_in_the_imported_package(name: str) -> None:
    """Under `.ci/run` the imported package is the installed one, which may lack package data."""
    assert resources.files("gatetheory").joinpath(name).is_file()


def test_the_marker_of_type_information_is_there() -> None:
    assert "py.typed" in FILES


def test_versions_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation


def test_the_installed_version_is_this_one() -> None:
    try:
        installed = metadata.version("gatetheory")
    except metadata.PackageNotFoundError:
        pytest.skip("gatetheory is not installed; the sources are tested where they are")
    assert installed == PROJECT["version"]
