"""Records of what sampling found: every number with a standard error over independent replicas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ParameterError
from gatetheory.solvers.records import Provenance, Status

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SampledCorrelations:
    """A stationary state found by sampling.

    Covariances of fields have their means subtracted; those of nonlinearities and of local fields
    (``C_eta_<coupling>`` = s²⟨ψψ'⟩) have not. When the status is not ``"ok"`` the numbers are those
    of the last iterate and must not be used as results.

    Args:
        status: ``"ok"``, ``"no_chaotic_state"`` or ``"not_converged"``.
        values: Equal-time covariances by name: from all paths together, and corrected for the bias
            of a finite number of paths by comparing with single replicas (jackknife).
        errors: Their standard errors, feedback of the noise through self-consistency included.
        plateaus: C(∞): the mean over the last eighth of the lags.
        means: Mean of every field by name (``m_<field>``).
        half_width: Lag at which the main covariance has fallen half-way to its plateau.
        half_width_error: Its standard error.
        lags: Lags from 0 to half the window, in the model's time, shape (n,).
        functions: Covariances at the lags by name, shape (n,) each.
        function_errors: Their standard errors.
        main: Name of the main covariance.
        residual: Largest ‖G(C) − C‖/‖C‖ over the replicas.
        history: The same at every iteration of the last replica.
        step_error: Largest relative change of an equal-time covariance when the step is halved
            at given local fields.
        memory: Largest change of a path over the last period, relative to its spread.
        undecayed: Part of the decay that happens in the far half of the lags; a stationary state
            has been seen only where this is small.
        paths: Number of paths in all replicas together.
        replicas: Number of independent replicas.
        window: Period of the drives.
        step: Time step; 1 in a map.
        closure: ``"sampled"``.
        advice: Why the status is not ok and what to do; warnings otherwise.
        spectra: Power spectra of the distinct local fields, one set per replica.
        pooled: The same from all replicas taken as one.
        seed: Seed of the random numbers, and the stage that drew them.
        stage: See ``seed``.
        provenance: Parameters, assumptions, references.
    """

    status: Status
    values: Mapping[str, float]
    errors: Mapping[str, float]
    plateaus: Mapping[str, float]
    means: Mapping[str, float]
    half_width: float
    half_width_error: float
    lags: Array = field(repr=False)
    functions: Mapping[str, Array] = field(repr=False)
    function_errors: Mapping[str, Array] = field(repr=False)
    main: str
    residual: float
    history: tuple[float, ...] = field(repr=False)
    step_error: float
    memory: float
    undecayed: float
    paths: int
    replicas: int
    window: float
    step: float
    closure: str
    advice: str
    spectra: tuple[Array, ...] = field(repr=False)
    pooled: Array = field(repr=False)
    seed: int
    stage: int
    provenance: Provenance = field(repr=False)

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            near = get_close_matches(name, self.values, n=2, cutoff=0.4) or list(self.values)
            raise ParameterError(f"there is no {name!r}; there are {', '.join(near)}")
        return self.values[name]

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        lines = [
            f"closure sampled ({self.status}): {self.replicas} replicas, {self.paths} paths over "
            f"{self.window:g}, step {self.step:g}"
        ]
        if self.status == "ok":
            for n, v in self.values.items():
                far = float(self.function_errors[n][-1])
                static = f", C(∞) = {self.plateaus[n]:.3g}" if self.plateaus[n] > 5 * far else ""
                lines.append(f"{n} = {v:.6g} ± {self.errors[n]:.1g}{static}")
            lines.append(f"half width {self.half_width:.4g} ± {self.half_width_error:.1g}")
            lines.append(f"residual {self.residual:.1e}, error of the step {self.step_error:.1e}")
        if self.advice:
            lines.append(self.advice)
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class SampledLyapunov:
    """The largest Lyapunov exponent from sampled tangent paths.

    Args:
        status: ``"ok"``, ``"no_chaotic_state"`` or ``"not_converged"``.
        value: λ_max per unit of the model's time (per step); None unless the status is ok.
        error: Standard error over replicas, that of the stationary state included.
        residual: Largest relative change of the covariance of δη under its map that was left; as an
            error of the logarithm of its gain.
        step_error: Change of λ when the step is halved at given local fields; 0 in a map.
        by_replica: λ of every replica, shape (replicas,).
        mode_lags: Lags, shape (n,).
        mode: Covariance of e^{−λt} δη by coupling, largest 1, shape (n,) each.
        correlations: The stationary state.
        closure: ``"sampled"``.
        advice: Why the status is not ok, and what to do.
        provenance: Parameters, assumptions, references.
        abscissa: Spectral abscissa (ln radius of a map) of the stable fixed point, if there is one
            and no chaotic state.
    """

    status: Status
    value: float | None
    error: float | None
    residual: float | None
    step_error: float | None
    by_replica: Array
    mode_lags: Array = field(repr=False)
    mode: Mapping[str, Array] = field(repr=False)
    correlations: SampledCorrelations = field(repr=False)
    closure: str
    advice: str
    provenance: Provenance = field(repr=False)
    abscissa: float | None = None

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        if self.value is None:
            rest = "" if self.abscissa is None else f"; stable fixed point: {self.abscissa:.12g}"
            return f"closure sampled ({self.status}): {self.advice}{rest}"
        note = f"; {self.advice}" if self.advice else ""
        return f"λ_max = {self.value:.5g} ± {self.error:.1g} (sampled){note}"


@dataclass(frozen=True, eq=False)
class SampledTwoTime:
    """Second moments at two times, and means, from given initial values on.

    Args:
        status: ``"ok"`` or ``"not_converged"``.
        times: t_i, shape (T,).
        moments: ⟨x(t_i) x(t_j)⟩ by name, means not subtracted, shape (T, T): ``C_<field>``,
            ``C_<nonlinearity>``, and ``C_eta_<coupling>`` = s²⟨ψψ'⟩.
        errors: Their standard errors over replicas, shape (T, T).
        means: Mean of every field by name (``m_<field>``), shape (T,).
        mean_errors: Their standard errors, shape (T,).
        step: Time step; 1 in a map.
        step_error: Largest change of an equal-time moment when the step is halved at given local
            fields, relative to the moment's largest value.
        paths: Number of paths in all replicas together.
        replicas: Number of replicas.
        closure: ``"sampled"``.
        advice: What to do when the status is not ok.
        provenance: Parameters, assumptions, references.
        reason: Why this closure.
    """

    status: Status
    times: Array
    moments: Mapping[str, Array] = field(repr=False)
    errors: Mapping[str, Array] = field(repr=False)
    means: Mapping[str, Array] = field(repr=False)
    mean_errors: Mapping[str, Array] = field(repr=False)
    step: float
    step_error: float
    paths: int
    replicas: int
    closure: str
    advice: str
    provenance: Provenance = field(repr=False)
    reason: str = ""

    def __getitem__(self, name: str) -> Array:
        found = self.moments.get(name, self.means.get(name))
        if found is None:
            known = [*self.moments, *self.means]
            near = get_close_matches(name, known, n=2, cutoff=0.4) or known
            raise ParameterError(f"there is no {name!r}; there are {', '.join(near)}")
        return found

    @property
    def memory(self) -> int:
        """Bytes of the moments and their errors."""
        return 2 * sum(m.nbytes for m in self.moments.values())

    def equal_time(self, name: str) -> Array:
        """⟨x(t)²⟩ of a moment, shape (T,)."""
        return np.diagonal(self[name]).copy()

    def covariance(self, field_name: str) -> Array:
        """⟨x(t) x(t')⟩ − m(t) m(t') of a field, shape (T, T)."""
        mean = self[f"m_{field_name}"]
        return self[f"C_{field_name}"] - np.outer(mean, mean)

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        lines = [f"closure sampled ({self.reason})"] if self.reason else []
        lines += [
            f"{self.status}: {len(self.times)} times from {self.times[0]:g} to "
            f"{self.times[-1]:g}, step {self.step:g}, {self.paths} paths"
        ]
        for name, c in self.moments.items():
            lines.append(
                f"{name}: {c[0, 0]:.6g} → {c[-1, -1]:.6g} ± {self.errors[name][-1, -1]:.1g} at "
                f"equal times, {c[0, -1]:.6g} between first and last"
            )
        return "\n".join([*lines, self.advice] if self.advice else lines)
