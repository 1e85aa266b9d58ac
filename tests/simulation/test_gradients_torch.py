"""The adjoint beside automatic differentiation by PyTorch (extra ``autograd``), on the CPU.

The gated network and its Runge-Kutta steps are written out here by hand in PyTorch, so that the
model, the scheme and their derivatives are all checked by code that shares nothing with them.
"""

from typing import Any

import numpy as np
import pytest

from gatetheory.model import zoo
from gatetheory.simulation import backpropagate, draw_network, random_state

torch: Any = pytest.importorskip("torch", reason="needs the extra 'autograd'")

VALUES = {
    "g_h": 2.5, "alpha_z": 1.75, "alpha_r": 4.0, "beta_h": 0.25, "beta_z": 0.375,
    "beta_r": -0.5, "tau_z": 1.5, "tau_r": 2.0,
}  # fmt: skip
UNITS, STEP, STEPS = 30, 0.1, 20


def drift(h: Any, z: Any, r: Any, J: Any, p: Any) -> tuple[Any, Any, Any]:
    phi = torch.tanh(p["g_h"] * h + p["beta_h"])
    update = torch.sigmoid(p["alpha_z"] * z - p["beta_z"])
    reset = torch.sigmoid(p["alpha_r"] * r - p["beta_r"])
    return (
        update * (J["h"] @ (phi * reset) - h),
        (J["z"] @ phi - z) / p["tau_z"],
        (J["r"] @ phi - r) / p["tau_r"],
    )


def rk4(x: Any, J: Any, p: Any) -> Any:
    def f(y: Any) -> Any:
        return torch.stack(drift(*y, J, p))

    k1 = f(x)
    k2 = f(x + STEP / 2 * k1)
    k3 = f(x + STEP / 2 * k2)
    k4 = f(x + STEP * k3)
    return x + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


@pytest.mark.parametrize("running", [False, True])
def test_gradients_are_those_of_autograd(running: bool) -> None:
    network = draw_network(zoo.gated(), VALUES, UNITS, seed=1)
    start = random_state(network, 2)
    found = backpropagate(
        network, start, STEP * STEPS, method="rk4", step=STEP, loss="c*tanh(h)", draws=2,
        running=running, couplings="matrices",
    )  # fmt: skip
    for k, weights in enumerate(found.weights):
        J = {name: torch.tensor(m, requires_grad=True) for name, m in network.matrices.items()}
        p = {
            name: torch.tensor(v, dtype=torch.float64, requires_grad=True)
            for name, v in VALUES.items()
        }
        x0 = torch.tensor(start, requires_grad=True)
        c = torch.tensor(weights)
        x, readouts = x0, []
        for i in range(STEPS + 1):
            readouts.append((c * torch.tanh(x[0])).sum() / np.sqrt(UNITS))
            x = rk4(x, J, p) if i < STEPS else x
        total = STEP * (sum(readouts) - (readouts[0] + readouts[-1]) / 2)
        loss = total if running else readouts[-1]
        loss.backward()
        np.testing.assert_allclose(found.values[k], loss.item(), rtol=1e-11)
        initial = np.sqrt(UNITS) * x0.grad.numpy()
        np.testing.assert_allclose(found.initial[:, k], initial, rtol=0, atol=1e-11)
        for name, J_a in J.items():
            exact = J_a.grad.numpy()
            size = np.abs(exact).max()
            np.testing.assert_allclose(found.matrices[name][k], exact, rtol=0, atol=1e-11 * size)
        for name, theta in p.items():
            np.testing.assert_allclose(found.parameters[name][0, k], theta.grad.item(), rtol=1e-9)
