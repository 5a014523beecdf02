"""The equation: shapes, one namespace, new numbers, its components, and its way through a pickle."""
import multiprocessing
import pickle

import numba
import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.models.fields import SumField
from tests.models.equations import NOISES, STATES, equation, factor, factor_divergence, root, root_slope

ONE = ls.noise.Constant(1.0)


def pull(x, p):
    return (-p[0] * x[0] - x[1], x[0] - 2.0 * x[1])


def spring(x, t, p):
    return -p[0] * x + p[1] * t


# ------------------------------------------------------------------------------------------------------------------ shapes

@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 4), (0,)])
def test_one_dimension_gives_the_shape_of_x(shape):
    sde = ls.SDE("a*x - x**3 + t", ls.noise.Expression("1 + x**2"), 0.2, "stratonovich", a=1.0)
    x = np.random.default_rng(0).normal(size=shape)
    for values in (sde.drift(x, 0.5), sde.ito_drift(x, 0.5), sde.diffusion(x, 0.5)):
        assert np.shape(values) == shape
        assert isinstance(values, float if shape == () else np.ndarray)
    assert np.allclose(sde.drift(x, 0.5), x - x**3 + 0.5, rtol=1e-13, atol=1e-14)
    assert np.allclose(sde.ito_drift(x, 0.5) - sde.drift(x, 0.5), 0.1 * x, rtol=1e-12, atol=1e-14)
    assert np.allclose(sde.diffusion(x, 0.5), 0.1 * (1 + x**2), rtol=1e-14)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4)])
def test_more_dimensions_have_the_component_last(shape):
    sde = ls.SDE(["-x + y*t", "-2*y", "-z"], ls.noise.Expression(["1", "1 + x**2", "2"]), 0.2, "klimontovich")
    x = np.random.default_rng(0).normal(size=(*shape, 3))
    assert sde.drift(x, 2.0).shape == sde.ito_drift(x).shape == (*shape, 3)
    assert sde.diffusion(x).shape == (*shape, 3, 3)
    assert np.allclose(sde.drift(x, 2.0)[..., 0], -x[..., 0] + 2 * x[..., 1], rtol=1e-13, atol=1e-14)
    assert np.allclose(sde.diffusion(x)[..., 1, 1], 0.1 * (1 + x[..., 0]**2), rtol=1e-14)
    assert not sde.diffusion(x)[..., 0, 1].any()


def test_functions_and_expressions_are_one_equation():
    x = STATES[2]
    functions = ls.SDE(pull, ls.noise.from_functions(factor, factor_divergence, dim=2), 0.3, "klimontovich", dim=2, k=1.5)
    texts = ls.SDE(["-k*x - y", "x - 2*y"],
                   ls.noise.Expression([["(1 + x**2)**2", "(1 + x**2)*x*y"], ["(1 + x**2)*x*y", "x**2*y**2 + (1 + y**2)**2"]]),
                   0.3, "klimontovich", k=1.5)
    for f, e in ((functions, texts), (functions.replace(k=-1.0, strength=0.7), texts.replace(k=-1.0, strength=0.7))):
        assert np.allclose(f.drift(x), e.drift(x), rtol=1e-14)
        assert np.allclose(f.ito_drift(x), e.ito_drift(x), rtol=1e-13)
        assert np.allclose(f.diffusion(x), e.diffusion(x), rtol=1e-13)


def test_a_function_of_time_and_parameters():
    sde = ls.SDE(spring, ls.noise.from_functions(root, root_slope, c=0.4), 0.1, "stratonovich", k=2.0, push=3.0)
    assert (sde.drift(1.5, 2.0), sde.depends_on_time) == (3.0, True)
    assert sde.ito_drift(1.5) - sde.drift(1.5) == pytest.approx(0.25 * 0.1 * 4 * 0.4 * 1.5 * 1.9, rel=1e-14)
    assert not ls.SDE("-x", ls.noise.from_functions(root, c=1.0)).depends_on_time
    assert ls.SDE("-x", ls.noise.Expression("1 + t**2")).depends_on_time


