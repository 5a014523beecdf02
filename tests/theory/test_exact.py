"""The exact methods: against oracles, closed forms, methods that share no code, and identities; and what they refuse."""
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.theory import exact
from tests import oracles

ALPHAS = {"ito": 0.0, "stratonovich": 0.5, "klimontovich": 1.0}
INTERPRETATIONS = tuple(ALPHAS)
few = settings(max_examples=8, deadline=None, derandomize=True)


def equation(drift: str, covariance: str = "1", strength: float = 1.0, interpretation: str = "ito", **values: float) -> ls.SDE:
    return ls.SDE(drift, ls.noise.Expression(covariance), strength, interpretation, **values)


def quartic(diffusion: float) -> ls.SDE:
    return equation("x - x**3", strength=2 * diffusion)


def moments(sde: ls.SDE, x0: float, domain: ls.Region, order: int = 2, **how: str) -> list[float]:
    return [m.value for m in exact.passage_time_moments(sde, x0, domain, order, **how)]


# ------------------------------------------------------------------------------------------------------------- oracles

QUANTITIES = {
    "mean_first_passage_time": lambda *problem: exact.mean_passage_time(*problem).value,
    "variance_first_passage_time": lambda *problem: (lambda m: m[1] - m[0]**2)(moments(*problem)),
    "raw_moment_2_first_passage_time": lambda *problem: moments(*problem, 2)[-1],
    "raw_moment_3_first_passage_time": lambda *problem: moments(*problem, 3)[-1],
    "splitting_probability_upper": lambda *problem: exact.splitting_probability(*problem).value,
    "mean_first_passage_time_conditional_upper": lambda *problem: exact.mean_passage_time(*problem, exit="high").value,
}
CASES = [(entry, read) for quantity in QUANTITIES for entry in oracles.select(quantity)
         for read in (INTERPRETATIONS if entry["sde"]["interpretation"] == "any" else (None,))]
MULTIPLICATIVE = [entry for entry in oracles.select("mean_first_passage_time")
                  if entry["sde"]["interpretation"] in ALPHAS and entry["digits"] >= 8 and "gbm" not in entry["id"]]


@pytest.mark.parametrize(("entry", "read"), CASES, ids=[f"{e['id']}-{read or 'said'}" for e, read in CASES])
def test_oracle(entry, read):
    value = QUANTITIES[entry["quantity"]](oracles.equation(entry, read), entry["parameters"]["x0"], oracles.interval(entry))
    assert value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-9))


@pytest.mark.parametrize("entry", MULTIPLICATIVE, ids=oracles.ids(MULTIPLICATIVE))
def test_negative_controls_miss_the_oracle(entry):
    """Another interpretation, or twice the noise, must be seen: else agreement means nothing."""
    sde, problem = oracles.equation(entry), (entry["parameters"]["x0"], oracles.interval(entry))
    others = [sde.replace(interpretation=name) for name in INTERPRETATIONS if name != sde.interpretation]
    for other in (*others, sde.replace(strength=2 * sde.strength.value)):
        assert exact.mean_passage_time(other, *problem).value != pytest.approx(entry["value"], rel=1e-3)


# --------------------------------------------------------------------------------------------- methods that share no code

def test_against_nested_quadrature_in_many_digits():
    """f = x − x³, D = (1 + x²)/10 in the Stratonovich reading; Φ = 5 x² − 10 ln(1 + x²) by hand, integrals by mpmath."""
    mpmath.mp.dps = 18

    def phi(x):
        return 5 * x**2 - 10 * mpmath.log(1 + x**2)

    def speed(z):
        return mpmath.exp(-phi(z)) / mpmath.sqrt((1 + z**2) / 10)

    before = mpmath.quad(speed, [-7, -4, -2, -1])
    reference = float(mpmath.quad(lambda y: mpmath.exp(phi(y)) / mpmath.sqrt((1 + y**2) / 10) * (before + mpmath.quad(speed, [-1, y])),
                                  [-1, 0], maxdegree=4))
    tau = exact.mean_passage_time(equation("x - x**3", "1 + x**2", 0.2, "stratonovich"), -1.0, ls.Interval(high=0.0))
    assert tau.value == pytest.approx(reference, rel=1e-12)
    assert tau.low * (1 - 1e-13) <= reference <= tau.high * (1 + 1e-13)


