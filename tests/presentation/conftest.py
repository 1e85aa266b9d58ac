"""Things that are slow to make and never change."""

from pathlib import Path

import pytest

from gatetheory.model import zoo
from gatetheory.pipeline import derive
from gatetheory.presentation import report
from gatetheory.theory.derive import Theory


@pytest.fixture(scope="session")
def gated() -> Theory:
    return derive(zoo.gated())


@pytest.fixture(scope="session")
def gru() -> Theory:
    return derive(zoo.gru())


@pytest.fixture(scope="session")
def classical() -> Theory:
    return derive(zoo.classical())


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on the classical network, with small networks."""
    path: Path = report(zoo.classical(), {"g": "1.7"}, tmp_path_factory.mktemp("out"),
                        units=(20, 40), seeds=3)  # fmt: skip
    return path.read_text(encoding="utf-8")
