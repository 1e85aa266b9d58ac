"""Gradients of the gated recurrent unit by backpropagation written by hand, ``gru_gradients.json``.

Run: ``python tests/recorded/make_gru_gradients.py`` (a minute on one core). Independent of the
package: the map, its adjoint and the second moments are written out. Rows are networks, columns
the second moments by J_h, J_z, J_r and by α_z.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OUT = Path(__file__).with_name("gru_gradients.json")
UNITS, NETWORKS, HORIZON = 400, 200, 4


def simulate_gru(units: int, seed: int, horizon: int) -> Array:
    """The moments by J_h, J_z, J_r and α_z for g_h = 4, α_z = α_r = 1, by backpropagation."""
    rng = np.random.default_rng(seed)
    J = rng.standard_normal((3, units, units)) / np.sqrt(units)

    def parts(h: Array) -> tuple[Array, ...]:
        s, q = (1 / (1 + np.exp(-J[k] @ h)) for k in (1, 2))
        return h, s, q, J[1] @ h, np.tanh(4 * (J[0] @ (q * h)))

    h = rng.standard_normal(units)
    for _ in range(400):
        h, s, q, _, f = parts(h)
        h = (1 - s) * h + s * f
    path = []
    for _ in range(horizon):
        path.append(parts(h))
        h, s, q, _, f = path[-1]
        h = (1 - s) * h + s * f
    lam, dJ, da = rng.choice([-1.0, 1.0], units), np.zeros((3, units, units)), 0.0
    for h, s, q, z, f in reversed(path):
        dz, dp = lam * (f - h) * s * (1 - s), lam * s * 4 * (1 - f**2)
        dy = J[0].T @ dp
        dr = dy * h * q * (1 - q)
        dJ += np.array([np.outer(dp, q * h), np.outer(dz, h), np.outer(dr, h)])
        da += float(dz @ z)
        lam = lam * (1 - s) + dy * q + J[1].T @ dz + J[2].T @ dr
    return np.array([*(np.mean(d**2) for d in dJ), da**2 / units])


def main() -> None:
    """Simulate all networks and write the file."""
    rows = [simulate_gru(UNITS, seed, HORIZON).tolist() for seed in range(NETWORKS)]
    data = {
        "at": {"g_h": 4, "alpha_z": 1, "alpha_r": 1}, "horizon": HORIZON, "units": UNITS,
        "moments": [[float(f"{v:.7g}") for v in row] for row in rows],
    }  # fmt: skip
    text = json.dumps(data, indent=1)
    OUT.write_text(re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s+", " ", m.group()), text) + "\n")


if __name__ == "__main__":
    main()
