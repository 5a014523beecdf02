"""Rule, panels and tails: integrals in log space against closed forms, where numbers span thousands of e-folds."""
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory.line.ends import End, Fate, Verdict
from langevin_sgd.theory.line.panels import Panels
from langevin_sgd.theory.line.rule import gauss_legendre
from langevin_sgd.theory.line.tails import remainder, tail_index

RULE = gauss_legendre(24)


def equation(drift: str, covariance: str = "2", interpretation: str = "ito") -> ls.SDE:
    return ls.SDE(drift, ls.noise.Expression(covariance), 1.0, interpretation)


def panels(sde: ls.SDE, start: float, at: float, octaves: int = 20, **about: object) -> Panels:
    return Panels.towards(sde, End(at, start, 1 if at > start else -1, **about), RULE, octaves)


def all_cut(given: Panels, times: int) -> Panels:
    for _ in range(times):
        given = given.cut(np.ones(len(given.half), dtype=bool))
    return given


# ------------------------------------------------------------------------------------------------------------- the rule

@pytest.mark.parametrize("order", [8, 16, 24, 32])
def test_the_rule_is_exact_for_polynomials(order):
    rule = gauss_legendre(order)
    for degree in range(order):
        values = rule.nodes**degree
        assert values @ rule.weights == pytest.approx((1 - (-1) ** (degree + 1)) / (degree + 1), abs=1e-14)
        up_to = (rule.nodes ** (degree + 1) - (-1) ** (degree + 1)) / (degree + 1)
        assert values @ rule.up_to == pytest.approx(up_to, rel=1e-11, abs=1e-14)
        assert values @ rule.derivative == pytest.approx(degree * rule.nodes ** max(degree - 1, 0), abs=1e-10)
        assert [v[0] for v in rule.at_edges(values[None])] == pytest.approx([(-1.0) ** degree, 1.0], abs=1e-11)


def test_what_the_rule_does_not_resolve():
    smooth, kinked, zero = np.exp(4 * RULE.nodes), np.abs(RULE.nodes - 0.1), 0 * RULE.nodes
    resolved = RULE.unresolved(np.stack([smooth, kinked, zero]))
    assert resolved[0] < 1e-13 and resolved[1] > 1e-4 and resolved[2] == 0.0


def test_trapezoids_keep_the_sign():
    steep = np.exp(100 * RULE.nodes)
    assert (steep @ RULE.up_to).min() < 0 < RULE.trapezoids_up_to(steep[None]).min()


# -------------------------------------------------------------------------------------------------- panels and integrals

def test_potential_scale_and_speed():
    """f = −x³, D = 1 + x²: Φ = (x² − ln(1 + x²))/2 on both sides."""
    for interpretation, alpha in (("ito", 0.0), ("stratonovich", 0.5), ("klimontovich", 1.0)):
        for at in (3.0, -3.0):
            side = panels(equation("-x**3", "2*(1 + x**2)", interpretation), 0.0, at, is_open=False)
            x = side.nodes
            phi = (x**2 - np.log1p(x**2)) / 2
            assert side.potential == pytest.approx(phi, abs=1e-13)
            assert side.log_scale == pytest.approx(phi - alpha * np.log1p(x**2), abs=1e-13)
            assert side.log_speed == pytest.approx(-phi - (1 - alpha) * np.log1p(x**2), abs=1e-13)
            assert side.potential_at(x[:, 3] + 0.01) == pytest.approx(((x[:, 3] + 0.01)**2 - np.log1p((x[:, 3] + 0.01)**2)) / 2, abs=1e-13)


def test_the_ground_moves_the_zero_of_the_potential_only():
    side = panels(equation("x - x**3"), -2.0, 2.0, is_open=False)
    moved = Panels(**{**{k: v for k, v in side.__dict__.items() if k in Panels.__dataclass_fields__}, "ground": 5, "level": 7.0})
    assert moved.potential_at_edges[5] == 7.0
    assert np.diff(moved.potential_at_edges) == pytest.approx(np.diff(side.potential_at_edges), rel=1e-12)


@pytest.mark.parametrize("steepness", [1.0, 300.0])
def test_cumulative_integrals_over_thousands_of_efolds(steepness):
    """∫ exp(±k x): from the start and to the end, at nodes and edges, also where a panel spans 200 e-folds."""
    side = all_cut(panels(equation("0"), 0.0, 20.0, is_open=False), 0 if steepness == 1 else 6)
    k, x = steepness, side.nodes
    nodes, edges = side.outward(k * x)
    assert nodes == pytest.approx(k * x + np.log(-np.expm1(-k * x) / k), rel=1e-13)
    assert edges[1:] == pytest.approx(k * side.edges[1:] + np.log(-np.expm1(-k * side.edges[1:]) / k), rel=1e-13)
    nodes, edges = side.inward(-k * x)
    assert nodes == pytest.approx(-k * x + np.log(-np.expm1(-k * (20 - x)) / k), rel=1e-12)
    assert side.outward(-k * x, before=3.0)[1][0] == 3.0 and side.inward(-k * x, beyond=-5.0)[1][-1] == -5.0


