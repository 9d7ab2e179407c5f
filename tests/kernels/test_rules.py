"""The rules that keep Numba's cache honest and imports fast."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import rnla._kernels

MODULES = sorted(module.name for module in pkgutil.iter_modules(rnla._kernels.__path__))
KERNELS = [name for name in MODULES if name != "_jit"]


def tree(name):
    return ast.parse(Path(rnla._kernels.__path__[0], f"{name}.py").read_text())


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_file_stands_alone(name):
    # The cache of a kernel does not notice an edit of what it calls in another file.
    allowed = {f"rnla._kernels.{name}" for name in ("_jit", "_atomic", "_vector", "_tile")}
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported = [node.module]
        elif isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        else:
            continue
        assert not {module for module in imported if module.startswith("rnla")} - allowed


@pytest.mark.parametrize("name", KERNELS)
def test_names_are_unique_in_a_kernel_file(name):
    # Two functions of one name share a file of the cache.
    names = Counter(node.name for node in ast.walk(tree(name)) if isinstance(node, ast.FunctionDef))
    names.pop("generate", None)
    assert max(names.values(), default=1) == 1


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_runs_in_parallel_or_draws_numbers(name):
    source = Path(rnla._kernels.__path__[0], f"{name}.py").read_text()
    for forbidden in ("prange", "parallel=", "np.random", "fastmath=True"):
        assert forbidden not in source
    importlib.import_module(f"rnla._kernels.{name}")


def test_importing_compiles_nothing():
    script = (
        "import importlib, pkgutil, rnla, rnla._kernels\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "for module in pkgutil.iter_modules(rnla._kernels.__path__):\n"
        "    kernels = vars(importlib.import_module('rnla._kernels.' + module.name))\n"
        "    for name, kernel in kernels.items():\n"
        "        assert not isinstance(kernel, Dispatcher) or not kernel.signatures, name\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
