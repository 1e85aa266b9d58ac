"""The command line: what can be asked, and what happens when it cannot be answered.

Nothing heavy is imported before a verb runs, so that ``gatetheory --help`` answers at once.

Exit codes: 0 an answer, "there is none" included; 1 a validation failed; 2 bad input, one line on
stderr; 3 a solver stopped early or digits were lost; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from gatetheory.errors import ConvergenceError, GatetheoryError, PrecisionError

BAD_INPUT, STOPPED, INTERRUPTED, CLOSED_PIPE = 2, 3, 130, 141
CLOSURES = ("constant", "factorized", "sampled")
FORMATS = ("text", "latex", "mathml", "json")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as done:  # --help, --version, or a complaint that has been printed
        return done.code if isinstance(done.code, int) else BAD_INPUT
    try:
        verbs = import_module("gatetheory.presentation.verbs")
        code: int = verbs.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough: head, less
        _silence_stdout()
        return CLOSED_PIPE
    except (ConvergenceError, PrecisionError) as error:
        return _complain(error, STOPPED)
    except (GatetheoryError, OSError) as error:
        return _complain(error, BAD_INPUT)
    return code


def _complain(error: Exception, code: int) -> int:
    print(f"gatetheory: error: {' '.join(str(error).split())}", file=sys.stderr)
    return code


def _silence_stdout() -> None:
    """Keep the interpreter from complaining when it flushes stdout at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # stdout is no file
        return


# ---- what can be asked ---------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"gatetheory: error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gatetheory",
        description="From the definition of a random gated network to its mean-field theory, and "
        "from there to numbers that are checked against simulated networks.",
        epilog="Exit codes: 0 answered, 1 a validation failed, 2 bad input, 3 not converged or "
        "precision lost.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    verb = verbs.add_parser("models", help="list the published models and their parameters")
    _add_output(verb)

    verb = verbs.add_parser("equations", help="print the derived equations of a model")
    _add_model(verb)
    verb.add_argument("result", metavar="RESULT", nargs="*", help="by default every result")
    verb.add_argument("--format", choices=FORMATS, default="text", help="by default text")
    verb.add_argument("--json", action="store_true", help="the same as --format json")
    verb.add_argument("--quiet", action="store_true", help="no progress bar")

    verb = verbs.add_parser("solve", help="solve derived equations at parameters")
    _add_model(verb)
    verb.add_argument(
        "result",
        metavar="RESULT",
        help="fixed_points, spectrum, moments, correlations, lyapunov, two_time or gradients",
    )
    _add_settings(verb)
    verb.add_argument("--digits", type=int, default=15, metavar="D", help="by default doubles")
    verb.add_argument("--branch", type=int, metavar="K",
                      help="fixed point or stationary state, counted from 0")  # fmt: skip
    verb.add_argument("--state", nargs="+", action="extend", metavar="NAME=VALUE",
                      help="variances of a synthetic state, instead of a fixed point")  # fmt: skip
    verb.add_argument("--closure", choices=CLOSURES,
                      help="of results in time; by default constant where it is exact, "
                      "else sampled")  # fmt: skip
    verb.add_argument("--seed", type=int, metavar="S", help="of the closure sampled, by default 0")
    verb.add_argument("--accuracy", type=float, metavar="A",
                      help="relative standard error that the closure sampled aims at")  # fmt: skip
    verb.add_argument("--duration", type=float, metavar="T", help="of two_time, by default 20")
    verb.add_argument("--step", type=float, metavar="H", help="between times of two_time, "
                      "by default 1/4 (1 in a map)")  # fmt: skip
    _add_gradients(verb)
    _add_output(verb)

    verb = verbs.add_parser("transition", help="find where a network changes its behaviour")
    _add_model(verb)
    verb.add_argument("kind", metavar="KIND",
                      help="zero-state, fold, stability, chaos, tricritical-static, "
                      "tricritical-dynamic or marginal")  # fmt: skip
    verb.add_argument("--along", metavar="NAME", help="the parameter that is sought")
    verb.add_argument("--and", metavar="NAME", dest="also",
                      help="second parameter of a tricritical point")  # fmt: skip
    verb.add_argument("--between", nargs=2, metavar=("LO", "HI"),
                      help="range, by default the domain cut to [0.001, 50]")  # fmt: skip
    _add_settings(verb)
    verb.add_argument("--digits", type=int, default=15, metavar="D", help="by default 15")
    verb.add_argument("--certify", action="store_true",
                      help="enclose it by ball arithmetic, with a proof")  # fmt: skip
    verb.add_argument("--closure", choices=CLOSURES[:2],
                      help="of chaos, where a gate that multiplies a drift fluctuates")  # fmt: skip
    _add_output(verb)

    verb = verbs.add_parser("phase-diagram", help="draw transitions in the plane of two parameters")
    _add_model(verb)
    _add_axes(verb)
    _add_settings(verb)
    verb.add_argument("--closure", choices=CLOSURES[:2], help="of chaos")
    verb.add_argument("--out", default="out", metavar="DIR", help="folder, by default out")
    _add_output(verb)

    verb = verbs.add_parser("gradient-regions",
                            help="draw where gradients vanish, stay and explode")  # fmt: skip
    _add_model(verb)
    _add_axes(verb)
    _add_settings(verb)
    verb.add_argument("--horizon", default="40", metavar="T",
                      help="over which gradients are compared, by default 40")  # fmt: skip
    verb.add_argument("--closure", choices=CLOSURES[:2],
                      help="an approximation for states that otherwise have to be "
                      "sampled")  # fmt: skip
    verb.add_argument("--out", default="out", metavar="DIR", help="folder, by default out")
    _add_output(verb)

    verb = verbs.add_parser("simulate", help="simulate finite networks")
    _add_model(verb)
    _add_settings(verb)
    verb.add_argument("--units", type=int, metavar="N", help="by default 1000")
    verb.add_argument("--seeds", type=int, metavar="K", help="networks, by default 8")
    _add_output(verb)

    verb = verbs.add_parser("validate", help="compare theory with simulated networks")
    _add_model(verb)
    _add_settings(verb)
    _add_sizes(verb)
    _add_output(verb)

    verb = verbs.add_parser("report", help="write one self-contained HTML page about a model")
    verb.add_argument("model", metavar="MODEL", nargs="?", default="gated", help="default gated")
    _add_settings(verb)
    _add_sizes(verb)
    verb.add_argument("--out", default="out", metavar="DIR", help="folder, by default out")
    _add_output(verb)
    return parser


