"""Every closed form against something that shares no code with it: in its limit with the ratio that is left, and outside its regime.

In the limit the ratio to the exact value tends to 1, or to the documented number; outside, the form says that it does not apply, and is
off.  The published power law in d dimensions is off by documented factors everywhere (theory 4.3).  The exact numbers are those of
tests/oracles.json, and of this library's quadrature and generator.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, relative, save
from scipy import stats

import langevin_sgd as ls
from langevin_sgd.plots import draw_escapes
from tests.oracles import BY_ID, equation

QUARTIC = {"barrier": 0.25, "curvature_minimum": 2.0, "curvature_saddle": -1.0}
DERIVATIVES = {"third_minimum": -6.0, "fourth_minimum": 6.0, "third_saddle": 0.0, "fourth_saddle": 6.0}
PARABOLAS = {"barrier": 1.0, "curvature_minimum": 1.0, "curvature_saddle": -1.0, "strength": 0.1}
PLANE = PARABOLAS | {"curvature_minimum": [1.0, 1.0], "curvature_saddle": [-1.0, 1.0], "constant": 1.0, "quadratic": [2.0, 2.0]}


def exact(name: str) -> float:
    return BY_ID[name]["value"]


def outside(name: str, prediction: ls.Prediction) -> Check:
    """Return the check that a closed form says that it does not apply."""
    return relative(f"{name}: does not apply, and says so", float(not prediction.applies), 1.0, 1e-9)


def checks() -> Iterator[Check]:
    """All families, then the picture."""
    for family in (constant_noise, state_dependent_noise, published_in_space, in_space, with_mass, far_from_kramers, discrete, laws):
        yield from family()
    draw()


def constant_noise() -> Iterator[Check]:
    """Kramers and its next order on the quartic well (theory 8.2)."""
    for d, ratio in ((0.05, 1.106597), (0.00625, 1.009669)):
        kramers = ls.theory.kramers_time(**QUARTIC, diffusion=d)
        yield relative(f"exact over Kramers, D = {d:g}", exact(f"quartic-D{d:g}-to-1") / kramers.value, ratio, 1e-6)
    for d in (0.025, 0.00625):
        next_order = ls.theory.kramers_time_next_order(**QUARTIC, **DERIVATIVES, diffusion=d)
        yield relative(f"exact over Kramers with its next order, D = {d:g}: 1 + O(D²)", exact(f"quartic-D{d:g}-to-1") / next_order.value,
                       1.0, 15 * d * d)
    yield relative("exact over Kramers, D = 0.025, as near as with the next order", exact("quartic-D0.025-to-1")
                   / ls.theory.kramers_time(**QUARTIC, diffusion=0.025).value, 1.0, 15 * 0.025**2, control=True)
    yield outside("Kramers, barrier / D = 2.5", ls.theory.kramers_time(**QUARTIC, diffusion=0.1))


def state_dependent_noise() -> Iterator[Check]:
    """Laplace, power law, log loss, Xie and mirrored noise, filled in from the equation (theory 4.2, 4.4, 7.1, 7.4)."""
    cases = [("laplace", "mult-half-T0.0125-ito", -1.0, 0.0, 1 / 1.03068, 1e-5), ("laplace", "mult-half-T0.0125-klimontovich", -1.0, 0.0,
             1 / 1.01729, 1e-5), ("power_law", "lossC-k5-sg1-ito", 0.0, 2.0, 0.99794, 1e-5), ("log_loss", "lossC-k10-sg0.5-ito", 0.0, 2.0,
             0.99994, 1e-5), ("power_law_published", "lossC-k20-sg1-klimontovich", 0.0, 2.0, 0.99993, 1e-5),
             ("mirrored", "mirroredC-k5-sg1-ito", 0.0, 2.0, 1.0, 2e-4),
             ("mirrored", "mirroredC-k10-sg0.5-klimontovich", 0.0, 2.0, 1.0, 1e-6),
             ("xie", "xie-2-1-klimontovich", 0.0, BY_ID["xie-2-1-ito"]["parameters"]["kinks"][1], 1.0, 0.005)]
    for form, name, minimum, saddle, ratio, tolerance in cases:
        found = ls.predict(equation(BY_ID[name]), minimum, saddle)[form]
        yield relative(f"{form} over exact, {name}", found.value / exact(name), ratio, tolerance)
    for form, name, saddle, value in (
            ("kramers", "lossC-k5-sg1-ito", 2.0, 2 * math.pi * math.exp(20)),
            ("power_law", "mirroredC-k5-sg1-ito", 2.0, exact("tau-alpha-formula-k5-ito")),
            ("power_law_published", "centredC-k5-sg1-ito", 2.0, exact("tau-alpha-formula-k5-klimontovich")),
            ("xie", "xie-2-1-ito", cases[-1][3], exact("xie-2-1-formula")),
            ("log_loss", "lossC-k10-sg0.5-klimontovich", 2.0, exact("tau-alpha-formula-k10-ito"))):
        found = ls.predict(equation(BY_ID[name]), 0.0, saddle)[form]
        yield relative(f"outside: {form} over exact, {name}", found.value / exact(name), value / exact(name), 1e-6)
        yield relative("… against 1", found.value / exact(name), 1.0, 0.5, control=True)
        yield outside(f"outside: {form}", found)


def published_in_space() -> Iterator[Check]:
    """The form in d dimensions that is attributed to arXiv:2006.13719, at κ = 5, u = 4, d = 2: off by these factors (theory 4.3)."""
    for name, alpha, listed in (("ito", 0.0, 1.0024), ("klimontovich", 1.0, 1.0027)):
        true, power = exact(f"lossC2d-k5-{name}"), 5.0**(5 - alpha) / (1 + (0.5 - alpha) / 5)
        derived = ls.theory.power_law_time(**PLANE, interpretation=name)
        yield relative(f"derived form in the plane over exact, {name}", derived.value / true, listed, 7e-5)
        for what, barrier, growth in (("published form in the plane", 1.0, 3.0), ("… with the factor 2 in front of ΔL", 2.0, 5.0)):
            published = ls.theory.power_law_time_published_d(**PLANE | {"barrier": barrier}, interpretation=name)
            factor = growth**4.5 / (1 - 2 / 10) / power
            yield relative(f"{what} over exact, {name}", published.value / true, factor * listed, 1e-4)
        yield outside(f"published form in the plane, {name}", published)
    yield relative("… with the factor 2, over the derived form, Klimontovich", published.value / derived.value, 2.52, 2e-3)


def in_space() -> Iterator[Check]:
    """Eyring–Kramers, Bouchet–Reygner and Maier–Stein (theory 8.4)."""
    for d, ratio in ((0.05, 1.106597), (0.00625, 1.009669)):
        found = ls.theory.eyring_kramers_time(barrier=0.25, curvature_minimum=[2.0, 3.0], curvature_saddle=[-1.0, 3.0], diffusion=d)
        yield relative(f"exact over Eyring–Kramers, D = {d:g}", exact(f"quartic-D{d:g}-to-1") / found.value, ratio, 1e-6)
    flow = ls.SDE(["-(x**3 - x) + y", "-y - (x**3 - x)"], ls.noise.Constant(1.0), 1.0)
    numbers = {"barrier": 0.25, "curvature_minimum": [2.0, 1.0], "curvature_saddle": [-1.0, 1.0]}
    for d, tolerance in ((0.05, 0.08), (0.03, 0.05)):
        true = ls.FokkerPlanck(flow.replace(strength=2 * d), ls.Grid([(-1.8, 1.8), (-1.5, 1.5)], (120, 96))).mean_passage_time(
            ~ls.Ball([1.0, 0.0], 0.3)).at([-1.0, 0.0]).value
        found = ls.theory.bouchet_reygner_time(**numbers, jacobian_saddle=[[1.0, 1.0], [1.0, -1.0]], diffusion=d)
        yield relative(f"crossing of a transverse flow over Bouchet–Reygner, D = {d:g}: → 1", true / found.value, 1.0, tolerance)
        still = ls.theory.eyring_kramers_time(**numbers, diffusion=d)
        yield relative("the same over Eyring–Kramers", true / still.value, 1.0, 0.2, control=True)
    for beta, d, ratio in ((1, 0.05, 1.1531), (1, 0.03, 1.0873), (2, 0.05, 1.2697), (2, 0.03, 1.1532)):
        found = ls.predict(ls.systems.maier_stein(beta, 1.0, 2 * d), [-1.0, 0.0], [0.0, 0.0])["bouchet_reygner"]
        yield relative(f"Maier–Stein, β = {beta}, D = {d:g}: exact over the form on the axis",
                       exact(f"maierstein-2overlambda0-b{beta}-D{d:g}") / found.value, ratio, 5e-4)
    for beta in (3.5, 5.0):
        found = ls.predict(ls.systems.maier_stein(beta, 1.0, 0.06), [-1.0, 0.0], [0.0, 0.0])["bouchet_reygner"]
        yield outside(f"Maier–Stein, β = {beta:g}", found)


def with_mass() -> Iterator[Check]:
    """Mel'nikov–Meshkov and Kramers with friction on the quartic well, from small to large friction (theory 8.3)."""
    particle = QUARTIC | {"action": 4 / 3}
    for name, friction, temperature, factor, ratio in (
            ("underdamped-k-T0.05-g0.05", 0.05, 0.05, 1.0, 0.837), ("underdamped-T0.05-g1", 1.0, 0.05, 0.5, 0.953),
            ("underdamped-k-T0.035-g0.05", 0.05, 0.035, 1.0, 0.877), ("underdamped-k-T0.035-g1", 1.0, 0.035, 1.0, 0.964)):
        found = ls.theory.melnikov_meshkov_time(**particle, friction=friction, temperature=temperature)
        yield relative(f"exact over Mel'nikov–Meshkov, T = {temperature:g}, γ = {friction:g}", factor * exact(name) * found.value, ratio,
                       1.5e-3)
    slow = ls.theory.underdamped_kramers_time(**particle, friction=0.02, temperature=0.05)
    yield relative("exact over Kramers with friction, T = 0.05, γ = 0.02", exact("underdamped-k-T0.05-g0.02") * slow.value, 0.149, 5e-3)
    yield outside("Kramers with friction, γ = 0.02", slow)


