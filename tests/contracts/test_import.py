"""What `import rnla` may cost and touch."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rnla

PACKAGE = Path(rnla.__file__).parent


def run(code, **options):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, **options
    )


def test_import_is_light_and_compiles_nothing():
    result = run(
        "import sys\n"
        "import rnla\n"
        "heavy = {'numba', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "for name in rnla.__all__:\n"
        "    getattr(rnla, name)\n"
        "heavy = {'sklearn', 'matplotlib', 'dask', 'torch', 'cupy', 'scipy.optimize'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "kernels = [v for n, m in list(sys.modules.items()) if n.startswith('rnla._kernels')\n"
        "           for v in vars(m).values() if isinstance(v, Dispatcher)]\n"
        "print(len(kernels) > 10, [k for k in kernels if k.signatures])\n"
    )
    assert result.stderr == ""
    assert result.stdout == "[]\n[]\nTrue []\n"


@pytest.mark.parametrize("first", ["import rnla.trace", "from rnla.trace import Estimate", "pass"])
def test_trace_is_a_function_whatever_is_imported_first(first):
    result = run(
        f"{first}\n"
        "import rnla, inspect, numpy as np\n"
        "print(rnla.trace(np.eye(3), 9).value)\n"
        "print(list(inspect.signature(rnla.trace).parameters)[:2])\n"
        "from rnla.trace import XTrace\n"
    )
    assert result.stdout == "3.0\n['A', 'matvecs']\n", result.stderr


def test_public_names_are_where_they_are_said_to_be():
    assert sorted({*rnla._HOME, "eigen", "lstsq", "sketch"}) == rnla.__all__
    for name in rnla.__all__:
        assert getattr(rnla, name).__module__ if name in rnla._HOME else getattr(rnla, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rnla.nothing  # noqa: B018
    assert {*rnla.__all__, "plot", "testing"} <= set(dir(rnla))


def test_import_prints_nothing():
    result = run("import rnla; rnla.warmup()")
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_import_is_fast_enough():
    # A fraction of a second when warm; the bound leaves room for a loaded machine.
    run("import rnla")
    start = time.perf_counter()
    assert run("import rnla").returncode == 0
    assert time.perf_counter() - start < 10


# Each uses kernels that compile in about a second.
SKETCH = "assert abs((CountSketch.draw(9, 9, rng=0) @ np.ones(9)).sum()) < 9.5"
USE = f"""
import warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    import numpy as np, rnla
    from rnla.sketch import CountSketch
    {SKETCH}
uncached = [w for w in seen if "NUMBA_CACHE_DIR" in str(w.message)]
print(len(uncached), rnla.__path__[0])
"""


def test_read_only_install_without_a_home(tmp_path):
    """One warning instead of a failed import where Numba can write nowhere."""
    copy = tmp_path / "site" / "rnla"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        # A file in the place of the cache folder stops every user, root included.
        (folder / "__pycache__").write_text("")
    hidden = ("HOME", "NUMBA_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {
        "PYTHONPATH": str(copy.parent),
        "XDG_CACHE_HOME": os.devnull,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    result = subprocess.run(
        [sys.executable, "-c", USE], cwd="/", env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"1 {copy}\n"


def test_four_processes_share_an_empty_cache(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    code = f"import numpy as np; from rnla.sketch import CountSketch; {SKETCH}"
    processes = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert list(tmp_path.rglob("*.nbc"))
