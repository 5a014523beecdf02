"""The Euler chain: against oracles, closed forms, a simulated chain, the equation in the limit, and identities; and what it refuses."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.theory.chains.elimination import passage_sums, stationary_law
from langevin_sgd.theory.chains.tail import Factor, kesten_exponent
from tests import oracles

few = settings(max_examples=8, deadline=None, derandomize=True)
PASSAGES = [e for e in oracles.ORACLES if e["quantity"] == "mean_exit_time_of_chain"]
RATIOS = [e for e in oracles.ORACLES if e["quantity"] == "ratio_chain_to_sde"]
GAUSSIAN_KESTEN = [e for e in oracles.ORACLES if e["quantity"] == "kesten_tail_exponent" and e["parameters"]["h"] == "normal"]
OU = ls.systems.ornstein_uhlenbeck()
QUARTIC = ls.SDE("x - x**3", ls.noise.Constant(1.0), 0.2)


def equation(entry):
    sde = entry["sde"]
    return ls.SDE(oracles.texts(sde["drift"]), ls.noise.Expression(oracles.texts(sde["C"])), sde["eps"])


def passage(entry, sde=None, dt=None):
    p = entry["parameters"]
    return ls.Chain(sde or equation(entry), dt or p["step"]).mean_passage_time(p["x0"], ls.Interval(high=p["target"]))


# ------------------------------------------------------------------------------------------------------------- oracles

@pytest.mark.parametrize("entry", PASSAGES, ids=oracles.ids(PASSAGES))
def test_oracle(entry):
    tau = passage(entry)
    assert tau.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 5e-12))
    assert tau.relative_error < 1e-9
    assert (tau.clock, tau.dt, tau.is_exact) == ("t", entry["parameters"]["step"], True)


@pytest.mark.parametrize("entry", PASSAGES, ids=oracles.ids(PASSAGES))
def test_negative_controls_miss_the_oracle(entry):
    """Twice the noise, another step, and the equation itself must be seen: else agreement means nothing."""
    sde, p = equation(entry), entry["parameters"]
    others = [passage(entry, sde.replace(strength=2 * sde.strength.value)), passage(entry, dt=1.1 * p["step"]),
              ls.exact.mean_passage_time(sde, p["x0"], ls.Interval(high=p["target"]))]
    if "lossC" in entry["id"]:
        others.append(passage(entry, sde.replace(interpretation="klimontovich")))
    for other in others:
        assert other.value != pytest.approx(entry["value"], rel=1e-4)


@pytest.mark.parametrize("entry", RATIOS, ids=oracles.ids(RATIOS))
def test_ratio_to_the_equation(entry):
    p = entry["parameters"]
    exact = ls.exact.mean_passage_time(equation(entry), p["x0"], ls.Interval(high=p["target"]))
    assert passage(entry).value / exact.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-9))


@pytest.mark.parametrize("entry", GAUSSIAN_KESTEN, ids=oracles.ids(GAUSSIAN_KESTEN))
def test_kesten_tail(entry):
    eta = entry["parameters"]["eta"]
    factor = Factor(1 - eta, eta * math.sqrt(2))
    assert kesten_exponent(factor, factor) == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-9))
    if eta < 0.5:
        assert ls.Chain(equation(entry), eta).stationary_density().tail_index == pytest.approx(entry["value"], rel=1e-5)


def test_variance_with_the_noise_of_a_quadratic_loss():
    entry = oracles.BY_ID["powerlaw-sgd-var"]
    p = ls.Chain(equation(entry), entry["parameters"]["eta"]).stationary_density()
    assert p.variance == pytest.approx(entry["value"], rel=1e-11)
    assert p.variance != pytest.approx(ls.exact.stationary_density(equation(entry)).variance, rel=1e-2)


def test_limit_constants():
    assert pytest.approx(oracles.BY_ID["barrier-shift-constant"]["value"], abs=1e-12) == ls.theory.BARRIER_SHIFT


# -------------------------------------------------------------------------------------------------------- closed forms

@pytest.mark.parametrize("dt", [0.1, 0.5, 1.0, 1.9])
def test_autoregressive_chain_is_normal(dt):
    p, variance = ls.Chain(OU, dt).stationary_density(), 1 / (1 - dt / 2)
    assert p.variance == pytest.approx(variance, rel=1e-12)
    assert p.mean == pytest.approx(0.0, abs=1e-13)
    assert p.moment(4) == pytest.approx(3 * variance**2, rel=1e-12)
    x = np.array([-2.0, 0.0, 1.0])
    assert p(x) == pytest.approx(np.exp(-x**2 / 2 / variance) / math.sqrt(2 * math.pi * variance), rel=1e-11)
    assert p.log_density(1.0) == math.log(p(1.0))
    assert p.probability(high=1.0) == pytest.approx((1 + math.erf(1 / math.sqrt(2 * variance))) / 2, rel=1e-11)
    assert p.variance != pytest.approx(1.0, rel=1e-2)            # that of the equation
    assert p.tail_index == math.inf


def test_one_step_leaves_for_sure():
    """Steps so large that each is drawn anew: a geometric number of them, with the chance of one."""
    tau = ls.Chain(OU, 1.0).mean_passage_time(0.5, ls.Interval(high=1.0))          # X' = sqrt(2) Z from anywhere
    assert tau.value == pytest.approx(2 / math.erfc(0.5), rel=1e-12)


def test_a_mirror_is_half_of_a_symmetric_problem():
    whole = ls.Chain(QUARTIC, 0.1).mean_passage_time(0.3, ls.Interval(-0.8, 0.8))
    half = ls.Chain(QUARTIC, 0.1).mean_passage_time(0.3, ls.Interval(0.0, 0.8, reflect="low"))
    other = ls.Chain(QUARTIC, 0.1).mean_passage_time(-0.3, ls.Interval(-0.8, 0.0, reflect="high"))
    assert [half.value, other.value] == pytest.approx([whole.value] * 2, rel=1e-11)


def test_brownian_motion_between_mirrors_is_uniform():
    p = ls.Chain(ls.SDE("0", ls.noise.Constant(1.0)), 0.3).stationary_density(ls.Interval(-1.0, 2.0))
    assert p([-0.9, 0.0, 1.9]) == pytest.approx([1 / 3] * 3, rel=1e-11)
    assert p([-1.1, 2.1]).tolist() == [0.0, 0.0]
    assert (p.mean, p.variance) == pytest.approx((0.5, 0.75), rel=1e-11)


# ----------------------------------------------------------------------------------------------------------- identities

@few
@given(st.floats(-0.9, 0.9), st.floats(0.02, 0.6), st.floats(0.0, 2.0))
def test_probabilities_add_up_and_mirror_images_agree(x0, dt, q):
    sde = ls.SDE("x - x**3 + c", ls.noise.Expression("1 + q*x**2 + l*x"), 0.4, c=0.2, q=q + 0.1, l=0.3)
    image = sde.replace(c=-0.2, l=-0.3)
    domain = ls.Interval(-1.0, 1.0)
    low, high = (ls.Chain(sde, dt).splitting_probability(x0, domain, end).value for end in ("low", "high"))
    assert low + high == pytest.approx(1.0, abs=1e-12)
    assert ls.Chain(image, dt).splitting_probability(-x0, domain, "low").value == pytest.approx(high, rel=1e-10)
    times = [ls.Chain(s, dt).mean_passage_time(x, domain).value for s, x in ((sde, x0), (image, -x0))]
    assert times[0] == pytest.approx(times[1], rel=1e-10)


def test_interpretations_of_one_process_are_one_chain():
    sde = ls.SDE("-x", ls.noise.Expression("1 + x**2"), 0.3, "stratonovich")
    taus = [ls.Chain(sde.in_interpretation(name), 0.1).mean_passage_time(0.0, ls.Interval(high=0.8)).value
            for name in ("ito", "stratonovich", "klimontovich")]
    assert taus == pytest.approx([taus[0]] * 3, rel=1e-11)


# ------------------------------------------------------------------------------------------------ the equation, in the limit

def test_converges_to_the_equation_like_the_barrier_shift():
    """dt at fixed D: late by 0.5826 sqrt(2 D dt) × d ln τ / dx at the exit; with the exit moved inward, an error of order dt is left."""
    domain, d = ls.Interval(high=0.5), 0.1
    exact = ls.exact.mean_passage_time(QUARTIC, -1.0, domain).value
    steps = 0.01 / 4.0 ** np.arange(4)
    late = np.array([ls.Chain(QUARTIC, h).mean_passage_time(-1.0, domain).value / exact - 1 for h in steps])
    nudge = 1e-5
    slope = math.log(ls.exact.mean_passage_time(QUARTIC, -1.0, ls.Interval(high=0.5 + nudge)).value / exact) / nudge
    leading = ls.theory.BARRIER_SHIFT * np.sqrt(2 * d * steps) * slope
    assert 2 * late[-1] - late[-2] / 2 == pytest.approx(leading[-1], rel=2e-3)     # the next order, of dt, taken away
    assert np.diff(np.abs(late / leading - 1)).max() < 0
    main = 2 * late[1:] - late[:-1] / 2
    assert np.log2(main[-2] / main[-1]) == pytest.approx(1.0, abs=5e-3)             # in sqrt(dt); first order in dt would give 2
    moved = np.array([ls.Chain(QUARTIC, h).mean_passage_time(
        -1.0, ls.Interval(high=0.5 - ls.theory.BARRIER_SHIFT * math.sqrt(2 * d * h))).value / exact - 1 for h in steps])
    assert moved[:-1] / moved[1:] == pytest.approx([4.0] * 3, rel=0.05)             # what is left is of order dt,
    assert (4 * moved[-1] - moved[-2]) / 3 == pytest.approx(0.0, abs=1e-6)          # and one extrapolation takes it away


def test_stationary_law_converges_to_that_of_the_equation():
    sde, domain = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.3, "stratonovich"), ls.Interval(-3.0, 3.0)
    exact = ls.exact.stationary_density(sde, domain).variance
    off = [ls.Chain(sde, h).stationary_density(domain).variance / exact - 1 for h in (0.04, 0.02, 0.01)]
    assert [off[0] / off[1], off[1] / off[2]] == pytest.approx([2.0, 2.0], rel=0.1)
    assert off[0] - 6 * off[1] + 8 * off[2] == pytest.approx(0.0, abs=1e-4)


def test_low_noise_where_the_time_is_beyond_1e22():
    """Subtraction-free: a plain solve loses all digits from 1e16 on.  The limit dt → 0 is 1.160604343e22."""
    sde = ls.langevin(ls.landscapes.double_well(), 0.005)
    values = [ls.Chain(sde, h).mean_passage_time(-1.0, ls.Interval(high=-0.0)).value for h in (0.02, 0.005)]
    assert 2 * values[1] - values[0] == pytest.approx(1.160604343e22, rel=0.01)


# --------------------------------------------------------------------------------------------------- a simulated chain

def simulated(sde, dt, x0, domain, n, rng):
    """Numbers of steps and exit points of n chains, in plain NumPy."""
    x, steps = np.full(n, x0), np.zeros(n)
    running = np.ones(n, dtype=bool)
    while running.any():
        here = x[running]
        here = here + sde.ito_drift(here) * dt + np.sqrt(2 * sde.diffusion(here) * dt) * rng.standard_normal(len(here))
        if domain.reflect == "low":
            here = domain.low + np.abs(here - domain.low)
        x[running] = here
        steps[running] += 1
        running = (x < domain.high) & ((x > domain.low) | (domain.reflect == "low"))
    return steps, x


@pytest.mark.law
@pytest.mark.parametrize(("drift", "noise", "dt", "domain"), [
    ("x - x**3", "1 + x**2", 0.2, ls.Interval(-1.4, 0.4)),
    ("-abs(x) + 0.2", "where(x > 0, 1, 3)", 0.05, ls.Interval(-0.6, 0.5, reflect="low")),
    ("-x", "1 + 2*x**2", 0.3, ls.Interval(high=0.9)),
])
def test_against_a_simulated_chain(drift, noise, dt, domain):
    """20 000 chains, pinned seed; four standard errors: false alarm once in 16 000."""
    sde, n = ls.SDE(drift, ls.noise.Expression(noise), 0.3), 20_000
    steps, ends = simulated(sde, dt, -0.3, domain, n, np.random.default_rng(5))
    tau = ls.Chain(sde, dt).mean_passage_time(-0.3, domain)
    assert abs(dt * steps.mean() - tau.value) < 4 * dt * steps.std() / math.sqrt(n)
    assert abs(dt * steps.mean() - ls.exact.mean_passage_time(sde, -0.3, domain).value) > 4 * dt * steps.std() / math.sqrt(n)
    if domain.low == -1.4:
        p = ls.Chain(sde, dt).splitting_probability(-0.3, domain).value
        assert abs((ends > 0).mean() - p) < 4 * math.sqrt(p * (1 - p) / n)


@pytest.mark.law
def test_stationary_law_against_a_simulated_chain():
    """20 000 chains after 300 steps, pinned seed; four standard errors."""
    sde, rng, x = ls.SDE("-x + 0.3*x**2", ls.noise.Expression("1 + x**2"), 0.2), np.random.default_rng(6), np.zeros(20_000)
    domain = ls.Interval(-2.0, 2.0)
    for _ in range(300):
        x = x + sde.ito_drift(x) * 0.3 + np.sqrt(2 * sde.diffusion(x) * 0.3) * rng.standard_normal(len(x))
        x = 2 - np.abs(2 - (-2 + np.abs(x + 2)))
    p = ls.Chain(sde, 0.3).stationary_density(domain)
    assert abs(x.mean() - p.mean) < 4 * x.std() / math.sqrt(len(x))
    assert abs(np.var(x) - p.variance) < 4 * np.std((x - x.mean())**2) / math.sqrt(len(x))
    assert abs(np.var(x) - ls.exact.stationary_density(sde, domain).variance) > 4 * np.std((x - x.mean())**2) / math.sqrt(len(x))


# ---------------------------------------------------------------------------------------------------------- elimination

def test_elimination_against_exact_fractions():
    """A walk that is killed with probability 1e-30 at one end only, by hand: no digit is lost, where a plain solve is singular."""
    n, kill = 6, np.array([1e-30] + [0.0] * 5)
    moves = np.zeros((n, n))
    for k in range(n):
        for j in (k - 1, k + 1):
            if 0 <= j < n:
                moves[k, j] = 0.5
    steps = passage_sums(moves, kill, np.ones((n, 1))).ravel()
    # from state k: to state 0 in k (2 n − 1 − k) steps; from there n / 1e-30 in all
    assert steps[0] == pytest.approx(n * 1e30, rel=1e-14)
    law = stationary_law(moves)
    assert law == pytest.approx([1 / n] * n, rel=1e-14)


def test_elimination_against_a_plain_solve_of_a_random_chain():
    rng = np.random.default_rng(1)
    moves = rng.random((30, 30))
    kill = rng.random(30)
    total = moves.sum(axis=1) + kill
    moves, kill, sources = moves / total[:, None], kill / total, rng.random((30, 2))
    assert passage_sums(moves, kill, sources) == pytest.approx(np.linalg.solve(np.eye(30) - moves, sources), rel=1e-12)
    moves /= moves.sum(axis=1)[:, None]
    law = stationary_law(moves)
    assert law @ moves == pytest.approx(law, rel=1e-12)


# ------------------------------------------------------------------------------------------------------------ refusals

HALF = ls.Interval(high=1.0)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: ls.Chain("x", 0.1), "`sde` is 'x'"),
    (lambda: ls.Chain(OU, 0.0), "`dt` is 0"),
    (lambda: ls.Chain(OU, math.nan), "`dt` is nan"),
    (lambda: ls.Chain(ls.SDE("-t*x", ls.noise.Constant(1.0)), 0.1), "depends on the time"),
    (lambda: ls.Chain(ls.linear(-np.eye(2), np.eye(2)), 0.1), "2 components"),
    (lambda: ls.Chain(OU, 0.1).mean_passage_time(2.0, HALF), "`x0` is 2"),
    (lambda: ls.Chain(OU, 0.1).mean_passage_time(math.inf, HALF), "`x0` holds inf"),
    (lambda: ls.Chain(OU, 0.1).mean_passage_time(0.0, ls.Interval()), "no path leaves"),
    (lambda: ls.Chain(OU, 0.1).mean_passage_time(0.0, ls.Ball(0.0, 1.0)), "needs an Interval"),
    (lambda: ls.Chain(OU, 0.1).splitting_probability(0.0, HALF, "low"), "no such exit"),
    (lambda: ls.Chain(OU, 0.1).splitting_probability(0.0, HALF, "up"), "`exit` is 'up'"),
    (lambda: ls.Chain(ls.systems.geometric_brownian(0.5, 0.8), 0.1).mean_passage_time(0.5, HALF), "noise vanishes at x = 0"),
    (lambda: ls.Chain(ls.SDE("1", ls.noise.Expression("x**2 - 1/4")), 0.1).mean_passage_time(0.9, ls.Interval(0.0, 1.0)), "needs D > 0"),
    (lambda: ls.Chain(ls.SDE("-1", ls.noise.Constant(1.0)), 0.1).mean_passage_time(0.0, HALF), "drift to minus infinity"),
    (lambda: ls.Chain(ls.SDE("-x", ls.noise.Expression("where(x > 0, 1, 2)"), 1.0, "stratonovich"), 0.1).mean_passage_time(0.0, HALF),
     "noise jumps"),
    (lambda: ls.Chain(OU, 2.5).stationary_density(), "do not come back"),
    (lambda: ls.Chain(QUARTIC, 0.1).stationary_density(), "do not come back"),
    (lambda: ls.Chain(OU, 0.1).stationary_density(ls.Ball(0.0, 1.0)), "needs an Interval"),
    (lambda: ls.Chain(OU, 0.1).stationary_density().probability(1.0, 1.0), "low must be below high"),
    (lambda: ls.Chain(ls.SDE("-x", ls.noise.Expression("1 + 2*x**2"), 0.2), 0.2).stationary_density().moment(7), "does not exist"),
    (lambda: kesten_exponent(Factor(0.5, 3.0), Factor(0.5, 3.0)), "no stationary law"),
])
def test_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_what_cannot_be_computed_is_an_error_that_carries_what_there_is():
    with pytest.raises(ls.exact.QuadratureError, match="too small") as caught:
        ls.Chain(OU, 1e-9).mean_passage_time(0.0, HALF)
    assert caught.value.estimate.value == math.inf
    with pytest.raises(ls.exact.QuadratureError, match="beyond floats"):
        ls.Chain(ls.langevin(ls.landscapes.double_well(), 3e-4), 0.01).mean_passage_time(-1.0, ls.Interval(high=0.0))
    with pytest.raises(ls.exact.QuadratureError, match="beyond floats"):
        ls.Chain(ls.langevin(ls.landscapes.double_well(), 1e-4), 0.01).splitting_probability(-0.9, ls.Interval(-1.0, 0.0))


def test_a_start_on_the_boundary_takes_no_time():
    chain = ls.Chain(OU, 0.1)
    assert chain.mean_passage_time(1.0, HALF).value == 0.0
    assert [chain.splitting_probability(1.0, ls.Interval(-1.0, 1.0), end).value for end in ("low", "high")] == [0.0, 1.0]
    assert chain.mean_passage_time(-1.0, ls.Interval(-1.0, 1.0, reflect="low")).value > 0
