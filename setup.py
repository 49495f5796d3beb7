"""Build of the compiled modules; everything declarative is in pyproject.toml.

Environment
-----------
PSX_DEBUG=1
    Bounds checks, ``-O1`` and AddressSanitizer + UBSan in every compiled module.
"""

import os
import re
import sys
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
DEBUG = os.environ.get("PSX_DEBUG", "") not in ("", "0")

# One row per compiled module; the path is the module name.
MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix()
    for path in sorted((ROOT / "pystruct_ext").rglob("*.pyx"))
]
INCLUDE = ROOT / "csrc" / "include"
# A header of ours in an #include of C++, or in a `cdef extern from` of Cython.
HEADER = re.compile(r"""["'<](pystruct_ext/[\w/]+\.hp*)[">']""")


def headers_of(module: str) -> list[str]:
    """The headers that a module is made of: a change in another does not rebuild it."""
    source = ROOT / (module + ".pyx")
    texts = [
        source,
        *source.parent.glob("*.pxd"),
        *(ROOT / "pystruct_ext/_core").glob("*.pxd"),
    ]
    waiting = [name for path in texts for name in HEADER.findall(path.read_text())]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found and (INCLUDE / name).exists():
            found.add(name)
            waiting += HEADER.findall((INCLUDE / name).read_text())
    return sorted(f"csrc/include/{name}" for name in found)


if sys.platform == "win32":
    COMPILE = ["/O2", "/std:c++17", "/EHsc"]
    LINK: list[str] = []
elif DEBUG:
    COMPILE = [
        "-O1",
        "-g",
        "-std=c++17",
        "-fvisibility=hidden",
        "-fno-omit-frame-pointer",
        "-Wno-psabi",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
    ]
    LINK = ["-fsanitize=address,undefined"]
else:
    COMPILE = ["-O3", "-std=c++17", "-fvisibility=hidden", "-g0", "-Wno-psabi"]
    LINK = ["-pthread"]
    if sys.platform == "linux":
        # Modules that read files and the memory of others: addresses of functions are read-only
        # once loaded, buffers on the stack are guarded, calls of libc know their bounds.
        COMPILE += [
            "-fstack-protector-strong",
            "-U_FORTIFY_SOURCE",  # some compilers define another level
            "-D_FORTIFY_SOURCE=2",
        ]
        LINK += ["-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack"]


class ParallelBuildExt(build_ext):
    """Compile the modules side by side: they do not depend on each other."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.parallel is None:
            self.parallel = min(4, os.cpu_count() or 1)


setup(
    cmdclass={"build_ext": ParallelBuildExt},
    package_dir={"pystruct_ext.include": "csrc/include"},
    packages=[
        *[
            path.parent.relative_to(ROOT).as_posix().replace("/", ".")
            for path in sorted((ROOT / "pystruct_ext").rglob("__init__.py"))
        ],
        "pystruct_ext.include",
    ],
    package_data={
        "pystruct_ext.include": ["pystruct_ext/**/*.h", "pystruct_ext/**/*.hpp"],
        "": ["py.typed", "*.pyi", "*.pxd"],
        "pystruct_ext.datasets": ["*.jsonl"],
        "pystruct_ext.spaces": ["*.par"],
    },
    ext_modules=cythonize(
        [
            Extension(
                module.replace("/", "."),
                [module + ".pyx"],
                include_dirs=["csrc/include", np.get_include()],
                depends=headers_of(module),
                language="c++",
                extra_compile_args=COMPILE,
                extra_link_args=LINK,
                define_macros=[
                    ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
                    *([("PSX_DEBUG", "1")] if DEBUG else []),
                ],
            )
            for module in MODULES
        ],
        build_dir="build/cython",
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
            "binding": True,
            "freethreading_compatible": False,
        },
    ),
)
