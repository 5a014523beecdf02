"""Decompositions whose parts depend on the state: parts that were given, the line, grids in the plane and in space, paths."""
from __future__ import annotations

import functools
import math
import pickle
from typing import Any

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory.decompositions.flows import face_flows, stream_function
from tests.cases import each
from tests.decompositions import BOX, TURN, D, F, T, as_written, example, in_space, well_inside
from tests.oracles import BY_ID


@functools.cache
def on_a_grid(turn: str = TURN, cells: int = 128) -> Any:
    return ls.decompose(example(turn).sde(), grid=ls.Grid(BOX, cells))


# ------------------------------------------------------------------------------------------------------------- given parts

def test_the_drift_of_an_a_type_process_is_the_one_written_out_by_hand() -> None:
    """∇·D = e (x + x/4, y/4 + 2y/3) and ∇·Q = e (x/2, −y/2)."""
    x = np.random.default_rng(1).normal(size=(50, 2))
    parts, by_hand = example(), as_written("ito")
    added = T * np.stack([1.25 * x[:, 0] + x[:, 0] / 2, (1 / 4 + 2 / 3) * x[:, 1] - x[:, 1] / 2], axis=-1)
    np.testing.assert_allclose(parts.F(x), by_hand.drift(x), atol=1e-12)
    np.testing.assert_allclose(parts.sde().drift(x), by_hand.drift(x) + added, atol=1e-12)
    np.testing.assert_allclose(parts.sde().diffusion(x), by_hand.diffusion(x), atol=1e-14)
    np.testing.assert_allclose(parts.gradient_drift(x) + parts.circulating_drift(x), parts.sde().drift(x), atol=1e-12)
    assert parts.residual < 1e-6


def test_the_law_of_an_a_type_process_is_stationary() -> None:
    """∇·v = v·∇φ for the circulating drift v: exp(−φ) keeps, with differences for the divergence; not with −F in the place of v."""
    parts, x, h = example(), np.random.default_rng(2).normal(size=(200, 2)) / 2, 1e-5

    def divergence(field: Any) -> np.ndarray:
        return np.asarray(sum((field(x + e) - field(x - e))[:, k] for k, e in enumerate(h * np.eye(2))) / (2 * h))
    v = parts.circulating_drift
    change = divergence(v) - (v(x) * parts.slope(x)).sum(axis=-1)
    assert np.abs(change).max() < 1e-7 * np.abs(v(x) * parts.slope(x)).max()
    wrong = divergence(parts.F) - (parts.F(x) * parts.slope(x)).sum(axis=-1)
    assert np.abs(wrong).max() > np.abs(v(x) * parts.slope(x)).max()