def far_from_kramers() -> Iterator[Check]:
    """Lévy noise, a fixed threshold, and the exponent of minibatches (theory 5.3, 5.4, 7.7); simulated numbers as printed there."""
    for stability, scale, simulated, error in ((1.2, 0.05, 65.7, 1.8), (1.5, 0.025, 611.0, 15.0)):
        found = ls.theory.levy_exit_time(stability=stability, scale=scale, below=1.0, above=1.0, curvature=1.0)
        yield Check(name=f"Lévy exit, A = {stability:g}, e = {scale:g}, simulated", value=simulated, reference=found.value, error=error)
    yield outside("Lévy exit, e = 1", ls.theory.levy_exit_time(stability=1.5, scale=1.0, below=1.0, above=1.0, curvature=1.0))
    limit = ls.theory.threshold_ratio(slope=1.0, variance=1.0, curvature=1.0, learning_rate=0.05)
    etas, ratios = (0.1, 0.05), [exact(f"chain-ar1-b1-eta{eta:g}-ratio") for eta in (0.1, 0.05)]
    yield relative("chain over equation at a threshold, extrapolated to η → 0", 2 * ratios[1] - ratios[0], limit.value, 0.005)
    yield relative("the same, at η = 0.1", ratios[0] / limit.value, 1 - etas[0] / 2, 0.01)
    found = ls.theory.cramer_exponent(minimum=0.0, saddle=1.0, cumulant=lambda x, p: -p * x - np.log1p(-p * p / 2) if p * p < 2 else np.inf)
    yield relative("Cramér root, Laplace noise", found.value, exact("cramer-laplace-W"), 1e-6)
    yield relative("the same against the exponent of the equation", found.value, 1.0, 0.1, control=True)


