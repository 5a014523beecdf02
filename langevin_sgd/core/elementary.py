"""Elementary functions as polynomials: they are inlined and vectorised, which calls of the C library are not.

They serve the random numbers, and stand in for ``math.exp``, ``np.tanh``, ... inside compiled steps (`lane_version`).  Errors are below
1e-10, relative to the value or to 1, far below the error of any Monte Carlo mean (`tan` near its poles and `power` with large exponents
magnify them); the exact methods use the C library.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from langevin_sgd.core.lanes import LANE, bits_of, float_of

# -2 log(1+f)/f on [√½-1, √2-1]; sin(πv)/v and cos(πv) in v², |v| ≤ ½; 2^y, |y| ≤ ½; atan(z)/z in z², |z| ≤ 1; erf(z)/z in z², |z| ≤ 1;
# erfcx(z) in (z-2)/(z+2), 1 ≤ z ≤ 6.5.  Fitted by validation/performance/fit_polynomials.py.
LOG = (-1.9999999999749287, 1.000000000718994, -0.6666666849848889, 0.49999985457901874, -0.3999977627397636, 0.33334049079545214,
       -0.2858162362346651, 0.249908723118894, -0.220120758150133, 0.19891973660129816, -0.20094398380668305, 0.19608916902015136,
       -0.10471878768427288)
SIN = (3.141592653536129, -5.1677127645927206, 2.550163317932369, -0.5992521864819006, 0.08205035003144684, -0.007028303652380903)
COS = (0.9999999999992482, -4.9348022002498855, 4.058712107539018, -1.3352623152877476, 0.2353254367875966, -0.025776317139388986,
       0.0018399903949882304)
EXP2 = (0.9999999999999997, 0.6931471805459343, 0.24022650695821055, 0.055504109412010456, 0.009618129157656703,
        0.0013333450573018062, 0.00015403457039410448, 1.531007807039615e-05, 1.325497460306718e-06)
EXP2_SHORT = (1.0, 0.6931472067028329, 0.24022650922289554, 0.05550327226669895, 0.00961805667843204, 0.0013400428177711937,
              0.00015461444724808513)
ATAN = (0.9999999999982006, -0.33333333262544423, 0.19999995342779264, -0.1428559243348065, 0.11109428718679196, -0.090768008448413,
        0.07614257331297938, -0.0636610967334974, 0.05045586936116057, -0.03526805434947685, 0.019937697232567844,
        -0.008242022819883593, 0.002162828043635403, -0.0002666058550987925)
ERF = (1.128379167095495, -0.37612638902822093, 0.11283791658808527, -0.026866169070088566, 0.005223967266819019,
       -0.0008547935254601845, 0.00012046278854995762, -1.4795137849432644e-05, 1.5306632121792055e-06, -1.0469084372743964e-07)
ERFCX = (0.25539567631037813, -0.4271858474123353, 0.24165819429279703, -0.07897858129707655, 0.0037328893374052353,
         0.00699747634132605, -0.0008470828805095593, -0.0009822923762316524, 4.320742279389115e-05, 0.00017732787323808115,
         2.618333857684072e-05, -3.7472197932328334e-05)

ROUND = 1.5 * 2.0**52       # (y + ROUND) - ROUND is y rounded to an integer, and the low bits of y + ROUND are that integer


def polynomial(coefficients: tuple[float, ...]) -> Any:
    """Return p(x) as an unrolled chain of multiply-adds with literal constants; a loop over a tuple would not vectorise."""
    lines = [f"p = {coefficients[-1]!r}", *(f"p = p * x + {c!r}" for c in coefficients[-2::-1]), "return p"]
    scope: dict[str, Any] = {}
    exec("def p(x):\n    " + "\n    ".join(lines), scope)
    return njit(**LANE)(scope["p"])


_log, _sin, _cos, _exp2, _exp2_short, _atan, _erf, _erfcx = map(polynomial, (LOG, SIN, COS, EXP2, EXP2_SHORT, ATAN, ERF, ERFCX))


@njit(**LANE)
def minus2log(u: float) -> float:
    """-2 log u for finite u > 0; the mantissa is taken relative to √½, so that u near 1 keeps full relative accuracy."""
    bits = bits_of(u)
    distance = bits - 0x3FE6A09E667F3BCD                                    # from the bits of √½
    f = float_of(bits - (distance & -(1 << 52))) - 1.0     # the mantissa in [√½, √2), minus 1
    # The exponent, as a float, by filling a mantissa: AVX2 has no conversion from 64-bit integers.
    k = float_of((np.uint64(distance + (1 << 62)) >> np.uint64(52)) | np.uint64(0x433 << 52)) - (2.0**52 + 1024.0)
    return _log(f) * f + k * -1.3862943611198906


@njit(**LANE)
def sinpi(v: float) -> float:
    """sin(π v) for |v| ≤ 1/2."""
    return v * _sin(v * v)


@njit(**LANE)
def cospi(v: float) -> float:
    """cos(π v) for |v| ≤ 1/2."""
    return _cos(v * v)


@njit(**LANE)
def exp(a: float) -> float:
    """e^a, with 0 below 2^-1022.5 and infinity above 2^1023.5: a denormal result costs the processor a hundred cycles."""
    y = a * 1.4426950408889634
    y = 1024.0 if y > 1024.0 else y             # in this order the comparisons are false for NaN, which so stays NaN
    y = -1023.0 if y < -1023.0 else y
    m = y + (ROUND + 1023.0)
    power = float_of(bits_of(m) << 52)   # 2^round(y), written into the exponent
    return _exp2(y - (m - (ROUND + 1023.0))) * power


@njit(**LANE)
def exp2_below_zero(y: float) -> float:
    """2^y for y <= 0, to 1e-8; anything for y > 0.  For probabilities, where half the arithmetic of `exp` is enough."""
    y = -1023.0 if y < -1023.0 else y
    m = y + (ROUND + 1023.0)
    power = float_of(bits_of(m) << 52)
    return _exp2_short(y - (m - (ROUND + 1023.0))) * power


@njit(**LANE)
def log(x: float) -> float:
    """ln x: -inf at 0, NaN below, inf at inf; for denormal x some wrong number near -709."""
    r = -0.5 * minus2log(x)
    r = -math.inf if x == 0.0 else r
    r = x if x == math.inf else r
    return r if x >= 0.0 else math.nan


# π in 26 + 26 + 53 bits: products of the first two with integers below 2^27 are exact
PI_PARTS = (3.1415926218032837, 3.1786509424591713e-08, 1.2246467991473532e-16)
FARTHEST = 4e8              # beyond this argument of sin and cos there is no answer, and NaN says so


@njit(**LANE)
def _turns(a: float) -> tuple[float, Any]:
    """a as half-turns: v in [-1/2, 1/2] and the parity of the integer m in a = π (m + v)."""
    y = a * 0.3183098861837907 + ROUND
    m = y - ROUND
    v = (((a - m * PI_PARTS[0]) - m * PI_PARTS[1]) - m * PI_PARTS[2]) * 0.3183098861837907
    return v if abs(a) < FARTHEST else math.nan, bits_of(y) & 1


@njit(**LANE)
def sin(a: float) -> float:
    """sin a; NaN for |a| > 4e8."""
    v, odd = _turns(a)
    s = sinpi(v)
    return -s if odd else s


@njit(**LANE)
def cos(a: float) -> float:
    """cos a; NaN for |a| > 4e8."""
    v, odd = _turns(a)
    c = cospi(v)
    return -c if odd else c


@njit(**LANE)
def tan(a: float) -> float:
    """tan a, to 1e-10 (1 + tan² a); NaN for |a| > 4e8."""
    return sin(a) / cos(a)


@njit(**LANE)
def sinh(a: float) -> float:
    """(e^a - e^-a) / 2."""
    return 0.5 * (exp(a) - exp(-a))


@njit(**LANE)
def cosh(a: float) -> float:
    """(e^a + e^-a) / 2."""
    return 0.5 * (exp(a) + exp(-a))


@njit(**LANE)
def tanh(a: float) -> float:
    """tanh a."""
    e = exp(-2.0 * abs(a))
    r = (1.0 - e) / (1.0 + e)
    return r if a >= 0.0 else -r


@njit(**LANE)
def atan(a: float) -> float:
    """atan a, by its reciprocal where |a| > 1."""
    size = abs(a)
    z = 1.0 / size if size > 1.0 else size
    r = z * _atan(z * z)
    r = 1.5707963267948966 - r if size > 1.0 else r
    return -r if a < 0.0 else r


@njit(**LANE)
def asin(a: float) -> float:
    """asin a; NaN beyond ±1."""
    return atan(a / math.sqrt((1.0 - a) * (1.0 + a)))


@njit(**LANE)
def acos(a: float) -> float:
    """acos a; NaN beyond ±1."""
    return 1.5707963267948966 - asin(a)


@njit(**LANE)
def erf(a: float) -> float:
    """erf a: a polynomial within ±1, and 1 - exp(-a²) erfcx(a) outside."""
    size = abs(a)
    small = a * _erf(a * a)
    z = 1.0 if size < 1.0 else size
    z = 6.5 if z > 6.5 else z
    tail = 1.0 - exp(-z * z) * _erfcx((z - 2.0) / (z + 2.0))
    tail = -tail if a < 0.0 else tail
    r = small if size < 1.0 else tail
    return r if a == a else a                   # NaN, which the selection above would lose


@njit(**LANE)
def power(x: float, y: float) -> float:
    """x^y, to 1e-11 |y| max(1, |ln x|) of the value: real also for x < 0 where y is an integer (below 2^51), else NaN there."""
    size = exp(y * log(abs(float(x))))
    rounded = (y + ROUND) - ROUND
    odd = bits_of(y + ROUND) & 1
    signed = -size if odd else size
    signed = signed if rounded == y else math.nan
    r = size if x >= 0.0 else signed
    r = 1.0 if y == 0.0 else r
    return r if x == x else x


LANE_FUNCTIONS = {"exp": exp, "log": log, "sin": sin, "cos": cos, "tan": tan, "sinh": sinh, "cosh": cosh, "tanh": tanh, "atan": atan,
                  "asin": asin, "acos": acos, "erf": erf, "pow": power, "power": power, "arctan": atan, "arcsin": asin, "arccos": acos}