def _add_model(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("model", metavar="MODEL", help="a name from `gatetheory models`")


def _add_axes(verb: argparse.ArgumentParser) -> None:
    for axis in ("x", "y"):
        verb.add_argument(f"--{axis}", nargs=4, required=True, metavar=("NAME", "LO", "HI", "N"),
                          help=f"parameter of the {axis} axis, its range, and the number of "
                          "values")  # fmt: skip


def _add_settings(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE",
                      dest="settings",
                      help="parameters; decimals and fractions are exact (0.1 = 1/10)")  # fmt: skip


def _add_gradients(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--horizon", nargs="+", metavar="T",
                      help="of gradients, by default 10; several are solved together")  # fmt: skip
    verb.add_argument("--by", nargs="+", metavar="NAME",
                      help="parameters whose gradients are wanted, or all; by default all where "
                      "they need not be sampled")  # fmt: skip
    verb.add_argument("--loss", metavar="FORMULA",
                      help="of gradients, in fields and the weight c, by default c times the main "
                      "field")  # fmt: skip
    verb.add_argument("--running", action="store_true", default=None,
                      help="integrate the loss over time")  # fmt: skip
    verb.add_argument("--fixed-point", type=int, metavar="K",
                      help="take gradients at this fixed point, counted from 0")  # fmt: skip


def _add_sizes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--units", type=int, nargs="+", metavar="N",
                      help="sizes; means over several are extrapolated in 1/N")  # fmt: skip
    verb.add_argument("--seeds", type=int, metavar="K", help="networks of each size")
    verb.add_argument("--static", action="store_true",
                      help="leave out the chaotic state, which takes the longest")  # fmt: skip
    verb.add_argument("--accuracy", type=float, metavar="A",
                      help="relative standard error of correlations where they must be sampled, "
                      "by default 0.02")  # fmt: skip


def _add_output(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.add_argument("--quiet", action="store_true", help="no progress bar")


class _Version(argparse.Action):
    """Prints the version, which is read only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"gatetheory {import_module('gatetheory').__version__}")
        parser.exit()
