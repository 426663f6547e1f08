"""The one door to DAQP: its C functions by name, so that compiled code calls the solver without a way through Python.

A decision makes several small solves with cold caches; the way through the Python interface cost more than the solver
itself. What is called is DAQP's documented C interface (``daqp_quadprog``, ``daqp_dual_init_active``) as the module that pip
installs exports it. Its structures are written down here once; ``pyproject.toml`` pins the version they are of, the defaults
are read back at import to see that they stand where they should, and the test compares every answer with DAQP's own
Python interface bit for bit. Source of the method: Arnström, Bemporad, Axehill (2022), a dual active-set solver.
*Tested by* tests/unit/test_kernels_solver.py.
"""

from __future__ import annotations

import ctypes
from typing import Final

import daqp
import numpy as np
from llvmlite import binding
from numba import types

from common.kernels.jit import F64, exact_kernel

#: DAQP's exit flag where it finds no feasible point.
INFEASIBLE: Final = -1
#: Bounds hold to this.
_FEASIBLE = 1e-7
#: Weights of the proximal term, tried in turn where DAQP says of a feasible programme that it is not; of a part the first.
_PROXIMAL: Final = (0.01, 0.1, 1.0)

#: Where they stand in one array, in words of 8 bytes: ``DAQPProblem`` first, ``DAQPResult``, ``DAQPSettings`` with room for
#: more, the states of the bounds.
_RESULT: Final = 10
_CHOSEN: Final = 18
_STATES: Final = 50
#: In the result, in half words: the exit flag, then the iterations.
_FLAG: Final = 8
#: In the settings, in words; the limit of iterations in half words.
_PRIMAL_TOL: Final = 0
_EPS_PROX: Final = 7
_ITER_LIMIT: Final = 11
#: What DAQP sets by default there; something else means another layout.
_DEFAULTS = (1e-6, -1e-6, 10_000)

_library = ctypes.CDLL(daqp.__file__)


def _by_name(name: str) -> None:
    """Make an exported function known to compiled code by its name, which a cached kernel keeps (not so an address)."""
    if not hasattr(_library, name):
        raise ImportError(f"{daqp.__file__} does not export {name}: Hedgerow needs DAQP 0.11 with its C interface")
    binding.add_symbol(name, ctypes.cast(getattr(_library, name), ctypes.c_void_p).value)


def _settings() -> F64:
    """DAQP's own settings as words, but for the tolerance; raises ``ImportError`` where they are laid out otherwise."""
    words = np.zeros(_STATES - _CHOSEN)
    _library.daqp_default_settings(ctypes.c_void_p(words.ctypes.data))
    if (words[_PRIMAL_TOL], words[_EPS_PROX], words.view(np.int32)[_ITER_LIMIT]) != _DEFAULTS:
        raise ImportError(f"{daqp.__file__} lays its settings out otherwise: Hedgerow needs DAQP 0.11")
    words[_PRIMAL_TOL] = _FEASIBLE
    return words


for _name in ("daqp_quadprog", "daqp_dual_init_active", "daqp_default_settings"):
    _by_name(_name)
_quadprog = types.ExternalFunction("daqp_quadprog", types.void(types.intp, types.intp, types.intp))
_dual_init_active = types.ExternalFunction("daqp_dual_init_active", types.void(types.intp, types.intp))
#: What kernels take as ``settings``.
SETTINGS: Final = _settings()


@exact_kernel
def once(
    hessian: F64,
    gradient: F64,
    rows: F64,
    upper: F64,
    lower: F64,
    hint: F64,
    settings: F64,
    proximal: float,
    limit: int,
) -> tuple[F64, F64, int, int]:
    """One call of DAQP: see ``quadratic``. ``hint`` may be empty; ``proximal``: weight of the proximal term, 0 as DAQP likes."""
    n, k = len(gradient), len(rows)
    x, multipliers = np.empty(n), np.empty(n + k)
    # One array, read after the calls: an array lives until it was last named, not until its address was last used.
    words = np.zeros(_STATES + (n + k + 1) // 2, np.int64)
    numbers, halves, at = words.view(np.float64), words.view(np.int32), words.ctypes.data
    words[0], words[1] = n | ((n + k) << 32), n
    words[2], words[3], words[4] = hessian.ctypes.data, gradient.ctypes.data, rows.ctypes.data
    words[5], words[6], words[7] = upper.ctypes.data, lower.ctypes.data, at + 8 * _STATES
    words[_RESULT], words[_RESULT + 1] = x.ctypes.data, multipliers.ctypes.data
    numbers[_CHOSEN:_STATES] = settings
    halves[2 * _CHOSEN + _ITER_LIMIT] = limit
    if proximal > 0.0:
        numbers[_CHOSEN + _EPS_PROX] = proximal
    if len(hint):
        _dual_init_active(at, hint.ctypes.data)
    _quadprog(at + 8 * _RESULT, at, at + 8 * _CHOSEN)
    flag, iterations = int(halves[2 * _RESULT + _FLAG]), int(halves[2 * _RESULT + _FLAG + 1])
    if flag >= 1 and not np.isfinite(x).all():
        flag = INFEASIBLE
    return x, multipliers, flag, iterations


@exact_kernel
def quadratic(
    hessian: F64, gradient: F64, rows: F64, upper: F64, lower: F64, hint: F64, whole: bool, settings: F64, limit: int
) -> tuple[F64, F64, int, int]:
    """(x (n,), multipliers (n + k,), exit flag, iterations) of: minimise ½ x'Hx + g'x, lower <= (x, A x) <= upper.

    hessian (n, n) positive definite, rows A (k, n); ``hint`` (n + k,): multipliers whose signs say which bounds hold at the
    start. Arrays in C order, not written to. Flag 1 or more: solved. The programme must be feasible: a flag that says
    otherwise (quadratic part almost 0 beside the linear) is answered by proximal iterations; ``whole``: with all their weights.
    """
    found, multipliers, flag, iterations = once(
        hessian, gradient, rows, upper, lower, hint, settings, 0.0, max(limit, 1)
    )
    for k in range(len(_PROXIMAL) if whole else 1):
        if flag != INFEASIBLE:
            break
        left = max(limit - iterations, 1)
        found, multipliers, flag, steps = once(
            hessian, gradient, rows, upper, lower, hint[:0], settings, _PROXIMAL[k], left
        )
        iterations += steps
    return found, multipliers, flag, iterations
