"""Interpretations: what each adds to the drift, by differences of the diffusion; and that a rewriting keeps the process."""
import itertools

import numpy as np
import pytest
from scipy.linalg import sqrtm

import langevin_sgd as ls
from langevin_sgd.models.interpretation import Interpretation, interpretation
from tests.models.equations import NOISES, STATES, TURNING, differences, diffusion, divergence, equation, stratonovich

NAMES = ("ito", "stratonovich", "klimontovich")
PAIRS = list(itertools.product(NAMES, NAMES))
CASES = [(d, name) for d, noises in NOISES.items() for name in noises]
STEADY = [case for case in CASES if case[1] not in ("constant", "anisotropic")]
T = 0.6
CLOSE = {"rtol": 1e-8, "atol": 1e-9}


def columns(dim):
    return STATES[dim].reshape(-1, dim)


def added(sde):
    x = STATES[sde.dim]
    return (sde.ito_drift(x, T) - sde.drift(x, T)).reshape(-1, sde.dim)


@pytest.mark.parametrize(("dim", "noise"), CASES)
def test_ito_adds_nothing(dim, noise):
    assert not added(equation(dim, noise)).any()


@pytest.mark.parametrize(("dim", "noise"), CASES)
def test_klimontovich_adds_the_divergence_of_the_diffusion(dim, noise):
    sde = equation(dim, noise, "klimontovich")
    assert np.allclose(added(sde), divergence(sde, columns(dim), T), **CLOSE)


@pytest.mark.parametrize(("dim", "noise"), [case for case in CASES if case != (2, "factor")])
def test_stratonovich_adds_what_the_symmetric_root_says(dim, noise):
    sde = equation(dim, noise, "stratonovich")
    assert np.allclose(added(sde), stratonovich(sde, columns(dim), T), **CLOSE)


@pytest.mark.parametrize(("dim", "noise"), STEADY)
def test_a_wrong_sign_or_factor_would_be_seen(dim, noise):
    for name in NAMES[1:] if (dim, noise) != (2, "factor") else NAMES[2:]:
        right = added(equation(dim, noise, name))
        for wrong in (-1.0, 0.0, 0.5, 2.0):
            assert not np.allclose(wrong * right, right, rtol=1e-3)


def test_the_root_in_the_reference_is_scipys():
    sde = equation(2, "turning")
    for x in columns(2):
        g = sqrtm(2 * sde.diffusion(x))
        assert np.allclose(g @ g, 2 * sde.diffusion(x), rtol=1e-12)
        slopes = differences(lambda y: np.array([sqrtm(2 * sde.diffusion(s)) for s in y]), x[None])[0]
        assert np.allclose(0.5 * np.einsum("jk,ikj->i", g, slopes), stratonovich(sde, x[None])[0], rtol=1e-9)


@pytest.mark.parametrize("noise", [n for n in NOISES[2] if n not in ("constant", "anisotropic")])
def test_divergence_and_both_orders_of_the_root_are_one_identity(noise):
    """Σ_j ∂_j D_ij = 1/2 Σ_jk (G_jk ∂_j G_ik + G_ik ∂_j G_jk), with what the library adds on the left."""
    sde, x = equation(2, noise, "klimontovich"), columns(2)

    def g(y):
        return np.array([sqrtm(2 * s) for s in diffusion(sde, y, T)])
    slopes = differences(g, x)
    both = 0.5 * (np.einsum("njk,nikj->ni", g(x), slopes) + np.einsum("nik,njkj->ni", g(x), slopes))
    assert np.allclose(added(sde), both, **CLOSE)


def test_the_divergence_form_is_twice_stratonovich_only_where_the_eigenvectors_stay():
    for noise in NOISES[2]:
        if noise != "factor":
            twice, divergence_form = 2 * added(equation(2, noise, "stratonovich")), added(equation(2, noise, "klimontovich"))
            assert np.allclose(twice, divergence_form, rtol=1e-9, atol=1e-12) is not noise.startswith("turning")


# --------------------------------------------------------------------------------------------- the same process, rewritten

@pytest.mark.parametrize(("old", "new"), PAIRS)
@pytest.mark.parametrize(("dim", "noise"), [(1, "quadratic"), (1, "moving"), (2, "diagonal"), (2, "power law"), (2, "turning")])
def test_rewriting_keeps_the_process_and_comes_back(dim, noise, old, new):
    sde, x = equation(dim, noise, old), STATES[dim]
    other = sde.in_interpretation(new)
    assert other.interpretation == new
    assert np.allclose(other.ito_drift(x, T), sde.ito_drift(x, T), rtol=1e-13, atol=1e-15)
    assert np.array_equal(other.diffusion(x, T), sde.diffusion(x, T))
    assert np.allclose(other.drift(x, T) + added(equation(dim, noise, new)).reshape(x.shape), sde.ito_drift(x, T), rtol=1e-13, atol=1e-14)
    assert np.allclose(other.in_interpretation(old).drift(x, T), sde.drift(x, T), rtol=1e-13, atol=1e-15)
    through = sde.in_interpretation("klimontovich").in_interpretation("stratonovich").in_interpretation(new)
    assert np.allclose(through.drift(x, T), other.drift(x, T), rtol=1e-13, atol=1e-15)
    assert other.effective_alpha == sde.effective_alpha == interpretation(old).alpha


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_reading_otherwise_keeps_drift_and_noise(old, new):
    for dim, noise in ((1, "loss"), (2, "turning")):
        sde, x = equation(dim, noise, old), STATES[dim]
        other = sde.replace(interpretation=new)
        assert np.array_equal(other.drift(x), sde.drift(x))
        assert np.array_equal(other.diffusion(x), sde.diffusion(x))
        assert np.array_equal(other.ito_drift(x), equation(dim, noise, new).ito_drift(x))
        assert other.effective_alpha == interpretation(new).alpha


