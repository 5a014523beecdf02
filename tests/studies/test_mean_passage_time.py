"""One call for the mean passage time: the method that serves is found and said, and every method agrees with the exact value.

Statistical comparisons allow four standard errors, 6e-5 each, with pinned keys; what the time step may have changed is measured at two
steps and comes on top.
"""
from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.studies import mean_passage_time as study
from langevin_sgd.studies.rare_event import RareEvent, Well, path_score, saddle_score
from tests.cases import each
from tests.oracles import BY_ID

QUARTIC = ls.Landscape("x**4/4 - x**2/2")
TO_SADDLE = ls.Interval(high=0.0)
FOUR = ls.Landscape("x1**4/4 - x1**2/2 + (x2**2 + x3**2 + x4**2)/2")
ACROSS = ls.HalfSpace([1.0, 0.0, 0.0, 0.0], 0.0)


def exact(temperature, x0=-1.0):
    return ls.exact.mean_passage_time(ls.langevin(QUARTIC, temperature), x0, TO_SADDLE)


@pytest.mark.parametrize("method", ["quadrature", "generator", "simulation", "splitting"])
def test_all_methods_agree_with_the_exact_time(method):
    sde, tau = ls.langevin(QUARTIC, 0.05), BY_ID["quartic-D0.05-to-0"]["value"]
    found = ls.mean_passage_time(sde, -1.0, TO_SADDLE, method, relative_error=0.05, rng=3)
    assert found.compare(exact(0.05)).agrees
    assert found.value == pytest.approx(tau, rel=0.15)
    assert found.because == "asked for" and found.relative_error <= 0.06
    wrong = dataclasses.replace(exact(0.05), value=2 * tau, low=2 * tau, high=2 * tau, log_value=math.nan)
    assert found.compare(wrong).agrees is False


@pytest.mark.parametrize(("name", "sde", "x0", "domain", "word"), [
    ("quadrature", ls.langevin(QUARTIC, 0.01), -1.0, TO_SADDLE, "one dimension"),
    ("Fokker–Planck", ls.langevin(ls.Landscape("x**4/4 - x**2/2 + y**2/2"), 0.01), [-1.0, 0.0], ls.HalfSpace([1.0, 0.0], 0.0), "generator"),
    ("sample mean", ls.langevin(FOUR, 0.25), [-1.0, 0.0, 0.0, 0.0], ACROSS, "cheap"),
    ("sample mean", ls.SDE("x - x**3 + 1e-9*sin(t)", ls.noise.Constant(0.5)), -1.0, TO_SADDLE, "cheap")])
def test_the_method_is_found_and_said(name, sde, x0, domain, word):
    found = ls.mean_passage_time(sde, x0, domain, relative_error=0.1, rng=1)
    assert found.method.startswith(name) and word in found.because
    temperature = 0.01 if name in ("quadrature", "Fokker–Planck") else 0.25
    assert found.compare(exact(temperature)).agrees


@pytest.mark.slow
def test_a_rare_event_in_many_dimensions_is_split_by_the_linearised_saddle():
    found = ls.mean_passage_time(ls.langevin(FOUR, 0.02), [-1.0, 0.0, 0.0, 0.0], ACROSS, relative_error=0.2, rng=2, saddle=np.zeros(4))
    assert found.method.startswith("splitting") and "rare" in found.because and "linearised saddle" in found.verdict
    assert found.compare(exact(0.02)).agrees
    assert found.value > 1e5


@pytest.mark.parametrize("x0", each(2, [-1.4, -0.4]))
def test_a_start_outside_the_core_of_the_well_counts_the_way_into_it(x0):
    """From -0.4 one path in some dozens leaves at once; the time of the well's own is then wrong, as the control says."""
    sde = ls.langevin(QUARTIC, 0.05)
    found = ls.mean_passage_time(sde, x0, TO_SADDLE, "splitting", 0.05, rng=4, dt=0.005)
    assert found.compare(exact(0.05, x0)).agrees
    if x0 == -0.4:
        assert abs(found.compare(exact(0.05)).ratio - 1) > abs(found.compare(exact(0.05, x0)).ratio - 1)


