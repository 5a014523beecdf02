"""Same key, same bits: whatever threads, chunks, parts of the ensemble, times asked for, and processes."""
from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.simulation import trajectories
from langevin_sgd.simulation.first_passage import Run
from tests.cases import each

N, H, KEY = 1500, 0.02, ls.Key(0xC0FF_EE00_0000_0000_0000_0000_0000_0007)
DENSE = [[1.0, 0.3, 0.0], [0.3, 0.5, 0.1], [0.0, 0.1, 0.8]]
FULL = [["1 + x**2", "y/4", "0"], ["y/4", "1", "0"], ["0", "0", "1 + z**2/4"]]
WELL = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2/2"), 0.5)
LINEAR = ["y - x", "-x - y", "tanh(x) - z"]

CASES = {
    "one dimension, two walls": (WELL, -1.0, ls.Interval(-1.8, 0.5), ls.EulerMaruyama()),
    "one dimension, Milstein": (WELL, -1.0, ls.Interval(high=0.5), ls.Milstein()),
    "three, constant matrix": (ls.SDE(LINEAR, ls.noise.Anisotropic(DENSE), 0.5), [0.0, 0.0, 0.0],
                               ls.Ball([0.0, 0.0, 0.0], 1.0) & ls.HalfSpace([1.0, 0.0, 1.0], 0.7), ls.EulerMaruyama()),
    "three, modulated matrix": (ls.SDE(LINEAR, ls.noise.Quadratic(DENSE, quadratic=np.eye(3) / 4), 0.5), [0.0, 0.0, 0.0],
                                ls.Ball([0.0, 0.0, 0.0], 1.0), ls.EulerMaruyama()),
    "three, full matrix": (ls.SDE(LINEAR, ls.noise.Expression(FULL), 0.5), [0.1, 0.0, 0.0], ls.Ball([0.0, 0.0, 0.0], 1.0),
                           ls.EulerMaruyama()),
    "three, Milstein": (ls.SDE(LINEAR, ls.noise.Expression(["1", "1 + y**2/4", "1"]), 0.5), [0.0, 0.0, 0.0], ls.Box([-1.0] * 3, [1.0] * 3),
                        ls.Milstein()),
}
EACH = pytest.mark.parametrize("case", CASES)


def the_run(case: str, *, bridge: bool = True) -> tuple[Run, np.ndarray]:
    """A run whose paths all start elsewhere."""
    sde, x0, domain, scheme = CASES[case]
    starts = np.atleast_2d(x0) + 0.02 * np.linspace(-1, 1, N)[:, None] if sde.dim > 1 else x0 + 0.1 * np.linspace(-1, 1, N)[:, None]
    return Run(sde, domain, H, 300, scheme, bridge, KEY, 10**11, None), starts


def bits(columns) -> str:
    arrays = (getattr(columns, name) for name in ("time", "point", "label", "status"))
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


STEPS_ONLY = ("one dimension, two walls", "three, constant matrix")


@pytest.mark.parametrize(("case", "bridge"), each(2, [*((c, True) for c in CASES), *((c, False) for c in STEPS_ONLY)]))
def test_exits_depend_on_neither_threads_nor_chunks(case, bridge):
    run, starts = the_run(case, bridge=bridge)
    results = [run(starts, N, 0, threads=threads, chunks=chunks) for threads, chunks in ((1, 1), (2, 2), (1, 37), (2, 37))]
    assert len({bits(r) for r in results}) == 1
    assert len(np.unique(results[0].time)) > 50


@pytest.mark.parametrize("case", each(2, CASES))
def test_a_part_of_an_ensemble_alone_has_the_bits_of_the_whole(case):
    run, starts = the_run(case)
    whole = run(starts, N, 0, threads=1)
    for a, b in ((0, 750), (750, N), (777, 778), (64, 128)):
        part = run(starts[a:b], b - a, a, threads=1)
        for name in ("time", "point", "label", "status"):
            assert np.array_equal(getattr(part, name), getattr(whole, name)[a:b])