def discrete() -> Iterator[Check]:
    """What SGD does at a finite learning rate: tails, stability, covariances (theory 5.1, 6.4, 7.2, 7.3, 7.6)."""
    for eta in (0.5, 0.05):
        found = ls.theory.kesten_tail_exponent(learning_rate=eta, curvature=stats.norm(1.0, math.sqrt(2)))
        yield relative(f"Kesten's exponent, η = {eta:g}", found.value, exact(f"kesten-gauss-{eta:g}"), 1e-5)
        yield relative("… over that of the equation, 1 + 2κ", found.value / (1 + 1 / eta), 1.0, 0.025)
    two = ls.theory.linear_stability(learning_rate=0.8, curvature=[1.0, -1.2])
    yield relative("Lyapunov exponent at a maximum", two.lyapunov_exponent, exact("lyapunov-two-point"), 1e-9)
    for mu in (0.0, 0.9):
        found = ls.theory.sgd_covariance(curvature=2.0, constant=3.0, learning_rate=0.1, momentum=mu).covariance[0, 0]
        yield relative(f"variance of SGD, momentum {mu:g}", found, exact(f"momentum-var-mu{mu:g}"), 1e-9)
    law = ls.theory.regression_covariance(inputs=[1.0, 0.5, 0.1], label_noise=0.5, learning_rate=0.3, batch_size=2)
    yield relative("excess loss of linear regression", law.excess_loss, exact("linreg-excess-loss"), 1e-6)
    unstable = ls.theory.regression_covariance(inputs=[1.0, 0.5, 0.1], label_noise=0.5, learning_rate=1.9, batch_size=2)
    yield relative("the same at learning rate 1.9: does not apply, and says so", float(not unstable.applies), 1.0, 1e-9)
    for h in ("0.001", "1.0"):
        found = ls.theory.reshuffled_variance(curvature=float(h), batch_variance=1.0, learning_rate=0.1, batches=50)
        yield relative(f"variance under reshuffling, H = {h}", found.value, exact(f"reshuffle-var-h{h}"), 1e-7)


