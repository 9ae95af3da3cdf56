"""Loops over the elements of a batch, compiled by numba and run on torch's threads.

Each `compile_...` function returns the address of a C function for `openmp.run_on_threads`; its
docstring describes the arguments. These modules import numba, which takes half a second, so
others import them only once a loop runs.
"""
