"""The command line: the contract that outside scripts rely on."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatetheory.cli import main
from gatetheory.comparison import Comparison, Validation
from gatetheory.errors import ConvergenceError
from gatetheory.presentation import findings, solving, verbs
from gatetheory.theory.derive import RESULTS

Ask = Callable[..., Any]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command with ``--json`` and return the object it prints."""

    def run(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([*words, "--json"]) == code
        streams = capsys.readouterr()
        assert streams.err == ""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        return json.loads(streams.out, parse_constant=refuse)

    return run


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


# ---- doors ---------------------------------------------------------------------------------------


def test_help_loads_nothing_heavy() -> None:
    heavy = ("sympy", "numpy", "scipy", "mpmath", "matplotlib", "contourpy", "tqdm")
    code = (
        "import sys\nfrom gatetheory.cli import main\n"
        "assert main(['--help']) == 0\nassert main(['solve', '--help']) == 0\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    assert fresh(code).splitlines()[-1] == "[]"


def test_the_module_runs() -> None:
    command = [sys.executable, "-m", "gatetheory", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("gatetheory ")


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in verbs.VERBS)


def test_a_reader_who_leaves_early_is_no_error() -> None:
    code = (
        "import sys, os\nfrom gatetheory.cli import main\n"
        "r, w = os.pipe()\nos.close(r)\nos.dup2(w, 1)\ncode = main(['models'])\n"
        "print(code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "141\n"


def test_interruption_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(verbs.VERBS, "models", interrupted)
    assert main(["models"]) == 130
    assert capsys.readouterr() == ("", "")


# ---- models and equations ------------------------------------------------------------------------


def test_models(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    values = {m["name"]: m for m in ask("models")["values"]}
    gated = {p["name"]: p["default"] for p in values["gated"]["parameters"]}
    names = ("g_h", "alpha_z", "alpha_r", "beta_h", "beta_z", "beta_r", "tau_z", "tau_r")
    assert gated == dict(zip(names, (3, 0, 5, 0, 0, 0, 1, 2), strict=True))
    assert [p["name"] for p in values["classical"]["parameters"]] == ["g"]
    assert [p["default"] for p in values["gru"]["parameters"]] == [4, 1, 1, 0, 0, 0]
    assert main(["models"]) == 0
    assert "g_h      = 3  > 0" in capsys.readouterr().out


def test_equations_as_json(ask: Ask) -> None:
    found = ask("equations", "classical")
    keys = {"tag", "result", "text", "latex", "mathml", "meaning", "assumptions", "references",
            "trace"}  # fmt: skip
    assert all(set(e) == keys for e in found)
    assert [e["result"] for e in found] == sorted((e["result"] for e in found), key=RESULTS.index)
    (delta,) = (e for e in found if e["tag"] == "Delta_h")
    assert delta["latex"].startswith(r"\Delta_{h} = ")
    assert delta["mathml"].startswith("<math ")
    assert [s["step"] for s in delta["trace"]][:3] == ["couplings", "average", "saddle point"]
    assert ask("equations", "classical", "--format", "json") == found


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("text", "[fixed_points.Delta_h]"),
        ("latex", "%"),
        ("mathml", "<math "),
        ("json", "["),
    ],
)
def test_every_format(form: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["equations", "classical", "fixed_points", "--format", form]
    assert main(words) == 0
    first = capsys.readouterr()
    assert first.out.startswith(start)
    assert first.err == ""
    assert main(words) == 0
    assert capsys.readouterr().out == first.out


def test_what_does_not_exist_is_left_out_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["equations", "gru"]) == 0
    streams = capsys.readouterr()
    assert "spectrum.boundary" in streams.out
    assert streams.err.startswith("gatetheory: warning: moments")
    assert main(["equations", "gru", "moments"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# ---- solve ---------------------------------------------------------------------------------------

HEAD = {"model", "parameters", "status", "residual", "value"}


def test_fixed_points(ask: Ask) -> None:
    found = ask("solve", "gated", "fixed_points", "--set", "g_h=1.9", "--set", "alpha_r=10")
    assert found.keys() >= HEAD | {"values", "errors", "complete", "searched", "digits"}
    assert found["parameters"]["g_h"] == 1.9
    assert found["status"] == "ok"
    assert [set(v) for v in found["values"]] == 3 * [{"Delta_h", "Delta_z", "Delta_r", "stable"}]
    deltas = [v["Delta_h"] for v in found["values"]]
    assert deltas == sorted(deltas)
    assert deltas[0] == 0
    assert found["value"] == found["values"][-1]
    assert [v["stable"] for v in found["values"]] == [True, False, False]
    assert found["residual"] < 1e-14
    assert found["complete"] is True


def test_many_digits_are_text(ask: Ask) -> None:
    found = ask("solve", "classical", "fixed_points", "--digits", "30")
    doubles = ask("solve", "classical", "fixed_points")
    text = found["value"]["Delta_h"]
    assert isinstance(text, str)
    assert len(text) == 32
    assert float(text) == pytest.approx(doubles["value"]["Delta_h"], rel=1e-14)
    assert isinstance(doubles["value"]["Delta_h"], float)
    assert found["errors"][-1]["Delta_h"] < 1e-28


def test_spectrum(ask: Ask) -> None:
    found = ask("solve", "gated", "spectrum", "--set", "alpha_z=1/3")
    assert found.keys() >= HEAD | {"quantity", "error", "origin", "stable", "moments", "trace",
                                   "atoms", "segments", "state", "branch"}  # fmt: skip
    assert found["quantity"] == "abscissa"
    assert found["parameters"]["alpha_z"] == "1/3"
    assert found["atoms"] == [-1.0]
    assert found["segments"] == [[-1.0, 0.0]]
    assert len(found["moments"]) == 3
    assert found["stable"] is False
    assert set(found["state"]) == {"Delta_h", "Delta_z", "Delta_r"}
    zero = ask("solve", "gated", "spectrum", "--branch", "0")
    assert zero["value"] == pytest.approx(0.25, abs=1e-14)
    assert zero["state"]["Delta_h"] == 0


def test_spectrum_of_a_map_says_why_there_are_no_moments(ask: Ask) -> None:
    found = ask("solve", "gru", "spectrum")
    assert found["quantity"] == "radius"
    assert found["moments"] is None
    assert "algebraic" in found["moments_note"]


def test_correlations_list_every_state(ask: Ask) -> None:
    found = ask("solve", "classical", "correlations", "--set", "g=3/2")
    assert (found["status"], found["closure"], found["exact"]) == ("ok", "constant", True)
    assert found["values"]["C_h"] == pytest.approx(0.332305058, abs=5e-10)
    assert found["values"].keys() >= {"C_h", "C_phi"}
    assert found["half_width"] > 0
    assert [b["C_h"] for b in found["branches"]] == [found["values"]["C_h"]]
    assert 0 <= found["residual"] < 1e-10


def test_without_chaos_the_exponent_is_null_beside_the_abscissa(ask: Ask) -> None:
    quiet = ask("solve", "classical", "correlations", "--set", "g=0.8")
    assert (quiet["status"], quiet["values"], quiet["branches"]) == ("no_chaotic_state", None, [])
    found = ask("solve", "classical", "lyapunov", "--set", "g=0.8")
    assert (found["status"], found["value"]) == ("no_chaotic_state", None)
    assert found["abscissa"] == pytest.approx(-0.2, abs=1e-12)
    map_ = ask("solve", "gru", "lyapunov", "--set", "g_h=1")
    assert (map_["status"], map_["value"], map_["closure"]) == ("no_chaotic_state", None, "sampled")
    assert map_["abscissa"] == pytest.approx(math.log(3 / 4), abs=1e-12)


def test_the_exponent_of_the_chaotic_state(ask: Ask) -> None:
    found = ask("solve", "classical", "lyapunov", "--set", "g=3/2")
    assert found["status"] == "ok"
    assert found["value"] == pytest.approx(0.0467, abs=5e-5)
    assert found["error"] < 1e-10
    assert found["abscissa"] is None


def test_two_times_come_on_the_grid_that_was_asked_for(ask: Ask) -> None:
    found = ask("solve", "classical", "two_time", "--duration", "2", "--step", "0.5")
    assert found["status"] == "ok"
    assert found["times"] == [0, 0.5, 1, 1.5, 2]
    table = found["two_times"]["C_h"]
    assert [row[k] for k, row in enumerate(table)] == found["values"]["C_h"]
    assert table[1][4] == pytest.approx(table[4][1], abs=1e-14)
    assert found["residual"] is not None
    assert found["memory"] > 0


def test_a_vanishing_time_constant_leaves_no_moments(ask: Ask) -> None:
    found = ask("solve", "gated", "spectrum", "--set", "tau_z=0")
    assert found["status"] == "ok"
    assert found["moments"] is None
    assert "tau_z = 0" in found["moments_note"]


@pytest.mark.slow
def test_synthetic_state(ask: Ask) -> None:
    state = ["--state", "Delta_h=0.5", "Delta_z=0.3", "--state", "Delta_r=0.3", "Delta_dh=0.1"]
    found = ask("solve", "gated", "spectrum", "--set", "alpha_z=2", *state)
    assert found["state"] == {"Delta_h": 0.5, "Delta_z": 0.3, "Delta_r": 0.3, "Delta_dh": 0.1}
    assert found["branch"] is None
    assert len(found["moments"]) == 3


def test_moments(ask: Ask) -> None:
    found = ask("solve", "classical", "moments")
    assert len(found["value"]) == 3
    assert found["trace"] == -1


def test_text_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", "classical", "spectrum"]) == 0
    text = capsys.readouterr().out
    for words in (
        "classical at g = 2",
        "abscissa = 0.167336",
        "assumes large N",
        "see Y. Ahmadian",
    ):
        assert words in text


def test_a_solver_that_stops_has_a_status(
    monkeypatch: pytest.MonkeyPatch, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    def stops(*_: object, **__: object) -> None:
        raise ConvergenceError("Newton went astray;\ntry another start")

    monkeypatch.setattr(solving, "solve", stops)
    found = ask("solve", "classical", "fixed_points", code=3)
    assert found["status"] == "not_converged"
    assert found["value"] is None
    assert "try another start" in found["advice"]
    assert main(["solve", "classical", "fixed_points"]) == 3
    assert capsys.readouterr().err == ("gatetheory: error: Newton went astray; try another start\n")


# ---- gradients -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_gradients(ask: Ask) -> None:
    found = ask("solve", "gated", "gradients", "--horizon", "2", "--by", "g_h")
    assert found["status"] == "ok"
    assert set(found["values"]) == {"h", "z", "r"}
    assert found["values"]["h"] == pytest.approx(0.0875649879738, rel=1e-6)
    assert found["values"]["z"] == 0  # α_z = 0: the update gate does not act
    assert set(found["parameters_squared"]) == {"g_h"}
    assert found["growth_exponent"] == pytest.approx(0.2357883076, rel=1e-6)
    assert found["horizon"] == 2
    assert found["value"] is None
    assert found["state"] == "chaotic"
    assert 0 <= found["residual"] < 1e-6


def test_gradients_at_several_horizons(ask: Ask) -> None:
    found = ask("solve", "classical", "gradients", "--horizon", "5", "2", "--by", "g")
    assert found["horizon"] == [2, 5]
    assert [row["horizon"] for row in found["values"]] == [2, 5]
    assert [row["h"] for row in found["values"]] == pytest.approx([0.76212157, 3.53555635])
    assert [row["g"] for row in found["parameters_squared"]] == pytest.approx(
        [0.03545534, 0.10694204]
    )


def test_gradients_without_a_state(ask: Ask) -> None:
    """The one stable fixed point is taken where there is no chaos."""
    found = ask("solve", "classical", "gradients", "--set", "g=1/2", "--horizon", "3")
    assert found["state"] == "fixed point"
    assert found["values"] == {"h": 0}
    assert found["growth_exponent"] == pytest.approx(-1)


# ---- networks ------------------------------------------------------------------------------------


def test_simulate(ask: Ask) -> None:
    found = ask("simulate", "gru", "--set", "g_h=0.5", "--units", "20", "--seeds", "2")
    assert found["units"] == 20
    assert found["seeds"] == 2
    assert found["networks"] == ["fixed point", "fixed point"]
    assert found["values"]["Delta_h"] == pytest.approx(0, abs=1e-6)
    assert found["values"]["radius"] < 1


def test_validate(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("validate", "classical", "--units", "40", "--seeds", "3")
    code = main([*words, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found["passed"] else 1)
    assert found["units"] == [10, 20, 40]  # one number is the largest of three sizes
    assert {"quantity", "theory", "simulation", "stderr", "z", "verdict"} <= set(found["values"][0])


@pytest.mark.slow
def test_a_failed_validation_has_its_own_code(
    monkeypatch: pytest.MonkeyPatch, ask: Ask, tmp_path: Path
) -> None:
    def fails(*_: object, **__: object) -> Validation:
        return Validation("classical", {}, (20,), 2, (Comparison("q", "here", 1.0, 9.0, 0.1),))

    monkeypatch.setattr(verbs, "validate", fails)
    found = ask("validate", "classical", code=1)
    assert found["passed"] is False
    assert found["values"][0]["verdict"] == "differs"
    monkeypatch.setattr(findings, "validate", fails)
    assert main(["report", "classical", "--units", "20", "--out", str(tmp_path)]) == 1


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("report", "classical", "--units", "30", "60", "--seeds", "4", "--json")
    code = main([*words, "--out", str(tmp_path / "made")])
    found = json.loads(capsys.readouterr().out)
    assert Path(found["value"]) == tmp_path / "made" / "classical.html"
    assert Path(found["value"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert code == (0 if found["passed"] else 1)


# ---- bad input -----------------------------------------------------------------------------------

BAD = [
    ([], "VERB"),
    (["slove"], "slove"),
    (["solve", "gatd", "fixed_points"], "did you mean gated"),
    (["equations", "nothing_like_it"], "gated, classical, gru"),
    (["solve", "gated", "spectrm"], "did you mean spectrum"),
    (["solve", "gated", "chaos"], "fixed_points, spectrum, moments"),
    (["equations", "gated", "fixed_point"], "did you mean fixed_points"),
    (["equations", "gated", "--format", "pdf"], "pdf"),
    (["solve", "gated", "fixed_points", "--set", "gh=2"], "did you mean g_h"),
    (["solve", "gated", "fixed_points", "--set", "alpha_r=nan"], "finite"),
    (["solve", "gated", "fixed_points", "--set", "alpha_r=inf"], "finite"),
    (["solve", "gated", "fixed_points", "--set", "tau_r=-1"], "tau_r = -1"),
    (["solve", "gated", "fixed_points", "--set", "g_h=0"], "domain"),
    (["solve", "gated", "fixed_points", "--set", "g_h=__import__('os')"], "finite real number"),
    (["solve", "gated", "fixed_points", "--set", "g_h=1", "g_h=2"], "two values"),
    (["solve", "gated", "fixed_points", "--set", "g_h"], "NAME=VALUE"),
    (["solve", "gated", "fixed_points", "--set", "g_h="], "NAME=VALUE"),
    (["solve", "gated", "fixed_points", "--set", "=2"], "NAME=VALUE"),
    (["solve", "gated", "fixed_points", "--digits", "0"], "digits"),
    (["solve", "gated", "fixed_points", "--digits", "many"], "digits"),
    (["solve", "gated", "fixed_points", "--branch", "0"], "--branch"),
    (["solve", "classical", "spectrum", "--branch", "7"], "no fixed point number 7"),
    (["solve", "classical", "spectrum", "--branch", "0", "--state", "Delta_h=1"], "--state"),
    (["solve", "classical", "spectrum", "--state", "Delta_x=1"], "Delta_h"),
    (["solve", "gated", "spectrum", "--state", "Delta_h=1"], "Delta_z"),
    (["solve", "classical", "spectrum", "--state", "Delta_h=-1"], "negative"),
    (["solve", "gru", "moments"], "algebraic"),
    (["simulate", "classical", "--units", "0"], "--units"),
    (["simulate", "classical", "--units", "-3"], "--units"),
    (["simulate", "classical", "--units", "2.5"], "--units"),
    (["simulate", "classical", "--seeds", "0"], "--seeds"),
    (["validate", "classical", "--units", "0"], "--units"),
    (["validate", "classical", "--seeds", "0"], "--seeds"),
    (["validate", "classical", "--seeds", "1"], "seeds"),
    (["report", "nothing"], "there is no model"),
    (["report", "classical", "--out", __file__], "cannot make the folder"),
    (["report", "classical", "--units", "0"], "--units"),
    (["transition", "gated", "fold"], "say along which"),
    (["solve", "gated", "gradients", "--horizon", "-2"], "horizon"),
    (["solve", "gated", "gradients", "--horizon", "0"], "positive"),
    (["solve", "gated", "gradients", "--horizon", "nan"], "horizon"),
    (["solve", "gated", "gradients", "--horizon", "soon"], "horizon"),
    (["solve", "gru", "gradients", "--horizon", "2.5"], "whole number"),
    (["solve", "gated", "gradients", "--by", "gh"], "g_h"),
    (["solve", "gated", "gradients", "--loss", "h**2/2"], "depends on the state"),
    (["solve", "gated", "gradients", "--closure", "factorized"], "constant"),
    (["solve", "gated", "gradients", "--digits", "30"], "digits"),
    (["solve", "gated", "gradients", "--fixed-point", "9"], "9"),
    (["solve", "gated", "spectrum", "--horizon", "2"], "--horizon belongs to gradients"),
    (["solve", "gated", "correlations", "--by", "g_h"], "--by belongs to gradients"),
    (["solve", "gated", "lyapunov", "--loss", "c*h"], "--loss belongs to gradients"),
    (["solve", "gated", "fixed_points", "--fixed-point", "0"], "--fixed-point belongs"),
    (["solve", "gated", "gradients", "--step", "1"], "--step belongs to two_time"),
    (["solve", "gated", "gradients", "--state", "Delta_h=1"], "--state belongs"),
]


@pytest.mark.parametrize(("words", "told"), BAD, ids=lambda v: " ".join(v)[:60])
def test_bad_input_is_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("gatetheory: error: ")
    assert streams.err.count("\n") == 1
    assert streams.err.endswith("\n")
    assert told in streams.err


def test_the_same_value_twice_is_no_contradiction(ask: Ask) -> None:
    found = ask("solve", "classical", "fixed_points", "--set", "g=1.5", "g=3/2")
    assert found["parameters"] == {"g": 1.5}
