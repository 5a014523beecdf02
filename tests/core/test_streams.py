"""Random streams: the published generator, the right laws, and no two alike."""
from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit
from scipy import stats

from langevin_sgd.core import streams
from langevin_sgd.core.streams import U
from langevin_sgd.models.key import Key

WORD = 2**64


@njit
def words(a, b, c, d, count):
    state, out = (U(a), U(b), U(c), U(d)), np.empty(count, np.uint64)
    for k in range(count):
        state, out[k] = streams.next_word(state)
    return out


@njit
def states(low, high, paths):
    out = np.empty((len(paths), 4), np.uint64)
    for q in range(len(paths)):
        out[q, 0], out[q, 1], out[q, 2], out[q, 3] = streams.stream(low, high, paths[q])
    return out


@njit
def normals(low, high, first, n_paths, pairs):
    """(path, 2 pairs) normals in the order in which a path of one component uses them."""
    out = np.empty((n_paths, 2 * pairs))
    for q in range(n_paths):
        state = streams.stream(low, high, first + q)
        for k in range(pairs):
            state, out[q, 2 * k], out[q, 2 * k + 1] = streams.normal_pair(state)
    return out


@njit
def one_pair(first, second):
    return streams.box_muller(first, second)


@njit
def hashed(z):
    return streams.mixed(z)


def of_key(value, n_paths):
    return states(*map(np.uint64, Key(value).words), np.arange(n_paths, dtype=np.uint64))


# ------------------------------------------------------------------------------------------------ the published generator

def test_words_are_those_of_the_published_generator():
    """The first outputs of xoshiro256++ from the state (1, 2, 3, 4), as in the test vectors of other implementations."""
    assert words(1, 2, 3, 4, 6).tolist() == [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205,
                                             9973669472204895162]


def test_the_hash_is_the_finaliser_of_splitmix64():
    """The first output of SplitMix64 from the seed 0."""
    assert int(hashed(np.uint64(0x9E3779B97F4A7C15))) == 0xE220A8397B1DCDAF


def test_streams_agree_with_their_definition_in_whole_numbers():
    def rotated(x, k):
        return (x << k | x >> (64 - k)) % WORD

    def mixed(z):
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % WORD
        z = (z ^ z >> 27) * 0x94D049BB133111EB % WORD
        return z ^ z >> 31

    golden = 0x9E3779B97F4A7C15
    for low, high, path in [(0, 0, 0), (1, 2, 3), (WORD - 1, WORD - 1, 10**12), (golden, 5, 77)]:
        a = mixed((low + golden) % WORD)
        b = mixed(high ^ rotated(a, 32))
        g, h = mixed((mixed(path ^ a) + b) % WORD), mixed(mixed((path + b) % WORD) ^ a)
        want = [mixed((g + golden) % WORD), mixed((h + 2 * golden) % WORD), mixed(((g ^ rotated(h, 32)) + golden) % WORD),
                mixed((h + rotated(g, 17)) % WORD)]
        assert states(np.uint64(low), np.uint64(high), np.array([path], np.uint64))[0].tolist() == want


def test_normals_are_those_of_box_and_muller():
    rng = np.random.default_rng(3)
    for first, second in rng.integers(0, 2**64, (2000, 2), np.uint64):
        u, v = (int(first >> U(12)) + 0.5) / 2**52, int(second >> U(12)) / 2**52 - 0.5
        r, sign = math.sqrt(-2 * math.log(u)), -1 if second & U(1) else 1
        assert one_pair(first, second) == pytest.approx((r * math.sin(math.pi * v), sign * r * math.cos(math.pi * v)), abs=1e-10)


def test_the_tails_reach_beyond_eight_and_stay_finite():
    least, most = (one_pair(np.uint64(w), np.uint64(w)) for w in (0, WORD - 1))
    assert np.hypot(*least) == pytest.approx(math.sqrt(2 * 53 * math.log(2)), rel=1e-10)
    assert np.isfinite(most).all()
    assert np.hypot(*most) < 1e-7


# ------------------------------------------------------------------------------------------------------------ no two alike

def test_100_000_paths_have_100_000_streams():
    assert len(np.unique(of_key(12345, 100_000), axis=0)) == 100_000


def test_neighbouring_keys_share_no_stream():
    """Keys that differ by one in either word, exchanged words, and keys of neighbouring integer seeds, 4000 paths each."""
    keys = [*range(25), *(k * WORD for k in range(1, 25)), *(Key.draw(seed).value for seed in range(25)), 3 + 4 * WORD, 4 + 3 * WORD]
    together = np.concatenate([of_key(k, 4000) for k in keys])
    assert len(np.unique(together, axis=0)) == len(keys) * 4000
    for column in together.T:                           # nor do they meet in a single word: 2e5² / 2^65 makes that a miracle
        assert len(np.unique(column)) == len(together)