@pytest.mark.parametrize("interpretation", INTERPRETATIONS)
def test_against_chebyshev_collocation(interpretation):
    """b T' + D T'' = −1, then b U' + D U'' = −2 T, both zero at −1 and 1.2: a boundary-value problem, with D differentiated by hand."""
    n = 48
    t = np.cos(np.pi * np.arange(n + 1) / n)
    weights = np.r_[2.0, np.ones(n - 1), 2.0] * (-1.0) ** np.arange(n + 1)
    d = np.outer(weights, 1 / weights) / (t[:, None] - t + np.eye(n + 1))
    d = (d - np.diag(d.sum(axis=1))) / 1.1
    x = 0.1 + 1.1 * t
    diffusion, slope = 0.2 * (1 + x**2), 0.4 * x
    operator = (np.diag(x - x**3 + ALPHAS[interpretation] * slope) @ d + np.diag(diffusion) @ d @ d)[1:-1, 1:-1]
    mean = np.linalg.solve(operator, -np.ones(n - 1))
    square = np.linalg.solve(operator, -2 * mean)
    sde = equation("x - x**3", "1 + x**2", 0.4, interpretation)
    for k in (8, 24, 40):
        assert moments(sde, x[1:-1][k], ls.Interval(-1.0, 1.2)) == pytest.approx([mean[k], square[k]], rel=1e-9)


# -------------------------------------------------------------------------------------------------------- closed forms

def test_brownian_exit_from_an_interval():
    a, b, x, diffusion = -1.0, 2.0, 0.3, 0.7
    mean, square, cube = moments(equation("0", strength=2 * diffusion), x, ls.Interval(a, b), 3)
    u, v = x - a, b - x
    assert mean == pytest.approx(u * v / (2 * diffusion), rel=1e-13)
    assert square == pytest.approx(u * v * (u**2 + 3 * u * v + v**2) / (12 * diffusion**2), rel=1e-13)
    assert cube > mean * square
    assert exact.splitting_probability(equation("0"), x, ls.Interval(a, b)).value == pytest.approx(u / (u + v), rel=1e-13)


def test_drifting_to_a_barrier_is_inverse_gaussian():
    v, distance, diffusion = 0.5, 2.0, 0.3
    mean, square, cube = moments(equation("v", strength=2 * diffusion, v=v), 0.0, ls.Interval(high=distance), 3)
    mu, shape = distance / v, distance**2 / (2 * diffusion)
    assert [mean, square] == pytest.approx([mu, mu**2 + mu**3 / shape], rel=1e-12)
    assert cube == pytest.approx(mu**3 * (1 + 3 * mu / shape + 3 * (mu / shape)**2), rel=1e-12)


def test_ornstein_uhlenbeck_as_an_integral():
    from scipy.integrate import quad
    from scipy.special import erf
    integral = quad(lambda z: math.exp(z * z / 2) * (1 + erf(z / math.sqrt(2))), 0, 2, epsrel=1e-13)[0]
    tau = exact.mean_passage_time(ls.systems.ornstein_uhlenbeck(), 0.0, ls.Interval(high=2.0))
    assert tau.value == pytest.approx(math.sqrt(math.pi / 2) * integral, rel=1e-12)


@pytest.mark.parametrize(("growth", "interpretation"), [(0.5, "ito"), (0.1, "stratonovich"), (-0.1, "klimontovich")])
def test_geometric_brownian_motion_grows_to_a_barrier(growth, interpretation):
    """ln X drifts with growth + (α − 1/2) volatility²; zero is never reached."""
    sde = ls.systems.geometric_brownian(growth, 0.8, interpretation)
    speed = growth + (ALPHAS[interpretation] - 0.5) * 0.64
    mean, square = moments(sde, 1.0, ls.Interval(high=3.0))
    assert mean == pytest.approx(math.log(3) / speed, rel=1e-11)
    assert square - mean**2 == pytest.approx(0.64 * math.log(3) / speed**3, rel=1e-9)


def test_bessel_process_leaves_a_ball():
    """The radius of Brownian motion in three dimensions, whose drift diverges at 0, which is never reached."""
    for domain in (ls.Interval(0.0, 2.0), ls.Interval(high=2.0)):
        assert exact.mean_passage_time(equation("1/x"), 0.5, domain).value == pytest.approx((4 - 0.25) / 3, rel=1e-12)


