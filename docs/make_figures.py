"""Draw the picture of the README: ``python docs/make_figures.py`` (half a minute)."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

import gatetheory as gt
from gatetheory import simulation
from gatetheory.presentation.drawing import GREY, INK, SIMULATION, STYLE, THEORY
from gatetheory.solvers.records import Spectrum
from gatetheory.validation import draw_state

UNITS, SEED = 700, 1
GATE_GAINS = (0, 3, 20)
PICTURE = Path(__file__).parent / "spectrum.png"


def solve_and_simulate(gain: int) -> tuple[Spectrum, NDArray[np.complex128]]:
    """Boundary of the spectral support, and the eigenvalues of one network, atom apart."""
    model = gt.zoo.gated()
    theory = gt.derive(model)
    at = {"g_h": 3, "alpha_r": 1, "tau_z": 2, "tau_r": 2, "alpha_z": gain}
    spectrum = gt.solve(theory.spectrum, at, trace=True)
    law = theory.spectrum.law
    variances = {u: float(spectrum.state[u.name]) for u in law.unknowns}
    network = simulation.draw_network(model, at, UNITS, SEED)
    state = draw_state(network, law, variances, [SEED, gain])
    found = simulation.eigenvalues(simulation.jacobian(network, state))
    return spectrum, found[np.abs(found - spectrum.atoms[0]) > 1e-6]


def draw(ax: Axes, gain: int) -> None:
    """One panel."""
    spectrum, eigenvalues = solve_and_simulate(gain)
    ax.axvline(0, color=GREY, lw=0.8, zorder=0)
    ax.plot(eigenvalues.real, eigenvalues.imag, "o", ms=2.4, mew=0, alpha=0.6, color=SIMULATION,
            label=f"eigenvalues of one network of {UNITS} units")  # fmt: skip
    for k, curve in enumerate(spectrum.boundary.curves if spectrum.boundary else ()):
        name = None if k else "boundary of the spectrum, derived"
        ax.plot(curve.real, curve.imag, color=THEORY, lw=1.8, label=name)
    atom = spectrum.atoms[0].real
    ax.plot([atom], [0], "x", ms=8, mew=1.8, color=INK, label=f"atom at −1/τ_z, {UNITS} modes")
    ax.set_title(rf"$\alpha_z = {gain}$", pad=8)
    exponent = int(np.floor(np.log10(spectrum.value)))
    number = f"{spectrum.value:.3f}"
    if exponent < -3:
        number = rf"{spectrum.value / 10.0**exponent:.1f} \times 10^{{{exponent}}}"
    ax.text(0.03, 0.97, rf"$\max\,\mathrm{{Re}}\,\lambda = {number}$", transform=ax.transAxes,
            va="top")  # fmt: skip
    ax.set_xlabel(r"$\mathrm{Re}\,\lambda$  (units of $1/\tau_h$)")
    ax.set(aspect="equal", xlim=(-1.85, 0.25), ylim=(-0.85, 1.0))


def main() -> None:
    """The picture."""
    matplotlib.use("Agg")
    matplotlib.rcParams.update(STYLE)
    figure, axes = plt.subplots(1, len(GATE_GAINS), figsize=(9.6, 3.9), sharey=True)
    for ax, gain in zip(axes, GATE_GAINS, strict=True):
        draw(ax, gain)
    axes[0].set_ylabel(r"$\mathrm{Im}\,\lambda$  (units of $1/\tau_h$)")
    handles, labels = axes[0].get_legend_handles_labels()
    labels = [label.replace("1/τ_z", r"$1/\tau_z$") for label in labels]
    figure.legend(handles, labels, loc="lower center", ncols=3, columnspacing=2.5)
    figure.subplots_adjust(left=0.08, right=0.985, top=0.92, bottom=0.22, wspace=0.08)
    figure.savefig(PICTURE, dpi=180, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