def test_reading_a_rewritten_equation_otherwise_keeps_its_new_drift():
    sde, x = equation(1, "quadratic", "stratonovich"), STATES[1]
    rewritten = sde.in_interpretation("klimontovich")
    again = rewritten.replace(interpretation="ito")
    assert np.allclose(again.drift(x), rewritten.drift(x), rtol=1e-14)
    assert np.allclose(again.ito_drift(x), rewritten.drift(x), rtol=1e-14)
    assert again.effective_alpha == -0.5


def test_rewritten_equations_follow_new_numbers():
    sde, x = equation(1, "expression", "klimontovich"), STATES[1]
    new = {"strength": 0.7, "c": -1.0}
    assert np.allclose(sde.in_interpretation("ito").replace(**new).drift(x), sde.replace(**new).in_interpretation("ito").drift(x),
                       rtol=1e-14)
    assert "rewritten from α = 1" in repr(sde.in_interpretation("ito"))


def test_additive_noise_is_the_same_in_every_interpretation():
    for dim, noise in ((1, "constant"), (2, "constant"), (2, "anisotropic")):
        drifts = [equation(dim, noise, name).ito_drift(STATES[dim]) for name in NAMES]
        assert np.array_equal(drifts[0], drifts[1])
        assert np.array_equal(drifts[0], drifts[2])


# ------------------------------------------------------------------------------------------------------------------- names

def test_names_and_alphas():
    assert [(interpretation(n).alpha, interpretation(n).label) for n in NAMES] == [(0.0, "Itô"), (0.5, "Stratonovich"),
                                                                                   (1.0, "Klimontovich")]
    assert interpretation("anti-ito") is Interpretation.KLIMONTOVICH
    assert interpretation(Interpretation.ITO) is Interpretation.ITO


@pytest.mark.parametrize("name", ["Ito", "itô", "hänggi", "", None, 0.5, "anti_ito"])
def test_other_names_are_refused_with_the_list(name):
    with pytest.raises(ValueError,
                       match=r"`interpretation` is .*, but must be 'ito', 'stratonovich' or 'klimontovich' \('anti-ito' is accepted where"):
        equation(1, "constant", name)


@pytest.mark.parametrize(("dim", "noise"), CASES)
def test_anti_ito_is_taken_where_it_is_the_divergence_form(dim, noise):
    if noise.startswith("turning") or noise == "factor":
        for make in (lambda: equation(dim, noise, "anti-ito"), lambda: equation(dim, noise).in_interpretation("anti-ito"),
                     lambda: equation(dim, noise).replace(interpretation="anti-ito")):
            with pytest.raises(ValueError,
                               match="another process than the divergence form; write 'klimontovich' for the latter"):
                make()
    else:
        assert np.array_equal(added(equation(dim, noise, "anti-ito")), added(equation(dim, noise, "klimontovich")))


def test_a_constant_matrix_of_expressions_turns_nowhere():
    noise = ls.noise.Expression([["1", "a"], ["a", "1"]], a=0.3)
    assert ls.SDE(["-x", "-y"], noise, interpretation="anti-ito").interpretation == "klimontovich"


# ---------------------------------------------------------------------------------------------------------------- refusals

def bare_root(x):
    return 1.0 + x * x


@pytest.mark.parametrize("name", ["stratonovich", "klimontovich", "anti-ito"])
def test_functions_without_divergence_are_ito_only(name):
    noise = ls.noise.from_functions(bare_root)
    told = r"noise given by functions without `divergence` can be read as 'ito' only; give noise\.from_functions\(factor, divergence\)"
    for make in (lambda: ls.SDE("-x", noise, interpretation=name), lambda: ls.SDE("-x", noise).in_interpretation(name),
                 lambda: ls.SDE("-x", noise).replace(interpretation=name)):
        with pytest.raises(ValueError, match=told):
            make()


def test_stratonovich_is_refused_where_it_would_depend_on_the_factor():
    three = [["2 + x**2", "x*y/5", "0"], ["x*y/5", "2", "z/9"], ["0", "z/9", "2 + z**2"]]
    told = r"'stratonovich' depends on the factor of C and is offered for a 2 x 2 matrix of expressions only; use .* or 'klimontovich'"
    with pytest.raises(ValueError, match="for a full matrix of noise in 3 dimensions, " + told):
        ls.SDE(["-x", "-y", "-z"], ls.noise.Expression(three), interpretation="stratonovich")
    with pytest.raises(ValueError, match=told):
        equation(2, "factor", "stratonovich")
    x = np.array([[0.3, -0.4, 0.5]])
    sde = ls.SDE(["-x", "-y", "-z"], ls.noise.Expression(three), 0.2, "klimontovich")
    assert np.allclose(sde.ito_drift(x) - sde.drift(x), divergence(sde, x), **CLOSE)


def test_a_matrix_that_turns_out_diagonal_is_not_full():
    noise = ls.noise.Expression([["1 + x**2", "0"], ["x - x", "1 + y**2"]])
    assert ls.SDE(["-x", "-y"], noise, interpretation="anti-ito").covariance.eigenvectors_are_constant
    assert not ls.SDE(["-x", "-y"], ls.noise.Expression(TURNING)).covariance.eigenvectors_are_constant
