"""The zero fixed point loses stability at g_h σ_r(0) = 1 (Krishnamurthy et al., Sec. IV)."""

import pytest
import sympy
from sympy import Rational, Symbol, exp

from gatetheory.model import zoo
from gatetheory.pipeline import solve
from gatetheory.theory.derive import derive
from gatetheory.theory.transitions import solve_zero_state, zero_state_condition


@pytest.mark.parametrize("bias", [-2, -1, 0, Rational(1, 2), 3])
def test_expression_and_number(bias: sympy.Expr) -> None:
    theory = derive(zoo.gated())
    condition = zero_state_condition(
        theory.fixed_points, theory.spectrum, {theory.model.symbols["beta_h"]: sympy.S.Zero}
    )
    (critical,) = solve_zero_state(condition, theory.model.symbols["g_h"])
    beta: Symbol = theory.model.symbols["beta_r"]
    assert sympy.simplify(critical - (1 + exp(beta))) == 0
    value = Rational(str(critical.subs(beta, bias).evalf(30)))
    for step, stable in ((Rational(-1, 10**9), True), (Rational(1, 10**9), False)):
        at = {"g_h": value * (1 + step), "beta_r": bias, "alpha_z": 3, "tau_z": 4}
        zero = solve(theory.fixed_points, at)[0]
        assert zero["Delta_h"] == 0
        assert zero.stable is stable