def test_low_noise_where_the_time_overflows():
    """Full crossing of the quartic double well: π √2 exp(1/(4D)) (1 + 1.5 D + O(D²)), `theory` 8.2."""
    for diffusion, size in ((1 / 2760, 300), (1 / 46052, 5000)):
        tau = exact.mean_passage_time(quartic(diffusion), -1.0, ls.Interval(high=1.0))
        expected = math.log(math.pi * math.sqrt(2)) + 1 / (4 * diffusion) + 1.5 * diffusion
        assert tau.log_value == pytest.approx(expected, abs=20 * diffusion**2 + 1e-11)
        assert math.floor(tau.log_value / math.log(10)) in (size, size - 1)
        assert math.isinf(tau.value) == (size > 308)
    assert str(tau) == f"{10 ** (tau.log_value / math.log(10) % 1):.6f}e+5000 (quadrature, Itô)"


def test_a_probability_that_underflows_has_a_logarithm():
    p = exact.splitting_probability(quartic(1e-4), -0.7, ls.Interval(-0.8, 0.8))
    assert p.value == 0.0
    # ∫ s from −0.8 to −0.7, at its end, over the Gaussian about the top
    expected = (0.7**4 / 4 - 0.7**2 / 2) / 1e-4 + math.log(1e-4 / (0.7 - 0.7**3)) - math.log(2 * math.pi * 1e-4) / 2
    assert p.log_value == pytest.approx(expected, abs=1e-2)


# ---------------------------------------------------------------------------------------------------------- identities

wells = st.fixed_dictionaries({"a": st.floats(-1, 2), "c": st.floats(-0.5, 0.5), "q": st.floats(0, 3), "l": st.floats(-0.5, 0.5),
                               "strength": st.floats(0.1, 1.0), "interpretation": st.sampled_from(INTERPRETATIONS)})


def well(a: float, c: float, q: float, l: float, strength: float, interpretation: str, sign: int = 1) -> ls.SDE:     # noqa: E741
    """A skewed double well with skewed quadratic noise, or its mirror image."""
    return equation("a*x - x**3 + c", "1 + l*x + q*x**2", strength, interpretation, a=a, c=sign * c, q=q + 0.1, l=sign * l)


@few
@given(wells)
def test_the_same_process_in_another_convention(numbers):
    sde, domain = well(**numbers), ls.Interval(-1.1, 0.9)
    times = [exact.mean_passage_time(sde.in_interpretation(name), 0.2, domain).value for name in INTERPRETATIONS]
    assert times == pytest.approx([exact.mean_passage_time(sde, 0.2, domain).value] * 3, rel=1e-11)


@few
@given(wells)
def test_the_mirror_image(numbers):
    left, right = ls.Interval(high=0.8), ls.Interval(low=-0.8)
    assert moments(well(**numbers), -0.4, left) == pytest.approx(moments(well(**numbers, sign=-1), 0.4, right), rel=1e-12)
    p = exact.splitting_probability(well(**numbers), -0.4, ls.Interval(-1, 0.8)).value
    assert p == pytest.approx(exact.splitting_probability(well(**numbers, sign=-1), 0.4, ls.Interval(-0.8, 1), "low").value, rel=1e-12)


@few
@given(wells, st.floats(-0.9, 0.9))
def test_probabilities_and_conditional_times_add_up(numbers, x0):
    sde, domain = well(**numbers), ls.Interval(-1.0, 1.0)
    low, high = (exact.splitting_probability(sde, x0, domain, end).value for end in ("low", "high"))
    assert low + high == pytest.approx(1.0, abs=1e-13)
    given_low, given_high = (moments(sde, x0, domain, exit=end) for end in ("low", "high"))
    for n, whole in enumerate(moments(sde, x0, domain)):
        assert low * given_low[n] + high * given_high[n] == pytest.approx(whole, rel=1e-12)


@few
@given(wells, st.floats(-0.9, 0.9))
def test_on_the_way_to_one_exit_times_add_up(numbers, between):
    sde = well(**numbers)
    whole, first, second = (exact.mean_passage_time(sde, x0, ls.Interval(high=to)).value
                            for x0, to in ((-1.0, 1.0), (-1.0, between), (between, 1.0)))
    assert first + second == pytest.approx(whole, rel=1e-11)


