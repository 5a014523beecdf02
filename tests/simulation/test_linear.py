"""Linear equations of more than 16 components: the numbers of their paths, their bits, and what is refused."""
from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.simulation import trajectories
from langevin_sgd.simulation.linear import LinearStep, euler_map, linear_equation

KEY, H = ls.Key(0xC0FF_EE00_0000_0000_0000_0000_0000_0007), 0.05
EULER = ls.EulerMaruyama()


def some_equation(d: int, *, dense: bool = True) -> ls.SDE:
    rng = np.random.default_rng(d)
    F, G = rng.normal(size=(d, d)) / (3 * np.sqrt(d)) - np.eye(d), rng.normal(size=(d, d)) / np.sqrt(d)
    return ls.linear(F, G @ G.T if dense else np.diag(rng.uniform(0.5, 2, size=d)))


# ------------------------------------------------------------------------------------------------------------- numbers

@pytest.mark.parametrize(("d", "dense"), [(2, True), (3, False)])
def test_the_kernel_of_matrices_agrees_with_the_compiled_step(d, dense):
    """The same streams: 200 steps agree to rounding, with dense noise and with diagonal noise."""
    sde, save = some_equation(d, dense=dense), np.array([0, 1, 7, 128, 131, 200])
    x0 = np.ones((1, d))
    compiled = trajectories._run(sde, EULER, 0.0, H, save, KEY, x0, 150, 3, threads=1, progress=False)
    step = LinearStep.of(euler_map(linear_equation(sde, "a test needs"), H))
    x, status, reached, control = np.empty((150, 6, d)), np.zeros(150, np.uint8), np.zeros(150, np.int64), np.zeros(64, np.int64)
    step.run(x0, 0, 150, 3, save, KEY, x, status, reached, control, 16)
    np.testing.assert_allclose(x, compiled[0], rtol=1e-12, atol=1e-12)
    assert np.array_equal(status, compiled[1])
    assert np.array_equal(reached, compiled[2])


def test_without_noise_a_path_is_the_power_of_the_matrix():
    F = some_equation(20).drift(np.eye(20)).T
    x0 = np.random.default_rng(1).normal(size=(70, 20))
    runs = ls.simulate(ls.linear(F, np.zeros((20, 20))), x0, (0, 10 * H), H, rng=KEY)
    for k in range(11):
        np.testing.assert_allclose(runs.x[:, k], x0 @ np.linalg.matrix_power(np.eye(20) + H * F, k).T, rtol=1e-11, atol=1e-12)
    assert (runs.status == ls.Status.COMPLETED).all()


@pytest.mark.parametrize("d", [17, 20])
def test_expressions_and_landscapes_are_simulated_as_their_matrices(d):
    names = [f"x{k + 1}" for k in range(d)]
    chain = " + ".join([*(f"k*(x{i + 1} - x{i})**2/2" for i in range(1, d)), *(f"({n} - 1)**2/2" for n in names)])
    sde = ls.langevin(ls.Landscape(chain, k=2.0), 0.25)
    F = -np.eye(d) - 2.0 * (np.diag([1.0, *[2.0] * (d - 2), 1.0]) - np.eye(d, k=1) - np.eye(d, k=-1))
    by_loss = ls.simulate(sde, np.ones(d), (0, 1), 0.05, 70, rng=KEY).x - 1
    by_matrix = ls.simulate(ls.linear(F, 0.25 * np.eye(d)), np.zeros(d), (0, 1), 0.05, 70, rng=KEY).x
    np.testing.assert_allclose(by_loss, by_matrix, rtol=1e-10, atol=1e-11)


def test_strength_and_interpretation_are_honoured():
    sde = ls.SDE([f"-x{k + 1}" for k in range(17)], ls.noise.Constant(4.0), 0.5, "klimontovich")
    runs = [ls.simulate(s, np.zeros(17), (0, H), H, 50, rng=KEY).x[:, -1] for s in (sde, sde.replace(strength=2.0))]
    np.testing.assert_allclose(runs[1], 2 * runs[0], rtol=1e-12)
    wiener = ls.simulate(ls.linear(np.zeros((17, 17)), np.eye(17) / 2), np.zeros(17), (0, H), H, 50, rng=KEY).x[:, -1]
    np.testing.assert_allclose(runs[0], np.sqrt(2) * wiener, rtol=1e-12)


# ---------------------------------------------------------------------------------------------------------------- bits