@EACH
def test_paths_depend_on_neither_threads_nor_chunks_nor_the_part_that_runs(case):
    sde, x0, _, scheme = CASES[case]
    save, one = np.array([0, 1, 7, 128, 131]), np.atleast_2d(x0).reshape(1, sde.dim)
    runs = [trajectories._run(sde, scheme, 0.0, H, save, KEY, one, N, 0, threads=t, progress=None, chunks=c)[0]
            for t, c in ((1, 1), (2, 2), (1, 37), (2, 37))]
    assert all(np.array_equal(runs[0], other) for other in runs[1:])
    half = trajectories._run(sde, scheme, 0.0, H, save, KEY, one, N // 2, N // 2, threads=1, progress=None)[0]
    assert np.array_equal(half, runs[0][N // 2:])
    assert len(np.unique(runs[0][:, -1], axis=0)) == N


@EACH
def test_a_state_does_not_depend_on_the_times_that_are_asked_for(case):
    """Single steps, odd ones, all of them, and spans that end elsewhere: steps come in pairs, and a pair may be cut anywhere."""
    sde, x0, _, scheme = CASES[case]

    def at(t_eval, end=60 * H):
        return ls.simulate(sde, x0, (0.0, end), H, 100, t_eval, scheme, rng=KEY).x

    every = at(np.arange(61) * H)
    for steps in ([0], [1], [2], [59], [60], [1, 2, 3, 30, 31, 45], [7, 60], list(range(1, 60, 2))):
        assert np.array_equal(at(np.array(steps) * H), every[:, steps])
    for last in (1, 2, 33, 34):
        assert np.array_equal(at(None, last * H)[:, -1], every[:, last])


def test_a_later_start_of_the_clock_changes_nothing_where_nothing_depends_on_time():
    sde, x0, _, scheme = CASES["one dimension, two walls"]
    first, second = (ls.simulate(sde, x0, (t, t + 20 * H), H, 50, scheme=scheme, rng=KEY).x for t in (0.0, 5.0))
    assert np.array_equal(first, second)


def test_a_recorded_key_replays_a_result():
    sde, x0, domain, _ = CASES["one dimension, two walls"]
    first = ls.first_passage(sde, x0, domain, H, 200)
    again = ls.first_passage(sde, x0, domain, H, 200, rng=first.key)
    assert np.array_equal(first.time, again.time)
    assert not np.array_equal(first.time, ls.first_passage(sde, x0, domain, H, 200).time)
    runs = ls.simulate(sde, x0, (0, 1), H, 20)
    assert np.array_equal(runs.x, ls.simulate(sde, x0, (0, 1), H, 20, rng=runs.key).x)


def test_more_paths_extend_a_run():
    sde, x0, domain, _ = CASES["one dimension, two walls"]
    few, more = (ls.first_passage(sde, x0, domain, H, n, rng=KEY) for n in (100, 250))
    rest = ls.first_passage(sde, x0, domain, H, 150, rng=KEY, first_path=100)
    assert np.array_equal(np.concatenate([few.time, rest.time]), more.time)


def test_the_same_key_drives_another_equation_with_the_same_wiener_increments():
    """What the tests of strong order rest on."""
    w = ls.simulate(ls.SDE("0", ls.noise.Constant(1.0)), 0.0, (0, 1), H, 50, rng=KEY).x
    twice = ls.simulate(ls.SDE("0", ls.noise.Expression("4")), 0.0, (0, 1), H, 50, rng=KEY).x
    np.testing.assert_allclose(twice, 2 * w, rtol=1e-12, atol=1e-12)


def test_a_pickled_equation_is_the_same_equation():
    for sde, x0, _, scheme in CASES.values():
        copy = pickle.loads(pickle.dumps(sde))
        a, b = (ls.simulate(s, x0, (0, 10 * H), H, 10, scheme=scheme, rng=KEY).x for s in (sde, copy))
        assert np.array_equal(a, b)


PROCESSES = """
import hashlib, multiprocessing, pickle, sys
from concurrent.futures import ProcessPoolExecutor
import langevin_sgd as ls

def bits(*arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()

def main():
    cases, key, n, h = pickle.loads(bytes.fromhex(sys.argv[1]))
    for context in (None, "fork", "spawn"):
        pool = ProcessPoolExecutor(2, multiprocessing.get_context(context)) if context else None
        for sde, x0, domain, scheme in cases:
            ends = ls.first_passage(sde, x0, domain, h, n, scheme=scheme, rng=key, executor=pool)
            print(context, bits(ends.time, ends.exit_point, ends.label_index))
        runs = ls.simulate(sde, x0, (0, 1), h, n, scheme=scheme, rng=key, executor=pool)
        print(context, bits(runs.x))
        if pool:
            pool.shutdown()

if __name__ == "__main__":
    main()
"""


def test_processes_of_either_kind_and_a_new_interpreter_give_the_same_bits(tmp_path):
    """Here, in another process, in its forked workers and in spawned ones, each of which compiles for itself."""
    chosen = [CASES["one dimension, two walls"]]
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    argument = pickle.dumps((chosen, KEY, N, H)).hex()
    done = subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", str(script), argument], capture_output=True, text=True,
                          check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    there = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in there] == [context for context in ("None", "fork", "spawn") for _ in range(2)]

    def digest(*arrays):
        return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()

    here = []
    for sde, x0, domain, scheme in chosen:
        ends = ls.first_passage(sde, x0, domain, H, N, scheme=scheme, rng=KEY)
        here.append(digest(ends.time, ends.exit_point, ends.label_index))
    here.append(digest(ls.simulate(sde, x0, (0, 1), H, N, scheme=scheme, rng=KEY).x))
    assert [line[1] for line in there] == 3 * here


POWERS = """
import hashlib, sys
import numba
import langevin_sgd as ls

@numba.njit(error_model="numpy")
def cube(x, n):
    return x**n

if "first" in sys.argv:
    cube(2.0, 3)
sde = ls.SDE("x - x**9", ls.noise.Expression("1 + x**2/2"), 0.5)
print(hashlib.sha256(ls.simulate(sde, -1.0, (0, 1), 0.02, 300, rng=7).x.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_what_else_the_process_has_compiled_changes_no_bit(tmp_path):
    """Numba compiles its own integer power once for the process, with the arithmetic of whoever comes first."""
    script = tmp_path / "powers.py"
    script.write_text(POWERS)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    digests = {subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=True, env=env).stdout
               for arguments in ((), ("first",))}
    assert len(digests) == 1