@pytest.mark.parametrize("start", [-1.0, 0.9, 1.15])
def test_variances_add_up_also_where_rare_excursions_decide_them(start):
    """Close to the exit, paths leave at once, or fall back into the other well first: rarely, but then for e^12 times as long."""
    sde, exit_at = quartic(0.02), ls.Interval(high=1.2)
    parts = [moments(sde, x0, ls.Interval(high=to)) for x0, to in ((-1.2, start), (start, 1.2))]
    whole = moments(sde, -1.2, exit_at)
    assert sum(m[1] - m[0]**2 for m in parts) == pytest.approx(whole[1] - whole[0]**2, rel=1e-9)


def test_a_side_that_does_not_matter():
    """From the barrier of a tilted double well at low noise, all that counts is the deep well; the other is e^-250 of it."""
    sde = equation("x - x**3 + 0.3", strength=0.004)
    natural, near = (moments(sde, -0.3, domain) for domain in (ls.Interval(high=1.8), ls.Interval(-0.4, 1.8, reflect="low")))
    assert natural == pytest.approx(moments(sde, -0.3, ls.Interval(-3.0, 1.8, reflect="low")), rel=1e-12)
    assert natural == pytest.approx(near, rel=1e-6)


@few
@given(wells, st.floats(0.1, 10))
def test_moments_are_moments_and_scale_with_the_clock(numbers, faster):
    mean, square, cube = moments(well(**numbers), 0.3, ls.Interval(-1.0, 1.2), 3)
    assert square > mean**2 and cube * mean > square**2
    sde = equation("k*(x - x**3)", "k", 0.4, k=faster)
    one, two = moments(sde, 0.3, ls.Interval(-1.0, 1.2))
    assert [one * faster, two * faster**2] == pytest.approx(moments(sde.replace(k=1.0), 0.3, ls.Interval(-1.0, 1.2)), rel=1e-12)


# ------------------------------------------------------------------------------------------------------------- domains

INTERVALS = {
    "ball": (ls.Ball([0.2], 0.7), ls.Interval(-0.5, 0.9)), "box": (ls.Box([-0.5], [0.9]), ls.Interval(-0.5, 0.9)),
    "half-space": (ls.HalfSpace([2.0], 1.8), ls.Interval(high=0.9)), "where": (ls.Where("0.9 - x"), ls.Interval(high=0.9)),
    "parameter of the equation": (ls.Where("0.9*a - x"), ls.Interval(high=0.9)),
    "intersection": (ls.Interval(low=-0.5) & ls.Where("0.9 - x"), ls.Interval(-0.5, 0.9)),
    "union": (ls.Interval(-0.5, 0.3) | ls.Interval(0.2, 0.9), ls.Interval(-0.5, 0.9)),
    "complement": (~ls.Interval(0.9, 1.5), ls.Interval(high=0.9)),
    "sublevel": (ls.Sublevel(ls.Landscape("(x - 0.2)**2"), 0.49), ls.Interval(-0.5, 0.9)),
    "a piece": (ls.Sublevel(ls.Landscape("(x**2 - 1)**2"), 0.25), ls.Interval(-math.sqrt(1.5), -math.sqrt(0.5))),
    "reflecting": (ls.Interval(-2.0, 5.0, reflect="low") & ls.Interval(high=0.9), ls.Interval(-2.0, 0.9, reflect="low")),
}


@pytest.mark.parametrize("name", INTERVALS)
def test_any_region_is_an_interval_around_the_start(name):
    region, interval = INTERVALS[name]
    sde = equation("a*x - x**3", "1 + x**2", 0.3, a=1.0)
    x0 = -1.0 if name == "a piece" else 0.1
    assert moments(sde, x0, region) == pytest.approx(moments(sde, x0, interval), rel=1e-12)


def test_exits_go_by_label_or_side():
    sde, ball = equation("-x"), ls.Ball([0.0], 1.0)
    low, high, either = (exact.splitting_probability(sde, 0.3, ball, name).value for name in ("low", "high", "ball"))
    assert (low + high, either) == pytest.approx((1.0, 1.0)) and high > low
    assert exact.mean_passage_time(sde, 0.3, ball, exit="ball").value == pytest.approx(exact.mean_passage_time(sde, 0.3, ball).value)


def test_a_start_on_the_boundary_takes_no_time():
    sde, domain = equation("-x"), ls.Interval(0.0, 1.0)
    assert moments(sde, 1.0, domain) == [0.0, 0.0]
    assert exact.mean_passage_time(sde, 1.0, domain, exit="high").value == 0.0
    assert [exact.splitting_probability(sde, 1.0, domain, end).value for end in ("low", "high")] == [0.0, 1.0]
    with pytest.raises(ValueError, match="lies on the exit 'high', so nothing leaves through `exit` = 'low'"):
        exact.mean_passage_time(sde, 1.0, domain, exit="low")


