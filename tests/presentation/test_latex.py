"""LaTeX that a document with amsmath can hold."""

import re

import pytest

from gatetheory.presentation.latex import latex_body
from gatetheory.theory.derive import Theory

# Everything that LaTeX and amsmath know and that may occur.
COMMANDS = {
    *("begin", "end", "label", "notag", "quad", "left", "right", "langle", "rangle", "frac"),
    *("phi", "sigma", "eta", "Delta", "lambda", "tau", "alpha", "beta", "mu", "operatorname"),
    *("tanh", "cdot", "partial", "sqrt"),
}


@pytest.mark.parametrize("name", ["gated", "gru", "classical"])
def test_it_is_made_of_known_commands(name: str, request: pytest.FixtureRequest) -> None:
    theory: Theory = request.getfixturevalue(name)
    body = latex_body([theory.equations(r) for r in ("single_site", "fixed_points", "spectrum")],
                      name)  # fmt: skip
    source = "\n".join(line for line in body.splitlines() if not line.startswith("%"))
    assert set(re.findall(r"\\([A-Za-z]+)", source)) <= COMMANDS
    assert source.isascii()
    assert "$" not in source
    assert not re.search(r"\n\s*\n[^\\]", source), "a paragraph inside a display"


def test_brackets_close_in_the_row_they_open_in(gated: Theory) -> None:
    body = latex_body([gated.moments.equations], "gated")
    assert body.count(r"\begin{align}") == body.count(r"\end{align}") == 4
    for row in body.replace("\n", " ").split(r"\\"):
        assert row.count(r"\left") == row.count(r"\right")
        bare = re.sub(r"\\label\{[^}]*\}|\\(begin|end)\{align\}", "", row)
        assert bare.count("{") == bare.count("}")


def test_labels_are_tags_and_differ(gated: Theory) -> None:
    sets = [gated.equations(r) for r in ("fixed_points", "spectrum")]
    labels = re.findall(r"\\label\{eq:([^}]*)\}", latex_body(sets, "gated"))
    assert labels == [f"{s.result}.{e.tag}" for s in sets for e in s]
    assert len(set(labels)) == len(labels)