def test_identities_at_every_state() -> None:
    x = np.random.default_rng(3).normal(size=(4, 5, 2))
    parts = example()
    s, a, d, q = parts.S(x), parts.A(x), parts.D(x), parts.Q(x)
    turned = np.swapaxes
    assert (q == -turned(q, -1, -2)).all() and np.allclose(s, turned(s, -1, -2)) and np.allclose(a, -turned(a, -1, -2))
    np.testing.assert_allclose((s + a) @ d @ turned(s + a, -1, -2), s, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(((s + a) @ parts.F(x)[..., None])[..., 0], -parts.slope(x), atol=1e-10)


def test_parts_are_written_in_several_ways() -> None:
    full = ls.compose("a*x**2 + y**2", [["1", "0"], ["0", "1"]], [["0", "2"], ["-2", "0"]], a=3.0)
    short = ls.compose(ls.Landscape("a*x**2 + y**2", a=3.0), 1.0, 2.0)
    x = [0.3, -0.4]
    assert full.sde().drift(x).tolist() == short.sde().drift(x).tolist() == [-6 * 0.3 - 4 * -0.4, -2 * -0.4 + 12 * 0.3]
    assert short.sde().replace(a=1.0).drift(x).tolist() == [-2 * 0.3 + 1.6, 0.8 + 4 * 0.3]
    assert ls.compose("x**2", "1 + x**2").sde().drift(1.0) == -4.0 + 2.0
    again = pickle.loads(pickle.dumps(example().sde()))
    assert again.drift(x).tolist() == example().sde().drift(x).tolist()


def test_a_linear_process_composed_and_decomposed() -> None:
    parts = ls.decompose(F=F, D=D)
    a, b, c = parts.U[np.triu_indices(2)].tolist()
    again = ls.decompose(ls.compose("a*x**2/2 + b*x*y + c*y**2/2", D.tolist(), float(parts.Q[0, 1]), a=a, b=b, c=c).sde())
    np.testing.assert_allclose(again.F, F, atol=1e-13)
    np.testing.assert_allclose(again.Q, parts.Q, atol=1e-13)


# ---------------------------------------------------------------------------------------------------------------- the line

@pytest.mark.parametrize("interpretation", each(3, ["stratonovich", "ito", "klimontovich"]))
def test_one_dimension_is_exact(interpretation: str) -> None:
    """b = −D φ' + D', for each convention, and the variance of the reference numbers."""
    sde = ls.SDE("-x", ls.noise.Quadratic(0.5, quadratic=2.0), 0.1, interpretation)
    parts, x = ls.decompose(sde), np.linspace(-2, 2, 9)
    slope = (parts.potential(x + 1e-5) - parts.potential(x - 1e-5)) / 2e-5
    np.testing.assert_allclose(parts.slope(x), slope, atol=1e-7)
    np.testing.assert_allclose(sde.ito_drift(x), -parts.D(x)[:, 0, 0] * slope + 0.2 * x, atol=1e-8)
    np.testing.assert_allclose(parts.circulating_drift(x), 0, atol=1e-14)
    assert parts.covariance[0, 0] == pytest.approx(BY_ID[f"powerlaw-var-{interpretation}"]["value"], rel=1e-9)
    assert parts.entropy_production == 0 and parts.residual < 1e-8 and parts.Q(0.3).tolist() == [[0.0]]


# ----------------------------------------------------------------------------------------------------------- the plane

def test_flows_add_up_to_nothing_and_to_one_stream_function() -> None:
    """In every cell to rounding, relative to the flows through it; and ψ is the same from all four sides."""
    gen = ls.FokkerPlanck(example().sde(), ls.Grid(BOX, 48))
    density = gen.stationary_density().values
    across, up = face_flows(gen.grid, gen.generator.jumps(), density)
    net = np.diff(np.pad(across, ((1, 1), (0, 0))), axis=0) + np.diff(np.pad(up, ((0, 0), (1, 1))), axis=1)
    exchanged = density * gen.grid.volumes.reshape(48, 48) * 1000
    assert (np.abs(net) < 1e-13 * exchanged).all()
    psi = stream_function([across, up])
    np.testing.assert_allclose(np.diff(psi, axis=1)[1:-1], across, atol=1e-13 * np.abs(across).max())
    np.testing.assert_allclose(-np.diff(psi, axis=0)[:, 1:-1], up, atol=1e-13 * np.abs(up).max())


def test_potential_and_circulation_come_back_where_they_are_known() -> None:
    """`theory` 6.1, 128 × 128 cells: φ and Q₁₂ / e wherever p is above 1e-6 of its maximum, where φ is 14 and Q₁₂ / e up to 2."""
    known, found = example(), on_a_grid()
    x = found.grid.points
    for depth, phi_off, q_off in ((math.log(1e6), 0.25, 0.08), (4.0, 0.01, 0.006)):
        inside = well_inside(x, known.potential, depth)
        difference = (found.phi.values.ravel() - known.potential(x))[inside]
        assert np.abs(difference - np.median(difference)).max() < phi_off
        assert np.abs(found.Q(x[inside])[:, 0, 1] / T - 1 - x[inside].prod(axis=-1) / 2).max() < q_off
    inside = well_inside(x, known.potential, 4.0)
    np.testing.assert_allclose(found.circulating_drift(x[inside]), known.circulating_drift(x[inside]), atol=0.02)
    np.testing.assert_allclose(found.F(x[inside]), known.F(x[inside]), atol=0.05)
    assert found.residual < 3e-3


@pytest.mark.parametrize("wrong", [lambda: on_a_grid("-" + TURN, 64), lambda: on_a_grid("T", 64), lambda: on_a_grid("0", 64),
                                   lambda: ls.decompose(as_written("klimontovich"), grid=ls.Grid(BOX, 64)),
                                   lambda: ls.decompose(as_written("ito"), grid=ls.Grid(BOX, 64))])
def test_other_circulations_and_conventions_are_told_apart(wrong: Any) -> None:
    """Controls: −Q, Q without its xy, none, the process without ∇·Q, and that without ∇·(D + Q)."""
    found, known = wrong(), example()
    inside = well_inside(found.grid.points, known.potential, 4.0)
    x = found.grid.points[inside]
    difference = found.phi.values.ravel()[inside] - known.potential(x)
    q_off = np.abs(found.Q(x)[:, 0, 1] / T - 1 - x.prod(axis=-1) / 2).max()
    assert q_off > 0.1 or np.abs(difference - np.median(difference)).max() > 0.1
    assert np.abs(found.circulating_drift(x) - known.circulating_drift(x)).max() > 0.05


def test_moments_of_the_reference_numbers() -> None:
    found = on_a_grid()
    radius = np.trace(found.covariance) + found.mean @ found.mean
    assert found.mean[0] == pytest.approx(BY_ID["ao-atype-Ex"]["value"], abs=5e-5)
    assert radius == pytest.approx(BY_ID["ao-atype-Er2"]["value"], abs=1e-4)


def test_the_same_process_in_another_convention_has_the_same_parts() -> None:
    sde, x = ls.compose("x**4/4 + y**2/2 + x*y/2", ["1 + x**2/4", "1"], 0.5).sde(), [0.4, -0.3]
    found = [ls.decompose(s, grid=ls.Grid([(-3.2, 3.2), (-4.5, 4.5)], 48)) for s in (sde, sde.in_interpretation("klimontovich"))]
    assert found[0].Q(x)[0, 1] == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(found[1].Q(x), found[0].Q(x), atol=0.01)
    np.testing.assert_allclose(found[1].sde().drift(x), sde.drift(x), rtol=1e-12)


def test_local_and_global_parts_of_a_linear_equation_agree() -> None:
    local = ls.decompose(F=F, D=D)
    sizes = 5.5 * np.sqrt(np.diag(local.covariance))
    found = ls.decompose(ls.linear(F, D), grid=ls.Grid([(-s, s) for s in sizes], 96))
    x = found.grid.points[well_inside(found.grid.points, local.potential, 6.0)]
    np.testing.assert_allclose(found.Q(x), np.broadcast_to(local.Q, (len(x), 2, 2)), atol=0.01)
    np.testing.assert_allclose(found.slope(x), x @ local.U, atol=0.04)
    np.testing.assert_allclose(found.covariance, local.covariance, rtol=1e-3)
    assert found.entropy_production == pytest.approx(local.entropy_production, rel=2e-3)


def test_a_gradient_flow_does_not_circulate() -> None:
    found = ls.decompose(ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + y**2/2 + x*y/4"), 0.2), grid=ls.Grid([(-2.3, 2.3), (-2.6, 2.6)], 64))
    assert np.abs(found.circulation.values).max() < 1e-11 and found.entropy_production < 1e-4
    local = ls.decompose(found.sde(), at=[1.03, -0.25])
    np.testing.assert_allclose(found.slope(local.center + np.array([0.02, 0.0])), 0.02 * local.U[0], rtol=0.1)


def test_a_field_ends_where_the_grid_does() -> None:
    found = on_a_grid()
    assert np.isnan(found.potential([3.0, 0.0])) and np.isnan(found.Q([0.0, 2.4])[0, 1])
    step = 1e-5
    numerical = (found.potential([0.5 + step, 0.2]) - found.potential([0.5 - step, 0.2])) / (2 * step)
    assert found.slope([0.5, 0.2])[0] == pytest.approx(numerical, rel=1e-6)


def test_a_box_that_cuts_the_law_says_so() -> None:
    sde = ls.systems.rotating_quadratic(1.0, 2.0)
    assert "at the walls" in repr(ls.decompose(sde, grid=ls.Grid([(-1, 1), (-1, 1)], 32)))
    assert "at the walls" not in repr(ls.decompose(sde, grid=ls.Grid([(-4.2, 4.2), (-4.2, 4.2)], 32)))


# --------------------------------------------------------------------------------------------------------------- weak noise

@pytest.mark.parametrize("state", [[-0.6, 0.2], [-1.3, -0.1], [-0.8, 0.4]])
def test_the_potential_comes_to_the_quasi_potential_in_proportion_to_the_noise(state: list[float]) -> None:
    """Maier and Stein's equation, β = 2, for which no φ is known: ε φ − U halves with ε."""
    off = []
    for strength, box in ((0.2, [(-2.0, 2.0), (-1.4, 1.4)]), (0.1, [(-1.8, 1.8), (-1.1, 1.1)])):
        sde = ls.systems.maier_stein(beta=2.0, strength=strength)
        found = ls.decompose(sde, grid=ls.Grid(box, 96))
        u = ls.quasipotential(sde, [-1.0, 0.0], state).value
        off.append(strength * (found.potential(state) - found.potential([-1.0, 0.0])) - u)
    assert off[0] / off[1] == pytest.approx(2.0, rel=0.1) and abs(off[0]) < 0.03


def test_parts_along_a_path_are_those_of_the_linear_equation() -> None:
    sde, local = ls.linear(F, D), ls.decompose(F=F, D=D)
    along = ls.decompose(along=ls.minimum_action_path(sde, [0.0, 0.0], [0.8, -0.5]))
    x = along.states[20:]
    np.testing.assert_allclose(along.potential[20:], local.potential(x), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(along.q[20:], local.Q[0, 1], rtol=2e-3)
    np.testing.assert_allclose(along.gradient_drift[20:], local.gradient_drift(x), atol=5e-3)
    np.testing.assert_allclose(along.circulating_drift[20:], local.circulating_drift(x), atol=5e-3)


def test_parts_along_a_path_come_to_those_of_the_grid_as_the_noise_falls() -> None:
    off = []
    for strength, box in ((0.2, [(-2.0, 2.0), (-1.4, 1.4)]), (0.1, [(-1.8, 1.8), (-1.1, 1.1)])):
        sde = ls.systems.maier_stein(beta=2.0, strength=strength)
        along = ls.decompose(along=ls.minimum_action_path(sde, [-1.0, 0.0], [-0.6, 0.3]))
        found = ls.decompose(sde, grid=ls.Grid(box, 96))
        off.append(np.abs(found.slope(along.states[-1]) - along.slope[-1]).max() * strength)
    assert off[0] / off[1] == pytest.approx(2.0, rel=0.15)


# ------------------------------------------------------------------------------------------------------------------- space

def test_in_space_the_current_over_the_density_comes_back() -> None:
    """−Q ∇φ + ∇·Q, which does not depend on the gauge, and φ; with −Q as the control."""
    known, found = in_space()
    inside = well_inside(found.grid.points, known.potential, 3.0)
    x = found.grid.points[inside]
    difference = found.phi.values.ravel()[inside] - known.potential(x)
    assert np.abs(difference - np.median(difference)).max() < 0.06
    v = known.circulating_drift(x)
    assert np.abs(found.circulating_drift(x) - v).max() < 0.08 < 0.5 < np.abs(v).max()
    from_q = -(found.Q(x) @ found.slope(x)[..., None])[..., 0] + found._divergence(x) - _divergence_of_d(x)
    assert np.abs(from_q - v).max() < 0.15 and np.abs(from_q + v).max() > 0.5
    assert found.residual < 0.05


def _divergence_of_d(x: np.ndarray) -> np.ndarray:
    return np.stack([x[:, 0] / 2, 0 * x[:, 0], 0 * x[:, 0]], axis=-1)


def test_in_space_the_least_circulation_of_a_linear_equation_is_constant() -> None:
    f, d = np.array([[-1.0, 1.0, 0.0], [-0.5, -1.5, 0.7], [0.3, 0.0, -1.0]]), np.diag([1.0, 0.5, 0.6])
    local = ls.decompose(F=f, D=d)
    found = ls.decompose(ls.linear(f, d), grid=ls.Grid([(-s, s) for s in 4.8 * np.sqrt(np.diag(local.covariance))], 20))
    x = found.grid.points[well_inside(found.grid.points, local.potential, 2.0)]
    np.testing.assert_allclose(found.Q(x), np.broadcast_to(local.Q, (len(x), 3, 3)), atol=0.03)
    assert np.abs(local.Q).max() > 0.3
    np.testing.assert_allclose(found.covariance, local.covariance, atol=0.02)


# ---------------------------------------------------------------------------------------------------------------- bad input

@pytest.mark.parametrize("make, message", [
    (lambda: ls.compose("x**2 + y**2", [["1", "x"], ["y", "1"]]), "`D` must be symmetric"),
    (lambda: ls.compose("x**2 + y**2", 1, [["0", "1"], ["1", "0"]]), "`Q` must be antisymmetric"),
    (lambda: ls.compose("x**2 + y**2", 1, [["1", "1"], ["-1", "0"]]), "`Q` must be antisymmetric"),
    (lambda: ls.compose("x**2 + y**2 + z**2", 1, "x"), "`Q` has shape"),
    (lambda: ls.compose("x**2", 1, "1"), "`Q` has shape"),
    (lambda: ls.compose(ls.Landscape("x**2 + y**2"), ["1", "1", "1"]), "`D` has shape"),
    (lambda: ls.compose("x**2 + y**2", [["1", "2", "3"]]), "`D` has shape"),
    (lambda: ls.compose("t*x**2", 1), "time t"),
    (lambda: ls.compose("x**2", "where(x > 0, 1, 2)"), "has pieces"),
    (lambda: ls.compose("a*x**2", 1), "`a` without a value"),
    (lambda: ls.compose("x**2", 1, a=1.0), "no parameter called `a`"),
    (lambda: ls.compose("__import__('os')", 1), "calls"),
    (lambda: example().covariance, "needs the integral"),
    (lambda: example().potential(1.0), "shape"),
    (lambda: ls.decompose(ls.systems.maier_stein()), "`grid`"),
    (lambda: ls.decompose(ls.systems.maier_stein(), grid=64), "`grid` is 64"),
    (lambda: ls.decompose(ls.systems.maier_stein(), grid=ls.Grid((-1, 1), 64)), "`grid` has 1 axes"),
    (lambda: ls.decompose(ls.systems.maier_stein(), grid=ls.Grid(BOX, 64), at=[0, 0]), "came with other"),
    (lambda: ls.decompose(grid=ls.Grid(BOX, 64)), "`sde` is missing"),
    (lambda: ls.decompose(ls.systems.ornstein_uhlenbeck(), grid=ls.Grid((-5, 5), 64)), "not needed"),
    (lambda: ls.decompose(along=1), "`along` is 1"),
    (lambda: ls.decompose(ls.SDE("x - x**3", ls.noise.Constant(1.0)), dt=0.1), "`at`"),
    (lambda: ls.decompose(ls.SDE("x**3", ls.noise.Constant(1.0))), "no stationary law"),
])
def test_bad_input_is_told_in_a_sentence(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