def test_a_loss_of_functions_makes_its_own_drift():
    loss = ls.Landscape.from_functions(lambda x, p: p[0] * x**2 / 2, numba.njit(lambda x, p: p[0] * x), lambda x, p: p[0], h=3.0)
    sde = ls.sgd(loss, ONE, 0.1)
    assert isinstance(sde.drift_field, SumField)
    assert (sde.drift(2.0), sde.replace(h=1.0).drift(2.0), sde.replace(h=1.0).landscape(2.0)) == (-6.0, -2.0, 2.0)


def test_the_common_ways_to_make_one():
    sde = ls.sgd(ls.Landscape("h*x**2/2 + c", h=2.0, c=5.0), ls.noise.Constant(3.0), 0.1, 4)
    assert (sde.drift(1.0), sde.diffusion(1.0), sde.interpretation) == (-2.0, pytest.approx(0.0375, rel=1e-15), "ito")
    F, D = np.array([[-1.0, 2.0], [-0.5, -2.0]]), np.array([[1.0, 0.3], [0.3, 0.5]])
    x = STATES[2]
    for name in ("ito", "stratonovich", "klimontovich"):
        linear = ls.linear(F, D).in_interpretation(name)
        assert np.allclose(linear.drift(x), x @ F.T, rtol=1e-14)
        assert np.allclose(linear.diffusion(x), D, rtol=1e-15)
    assert (ls.linear(-2.0, 0.5).drift(3.0), ls.linear(-2.0, 0.5).diffusion(3.0)) == (-6.0, 0.5)
    big = np.random.default_rng(1).normal(size=(7, 7))
    assert np.allclose(ls.linear(big, np.eye(7)).drift(np.arange(7.0)), big @ np.arange(7.0), rtol=1e-13)


# --------------------------------------------------------------------------------------------------------------- one namespace

def test_one_name_has_one_value_in_drift_and_noise():
    sde = ls.SDE("-a*x", ls.noise.Expression("1 + a*x**2", a=2.0), a=2.0)
    assert (sde.drift(1.0), sde.diffusion(1.0)) == (-2.0, 1.5)
    other = sde.replace(a=3.0)
    assert (other.drift(1.0), other.diffusion(1.0)) == (-3.0, 2.0)
    assert ls.SDE("-y*x", ls.noise.Expression("1 + y*x**2"), y=0.5).diffusion(2.0) == 1.5       # given once, y is a parameter of both
    assert ls.SDE("-beta*x*N", ONE, beta=2.0, N=3.0).drift(1.0) == -6.0


