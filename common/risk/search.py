"""The smallest move that breaks a limit, found by walking outwards in every direction at once.

A move of k factors is x = root z; its size is |z|, the number of standard deviations (Mahalanobis distance under the
covariance root root'). A measure says for many moves at once how much of each limit is used; a limit breaks at 1.

1. Shells of growing radius, each a set of directions that covers the sphere, until every limit has broken or the
   farthest shell is passed. No limit that breaks on a ray already passed can be missed by more than a step.
2. From the directions that broke first (and those that came closest), bisection along the ray gives the radius, then
   directions ever closer around the best are tried at that radius; one that breaks earlier takes its place.

The answer is a local minimum around the best of the directions tried, verified against brute force in the tests; a
breach narrower than the spacing of the directions at that radius (an isolated spike) can be passed by.
*Tested by* tests/unit/test_risk_stress.py (closed forms, brute force), tests/properties/test_risk_stress.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from common.messages import F64

#: Moves (m, k) -> used share of each limit (m, l); NaN counts as not broken.
Measure = Callable[[F64], F64]
Progress = Callable[[float], None]

_STARTS: Final = 4
_BISECTIONS: Final = 30
_CONE_ROUNDS: Final = 22
_CONE_START: Final = 0.3
_CONE_SHRINK: Final = 0.55


@dataclass(frozen=True)
class Found:
    """Per limit: ``sigmas`` (l,) size of the smallest move, NaN if none within reach; ``move`` (l, k), NaN rows likewise."""

    sigmas: F64
    move: F64


def root_of(covariance: F64) -> F64:
    """Root (k, r) with root root' = covariance; r leaves out what does not move. Raises ``ValueError`` if it is none."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    scale = float(values[-1]) if len(values) else 0.0
    if not np.isfinite(values).all() or (len(values) and values[0] < -1e-9 * max(scale, 0.0)):
        raise ValueError("not a covariance: it is not finite or has a negative variance")
    kept = values > 1e-10 * scale
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def directions(rank: int, count: int, seed: int) -> F64:
    """Unit vectors (m, rank) that cover the sphere: exactly even in two dimensions, axes, diagonals and a seeded draw above."""
    if rank == 1:
        return np.array([[1.0], [-1.0]])
    if rank == 2:
        angle = 2.0 * np.pi * np.arange(count) / count
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    eye = np.eye(rank)
    pairs = [a * eye[i] + b * eye[j] for i in range(rank) for j in range(i) for a in (1, -1) for b in (1, -1)]
    drawn = np.random.default_rng(seed).standard_normal((count * (rank - 1), rank))
    found = np.concatenate([eye, -eye, np.array(pairs), drawn])
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def smallest_moves(
    measure: Measure,
    root: F64,
    *,
    farthest: float = 6.0,
    step: float = 0.125,
    count: int = 48,
    seed: int = 0,
    progress: Progress | None = None,
) -> Found:
    """Smallest move that breaks each limit, at most ``farthest`` standard deviations away; 0 where it is broken already.

    ``step``: radial spacing of the shells; ``count``: directions (times rank - 1 above two dimensions).
    """
    at_start = _used(measure, np.zeros((1, root.shape[1])), root)[0]
    limits = len(at_start)
    sigmas, unit = np.full(limits, np.nan), np.full((limits, root.shape[1]), np.nan)
    sigmas[at_start >= 1.0], unit[at_start >= 1.0] = 0.0, 0.0
    if root.shape[1]:
        rays = directions(root.shape[1], count, seed)
        starts = _walk(measure, root, rays, np.isnan(sigmas), farthest, step, progress)
        rng = np.random.default_rng(seed)
        for i, (outer, chosen) in starts.items():
            sigmas[i], unit[i] = _refine(measure, root, i, rays[chosen], outer, step, rng)
    return Found(sigmas, (sigmas[:, None] * unit) @ root.T)


def _used(measure: Measure, z: F64, root: F64) -> F64:
    return np.nan_to_num(measure(z @ root.T), nan=0.0)


def _walk(
    measure: Measure,
    root: F64,
    rays: F64,
    wanted: np.ndarray[tuple[int], np.dtype[np.bool_]],
    farthest: float,
    step: float,
    progress: Progress | None,
) -> dict[int, tuple[float, np.ndarray[tuple[int], np.dtype[np.intp]]]]:
    """Per limit the radius of the first shell that breaks it, and the directions to start from, most used first."""
    found: dict[int, tuple[float, np.ndarray[tuple[int], np.dtype[np.intp]]]] = {}
    shells = max(math.ceil(farthest / step), 1)
    for shell in range(1, shells + 1):
        radius = min(shell * step, farthest)
        used = _used(measure, radius * rays, root)
        for i in np.flatnonzero(wanted & (used.max(axis=0) >= 1.0)):
            if int(i) not in found:
                found[int(i)] = radius, np.argsort(-used[:, i], kind="stable")[:_STARTS]
        if progress is not None:
            progress(shell / shells)
        if len(found) == int(wanted.sum()):
            break
    if progress is not None:
        progress(1.0)
    return found


def _refine(
    measure: Measure, root: F64, limit: int, rays: F64, outer: float, step: float, rng: np.random.Generator
) -> tuple[float, F64]:
    """(radius, direction) of the smallest breach near the given directions; ``outer`` breaks on the first of them."""
    best, direction = outer, rays[0]
    for ray in rays:
        radius, found = _around(measure, root, limit, ray, outer, step, rng)
        if radius < best:
            best, direction = radius, found
    return best, direction


def _around(
    measure: Measure, root: F64, limit: int, ray: F64, outer: float, step: float, rng: np.random.Generator
) -> tuple[float, F64]:
    best, direction = outer, ray
    if _used(measure, outer * ray[None], root)[0, limit] >= 1.0:
        best = _bisect(measure, root, limit, ray, max(outer - step, 0.0), outer)
    cone = _CONE_START
    for _ in range(_CONE_ROUNDS):
        near = _near(direction, cone, rng)
        used = _used(measure, best * near, root)[:, limit]
        top = int(np.argmax(used))
        if used[top] >= 1.0:
            inner = _bisect(measure, root, limit, near[top], max(best - step, 0.0), best)
            if inner < best:
                best, direction = inner, near[top]
                continue
        cone *= _CONE_SHRINK
    return best, direction


def _near(direction: F64, cone: float, rng: np.random.Generator) -> F64:
    """Unit vectors around a direction, within an angle of about ``cone``: both ways in two dimensions, a draw above."""
    rank = len(direction)
    if rank == 1:
        return direction[None]
    if rank == 2:
        side = np.array([[-direction[1], direction[0]]])
        turn = cone * np.array([-1.0, -0.5, -0.25, 0.25, 0.5, 1.0])[:, None]
        found = direction + turn * side
    else:
        found = direction + cone * rng.standard_normal((8 * rank, rank)) / math.sqrt(rank)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def _bisect(measure: Measure, root: F64, limit: int, ray: F64, low: float, high: float) -> float:
    """Radius on a ray, between one taken as unbroken and one that breaks; sixteen points a call, so few calls."""
    for _ in range(_BISECTIONS // 4):
        radii = np.linspace(low, high, 17)[1:]
        broken = _used(measure, radii[:, None] * ray, root)[:, limit] >= 1.0
        at = int(np.argmax(broken))
        if not broken[at]:
            return high
        high, low = float(radii[at]), low if at == 0 else float(radii[at - 1])
    return high
