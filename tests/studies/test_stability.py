"""The map of stability against the answers at single points, and its table, data and picture."""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls

X = np.random.default_rng(3).standard_t(3, size=60)
PHASE = ls.losses.phase_retrieval(X, X**2 * (1 + 0.1 * np.sign(X)))


@pytest.fixture(scope="module")
def chain() -> ls.StabilityMap:
    """A sharp and a flat minimum of one valley."""
    loss = ls.losses.deep_linear_chain(X, X, depth=2)
    return ls.stability(loss, [[1.0, 1.0], [3.0, 1 / 3]], np.geomspace(0.003, 2.0, 9), [1, 8, 40])


def test_every_point_of_the_map(chain) -> None:
    assert [m.sharpness for m in chain.minima] == pytest.approx([(9 + 1 / 9) * (X**2).mean(), 2 * (X**2).mean()])      # the sharpest first
    seen = set()
    for m in chain.minima:
        for i, eta in enumerate(chain.learning_rates):
            for j, size in enumerate(chain.batch_sizes):
                alone = ls.theory.minibatch_stability(chain.loss, m.at, learning_rate=eta, batch_size=size)
                assert alone.region == ("excluded", "left", "attracted only", "metastable")[m.regions[i, j]]
                seen.add(alone.region)
    assert seen >= {"excluded", "attracted only", "metastable"}


def test_scaled_curvatures_scale_the_limits(chain) -> None:
    sharp, flat = chain.minima
    ratio = (9 + 1 / 9) / 2
    assert flat.in_mean == pytest.approx(ratio * sharp.in_mean, rel=1e-9)
    assert flat.in_mean_square == pytest.approx(ratio * sharp.in_mean_square, rel=1e-9)
    assert flat.almost_surely == pytest.approx(ratio * sharp.almost_surely, rel=1e-4)


def test_all_minima_are_found() -> None:
    found = ls.stability(PHASE, batch_sizes=[2])
    assert sorted(float(m.at[0]) for m in found.minima) == pytest.approx(sorted(p.x for p in PHASE.minima()))
    assert len(found.minima) == 2 and len(found.learning_rates) == 61
    one = ls.stability(PHASE, PHASE.minima()[0], batch_sizes=[2])
    assert len(one.minima) == 1 and one.minima[0].in_mean == pytest.approx(found.minima[0].in_mean)
    assert ls.stability(PHASE, PHASE.minima(), batch_sizes=[2]).minima[1].in_mean == pytest.approx(found.minima[1].in_mean)


def test_the_table_says_what_excludes_and_what_sgd_leaves(chain) -> None:
    text = str(chain)
    sharp = chain.minima[0]
    assert f"excluded from η = {sharp.in_mean:.3g} on" in text
    assert f"no metastable state from {sharp.in_mean_square[0]:.3g} on with batch size 1" in text
    beyond = [m for m in chain.minima if max(m.almost_surely) > m.in_mean]
    assert beyond and text.count("attract almost every path up to") == len(beyond)
    for m in beyond:
        assert f"excluded from η = {m.in_mean:.3g} on in the mean (batches of" in text and f"path up to {max(m.almost_surely):.3g})" in text
    assert text.count("\n- ") == 2 and "under SGD, batches iid" in text
    assert f"{chain.minima[1].almost_surely[2]:.4g}" in text


def test_as_a_dataset(chain) -> None:
    data = chain.to_xarray()
    assert data.region.dims == ("minimum", "learning_rate", "batch_size") and data.region.dtype == np.int8
    assert data.region.attrs["flag_meanings"] == "excluded left attracted_only metastable"
    assert np.array_equal(data.region[1], chain.minima[1].regions)
    assert data.in_mean_square.sel(batch_size=8).values == pytest.approx([m.in_mean_square[1] for m in chain.minima])


def test_momentum_and_weight_decay_are_said_and_used() -> None:
    loss = ls.losses.linear_regression(X[:20], X[20:40])
    plain, moving = (ls.stability(loss, batch_sizes=[4], momentum=mu, weight_decay=0.2, rng=1) for mu in (0.0, 0.5))
    assert moving.minima[0].in_mean == pytest.approx(1.5 * plain.minima[0].in_mean, rel=1e-12)
    assert plain.minima[0].sharpness == pytest.approx((X[:20]**2).mean() + 0.2, rel=1e-9)
    assert "batches iid, momentum 0.5, weight decay 0.2" in str(moving)


@pytest.mark.parametrize(("bad", "message"), [
    ({"batch_sizes": [4, 2]}, r"`batch_sizes` is \[4, 2\], but must be rising"),
    ({"batch_sizes": [100], "sampling": "without"}, "`batch_size` is 100, but there are 60 samples"),
    ({"learning_rates": [0.2, 0.1]}, "`learning_rates` must be rising"),
    ({"learning_rates": [0.0, 0.1]}, "`learning_rates` is 0, but must be positive"),
    ({"at": 3.0}, "has no critical point there"),
    ({"at": 0.0}, "`learning_rates` is missing: SGD is stable at none"),
])
def test_bad_input_is_named(bad, message) -> None:
    with pytest.raises(ValueError, match=message):
        ls.stability(PHASE, **{"batch_sizes": [2], **bad})