def test_a_budget_leaves_what_was_reached():
    sde = ls.langevin(QUARTIC, 0.025)
    cut = ls.mean_passage_time(sde, -1.0, TO_SADDLE, "simulation", rng=1, max_steps=2e6)
    assert "stopped by max_steps = 2e+06" in cut.verdict and "0.02 was asked for" in cut.verdict
    assert cut.low < exact(0.025).value < cut.high
    none = ls.mean_passage_time(ls.langevin(QUARTIC, 0.01), -1.0, TO_SADDLE, "simulation", rng=1, max_steps=1e4)
    assert math.isinf(none.value) and 0 < none.low < exact(0.01).value
    short = ls.mean_passage_time(sde, -1.0, TO_SADDLE, "splitting", 1e-3, rng=1, max_seconds=0.5)
    assert "stopped by max_seconds = 0.5" in short.verdict


@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_interrupt_between_two_simulations_leaves_what_is_known(monkeypatch, after):
    """Ctrl-C at the second, third and fourth simulation: the first look, more paths, and the other time step."""
    done = []

    def interrupted(*args, **kwargs):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(ls.first_passage(*args, **kwargs))
        return done[-1]
    monkeypatch.setattr(study, "first_passage", interrupted)
    sde = ls.langevin(FOUR, 0.1)
    found = ls.mean_passage_time(sde, [-1.0, 0.0, 0.0, 0.0], ACROSS, relative_error=0.02, rng=1)
    assert "stopped by Ctrl-C" in found.verdict or after == 3
    assert found.n_paths == sum(ends.n_paths for ends in done if ends.dt == done[0].dt)
    assert found.compare(exact(0.1)).agrees


@pytest.mark.filterwarnings("ignore:.*paths diverged")
def test_paths_that_blow_up_are_in_the_verdict():
    found = ls.mean_passage_time(ls.langevin(QUARTIC, 0.05), -1.0, TO_SADDLE, "simulation", 0.1, rng=1, dt=5.0)
    assert found.n_diverged > 0 and "diverged, and who is left is no fair sample: reduce `dt`" in found.verdict


