"""Response of a finite network to a force of frequency λ, from local field to local field.

With D = A + Σ_a L_a J^a R_a and E = 1 for fields with dynamics, 0 for algebraic ones, a force at
the local field of coupling b makes the signal of coupling a answer by R_a (λE − D)^{-1} L_b. Its
mean square over units, times s_a², is what the local field of a receives back. It is
self-averaging, also where single eigenvalues are not.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from gatetheory.simulation.linearization import linearize
from gatetheory.simulation.lowering import Array, as_double
from gatetheory.simulation.network import Network, UnitState


def response(network: Network, state: Array | UnitState, spectral: complex) -> Array:
    """(s_a²/N) Σ_ij |[R_a (λE − D)^{-1} L_b]_ij|² for every pair of couplings.

    Args:
        network: The network, N units.
        state: A state, or a synthetic state.
        spectral: λ, outside the spectrum.

    Returns:
        Shape (couplings, couplings): row a, column b.
    """
    n, unit, model = network.units, network.unit, network.model
    linear = linearize(network, state)
    f, couplings = len(model.fields), len(model.couplings)
    pencil = np.zeros((f, n, f, n), complex)
    diagonal = np.arange(n)
    for field in unit.dynamic:
        pencil[field, diagonal, field, diagonal] = spectral
    for (i, j), entry in linear.direct.items():
        pencil[i, diagonal, j, diagonal] -= entry
    signal_of = {a: s for s, readers in enumerate(unit.readers) for a in readers}
    matrices = list(network.matrices.values())
    for (i, a), drive in linear.driven.items():
        for (s, j), read in linear.read.items():
            if s == signal_of[a]:
                pencil[i, :, j, :] -= drive[:, None] * matrices[a] * read
    inverse = linalg.inv(pencil.reshape(f * n, f * n), overwrite_a=True).reshape(f, n, f, n)
    found = np.zeros((couplings, couplings))
    for a, coupling in enumerate(model.couplings):
        variance = as_double(coupling.variance.xreplace(dict(network.values)), coupling.name)
        for b in range(couplings):
            answer = np.zeros((n, n), complex)
            for (s, j), read in linear.read.items():
                if s != signal_of[a]:
                    continue
                for (i, c), drive in linear.driven.items():
                    if c == b:
                        answer += read[:, None] * inverse[j, :, i, :] * drive
            found[a, b] = variance * float(np.sum(np.abs(answer) ** 2)) / n
    return found
