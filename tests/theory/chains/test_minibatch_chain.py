"""The chain of real batches against problems that are solved by hand, against simulation, and its Cramér exponents against `theory`, 4.6.
"""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls

RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=500), RNG.normal(size=500)


def mirrored(barrier: float) -> tuple[ls.SampledLoss, float]:
    loss = ls.losses.mirrored_parabola(X, Y, barrier)
    return loss, float(loss.p[1])


def walk(step: float, up: float) -> ls.SampledLoss:
    """A flat loss whose samples pull by ±1, of which a share `up` pulls up: an integer walk with steps η."""
    def linear(w, sample, gradient):
        gradient[0] = sample[0]
        return sample[0] * w[0]
    pulls = np.where(np.arange(20) < round(20 * up), -1.0, 1.0)
    return ls.SampledLoss.from_function(linear, pulls, dim=1)


def test_a_walk_on_whole_numbers_is_solved_by_hand() -> None:
    """Gambler's ruin with p = 0.4 from the middle of (−5.5, 5.5): the probability and the mean number of steps in closed form."""
    loss, q = walk(1.0, 0.4), 0.6 / 0.4
    chain, domain = ls.Chain(loss, 1.0), ls.Interval(-5.5, 5.5)
    up = (q**6 - 1) / (q**12 - 1)
    high = chain.splitting_probability(0.0, domain, "high")
    assert high.value == pytest.approx(up, rel=4e-3)
    assert abs(high.value - up) < 4 * (high.high - high.value)
    mean = (6 - 12 * up) / 0.2
    found = chain.mean_passage_time(0.0, domain)
    assert found.value == pytest.approx(mean, rel=4e-3)
    assert chain.splitting_probability(0.0, domain, "low").value == pytest.approx(1 - up, rel=4e-3)


def test_the_number_of_theory_5_2b() -> None:
    """131.8 at η = 0.05, B = 1, ΔL = 0.3; control: the Itô equation with the same covariance."""
    loss, m = mirrored(0.3)
    found = ls.Chain(loss, 0.05).mean_passage_time(0.0, ls.Interval(high=2.6 * m))
    assert found.value == pytest.approx(131.8, rel=2e-3)
    assert found.low < 131.8 < found.high
    assert found.value > 1.2 * 93.44
    assert "real batches" in str(found)


def test_batches_are_convolved() -> None:
    """Three of three samples, counted one by one, against the law of a step on the lattice."""
    from langevin_sgd.theory.chains.minibatch_chain import BatchStep
    loss = ls.losses.linear_regression([1.0, 2.0, 3.0], [1.0, -1.0, 0.5])
    step, width = BatchStep(loss, 0.1, 3), 1e-4
    law, first = step.law(0.3, width)
    g = loss.sample_gradients(0.3)
    counted = np.array([-0.1 * (a + b + c) / 3 for a in g for b in g for c in g])
    places = (first + np.arange(len(law))) * width
    assert law.sum() == pytest.approx(1)
    assert (law * places).sum() == pytest.approx(counted.mean(), rel=1e-10)
    assert (law * places**2).sum() - counted.mean()**2 == pytest.approx(counted.var(), rel=1e-4)
    assert (law * places**3).sum() == pytest.approx((counted**3).mean(), rel=1e-3)


@pytest.mark.parametrize(("learning_rate", "batch_size", "barrier", "exponents"), [
    (0.05, 1, 0.3, (3.373, 3.896)), (0.05, 1, 0.6, (5.995, 7.854)), (0.1, 2, 0.5, (5.184, 6.524)), (0.1, 4, 0.25, (5.747, 6.488))])
def test_cramer_roots_of_real_batches(learning_rate: float, batch_size: int, barrier: float, exponents: tuple[float, float]) -> None:
    """The last column of the table of `theory`, 4.6: the exponent of the equation, and that of real batches."""
    loss, m = mirrored(barrier)
    found = ls.theory.cramer_exponent(minimum=0.0, saddle=2 * m, gradients=loss, batch_size=batch_size)
    assert found.value / learning_rate == pytest.approx(exponents[1], abs=6e-4)
    stated = float(found.because.split("W = ")[1])
    assert stated / learning_rate == pytest.approx(exponents[0], abs=2e-2)


def test_linear_stability_takes_the_hessians_of_the_samples() -> None:
    loss, _ = mirrored(0.3)
    found = ls.theory.linear_stability(learning_rate=0.05, curvature=loss.sample_hessians(0.0))
    assert found.mean == pytest.approx(loss.hessian(0.0))
    assert found.in_mean_square


@pytest.mark.parametrize(("call", "says"), [
    (lambda: ls.Chain(ls.losses.linear_regression([[1.0, 2.0]], [1.0]), 0.1), "a chain has one"),
    (lambda: ls.Chain(mirrored(0.3)[0], 0.1, batch_size=0), "`batch_size`"),
    (lambda: ls.Chain(ls.systems.ornstein_uhlenbeck(), 0.1, batch_size=2), "has its own"),
    (lambda: ls.Chain(mirrored(0.3)[0], 0.1).stationary_density(), "no density in general"),
    (lambda: ls.Chain(mirrored(0.3)[0], 0.1).mean_passage_time(0.0, ls.Interval(-1.0, 1.0, reflect="low")), "does not reflect"),
    (lambda: ls.Chain(mirrored(0.3)[0], 0.1).mean_passage_time(3.0, ls.Interval(high=1.0)), "outside the domain"),
    (lambda: ls.theory.cramer_exponent(minimum=0.0, saddle=1.0, gradients=ls.losses.linear_regression([[1.0, 2.0]], [1.0])),
     "minimum_action_path"),
])
def test_what_is_wrong_is_named(call, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()