def test_a_start_on_a_reflecting_end():
    symmetric = exact.mean_passage_time(equation("-x"), 0.0, ls.Interval(-1.0, 1.0)).value
    assert exact.mean_passage_time(equation("-x"), 0.0, ls.Interval(0.0, 1.0, reflect="low")).value == pytest.approx(symmetric, rel=1e-13)


def test_far_ends_and_far_starts_change_nothing():
    sde, reference = equation("-x"), exact.mean_passage_time(equation("-x"), 0.0, ls.Interval(high=2.0)).value
    for domain in (ls.Interval(-1e6, 2.0), ls.Interval(-1e6, 2.0, reflect="low"), ls.Interval(-30.0, 2.0)):
        assert exact.mean_passage_time(sde, 0.0, domain).value == pytest.approx(reference, rel=1e-12)
    near, far = (exact.mean_passage_time(quartic(0.01), x0, ls.Interval(high=0.0)).value for x0 in (-1.0, -50.0))
    assert far == pytest.approx(near, rel=1e-10)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_unit_of_length_does_not_matter(scale):
    sde = equation("-x*(x/s)**2", strength=scale**2, s=scale)
    expected = moments(equation("-x**3"), -0.5, ls.Interval(high=1.2))
    assert moments(sde, -0.5 * scale, ls.Interval(high=1.2 * scale)) == pytest.approx(expected, rel=1e-12)


# ------------------------------------------------------------------------------------- functions, kinks, jumps, oscillation

def test_functions_with_kinks_and_jumps_agree_with_expressions():
    def drift(x, p):
        return p[0] * x - x**3 if x < 0.77 else -2.0 * x

    def jumping(x):
        return 1.0 if x < 0.123 else 2.0

    cases = [(ls.SDE(drift, ls.noise.Constant(1.0), 0.2, a=1.0), equation("where(x < 0.77, x - x**3, -2*x)", "1", 0.2)),
             (ls.SDE("x - x**3", ls.noise.from_functions(jumping), 0.2), equation("x - x**3", "where(x < 0.123, 1, 4)", 0.2))]
    for functions, expressions in cases:
        expected = moments(expressions, -1.0, ls.Interval(high=1.1))
        assert moments(functions, -1.0, ls.Interval(high=1.1)) == pytest.approx(expected, rel=1e-11)


def test_a_tilted_washboard_without_end():
    """Towards minus infinity the potential rises, but every barrier on the way down is far higher than what it rises by."""
    for tilt, diffusion in ((0.5, 0.2), (0.1, 0.05), (0.02, 0.02)):
        sde = equation("tilt - sin(x)", strength=2 * diffusion, tilt=tilt)
        x0 = math.asin(tilt)
        natural = exact.mean_passage_time(sde, x0, ls.Interval(high=x0 + 2 * math.pi))
        reflecting = exact.mean_passage_time(sde, x0, ls.Interval(-60 * diffusion / tilt - 40, x0 + 2 * math.pi, reflect="low"))
        assert natural.value == pytest.approx(reflecting.value, rel=1e-11)


# ---------------------------------------------------------------------------------------- what becomes of paths at the ends

@pytest.mark.parametrize(("sde", "domain", "why"), [
    (equation("0"), ls.Interval(high=1.0), "paths come back from minus infinity, but the mean time until then is infinite"),
    (equation("-0.5"), ls.Interval(high=1.0), "some paths drift to minus infinity"),
    (equation("x**3"), ls.Interval(low=-1.0), "some paths reach infinity in finite time"),
    (equation("-x*exp(-x**2/2)", strength=0.02), ls.Interval(high=1.0), "paths come back from minus infinity, but the mean"),
    (equation("-x", "1 + x**2", 4.0, "klimontovich"), ls.Interval(high=1.0), "some paths drift to minus infinity"),
    (equation("-x"), ls.Interval(), "no path ever leaves the domain"),
    (equation("1 - x", "x", 0.25), ls.Interval(low=0.0), "no path ever leaves the domain; no path reaches the exit 'low' at x = 0"),
    (equation("0.1*x", "x"), ls.Interval(high=1.0), "some paths reach x = 0, where the noise vanishes, and stay there"),
    (ls.systems.geometric_brownian(-0.1), ls.Interval(high=1.0), "some paths approach x = 0, where the noise vanishes, and never reach it"),
    (ls.systems.geometric_brownian(-0.1), ls.Interval(0.0, 1.0), "some paths approach the exit 'low' at x = 0 and never reach it"),
])
def test_a_mean_that_is_infinite_says_why(sde, domain, why):
    tau = exact.mean_passage_time(sde, 0.5, domain)
    assert tau.value == tau.log_value == math.inf
    assert tau.verdict.startswith(f"infinite: {why}")