@pytest.mark.parametrize(("d", "scheme"), [(1, ls.ExactLinear()), (21, ls.ExactLinear()), (21, EULER)])
def test_bits_depend_on_neither_threads_nor_chunks_nor_the_part_that_runs(d, scheme):
    sde, n, save = some_equation(d), 300, np.array([0, 1, 7, 128, 131])
    x0 = np.random.default_rng(1).normal(size=(n, d))

    def run(a=0, b=n, threads=1, chunks=None):
        return trajectories._run(sde, scheme, 0.0, H, save, KEY, x0[a:b], b - a, a, threads=threads, progress=False, chunks=chunks)[0]

    whole = run()
    for threads, chunks in ((2, 2), (1, 7), (2, 7)):
        assert np.array_equal(run(threads=threads, chunks=chunks), whole)
    for a, b in ((0, 150), (150, n), (77, 78), (64, 128)):
        assert np.array_equal(run(a, b), whole[a:b])
    assert len(np.unique(whole[:, -1], axis=0)) == n


@pytest.mark.parametrize("scheme", [EULER, ls.ExactLinear()])
def test_a_state_does_not_depend_on_the_times_that_are_asked_for(scheme):
    sde = some_equation(19)

    def at(t_eval, end=60 * H):
        return ls.simulate(sde, np.ones(19), (0.0, end), H, 70, t_eval, scheme, rng=KEY).x

    every = at(np.arange(61) * H)
    for steps in ([0], [1], [2], [59], [60], [1, 2, 3, 30, 31, 45], [7, 60], list(range(1, 60, 2))):
        assert np.array_equal(at(np.array(steps) * H), every[:, steps])
    for last in (1, 2, 33, 34):
        assert np.array_equal(at(None, last * H)[:, -1], every[:, last])


def test_parts_on_an_executor_have_the_same_bits():
    sde = some_equation(18)
    alone = ls.simulate(sde, np.ones(18), (0, 1), H, 200, rng=KEY)
    with ThreadPoolExecutor(3) as pool, warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = ls.simulate(sde, np.ones(18), (0, 1), H, 200, rng=KEY, executor=pool)
    assert np.array_equal(parts.x, alone.x)


# ------------------------------------------------------------------------------------------------------------- faults

def test_a_path_that_blows_up_has_diverged():
    """1 + h λ = −3: the chain of a stable equation whose step is too long."""
    x0 = np.zeros((70, 17))
    x0[5] = 1.0
    with pytest.warns(RuntimeWarning, match="1 of 70 paths diverged .* reduce `dt`"):
        runs = ls.simulate(ls.linear(-40 * np.eye(17), np.zeros((17, 17))), x0, (0, 100), 0.1, rng=1)
    assert np.flatnonzero(runs.status == ls.Status.DIVERGED).tolist() == [5]
    assert np.isnan(runs.x[5, -1]).all()
    assert not runs.x[6:].any()
    assert 60 < runs.reached[5] < 80                        # 3^k = 1.8e308 at k = 646


REFUSED = {
    "not linear": (ls.SDE([f"-x{k + 1}**3" for k in range(17)], ls.noise.Constant(1.0)), EULER,
                   r"17 components, more than 16, need a drift F x \+ a and a constant matrix of noise, but the drift '-x1\*\*3"),
    "noise not constant": (ls.SDE([f"-x{k + 1}" for k in range(17)], ls.noise.Expression(["1 + x1**2"] * 17)), EULER,
                           "but the noise .* is not seen to be constant"),
    "noise of time": (ls.SDE([f"-x{k + 1}" for k in range(17)], ls.noise.Expression(["1 + t"] * 17)), EULER, "not seen to be constant"),
    "a function": (ls.SDE(lambda x: x, ls.noise.Constant(1.0), dim=17), EULER, "not seen to be linear .* write it with ls.linear"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_linear_is_refused_beyond_sixteen_components(name):
    sde, scheme, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        ls.simulate(sde, np.zeros(17), (0, 1), 0.1, 2, scheme=scheme)


def test_a_scheme_that_is_no_matrix_is_refused_beyond_sixteen_components():
    class Other:
        def slope(self, sde):
            return None

        def __repr__(self):
            return "Other()"

    with pytest.raises(ValueError, match=r"Other\(\) steps up to 16 components, but the equation has 17; use scheme=EulerMaruyama\(\)"):
        ls.simulate(some_equation(17), np.zeros(17), (0, 1), 0.1, 2, scheme=Other())
    ls.simulate(some_equation(17), np.zeros(17), (0, 1), 0.1, 2, scheme=ls.Milstein())


def test_first_passage_is_refused_beyond_sixteen_components():
    with pytest.raises(ValueError, match=r"has 17 components, but at most 16 .*; more by ls\.simulate only"):
        ls.first_passage(some_equation(17), np.zeros(17), ls.Ball(np.zeros(17), 1.0))


def test_a_large_ensemble_of_starts_is_checked_without_a_matrix_for_each():
    """A covariance of 100 by 100 for each of 20,000 starts would take 1.6 GB."""
    import tracemalloc
    sde, x0 = some_equation(100), np.zeros((20_000, 100))
    tracemalloc.start()
    ls.simulate(sde, x0, (0, 0.1), 0.1, t_eval=[0.1], rng=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * x0.nbytes
