"""Pictures of decompositions: arrows of two kinds over the potential, and level lines of potential and loss."""
from __future__ import annotations

import io

import numpy as np

import langevin_sgd as ls
from langevin_sgd.plots import draw_decomposition, draw_potential_and_loss

PARTS = ls.decompose(F=np.diag([-4.0, -1.0]), D=[[0.4, 0.12], [0.12, 0.06]])
BOX = [(-1.2, 1.2), (-1.0, 1.0)]


def test_arrows_of_one_colour_fall_and_of_the_other_run_along_the_level_lines() -> None:
    ax = draw_decomposition(PARTS, BOX)
    falling, turning = [c for c in ax.collections if hasattr(c, "U")]
    for arrows, along in ((falling, False), (turning, True)):
        at = np.asarray(arrows.get_offsets())
        slope, v = at @ PARTS.U, np.stack([arrows.U, arrows.V], axis=-1)
        cosine = (slope * v).sum(axis=-1) / np.maximum(np.linalg.norm(slope, axis=-1) * np.linalg.norm(v, axis=-1), 1e-12)
        assert (np.abs(cosine) < 1e-6).all() if along else (cosine[np.linalg.norm(at, axis=-1) > 0] < -0.1).all()
    assert "residual" in ax.get_title(loc="left")
    out = io.BytesIO()
    ax.figure.savefig(out, format="png")
    assert len(out.getvalue()) > 10_000


def test_level_lines_enclose_the_same_areas() -> None:
    loss = ls.Landscape("2*x**2 + y**2/2")
    samples = np.random.default_rng(1).multivariate_normal([0, 0], PARTS.covariance, 500)
    ax = draw_potential_and_loss(PARTS, loss, BOX, samples=samples, levels=[1.0])
    phi, height = (c.get_paths()[0].vertices for c in ax.collections)
    np.testing.assert_allclose(PARTS.potential(phi), 1.0, atol=0.02)
    assert np.ptp(loss(height)) < 0.01 < np.ptp(loss(phi))
    areas = [abs(np.sum(p[:-1, 0] * np.diff(p[:, 1]) - p[:-1, 1] * np.diff(p[:, 0]))) / 2 for p in (phi, height)]
    assert abs(areas[0] / areas[1] - 1) < 0.02
    assert len(ax.lines[0].get_xdata()) == 500
