"""Compiled kernels of the output spaces."""
