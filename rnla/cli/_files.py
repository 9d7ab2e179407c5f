"""Read a matrix or right-hand sides from a file, chosen by its suffix; nothing is unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from scipy.io import mminfo, mmread
from scipy.sparse import csr_array, issparse, load_npz

from rnla.cli._csv import read_csv
from rnla.cli._errors import InputError
from rnla.cli._memory import available_memory, check_memory

READABLE = ".npy, .npz, .mtx, .mtx.gz, .csv or .csv.gz"
# One entry of a sparse matrix: its value, its column and what a change of format needs.
_SPARSE_ENTRY = 40


def read_matrix(path: str, key: str | None = None) -> Any:
    """Return the matrix A of a file: an array, memory-mapped if it is large, or in CSR form."""
    A = _read(path, key, "A")
    return csr_array(A) if is_sparse(A) else A


def read_right_hand_sides(path: str, key: str | None = None) -> Any:
    """Return b of a file as an array; a single row or column of a text file is a vector."""
    b = _read(path, key, "b")
    if is_sparse(b):
        check_memory(8.0 * b.shape[0] * b.shape[1], f"{path} as a dense array")
        b = b.toarray()
    if not path.lower().endswith((".npy", ".npz")) and b.ndim == 2 and 1 in b.shape:
        return b.ravel()
    return b


def is_sparse(A: object) -> bool:
    """Tell whether `A` is one of SciPy's sparse matrices or arrays."""
    return bool(issparse(A))


def suffix_of(path: str) -> str:
    """Return the suffix in lower case; that of a compressed file has two parts."""
    suffixes = Path(path.lower()).suffixes
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def _read(path: str, key: str | None, name: str) -> Any:
    suffix = suffix_of(path)
    if suffix not in _READERS:
        raise InputError(f"{path}: cannot tell the format from the suffix; use {READABLE}")
    if key is not None and suffix != ".npz":
        raise InputError(f"{path}: only a .npz file has arrays to choose from, by {key!r}")
    try:
        return _READERS[suffix](path, key, name)
    except (InputError, MemoryError):
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except Exception as error:
        # A damaged file makes the readers raise whatever they stumble over.
        raise InputError(f"{path}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _read_npy(path: str, key: str | None, name: str) -> Any:
    with Path(path).open("rb") as file:
        shape, dtype = _read_header(file, path)
        size = float(dtype.itemsize)
        for length in shape:
            size *= length
        if size > 0 and size > available_memory() / 2:
            # Larger than memory is slow, but works: the solvers read it from front to back.
            return np.lib.format.open_memmap(path, mode="r")
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)


def _read_header(file: IO[bytes], path: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if file.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
        raise InputError(f"{path}: not an array in NumPy's format (pickled objects are not read)")
    file.seek(0)
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise InputError(f"{path}: holds pickled Python objects, which are not read")
    return shape, dtype


def _read_npz(path: str, key: str | None, name: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        sizes = {
            item.filename.removesuffix(".npy"): item.file_size
            for item in archive.infolist()
            if item.filename.endswith(".npy")
        }
        if key is None and {"format", "shape"} <= sizes.keys():
            check_memory(2.0 * sum(sizes.values()), path)
            return load_npz(path)
        key = _choose_key(sizes, key, name, path)
        check_memory(sizes[key], f"{key} in {path}")
        with archive.open(f"{key}.npy") as file:
            _read_header(file, f"{key} in {path}")
        with archive.open(f"{key}.npy") as file:
            return npy.read_array(file, allow_pickle=False)


def _choose_key(sizes: dict[str, int], key: str | None, name: str, path: str) -> str:
    names = ", ".join(sizes)
    if not sizes:
        raise InputError(f"{path}: holds no arrays")
    if key is not None:
        if key not in sizes:
            raise InputError(f"{path}: has no array {key!r}; it has {names}")
        return key
    if len(sizes) == 1:
        return next(iter(sizes))
    if name in sizes:
        return name
    option = "--key" if name == "A" else "--b-key"
    raise InputError(f"{path}: holds several arrays, choose one of {names} with {option}")


def _read_mtx(path: str, key: str | None, name: str) -> Any:
    rows, columns, entries, form, *_ = mminfo(path)
    size = 8.0 * rows * columns if form == "array" else float(_SPARSE_ENTRY) * entries
    check_memory(size, path)
    return mmread(path, spmatrix=False)


def _read_csv(path: str, key: str | None, name: str) -> Any:
    # A number takes three to twenty-five characters, eight bytes in the array.
    check_memory(Path(path).stat().st_size / 3, path)
    return read_csv(path)


_READERS: dict[str, Callable[[str, str | None, str], Any]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mtx": _read_mtx,
    ".mtx.gz": _read_mtx,
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
}
