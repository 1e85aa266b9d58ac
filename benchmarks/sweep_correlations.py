"""Random parameter sets of ``gated``: does every one end in a verified state or a clear status?

Run: ``python benchmarks/sweep_correlations.py --sets 1000 --seed 0 --out sweep.jsonl``; one line of
JSON a set, and a table of the statuses at the end. ``--table FILE`` prints the table of a file.

Drawn uniformly: g_h in [0.5, 20], α_r in [0, 20], β_r in [−2, 3], τ_r in [0, 10] (0 itself in every
tenth set), α_z = 0, and in every fourth set β_h in [−1, 1], else β_h = 0. With ``--near`` g_h lies
by a factor 1 ± ε next to 1 + e^{β_r}, where the quiet state becomes unstable at β_h = 0, ln ε drawn
uniformly between those of 1e-3 and 0.5.

The stationary state and λ_max are solved from the parameters alone. The state is then put back into
its equations by code that shares nothing with the solver but the interpolation of what it found:

* ⟨φφ'⟩⟨σ_rσ_r'⟩ and ⟨φφ'⟩ by a tensor rule in (x + y)/√2 and (x − y)/√2 at a handful of lags;
* C_h and C_r there by Gauss-Legendre quadrature of (k/2) ∫ e^{−k|τ−τ'|} S(τ') dτ'.

Where no chaotic state is reported the equations are iterated in the time domain from a wide bump,
on a uniform grid of lags with damping; what is left of the bump is listed as ``witness``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gated_by_hand import REST, Values, residual, witness

import gatetheory as gt
from gatetheory.errors import ConvergenceError


def parameter_sets(count: int, seed: int, near: bool = False) -> Iterator[Values]:
    """Values by name, four decimals (of g_h near the onset, six)."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        at = {
            "g_h": rng.uniform(0.5, 20),
            "alpha_r": rng.uniform(0, 20),
            "beta_r": rng.uniform(-2, 3),
            "tau_r": rng.uniform(0, 10),
            "beta_h": rng.uniform(-1, 1),
        }
        if near:
            step = np.exp(rng.uniform(np.log(1e-3), np.log(0.5))) * rng.choice((-1, 1))
            at["g_h"] = max((1 + np.exp(at["beta_r"])) * (1 + step), 0.5)
        if k % 10 == 9:
            at["tau_r"] = 0.0
        if k % 4 != 3:
            at["beta_h"] = 0.0
        digits = {"g_h": 6} if near else {}
        yield {"alpha_z": "0", **{n: f"{v:.{digits.get(n, 4)}f}" for n, v in at.items()}}


class OutOfTimeError(Exception):
    """A set took longer than allowed."""


def solve_one(theory: Any, at: Values, limit: int) -> dict[str, Any]:
    """Status, numbers and times of one set."""

    def stop(*_: Any) -> None:
        raise OutOfTimeError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit)  # processor time: the machine may be shared
    start, row = time.process_time(), dict[str, Any]()
    stage = "correlations"
    try:
        state = gt.solve(theory.correlations, at)
        row |= {"correlations": state.status, "quiet": state.quiet_response}
        row["correlations_s"] = round(time.process_time() - start, 2)
        row["branches"] = [
            {n: b[n] for n in ("C_h", "C_r", "C_phi")}
            | {"half_width": b.half_width, "error": b.error, "residual": b.residual}
            for b in state
        ]
        stage = "lyapunov"
        found = gt.solve(theory.lyapunov, at)
        row |= {"lyapunov": found.status, "value": found.value, "error": found.error}
        row["s"] = round(time.process_time() - start, 2)
        stage = "independent"
        row["independent"] = max((residual(at, b) for b in state), default=None)
        if not len(state):
            row |= {"abscissa": found.abscissa, "witness": witness(at)}
    except ConvergenceError as error:
        row |= {stage: "not_converged", "message": str(error)}
    except OutOfTimeError:
        row |= {stage: "out_of_time"}
    except Exception as error:
        row |= {stage: "raised", "message": f"{type(error).__name__}: {error}"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    row["total_s"] = round(time.process_time() - start, 2)
    return row


def print_table(rows: list[dict[str, Any]]) -> None:
    """Counts of statuses, and what deserves a look."""
    counts = Counter((r.get("correlations", "-"), r.get("lyapunov", "-")) for r in rows)
    print("correlations, lyapunov: sets")
    for key, n in counts.most_common():
        print(f"  {key[0]}, {key[1]}: {n}")
    chaotic = [r for r in rows if r.get("correlations") != "no_chaotic_state"]
    good = [r for r in chaotic if r.get("lyapunov") == "ok"]
    if chaotic:
        print(f"of those with a chaotic state (or unsettled) ok: {len(good) / len(chaotic):.2%}")
    checked = [r["independent"] for r in rows if isinstance(r.get("independent"), float)]
    if checked:
        print(f"independent residual: median {np.median(checked):.1e}, largest {max(checked):.1e}")
    spent = [r["correlations_s"] for r in rows if "correlations_s" in r]
    if spent:
        print(f"seconds of correlations: median {np.median(spent):.2f}, largest {max(spent):.1f}")
    for r in rows:
        alive = r.get("witness") is not None and r["witness"] > 10 * REST
        if alive or not {r.get("correlations"), r.get("lyapunov")} <= {"ok", "no_chaotic_state"}:
            print(json.dumps(r))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--near", action="store_true", help="sets next to the onset")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the sets to be solved")
    parser.add_argument(
        "--limit", type=int, default=300, help="seconds of processor time a set may take"
    )
    parser.add_argument("--out", type=Path, default=Path("sweep.jsonl"))
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if options.table:
        print_table([json.loads(line) for line in options.table.read_text().splitlines()])
        return
    theory, rows = gt.derive(gt.zoo.gated()), []
    with options.out.open("a") as file:
        for k, at in enumerate(parameter_sets(options.sets, options.seed, options.near)):
            if options.only and k not in options.only:
                continue
            rows.append({"set": k, "at": at} | solve_one(theory, at, options.limit))
            print(json.dumps(rows[-1]), file=file, flush=True)
            if sys.stderr.isatty():
                print(k, rows[-1].get("lyapunov"), file=sys.stderr)
    print_table(rows)


if __name__ == "__main__":
    main()
