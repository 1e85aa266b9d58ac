"""Fixed points of a finite network, and their stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, LinAlgWarning, solve
from scipy.sparse.linalg import LinearOperator, gmres
from threadpoolctl import threadpool_limits

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.simulation.integrate import integrate
from gatetheory.simulation.jacobian import eigenvalues, extreme_eigenvalues
from gatetheory.simulation.linearization import Linearization, linearize
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network

_MAX_HALVINGS = 20
