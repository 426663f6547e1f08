"""The one door to numba: how every kernel is compiled, and where the compiled code is kept.

*Cache.* numba's cache looks only at the file a function stands in, so that a change in an inlined helper would go
unseen. Here the cache folder carries a hash of every kernel file instead: other text, other folder. It lies under
``NUMBA_CACHE_DIR`` if that is set (a writable volume where the root file system is read-only), else beside
this file.

*Fast maths.* Only flags that keep the rounding trick of ``elementary.exp``: no ``reassoc``. `kernel` also assumes
finite numbers (``nnan``, ``ninf``); whatever may meet NaN is `strict_kernel`, which keeps them. `exact_kernel` rounds every
operation by itself (no fused multiply-add), so that a sum has the same bits wherever it is inlined.

*Wide vectors.* On processors with AVX-512, LLVM keeps to 256 bits unless told otherwise; these loops are arithmetic in the
first-level cache, where 512 bits are 1.3 to 1.4 times faster. ``NUMBA_CPU_FEATURES``, if set, decides instead.

*Cold start.* numba looks for scipy's BLAS when its array functions load, only to offer what no kernel uses.

*Speed.* In a hot loop give helpers numbers and plain arrays: each access to a member of a tuple counts references, which
made the loops of ``surface.py`` five times slower.
*Tested by* tests/unit/test_kernels_elementary.py, tests/unit/test_kernels_jit.py.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
from numba.core.codegen import get_host_cpu_features
from numba.core.event import Event, Listener, register
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]

F = TypeVar("F", bound=Callable[..., Any])

FINITE: Final = frozenset({"contract", "nsz", "arcp", "nnan", "ninf"})
STRICT: Final = frozenset({"contract", "nsz"})
EXACT: Final[frozenset[str]] = frozenset()


_announcers: list[_Announcer] = []


class _Announcer(Listener):
    """Passes the name of each function on when its compilation begins; what comes from the cache is not compiled."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def on_start(self, event: Event) -> None:
        """See numba."""
        dispatcher = event.data["dispatcher"]
        self.tell(dispatcher.py_func.__name__)

    def on_end(self, event: Event) -> None:
        """See numba."""


def announce(tell: Callable[[str], None]) -> None:
    """Call ``tell(name)`` whenever a kernel has to be compiled in this process: seconds, once per machine and version.

    A later call takes the place of an earlier one.
    """
    if not _announcers:
        _announcers.append(_Announcer(tell))
        register("numba:compile", _announcers[0])
    _announcers[0].tell = tell


def kernel_files() -> tuple[Path, ...]:
    """Every file whose text decides what the kernels compute, sorted."""
    root = Path(__file__).resolve().parents[2]
    return tuple(sorted([*(root / "common/kernels").glob("*.py"), *(root / "agents").glob("*/kernel.py")]))


def cache_folder(base: Path) -> Path:
    """Folder of the compiled code of exactly this source text under ``base``."""
    digest = hashlib.sha256()
    for path in kernel_files():
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return base / f"hedgerow-{digest.hexdigest()[:16]}"


numba.config.CACHE_DIR = str(
    cache_folder(Path(os.environ.get("NUMBA_CACHE_DIR", Path(__file__).parent / "__pycache__")))
)
if numba.config.CPU_FEATURES is None and "+avx512f" in get_host_cpu_features():
    numba.config.CPU_FEATURES = f"{get_host_cpu_features()},-prefer-256-bit"


def _load_numba_without_blas() -> None:
    """Let numba load its array functions without scipy, which takes a fifth of a second and serves no kernel here."""
    if "scipy" in sys.modules:
        return
    modules = cast(dict[str, Any], sys.modules)
    modules["scipy"] = None
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        del modules["scipy"]


_load_numba_without_blas()


def _jit(function: F, flags: frozenset[str], *, force_inline: bool = False) -> F:
    # error_model numpy: a division by zero gives infinity or NaN, never an exception out of a kernel.
    compile_it = numba.njit(cache=True, nogil=True, fastmath=set(flags), error_model="numpy", forceinline=force_inline)
    return cast(F, compile_it(function))


def kernel(function: F) -> F:
    """Compile a loop over finite numbers; the caller has removed NaN and infinity."""
    return _jit(function, FINITE)


def strict_kernel(function: F) -> F:
    """Compile a function that must see NaN and infinity as they are."""
    return _jit(function, STRICT)


def inline(function: F) -> F:
    """Compile a helper that LLVM must inline (a call in the loop would stop vectorisation); finite arguments only."""
    return _jit(function, FINITE, force_inline=True)


def strict_inline(function: F) -> F:
    """`strict_kernel` that LLVM must inline, since passing tuples of arrays costs more than most helpers do."""
    return _jit(function, STRICT, force_inline=True)


def exact_kernel(function: F) -> F:
    """Compile a function whose every operation rounds as IEEE 754 says, NaN and infinity kept."""
    return _jit(function, EXACT)


def exact_inline(function: F) -> F:
    """`exact_kernel` that LLVM must inline."""
    return _jit(function, EXACT, force_inline=True)