def test_each_hash_is_a_bijection_of_the_path():
    """For one key no two paths can collide, whatever their number: the hash is undone here."""
    def unmixed(z):
        z ^= z >> 31 ^ z >> 62
        z = z * pow(0x94D049BB133111EB, -1, WORD) % WORD
        z ^= z >> 27 ^ z >> 54
        z = z * pow(0xBF58476D1CE4E5B9, -1, WORD) % WORD
        return z ^ z >> 30 ^ z >> 60

    for z in (0, 1, 0xE220A8397B1DCDAF, WORD - 1):
        assert unmixed(int(hashed(np.uint64(z)))) == z


@pytest.mark.law
def test_neighbouring_paths_keys_and_steps_are_uncorrelated():
    """20 correlations of 200 000 normals each, within 5 standard errors 1/√n: fails by chance once in 90 000 runs."""
    z = normals(np.uint64(5), np.uint64(6), 0, 20, 100_000)
    other_low, other_high = (normals(np.uint64(a), np.uint64(b), 0, 20, 100_000) for a, b in ((6, 6), (5, 7)))
    pairs = [(z[0, :-1], z[0, 1:]), (z[1, :-2], z[1, 2:]), *((z[k], z[k + 1]) for k in range(8)), *((z[k], other_low[k]) for k in range(4)),
             *((z[k], other_high[k]) for k in range(4)), (z[3] ** 2 - 1, z[4] ** 2 - 1), (z[5, ::2] ** 2 - 1, z[5, 1::2] ** 2 - 1)]
    for a, b in pairs:
        assert abs(np.mean(a * b) / (a.std() * b.std())) < 5 / math.sqrt(len(a))


# --------------------------------------------------------------------------------------------------------------- the laws

@pytest.mark.law
@pytest.mark.parametrize("across", [False, True], ids=["along one stream", "across streams"])
def test_normals_are_normal(across):
    """2 million numbers: six moments and three tails within 5 standard errors, Kolmogorov and Smirnov's p above 1e-6."""
    z = (normals(np.uint64(1), np.uint64(2), 0, 500_000, 2) if across else normals(np.uint64(1), np.uint64(2), 9, 1, 1_000_000)).ravel()
    for power, (want, of_square) in {1: (0, 1), 2: (1, 3), 3: (0, 15), 4: (3, 105), 5: (0, 945), 6: (15, 10395)}.items():
        assert np.mean(z**power) == pytest.approx(want, abs=5 * math.sqrt((of_square - want**2) / z.size))
    for beyond in (2.0, 3.0, 4.0):
        share = math.erfc(beyond / math.sqrt(2))
        assert np.mean(np.abs(z) > beyond) == pytest.approx(share, abs=5 * math.sqrt(share / z.size))
    assert stats.kstest(z, "norm").pvalue > 1e-6


@pytest.mark.law
def test_the_test_of_normals_sees_a_uniform_law():
    """The negative control: uniform numbers of the same mean and variance."""
    z = np.random.default_rng(1).uniform(-math.sqrt(3), math.sqrt(3), 100_000)
    assert abs(np.mean(z**4) - 3) > 5 * math.sqrt(96 / z.size)
    assert stats.kstest(z, "norm").pvalue < 1e-6


@pytest.mark.law
def test_uniform_numbers_are_uniform_and_independent_of_the_stream():
    """200 000 numbers, p above 1e-6; correlations with one another and with the stream within 5 / √n."""
    n = 200_000
    u = streams.uniforms(np.uint64(1), np.uint64(2), np.arange(n, dtype=np.uint64), 0, 3)
    assert ((u >= 0) & (u < 1)).all()
    z = normals(np.uint64(1), np.uint64(2), 0, n, 1)
    for k in range(3):
        assert stats.kstest(u[:, k], "uniform").pvalue > 1e-6
        for other in (u[:, (k + 1) % 3], z[:, 0], z[:, 1], z[:, 0] ** 2):
            assert abs(np.corrcoef(u[:, k], other)[0, 1]) < 5 / math.sqrt(n)


def test_uniform_numbers_belong_to_key_path_and_number():
    paths = np.arange(1000, dtype=np.uint64)
    u = streams.uniforms(np.uint64(1), np.uint64(2), paths, 0, 6)
    assert np.array_equal(streams.uniforms(np.uint64(1), np.uint64(2), paths[300:], 2, 3), u[300:, 2:5])
    others = [streams.uniforms(np.uint64(a), np.uint64(b), paths, 0, 6) for a, b in ((2, 2), (1, 3))]
    assert len(np.unique(np.stack([u, *others]))) == 3 * u.size
