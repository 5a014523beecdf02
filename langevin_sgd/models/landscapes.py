"""The field's test landscapes, each with its source."""
from __future__ import annotations

from langevin_sgd.models.arguments import positive
from langevin_sgd.models.landscape import Landscape

# Where the pieces of `piecewise_quadratic` are: the saddle, and the join of well and barrier, in its parameters.
PIECEWISE_SADDLE = "sqrt(2*barrier*(1/curvature + 1/saddle_curvature))"
PIECEWISE_JOIN = f"{PIECEWISE_SADDLE}*saddle_curvature/(curvature + saddle_curvature)"

__all__ = ["PIECEWISE_JOIN", "PIECEWISE_SADDLE", "double_well", "mirrored_parabola", "mueller_brown", "piecewise_quadratic", "quadratic",
           "sharp_flat", "three_hole",
           "tilted_cosine"]


def quadratic(curvature: float = 1.0) -> Landscape:
    """Return one parabola, L = curvature x² / 2.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.landscapes.quadratic(2.0)(1.0)
    1.0
    """
    return Landscape("curvature*x**2/2", curvature=positive("curvature", curvature))


def double_well(barrier: float | None = None) -> Landscape:
    """Return the quartic double well L = (x² − 1)² / 4: minima at ±1 with L'' = 2, the saddle at 0 with L'' = −1, barrier 1/4.

    Parameters
    ----------
    barrier
        Another height: then L = barrier (x² − 1)², with curvatures 8 barrier and −4 barrier.

    Notes
    -----
    Source: H. A. Kramers, Physica 7, 284 (1940); the standard example of Hänggi, Talkner & Borkovec, Rev. Mod. Phys. 62, 251 (1990).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> [p.kind for p in ls.landscapes.double_well().critical_points()]
    ['minimum', 'minimum', 'saddle']
    """
    if barrier is None:
        return Landscape("(x**2 - 1)**2 / 4")
    return Landscape("barrier*(x**2 - 1)**2", barrier=positive("barrier", barrier))


def sharp_flat() -> Landscape:
    """Return a smooth well pair of equal depth: sharp at −1 (L'' = 2), flat at +1 (L'' = 2/5), the saddle at −0.229.

    L = (x² − 1)² / (4 (1 + (x + 1)²)).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.landscapes.sharp_flat()
    >>> loss.hessian(-1.0), loss.hessian(1.0)
    (2.0, 0.4)
    """
    return Landscape("(x**2 - 1)**2 / (4*(1 + (x + 1)**2))")


def piecewise_quadratic(curvature: float = 1.0, saddle_curvature: float = 1.0, barrier: float = 1.0,
                        other_curvature: float | None = None) -> Landscape:
    """Return parabolas joined smoothly: the landscape on which the power-law escape formula is exact.

    The minimum is at 0 with L'' = curvature, the saddle at s = sqrt(2 barrier / curvature · (1 + curvature / saddle_curvature)) with
    L'' = −saddle_curvature, and L and L' are continuous.

    Parameters
    ----------
    curvature, saddle_curvature, barrier
        Positive numbers.
    other_curvature
        Beyond the saddle, the loss falls for ever (None), or into a second minimum of equal depth with this curvature.

    Notes
    -----
    Source: derived; the assumption (iv) of arXiv:2006.13719 made exact (`theory`, 4.2).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.landscapes.piecewise_quadratic(curvature=5.0, saddle_curvature=1.0, barrier=1.0, other_curvature=1.0)
    >>> print(*loss.critical_points(), sep="; ")
    minimum at 0., value 0; minimum at 3.549193, value 0; saddle at 1.549193, value 1
    """
    given = {"curvature": positive("curvature", curvature), "saddle_curvature": positive("saddle_curvature", saddle_curvature),
             "barrier": positive("barrier", barrier)}
    saddle, join = PIECEWISE_SADDLE, PIECEWISE_JOIN
    top = f"barrier - saddle_curvature*(x - {saddle})**2/2"
    beyond = top
    if other_curvature is not None:
        given["other_curvature"] = positive("other_curvature", other_curvature)
        width = "sqrt(2*barrier*(1/other_curvature + 1/saddle_curvature))"
        other_join = f"{saddle} + {width}*other_curvature/(other_curvature + saddle_curvature)"
        beyond = f"where(x < {other_join}, {top}, other_curvature*(x - {saddle} - {width})**2/2)"
    return Landscape(f"where(x < {join}, curvature*x**2/2, {beyond})", variables=None, **given)


def mirrored_parabola(curvature: float = 1.0, barrier: float = 1.0) -> Landscape:
    """Return a parabola and its mirror image upside down: the minimum at 0, the saddle at 2m, m = sqrt(barrier / curvature).

    `piecewise_quadratic` with equal curvatures, under the name that it has where minibatch noise is mirrored with it: each sample's
    parabola is turned over at m, so that the noise is the same function of the distance to the minimum and to the saddle.

    Notes
    -----
    Source: `theory`, 4.4 and 4.6, where real minibatch SGD is measured on it.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> print(*ls.landscapes.mirrored_parabola(1.0, 1.0).critical_points(), sep="; ")
    minimum at 0., value 0; saddle at 2., value 1
    """
    m = "sqrt(barrier/curvature)"
    return Landscape(f"where(x < {m}, curvature*x**2/2, barrier - curvature*(x - 2*{m})**2/2)",
                     curvature=positive("curvature", curvature), barrier=positive("barrier", barrier))


def tilted_cosine(tilt: float = 0.5, height: float = 1.0) -> Landscape:
    """Return the washboard L = −height cos x − tilt x; it has minima while |tilt| < height.

    Notes
    -----
    Source: H. Risken, The Fokker-Planck Equation, ch. 11 (1989).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.landscapes.tilted_cosine(0.0).gradient(0.0)
    0.0
    """
    return Landscape("-height*cos(x) - tilt*x", tilt=tilt, height=positive("height", height))


def three_hole() -> Landscape:
    """Return the two-dimensional potential with two deep and one shallow well, and two channels between the deep ones.

    Notes
    -----
    Source: P. Metzner, C. Schütte & E. Vanden-Eijnden, J. Chem. Phys. 125, 084110 (2006), eq. (31).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> len([p for p in ls.landscapes.three_hole().critical_points([(-2, 2), (-1.5, 2.5)]) if p.index == 0])
    3
    """
    return Landscape("3*exp(-x**2 - (y - 1/3)**2) - 3*exp(-x**2 - (y - 5/3)**2) - 5*exp(-(x - 1)**2 - y**2)"
                     " - 5*exp(-(x + 1)**2 - y**2) + x**4/5 + (y - 1/3)**4/5")


def mueller_brown() -> Landscape:
    """Return the Müller–Brown surface: three minima and two saddles, heights from −147 to −41.

    Notes
    -----
    Source: K. Müller & L. D. Brown, Theor. Chim. Acta 53, 75 (1979).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.landscapes.mueller_brown().lowest_point([(-1.5, 1.2), (-0.2, 2.0)]).value
    -146.6...
    """
    rows = [(-200, -1, 0, -10, 1, 0), (-100, -1, 0, -10, 0, 0.5), (-170, -6.5, 11, -6.5, -0.5, 1.5), (15, 0.7, 0.6, 0.7, -1, 1)]
    terms = [f"({height})*exp({a}*(x - ({x0}))**2 + ({b})*(x - ({x0}))*(y - ({y0})) + ({c})*(y - ({y0}))**2)"
             for height, a, b, c, x0, y0 in rows]
    return Landscape(" + ".join(terms))