def test_paths_that_do_leave_have_a_mean_although_others_get_lost():
    """Brownian motion with drift −v, given that it reaches the barrier against it, goes there as with drift +v."""
    sde = equation("-v", v=0.5)
    assert exact.mean_passage_time(sde, 0.0, ls.Interval(high=1.0), exit="high").value == pytest.approx(2.0, rel=1e-12)
    assert exact.splitting_probability(sde, 0.0, ls.Interval(high=1.0)).value == pytest.approx(math.exp(-1.0), rel=1e-12)
    gbm = ls.systems.geometric_brownian(-0.1)
    assert exact.mean_passage_time(gbm, 1.0, ls.Interval(high=2.0), exit="high").value == pytest.approx(math.log(2) / 0.6, rel=1e-11)
    assert exact.splitting_probability(gbm, 1.0, ls.Interval(high=2.0)).value == pytest.approx(0.5**1.2, rel=1e-11)


def test_a_square_root_process_reflects_itself():
    """Zero is reached if 2 rate level < volatility²; the mean is the integral of s ∫ m from zero, by a hypergeometric series."""
    rate, level, volatility, x0, barrier = 1.0, 0.1, 0.9, 0.1, 0.5
    tau = exact.mean_passage_time(ls.systems.cox_ingersoll_ross(rate, level, volatility), x0, ls.Interval(high=barrier))
    beta, z = 2 * rate * level / volatility**2, [2 * rate * x / volatility**2 for x in (x0, barrier)]
    # T' = −(2/σ²) Σ_k z^k / (β (β+1) ... (β+k)), integrated term by term.
    series = [sum(zz**(k + 1) / ((k + 1) * math.prod(beta + j for j in range(k + 1))) for k in range(60)) for zz in z]
    assert tau.value == pytest.approx((series[1] - series[0]) / rate, rel=1e-11)
    assert tau.verdict == "paths are reflected at x = 0, where the noise vanishes and the drift points back"


def test_singular_ends_away_from_zero():
    """The same process, moved: next to 1 a float holds fewer digits of the distance than next to 0."""
    for noise, drift in (("{}", "0.1 - {}"), ("sqrt({})", "0.4 - {}"), ("{}*(2 - {})", "0.3 - {}")):
        there, moved = (equation(drift.format(x), noise.replace("{}", x), 0.81) for x in ("x", "(x - 1)"))
        value = exact.mean_passage_time(there, 0.1, ls.Interval(high=0.5)).value
        assert exact.mean_passage_time(moved, 1.1, ls.Interval(high=1.5)).value == pytest.approx(value, rel=2e-10)


@pytest.mark.parametrize(("c", "finite"), [(1.2, 1), (2.2, 2), (3.2, 3)])
def test_moments_that_do_not_exist(c, finite):
    """A force −c/x far out against D = 1/2: m ~ r^(−2c), and a return from r takes a time r²: moment n exists for 2c > 2n − 1."""
    times = exact.passage_time_moments(equation("-c*x/(1 + x**2)", c=c), 0.0, ls.Interval(high=1.0), 4)
    assert [math.isfinite(t.value) for t in times] == [n <= finite for n in range(1, 5)]
    assert times[-1].verdict == "infinite: paths come back from far out too slowly for this moment to exist"


# ------------------------------------------------------------------------------------------------------ errors and refusals

