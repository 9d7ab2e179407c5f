#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.2.9"]
# ///
"""What the continuous integration runs; `nox -l` lists the sessions, `nox -s NAME` runs one."""

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

HERE = Path(__file__).parent
PUBLIC_MODULES = "rnla/**/*.py"


def fresh_kernels(session: nox.Session) -> dict[str, str]:
    """Return an environment with an empty kernel cache: Numba does not see edits across files."""
    cache = Path(session.create_tmp()) / "numba-cache"
    shutil.rmtree(cache, ignore_errors=True)
    return {"NUMBA_CACHE_DIR": str(cache.resolve())}


def install_group(session: nox.Session, group: str) -> None:
    """Install rnla together with one of the dependency groups of pyproject.toml."""
    session.install(".", "--group", group)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the suite against the installed package."""
    session.install(".[test]")
    session.run("pytest", "-n", "auto", *session.posargs, env=fresh_kernels(session))


@nox.session(name="tests-slow", default=False)
def tests_slow(session: nox.Session) -> None:
    """Run the statistics over many draws."""
    session.install(".[test]")
    session.run("pytest", "-n", "auto", "-m", "slow", *session.posargs, env=fresh_kernels(session))


@nox.session(name="tests-bounds")
def tests_bounds(session: nox.Session) -> None:
    """Run the suite with bounds-checked kernels: a wild index is an error, not a crash."""
    session.install(".[test]")
    env = fresh_kernels(session) | {"NUMBA_BOUNDSCHECK": "1"}
    session.run("pytest", "-n", "auto", *session.posargs, env=env)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the suite reaches, inside kernels too."""
    install_group(session, "test")
    env = fresh_kernels(session) | {"NUMBA_JIT_COVERAGE": "1"}
    session.run(
        "pytest",
        "-n",
        "auto",
        "--cov",
        "--cov-report=term",
        "--cov-report=xml",
        "--cov-fail-under=95",
        *session.posargs,
        env=env,
    )


@nox.session(venv_backend="uv", python="3.11")
def floors(session: nox.Session) -> None:
    """Run the suite on the oldest versions that pyproject.toml allows."""
    session.install("--resolution=lowest-direct", ".[test]")
    session.run("python", "-m", "rnla", "info")
    session.run("pytest", "-n", "auto", *session.posargs, env=fresh_kernels(session))


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """Run the suite on nightly wheels: `nox -s nightly -- INDEX`, the index that SPEC 4 names."""
    if not session.posargs:
        session.error("give the address of the index of nightly wheels: nox -s nightly -- INDEX")
    index, *rest = session.posargs
    session.install(".[test]")
    session.install(
        "--pre", "--upgrade", "--extra-index-url", index, "numpy", "scipy", "scikit-learn"
    )
    session.run("pytest", "-n", "auto", *rest, env=fresh_kernels(session))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, spelling, the direction of imports and the form of docstrings."""
    install_group(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("lint-imports", env=fresh_kernels(session))
    modules = sorted(str(path.relative_to(HERE)) for path in HERE.glob(PUBLIC_MODULES))
    session.run("python", "-m", "numpydoc.hooks.validate_docstrings", *modules)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, strictly."""
    install_group(session, "lint")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning or a dead reference is an error."""
    install_group(session, "docs")
    env = fresh_kernels(session)
    session.run("sphinx-build", "-W", "--keep-going", "-n", "docs", "docs/_build/html", env=env)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the distributions, look inside, and run the suite away from the checkout."""
    session.install("build", "check-wheel-contents", "twine")
    work = Path(session.create_tmp()).resolve()
    shutil.rmtree(work / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(work / "dist"))
    distributions = sorted(str(path) for path in (work / "dist").iterdir())
    built = next(path for path in distributions if path.endswith(".whl"))
    session.run("twine", "check", "--strict", *distributions)
    session.run("check-wheel-contents", built)
    session.install(f"rnla[test] @ {Path(built).as_uri()}")
    away = work / "away"
    shutil.rmtree(away, ignore_errors=True)
    shutil.copytree(HERE / "tests", away / "tests")
    for name in ("pyproject.toml", "CITATION.cff", "README.md"):
        shutil.copy(HERE / name, away)
    env = fresh_kernels(session)
    session.chdir(away)
    session.run("pytest", "-n", "auto", *session.posargs, env=env)


@nox.session(name="bench-smoke")
def bench_smoke(session: nox.Session) -> None:
    """See that the benchmarks run, at a size that says nothing about speed."""
    session.install(".[plot]")
    env = fresh_kernels(session)
    for script in sorted((HERE / "bench").glob("*.py")):
        if not script.name.startswith("_"):
            session.run("python", os.fspath(script), "--quick", env=env)


if __name__ == "__main__":
    nox.main()