def test_panels_too_steep_for_the_rule_are_still_about_right():
    side = panels(equation("0"), 0.0, 20.0, is_open=False)
    nodes, _ = side.outward(-1000 * side.nodes)
    assert nodes[0, -1] == pytest.approx(-math.log(1000), abs=1.5) and np.isfinite(nodes).all()
    nodes, _ = side.inward(-1000 * side.nodes)
    assert (np.abs(nodes + 1000 * side.nodes + math.log(1000)) < 3).all()


def test_bounds_see_a_well_between_nodes():
    """A parabola of depth 2.5e7 whose bottom no node meets: what is there must not be overlooked."""
    side = panels(equation("-1e8*(x - 0.7071)"), 0.0, 4.0, is_open=False)
    k = int(np.searchsorted(side.edges, 0.7071)) - 1
    true = 1e8 * 0.7071**2 / 2 + 0.5 * math.log(2 * math.pi / 1e8)
    assert side.log_speed[k].max() < true - 50
    assert side.bounds(side.highest_speed)[k] > true


def test_cutting_changes_no_integral():
    side = panels(equation("x - x**3", "2 + x**2"), -1.0, 0.5, is_open=False)
    assert all_cut(side, 2).inward(all_cut(side, 2).log_speed)[1][0] == pytest.approx(side.inward(side.log_speed)[1][0], abs=1e-13)
    some = side.cut(np.arange(8) == 3)
    assert len(some.half) == 9 and some.potential_at_edges[[0, -1]] == pytest.approx(side.potential_at_edges[[0, -1]], abs=1e-14)


def test_jumps_next_to_an_edge_are_seen():
    def factor(x):
        return 1.0 if x < 0.5 - 1e-4 else 2.0

    sde = ls.SDE("0", ls.noise.from_functions(factor))
    side = panels(sde, 0.0, 1.0, is_open=False)
    assert side.unresolved[3:5].min() > 1e-4 and side.unresolved[[0, 1, 6, 7]].max() < 1e-12
    assert panels(sde, 0.0, 1.0, is_open=False, kinks=(0.5,)).unresolved[3:5].max() < 1e-12


def test_edges_at_chosen_points():
    side = panels(equation("0"), 1.0, -1.0, is_open=False).cut_at([0.123, -5.0, 7.0])
    assert 0.123 in side.edges and side.edges[0] == 1.0 and side.edges[-1] == -1.0 and (np.diff(side.edges) < 0).all()


def test_the_way_to_an_open_end_stops_where_floats_do():
    for at, start, nearest in ((math.inf, 0.0, 1e149), (0.0, 1.0, 1e-149), (1.0, 2.0, 1e-7)):
        side = panels(equation("0"), start, at, 999)
        last = abs(side.edges[-1] - at) if math.isfinite(at) else abs(side.edges[-1])
        assert side.extended(3).exhausted and (last > nearest if math.isinf(at) else last < nearest)
    assert panels(equation("-sinh(x)"), 0.0, math.inf, 999).edges[-1] < 1024
    with pytest.raises(ValueError, match=r"at x = .* where the process can be, drift / D is nan"):
        panels(equation("sqrt(40 - x)"), 0.0, math.inf, 999)


# ---------------------------------------------------------------------------------------------------------------- tails

@pytest.mark.parametrize(("at", "power"), [(math.inf, -1.1), (math.inf, -7.0), (0.0, -0.9), (0.0, 2.0), (1.0, -0.5)])
def test_what_lies_beyond_the_last_panel(at, power):
    side = panels(equation("0"), 2.0, at, 26)
    decay = abs(1 + power)
    log_f = power * np.log(side.distance)
    edge = math.log(side.distance_at_edges[-1])
    assert remainder(side, log_f) == pytest.approx(decay * edge * (-1 if math.isinf(at) else 1) - math.log(decay), abs=1e-9)
    # With a correction that halves from octave to octave, both estimates are right to second order.
    near = side.distance if math.isfinite(at) else 1 / side.distance
    corrected = log_f + np.log1p(10 * near)
    u = 10 * float(side.distance_at_edges[-1] ** (1 if math.isfinite(at) else -1))
    exact = decay * edge * (-1 if math.isinf(at) else 1) + math.log(1 / decay + u / (decay + 1))
    for settled in (True, False):
        assert remainder(side, corrected, settled=settled) == pytest.approx(exact, abs=1e-9)


def test_what_diverges_and_what_ends():
    infinite, finite = panels(equation("0"), 2.0, math.inf), panels(equation("0"), 2.0, 0.0)
    assert remainder(infinite, -np.log(infinite.distance)) == math.inf == remainder(finite, -np.log(finite.distance))
    assert remainder(panels(equation("0"), 0.0, 1.0, is_open=False, verdict=Verdict(Fate.LEAVE)), np.zeros((8, 24))) == -math.inf
    # Cut short where nothing matters any more, an integrand that still rises counts for what it is there.
    assert math.isfinite(remainder(infinite.trimmed(10), np.zeros((10, 24))))


def test_the_tail_index_of_panels():
    assert tail_index(panels(equation("-x", "1 + x**2"), 0.0, math.inf, 999)) == pytest.approx(3.0, abs=1e-9)
    assert tail_index(panels(equation("-x"), 0.0, math.inf, 999)) == math.inf
    assert tail_index(panels(equation("0"), 0.0, math.inf, 999)) == pytest.approx(-1.0)