def test_an_interrupt_before_anything_is_known_is_one(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(study, "first_passage", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ls.mean_passage_time(ls.langevin(FOUR, 0.1), [-1.0, 0.0, 0.0, 0.0], ACROSS, rng=1)


@pytest.mark.slow
def test_a_target_out_of_reach_leaves_a_bound_from_what_was_seen(monkeypatch):
    monkeypatch.setattr(study, "PILOT_STEPS", 2e6)
    monkeypatch.setattr(study, "REPLICAS", 16)
    monkeypatch.setattr(study, "RUNS", 2)
    sde = ls.langevin(ls.Landscape("(x1**2 + x2**2 + x3**2 + x4**2)/2"), 0.02)
    found = ls.mean_passage_time(sde, np.zeros(4), ls.HalfSpace([1.0, 0.0, 0.0, 0.0], 30.0), rng=1)
    assert math.isinf(found.value) and found.low > 1000 and "died out" in found.verdict
    assert "0 of 256 paths left" in found.because


def test_an_impossible_target_is_told_at_once():
    with pytest.raises(ValueError, match="outside `domain`"):
        ls.mean_passage_time(ls.langevin(QUARTIC, 0.1), 1.0, TO_SADDLE)
    with pytest.raises(ValueError, match="no boundary"):
        ls.mean_passage_time(ls.langevin(FOUR, 0.1), [-1.0, 0.0, 0.0, 0.0], ls.Box([-np.inf] * 4, [np.inf] * 4), "simulation")


@pytest.mark.parametrize(("method", "sde", "x0", "domain", "why"), [
    ("quadrature", ls.langevin(FOUR, 0.1), [-1.0, 0.0, 0.0, 0.0], ACROSS, "4 components; take 'generator'"),
    ("generator", ls.langevin(FOUR, 0.1), [-1.0, 0.0, 0.0, 0.0], ACROSS, "a grid serves one to three"),
    ("splitting", ls.SDE("-x + cos(t)", ls.noise.Constant(0.1)), -1.0, TO_SADDLE, "depends on the time t"),
    ("splitting", ls.SDE("0", ls.noise.Constant(1.0)), 0.0, ls.Interval(-1.0, 1.0), "no stable fixed point"),
    ("splitting", ls.langevin(QUARTIC, 2.0), -1.0, TO_SADDLE, "so shallow"),
    ("all", ls.langevin(QUARTIC, 0.1), -1.0, TO_SADDLE, "`method` is 'all'")])
def test_a_method_that_does_not_serve_is_refused(method, sde, x0, domain, why):
    with pytest.raises(ValueError, match=why):
        ls.mean_passage_time(sde, x0, domain, method)


def test_the_well_has_the_covariance_of_its_linear_law():
    f, d = np.array([[-1.0, 2.0], [-0.5, -2.0]]), np.array([[1.0, 0.3], [0.3, 0.5]])
    well = Well.below(ls.linear(f, d), np.array([0.3, -0.2]))
    assert well.covariance == pytest.approx(np.array([[1.26666667, 0.13333333], [0.13333333, 0.21666667]]), abs=1e-6)
    edge = np.linalg.cholesky(well.covariance) @ [np.cos(1.0), np.sin(1.0)]
    assert well.within(2.0).contains(1.99 * edge) and not well.within(2.0).contains(2.01 * edge)


def test_the_score_at_a_saddle_is_the_left_eigenvector():
    """For b = -(I - J) ∇V at a saddle with curvatures -1, 1 the unstable left eigenvector is not the axis of V."""
    sde = ls.SDE(["x - y", "-x - y"], ls.noise.Constant(0.1))
    f = np.array([[1.0, -1.0], [-1.0, -1.0]])
    score = ls.Landscape(saddle_score(sde, np.zeros(2)))
    v = np.array([score([1.0, 0.0]), score([0.0, 1.0])])
    assert v @ f == pytest.approx(np.sqrt(2) * v, rel=1e-6)
    with pytest.raises(ValueError, match="0 unstable directions"):
        saddle_score(ls.linear(-np.eye(2), np.eye(2)), np.zeros(2))


@pytest.mark.slow
def test_the_distance_along_a_path_of_least_action_is_a_score():
    """Off the axis, where Maier and Stein's path bends for β = 10; the generator is exact."""
    sde, domain = ls.systems.maier_stein(beta=10.0, strength=0.05), ls.HalfSpace([1.0, 0.0], 0.0)
    path = ls.minimum_action_path(sde, [-1.0, 0.0], [0.0, 0.0])
    score = path_score(path)
    places = [score(tuple(x)) for x in path.path]
    assert places[0] == 0.0 and (np.diff(places) > -1e-9).all()
    assert places[-1] == pytest.approx(np.linalg.norm(np.diff(path.path, axis=0), axis=1).sum(), rel=0.01)
    found = ls.mean_passage_time(sde, [-1.0, 0.0], domain, "splitting", 0.2, rng=1, score=path, dt=0.01)
    assert "distance along a path of least action" in found.verdict
    assert found.compare(ls.mean_passage_time(sde, [-1.0, 0.0], domain, "generator")).agrees


def test_a_path_in_one_dimension_is_no_score():
    path = ls.minimum_action_path(ls.langevin(QUARTIC, 0.02), -1.0, 0.0)
    with pytest.raises(ValueError, match="all paths are one"):
        ls.mean_passage_time(ls.langevin(QUARTIC, 0.02), -1.0, TO_SADDLE, "splitting", score=path)


def test_the_score_grows_towards_the_target():
    sde = ls.langevin(FOUR, 0.02)
    for sign in (1.0, -1.0):
        event = RareEvent.of(sde, np.array([-1.0 * sign, 0.0, 0.0, 0.0]), ls.HalfSpace([sign, 0.0, 0.0, 0.0], 0.0), np.zeros(4), None)
        score = ls.Landscape(event.score, variables=["x1", "x2", "x3", "x4"])
        assert score([0.0] * 4) > score([-sign, 0.0, 0.0, 0.0])
