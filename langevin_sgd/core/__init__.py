"""Compiled kernels, and the compiler of steps.  Scalar functions, floats and arrays in, arrays out; no models."""
