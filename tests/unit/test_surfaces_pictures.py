"""The pictures are drawn, from a clean and from a broken surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.surfaces.fitting import fit
from lab.surface_pictures import smiles_picture, variance_picture
from tests.surfaces_world import AS_OF_NS, chain_of, essvi_w

PNG = b"\x89PNG"


def test_a_fit_is_drawn_and_violations_change_the_picture() -> None:
    chain = chain_of([20.0, 60.0], lambda i, k: essvi_w(k, 0.002 * (1 + i), -0.6, 0.04 * (1 + i)))
    result = fit(chain, AS_OF_NS)
    assert result.surface is not None
    crossed = replace(result, surface=replace(result.surface, slices=result.surface.slices[::-1].copy()))
    for picture in (smiles_picture, variance_picture):
        clean, broken = picture(result), picture(crossed)
        assert clean.startswith(PNG) and broken.startswith(PNG)
        assert clean != broken


def test_without_a_surface_there_is_nothing_to_draw() -> None:
    chain = chain_of([20.0], lambda i, k: essvi_w(k, 0.002, -0.6, 0.04))
    empty = fit(replace(chain, bid=np.zeros(len(chain))), AS_OF_NS)
    with pytest.raises(ValueError, match="nothing to draw"):
        smiles_picture(empty)