@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.SDE("-a*x", ONE), r"the equation '-a\*x' has the parameter `a` without a value; give it by keyword, a=\.\.\."),
    (lambda: ls.SDE("-x", ls.noise.Expression("1 + b*x**2")), "has the parameter `b` without a value"),
    (lambda: ls.SDE("-a*x", ONE, a=1.0, b=2.0), r"has no parameter called `b`: it has a\."),
    (lambda: ls.SDE("-x", ONE, b=2.0), r"`b`: it has none\."),
    (lambda: ls.SDE("-x", ls.noise.Expression("1 + x**2", b=2.0)), r"the equation '-x' has no parameter called `b`: it has none\."),
    (lambda: ls.SDE("-a*x", ls.noise.Expression("a", a=2.0), a=1.0),
     "the parameter `a` has the value 1 in one place and 2 in another; one name has one value"),
    (lambda: ls.sgd(ls.Landscape("a*x**2", a=1.0), ls.noise.Expression("a", a=2.0), 0.1),
     "the parameter `a` has the value 1 in one place and 2 in another"),
    (lambda: ls.SDE(["-x", "-y"], ls.noise.Expression("1 + y**2", y=2.0)),
     r"`y` is given a value, but is a component of the state \(x, y\)"),
    (lambda: ls.SDE("-learning_rate*x", ONE, learning_rate=1.0),
     "`learning_rate` is a reserved word of the library; give the parameter another name"),
    (lambda: ls.SDE("-x", ls.noise.Expression("temperature", temperature=1.0)), "`temperature` is a reserved word"),
    (lambda: ls.SDE("-x", ls.noise.Expression("strength*x**2", strength=1.0)), "`strength` is a reserved word"),
    (lambda: ls.sgd(ls.Landscape("batch_size*x**2", batch_size=1.0), ONE, 0.1), "`batch_size` is a reserved word"),
    (lambda: ls.SDE("-a*x", ONE, a=np.nan), "`a` is nan, but must be a finite number"),
    (lambda: ls.SDE(["-x", "-y"], ONE, variables=["x"]),
     r"`drift` has 2 expressions, but the state has 1 components \(x\); give one for each"),
    (lambda: ls.SDE("-y", ONE), r"`drift` has 1 expressions, but the state has 2 components \(x, y\)"),
    (lambda: ls.SDE(["-x"], ONE, dim=2), "`drift` has 1 expressions"),
    (lambda: ls.SDE("-x", 1.0), r"`noise` is 1\.0, but must be one of ls\.noise: ls\.noise\.Constant\(1\.0\), for a number"),
    (lambda: ls.sgd(ls.Landscape("x**2"), 0.5, 0.1), r"`noise` is 0\.5, but must be one of ls\.noise"),
    (lambda: ls.sgd("x**2", ONE, 0.1), r"`loss` is 'x\*\*2', but must be a Landscape: ls\.Landscape\('x\*\*2'\), for an expression"),
    (lambda: ls.langevin("x**2", 0.1), "`loss` is"), (lambda: ls.SDE(pull, ONE, dim=0), "`dim` is 0, but must be at least 1"),
    (lambda: ls.linear([[1.0, 2.0]], [[1.0]]), r"`F` has shape \(1, 2\), but must be a square matrix"),
    (lambda: ls.linear(np.eye(2), [[1.0]]), r"`D` has shape \(1, 1\)"),
    (lambda: ls.linear(-np.eye(2), [[1.0, 2.0], [2.0, 1.0]]),
     "`D` must be positive semi-definite to be a covariance, but has the eigenvalue -1"),
    (lambda: ls.linear([[np.nan]], [[1.0]]), r"`F` holds nan at index \(0, 0\)"),
    (lambda: ls.SDE("-x", ONE).drift(np.nan), "`x` holds nan"), (lambda: ls.SDE("-x", ONE).ito_drift(0.0, np.inf), "`t` is inf"),
    (lambda: ls.SDE("-x", ONE).diffusion(0.0, np.nan), "`t` is nan, but must be a finite number"),
    (lambda: ls.SDE(["-x", "-y"], ONE).drift([1.0, 2.0, 3.0]),
     r"`x` has shape \(3,\), but states of 2 components need shape \(\.\.\., 2\)"),
])
def test_what_does_not_fit_is_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# -------------------------------------------------------------------------------------------------------------- new numbers

def test_replace_changes_numbers_and_nothing_else():
    sde = ls.sgd(ls.Landscape("h*x**2/2 + abs(x)", h=1.0), ls.noise.Expression("1 + s*x**2", s=2.0), 0.1, 2, "klimontovich")
    other = sde.replace(learning_rate=0.4, h=3.0, s=1.0)
    assert (other.drift(2.0), other.diffusion(2.0), other.landscape(2.0)) == (-7.0, pytest.approx(0.5), 8.0)
    assert other.drift_field is sde.drift_field
    assert other.drift_field.scalar(tuple(other.values)) is sde.drift_field.scalar(tuple(sde.values))     # so nothing is compiled
    assert other.covariance.field.scalar(tuple(other.values)) is sde.covariance.field.scalar(tuple(sde.values))
    assert other.interpretation is sde.interpretation
    assert (sde.drift(2.0), sde.diffusion(2.0), sde.landscape(2.0)) == (-3.0, 0.225, 4.0)
    assert sde.replace().drift(2.0) == -3.0


