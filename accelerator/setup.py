"""Builds the module for the stable ABI: one wheel a machine serves every Python from 3.11 on."""

# ruff: noqa: INP001 - pip runs this, nothing imports it
from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "nevgate_accelerator",
            ["nevgate_accelerator.c"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            # A product and a sum must not become one operation with one rounding: NumPy rounds twice.
            extra_compile_args=["-std=c11", "-O3", "-ffp-contract=off", "-Wall", "-Wextra"],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