@pytest.mark.parametrize(("sde", "x0", "domain", "message"), [
    (equation("-x"), 2.0, ls.Interval(0, 1), r"`x0` is 2, which lies outside the domain Interval\(low=0.0, high=1.0"),
    (equation("-x"), -2.0, ls.Interval(0, 1, reflect="low"), "`x0` is -2, which lies outside"),
    (equation("-x"), math.nan, ls.Interval(0, 1), "`x0` holds nan"),
    (equation("-x"), [0.1, 0.2], ls.Interval(0, 1), "one state of this model is a number"),
    (equation("-x"), 0.0, (0, 1), "must be a region, such as ls.Interval"),
    (equation("-x*t"), 0.0, ls.Interval(high=1), "`sde` depends on the time t"),
    (ls.systems.maier_stein(), 0.0, ls.Ball([0, 0], 1), r"`sde` has 2 components.*sde.component\(k\)"),
    (equation("x - x**3", "abs(1 - 3*x**2)"), -1.0, ls.Interval(high=0), "the noise vanishes at x = -0.5773502692, between `x0` = -1 and"),
    (equation("-x", "x**2"), 1.0, ls.Interval(-1, 2), "the noise vanishes at x = 0, between"),
    (equation("-x", "1 - x"), 0.0, ls.Interval(high=2), "the noise vanishes at x = 1, between"),
    (equation("-x", "1 - x"), 1.5, ls.Interval(high=2), r"D = ε C / 2 is -0.25 at `x0` = 1.5"),
    (equation("-x", "where(x < -1, -1, 1)"), 0.0, ls.Interval(high=2), r"beyond x = -1, .* D = ε C / 2 is -0.5"),
    (equation("sqrt(x + 3) - 5"), 0.0, ls.Interval(high=2), "beyond x = -3, where the process can be, the drift is nan"),
    (equation("1/(x - 0.5)"), 0.0, ls.Interval(high=2), "the drift diverges at x = 0.5, between"),
    (equation("-1", "x"), 1.0, ls.Interval(high=2), "the noise vanishes at x = 0, and the drift carries paths across"),
    (equation("-sin(x)"), 0.0, ls.Interval(high=2), "no trend is clear .* reflecting"),
])
def test_refusals(sde, x0, domain, message):
    with pytest.raises(ValueError, match=message):
        exact.mean_passage_time(sde, x0, domain)


def test_refused_exits():
    cir = ls.systems.cox_ingersoll_ross()
    with pytest.raises(ValueError, match="`exit` is 'hihg', but must be one of 'low', 'high'"):
        exact.splitting_probability(equation("-x"), 0.5, ls.Interval(0, 1), "hihg")
    with pytest.raises(ValueError, match="has no exit of this name; it has 'high'"):
        exact.splitting_probability(equation("-x"), 0.5, ls.Interval(high=1), "low")
    with pytest.raises(ValueError, match="nothing leaves through `exit` = 'low': no path reaches the exit 'low' at x = 0"):
        exact.mean_passage_time(cir, 1.0, ls.Interval(0.0, 2.0), exit="low")
    assert exact.splitting_probability(cir, 1.0, ls.Interval(0.0, 2.0), "low").value == 0.0
    with pytest.raises(ValueError, match="`order` is 0"):
        exact.passage_time_moments(equation("-x"), 0.5, ls.Interval(0, 1), 0)


def test_a_missed_tolerance_carries_the_best_value():
    """A floor of 1e-12 under noise that would vanish: D is rounding next to the kink, so no panel can resolve it."""
    rough, smooth = (equation("x - x**3", f"abs(1 - 3*x**2) + {floor}", 0.1) for floor in (1e-12, 1e-3))
    with pytest.raises(exact.QuadratureError, match=r"reached .* with a relative error of .* but 1e-10 is asked for; .* near x") as caught:
        exact.mean_passage_time(rough, -1.0, ls.Interval(high=0.0))
    best = caught.value.estimate
    assert best.relative_error > 1e-10
    assert best.value > exact.mean_passage_time(smooth, -1.0, ls.Interval(high=0.0)).value > 1e13


def test_the_answer_says_what_it_is():
    tau = exact.mean_passage_time(equation("x - x**3", "1 + x**2", 0.2, "stratonovich"), -1.0, ls.Interval(high=0.0))
    assert (tau.confidence, tau.method, tau.clock, tau.quantity) == (1.0, "quadrature", "t", "mean passage time")
    assert tau.interpretation == "stratonovich" and tau.is_exact and tau.relative_error < 1e-12
    assert tau.low < tau.value < tau.high and tau.log_value == pytest.approx(math.log(tau.value), rel=1e-15)
    assert tau.in_iterations(0.1).value == pytest.approx(10 * tau.value)
    assert str(tau).startswith("17.1346775469 ± ") and str(tau).endswith(" (quadrature, Stratonovich)")