def test_a_noise_can_be_replaced():
    sde = ls.SDE("-a*x", ONE, 0.1, a=2.0)
    other = sde.replace(noise=ls.noise.Expression("1 + b*x**2", b=3.0), a=5.0)
    assert (other.drift(1.0), other.diffusion(1.0)) == (-5.0, pytest.approx(0.2))
    assert other.replace(b=0.0).diffusion(1.0) == 0.05
    assert sde.diffusion(1.0) == 0.05


@pytest.mark.parametrize(("changes", "words"), [
    ({"k": 1.0}, r"the equation 'h\*x\*\*2/2' has no parameter called `k`: it has h"), ({"h": np.inf}, "`h` is inf"),
    ({"noise": 1.0}, "`noise` is 1.0, but must be one of"),
    ({"interpretation": "other"}, "`interpretation` is 'other'"),
    ({"noise": ls.noise.Anisotropic(np.eye(2))}, "the equation has 1 components"),
    ({"noise": ls.noise.Expression("h", h=3.0)}, "the parameter `h` has the value 1 in one place and 3 in another"),
])
def test_replace_refuses_what_the_equation_does_not_have(changes, words):
    sde = ls.sgd(ls.Landscape("h*x**2/2", h=1.0), ONE, 0.1)
    with pytest.raises(ValueError, match=words):
        sde.replace(**changes)


def test_kinks_are_those_of_drift_and_noise():
    sde = ls.sgd(ls.Landscape("abs(x - c)", c=0.25), ls.noise.Expression("where(x < 1, 1, 2)"), 0.1)
    assert sde.kinks(-3.0, 3.0) == pytest.approx([0.25, 1.0], abs=1e-12)
    assert sde.replace(c=-2.0).kinks(-3.0, 3.0) == pytest.approx([-2.0, 1.0], abs=1e-12)


# --------------------------------------------------------------------------------------------------------------- components

@pytest.mark.parametrize("interpretation", ["ito", "stratonovich", "klimontovich"])
def test_a_component_by_itself_is_the_component_of_the_whole(interpretation):
    loss = ls.Landscape("a*x**4/4 - x**2/2 + b*y**2/2 + 3", a=1.5, b=2.0)
    whole = ls.sgd(loss, ls.noise.Quadratic([0.5, 1.0], [0.3, 0.0], [2.0, 1.0], [0.1, -0.2]), 0.1, 2,
                   interpretation).in_interpretation("stratonovich")
    x = STATES[2]
    for k, name in enumerate("xy"):
        part = whole.component(k)
        assert (part.dim, part.variables, part.interpretation) == (1, (name,), "stratonovich")
        assert np.allclose(part.drift(x[:, k]), whole.drift(x)[:, k], rtol=1e-14)
        assert np.allclose(part.ito_drift(x[:, k]), whole.ito_drift(x)[:, k], rtol=1e-14)
        assert np.allclose(part.diffusion(x[:, k]), whole.diffusion(x)[:, k, k], rtol=1e-14)
        assert np.allclose(part.landscape(x[:, k]), [loss(v * np.eye(2)[k]) for v in x[:, k]], rtol=1e-14)
        assert part.strength == whole.strength
    faster = whole.component(0).replace(a=3.0, learning_rate=0.3)
    assert np.allclose(faster.drift(x[:, 0]), whole.replace(a=3.0, learning_rate=0.3).drift(x)[:, 0], rtol=1e-14)
    assert np.allclose(faster.diffusion(x[:, 0]), whole.replace(learning_rate=0.3).diffusion(x)[:, 0, 0], rtol=1e-14)


