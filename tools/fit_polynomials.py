#!/usr/bin/env python3
"""Fits the polynomials of src/backends/cpu/kernels/vector_math-inl.h, with their errors.

Needs mpmath. Each fit interpolates at Chebyshev nodes in high precision, which is within a small
factor of the best polynomial; the coefficients are then rounded to float32, lowest power first.
"""
import mpmath as mp

mp.mp.dps = 50


def fit(function, low, high, degree):
    nodes = [
        (low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * degree + 2))
        for i in range(degree + 1)
    ]
    matrix = mp.matrix(degree + 1, degree + 1)
    for i, x in enumerate(nodes):
        for j in range(degree + 1):
            matrix[i, j] = x**j
    return list(mp.lu_solve(matrix, mp.matrix([function(x) for x in nodes])))


def report(name, function, low, high, degree):
    coefficients = fit(function, mp.mpf(low), mp.mpf(high), degree)
    worst = mp.mpf(0)
    for i in range(2001):
        x = mp.mpf(low) + (mp.mpf(high) - mp.mpf(low)) * i / 2000
        value = mp.polyval(coefficients[::-1], x)
        worst = max(worst, abs(value - function(x)) / max(abs(function(x)), mp.mpf("1e-30")))
    print(f"{name}: relative error {mp.nstr(worst, 3)}")
    print("  " + ", ".join(mp.nstr(c, 9) + "f" for c in coefficients))


def near_zero(function):
    """The value at 0 by its limit."""
    return lambda x: function(x if abs(x) > mp.mpf("1e-12") else mp.mpf("1e-12"))


half_ln2 = mp.log(2) / 2
report("exp: (e^r - 1 - r) / r^2", near_zero(lambda r: (mp.exp(r) - 1 - r) / r**2),
       -half_ln2 * mp.mpf("1.01"), half_ln2 * mp.mpf("1.01"), 5)
report("exp2: (2^f - 1) / f", near_zero(lambda f: (mp.mpf(2) ** f - 1) / f),
       "-0.505", "0.505", 5)
report("exp2 for bf16: (2^f - 1) / f", near_zero(lambda f: (mp.mpf(2) ** f - 1) / f),
       "-0.505", "0.505", 3)
report("tanh: (tanh(x) - x) / x^3 in x^2", near_zero(
    lambda s: (mp.tanh(mp.sqrt(s)) - mp.sqrt(s)) / mp.sqrt(s) ** 3), 1e-20, "0.4225", 4)
report("erf: erf(x) / x in x^2", near_zero(lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s)), 1e-20, 1, 6)
report("erf: log(erfc(x)) in x - 2.5", lambda t: mp.log(mp.erfc(t + mp.mpf("2.5"))), -1.5, 1.5, 8)
