"""The derivations are proofs that run: each is executed as a reader would, strictly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gatetheory

PACKAGE = Path(gatetheory.__file__).parent  # the one under test, installed or not
ROOT = Path(__file__).parents[1]
DERIVATIONS = sorted((ROOT / "derivations").glob("*.py"))


def test_there_are_derivations() -> None:
    expected = {
        "single_site",
        "fixed_points",
        "spectrum",
        "moments",
        "transitions",
        "onset",
        "potential",
        "gradients",
    }
    assert expected <= {path.stem for path in DERIVATIONS}


@pytest.mark.slow
@pytest.mark.parametrize("path", DERIVATIONS, ids=lambda p: str(p.stem))
def test_derivation_holds(path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONOPTIMIZE": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.strip()
    assert not found.stderr.strip()