@pytest.mark.parametrize("sde", [
    ls.sgd(ls.Landscape("x**2 + y**2 + x*y"), ONE, 0.1), ls.SDE(["-x", "-y"], ls.noise.Expression(["1 + y**2", "1 + y**2"])),
    equation(2, "anisotropic"),
    equation(2, "turning"), ls.SDE(["-x - y", "-y"], ONE),
])
def test_a_component_that_depends_on_the_others_is_none(sde):
    assert sde.component(0) is None


def test_components_of_functions_are_not_known_and_one_dimension_is_its_own():
    assert ls.SDE(pull, ONE, dim=2, k=1.0).component(1) is None
    sde = ls.SDE("-x", ONE)
    assert sde.component(0) is sde
    one_way = ls.SDE(["-x - y", "-y"], ONE)
    assert one_way.component(1).drift(2.0) == -2.0
    assert ls.sgd(ls.Landscape("x**2/2 + y - log(y)"), ONE, 0.1).component(0).landscape is None       # infinite along that axis
    for k in (2, -1, 0.5):
        with pytest.raises(ValueError, match="`k` is"):
            one_way.component(k)


# ----------------------------------------------------------------------------------------------------------------- pickling

def answers(sde):
    x = STATES[sde.dim]
    return [np.asarray(v) for v in (sde.drift(x, 0.3), sde.ito_drift(x, 0.3), sde.diffusion(x, 0.3))]


def in_another_process(pickled):
    return answers(pickle.loads(pickled))


def picklable():
    functions = ls.SDE(spring, ls.noise.from_functions(root, root_slope, c=0.4), 0.1, "stratonovich", k=2.0, push=3.0)
    rewritten = equation(2, "turning", "stratonovich").in_interpretation("ito")
    return [equation(1, "kinked", "klimontovich"), ls.sgd(ls.landscapes.sharp_flat(), NOISES[1]["quadratic"], 0.1, 8), rewritten,
            functions, ls.linear(-1.0, 1.0)]


def test_equations_pickle_as_what_they_are_made_of():
    for sde in picklable():
        sde.drift(STATES[sde.dim])                                  # whatever it has compiled stays at home
        copy = pickle.loads(pickle.dumps(sde))
        assert repr(copy) == repr(sde)
        for here, there in zip(answers(sde), answers(copy), strict=True):
            assert np.array_equal(here, there)


@pytest.mark.slow
def test_a_spawned_process_computes_the_same_bits():
    sdes = picklable()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.map(in_another_process, [pickle.dumps(sde) for sde in sdes])
    for sde, values in zip(sdes, there, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(answers(sde), values, strict=True))


# ----------------------------------------------------------------------------------------------------------------- printing

@pytest.mark.parametrize(("sde", "text"), [
    (ls.SDE("a*x - x**3", ls.noise.Expression("1 + x**2"), 0.2, a=1.0),
     "SDE(drift 'a*x - x**3', noise Expression('1 + x**2'), ε = 0.2, Itô, a=1)"),
    (ls.SDE(["-x", "-y"], ONE, interpretation="klimontovich"), "SDE(drift '-x, -y', noise Constant(variance=1.0), ε = 1, Klimontovich)"),
    (ls.SDE(spring, ONE, k=1.0, push=0.5), "SDE(drift 'spring', noise Constant(variance=1.0), ε = 1, Itô, k=1, push=0.5)"),
    (ls.langevin(ls.landscapes.double_well(2.0), 0.1),
     "SDE(loss 'barrier*(x**2 - 1)**2', noise Constant(variance=1.0), ε = 0.2 (temperature 0.1), Itô, barrier=2)"),
    (ls.linear(-2.0, 0.5), "SDE(drift 'F x, F = [[-2.0]]', noise Anisotropic([[1.0]]), ε = 1, Itô)"),
    (ls.SDE("-x", ls.noise.Expression("x"), 0.1, "stratonovich").in_interpretation("ito"),
     "SDE(drift '-x', noise Expression('x'), ε = 0.1, Itô, rewritten from α = 0.5)"),
])
def test_an_equation_prints_everything_that_decides(sde, text):
    assert repr(sde) == text