def laws() -> Iterator[Check]:
    """Stationary laws, their divergence from a prior, and the odds of two basins (theory 3, 7.5, 9)."""
    for name in ("ito", "stratonovich", "klimontovich"):
        law = ls.theory.power_law_stationary(curvature=1.0, strength=0.1, constant=0.5, linear=0.6, quadratic=2.0, interpretation=name)
        yield relative(f"second moment of the skew power law, {name}", law.second_moment, exact(f"powerlaw-skew-m2-{name}"), 1e-10)
    ito = ls.theory.power_law_stationary(curvature=1.0, strength=0.1, constant=0.5, linear=0.6, quadratic=2.0)
    yield relative("the same, Itô's against Klimontovich's", ito.second_moment, exact("powerlaw-skew-m2-klimontovich"), 0.1, control=True)
    posterior = ls.theory.power_law_stationary_d(curvature=2.0, strength=0.1, constant=0.5, quadratic=5.0, interpretation="klimontovich")
    yield relative("divergence of a power law from a normal prior", posterior.kl_divergence(), exact("kl-powerlaw-1d"), 1e-8)
    loss = ls.landscapes.sharp_flat()
    left, top, right = sorted(loss.critical_points(), key=lambda p: p.x)
    for temperature, tolerance in ((0.02, 0.2), (0.005, 0.05)):
        law = ls.exact.stationary_density(ls.langevin(loss, temperature))
        odds = ls.theory.basin_odds(loss_difference=left.value - right.value, curvature_a=left.hessian, curvature_b=right.hessian,
                                    strength=2 * temperature, constant=1.0, barrier=top.value - right.value)
        true = law.probability(high=top.x) / law.probability(low=top.x)
        yield relative(f"three factors over the exact odds of two basins, T = {temperature:g}", odds.value / true, 1.0, tolerance)


def draw() -> None:
    """Closed forms against the exact time over the strength of the noise, for three kinds of it on the same parabolas."""
    well, slope = "where(x < 1, x**2/2, 1 - (x - 2)**2/2)", "where(x < 1, x, 2 - x)"
    kinds = {"C = 1": "1", "C = 1 + 4 L": f"1 + 4*{well}", "C = 1 + 2 L'²": f"1 + 2*({slope})**2"}
    levels = np.geomspace(0.05, 0.8, 15)
    reports = {label: ls.escape(ls.SDE("where(x < 1, -x, x - 2)", ls.noise.Expression(c), 0.1), 0.0, 2.0, 3.3, noise_levels=levels,
                                n_paths=200, max_steps=1.0) for label, c in kinds.items()}
    figure = draw_escapes(reports, title="Closed forms on parabolas, H = ΔL = 1, Itô",
                          formulas=["kramers", "laplace", "power_law", "power_law_published", "mirrored"])
    times, ratios = figure.axes
    times.set(ylim=(0, 14))
    ratios.set(xscale="log", ylim=(0.1, 4), xticks=[0.05, 0.1, 0.2, 0.4, 0.8], xticklabels=["0.05", "0.1", "0.2", "0.4", "0.8"],
               yticks=[0.1, 0.2, 0.5, 1, 2], yticklabels=["0.1", "0.2", "0.5", "1", "2"])
    ratios.minorticks_off()
    save(figure, "closed_forms")


if __name__ == "__main__":
    main(Path(__file__).stem + ": every closed form in its limit, and outside", checks)
