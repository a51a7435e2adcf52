"""The kernels as custom calls of XLA, whose call frame (xla/ffi/api/c_api.h) is read word by word.

`jax.pure_callback` would go through Python: .1 ms a call against .008 ms, and the interpreter's lock.
"""

from __future__ import annotations

import functools
import zlib
from pathlib import Path

import jax
import numba
import numpy as np
from numba import carray, types  # pyright: ignore[reportPrivateImportUsage]

from guldberg.fused import kernel
from guldberg.fused.addresses import pointer
from guldberg.fused.stencils import Place

# where things are, in words of 8 bytes: in the frame,
_EXTENSION, _ARGUMENTS, _RESULTS, _ATTRIBUTES = 1, 9, 14, 20
# in a buffer, in an array among the attributes, in what is asked for when a handler is registered
_DATA, _RANK, _DIMS = 3, 4, 5
_SIZE, _VALUES = 1, 2
_METADATA, _VERSION = 3, 3
_OLDEST = 1 << 32  # of the interface this is written for: 0.1, the minor number in the upper half

_jit = numba.njit(nogil=True, error_model="numpy")


@_jit
def _words(address, count):
    return carray(pointer(address, np.int64(0)), count)


@_jit
def _size(table, i):
    """How many numbers argument or result i has."""
    buffer = _words(_words(table, i + 1)[i], 6)
    size = 1
    for n in _words(buffer[_DIMS], buffer[_RANK]):
        size *= n
    return size


@_jit
def _array(table, i, like, shape):
    """Argument or result i, in a shape that may be smaller than its own."""
    return carray(pointer(_words(_words(table, i + 1)[i], 6)[_DATA], like), shape)


@_jit
def _attribute(table, i, like):
    array = _words(_words(table, i + 1)[i], 3)
    return carray(pointer(array[_VALUES], like), array[_SIZE])


@_jit
def _registers(frame):
    """Whether the handler is only being registered; then it says what it was written for."""
    if frame[_EXTENSION] == 0:
        return False
    _words(_words(frame[_EXTENSION], 4)[_METADATA], 4)[_VERSION] = _OLDEST
    return True


@_jit
def _place(layout, numbers, like):
    n = [type(like)(x) for x in numbers]
    wraps = (layout[3] != 0, layout[4] != 0, layout[5] != 0)
    return Place(
        layout[0], layout[1], layout[2], wraps, (n[1], n[2]), n[3], n[4], n[5], n[6], n[7], (n[8], n[9], n[10])
    )


@_jit
def _given(frame, like, first):
    """What both kernels are given: of the arguments those from `first` on, and of the attributes."""
    arguments, attributes = frame[_ARGUMENTS], frame[_ATTRIBUTES]
    layout, numbers = _attribute(attributes, 0, np.int64(0)), _attribute(attributes, 1, np.float64(0))
    place, species = _place(layout, numbers, like), layout[6]
    cells = place.planes * place.rows * place.cells
    times = _size(arguments, first) // (species * cells) if layout[7] else 1
    flows = _array(arguments, first, like, (times, species * layout[7], cells * layout[7]))
    uniforms = _array(arguments, first + 1, like, _size(arguments, first + 1))
    D = _array(arguments, first + 2, like, species)
    ghosts = _array(arguments, first + 3, like, (2, species, 6))
    slots = _array(arguments, first + 4, np.int32(0), _size(arguments, first + 4))
    return flows, uniforms, D, ghosts, type(like)(numbers[0]), slots, place, layout[8]


@_jit
def _forward(frame, like):
    arguments, results = frame[_ARGUMENTS], frame[_RESULTS]
    layout = _attribute(frame[_ATTRIBUTES], 0, np.int64(0))
    given = _given(frame, like, 1)
    species, steps, field = layout[6], len(given[5]) - 1, _size(arguments, 0)
    cells = field // species
    c0 = _array(arguments, 0, like, (species, cells))
    kept = _array(results, 0, like, (_size(results, 0) // field, species, cells))
    sums = _array(results, 1, like, (steps, layout[9]))
    states = _array(results, 2, like, (_size(results, 2) // field, species, cells))
    kernel.rollout(layout[12 : 12 + layout[10]], c0, *given, kept, sums, states)


@_jit
def _backward(frame, like):
    arguments, results = frame[_ARGUMENTS], frame[_RESULTS]
    layout = _attribute(frame[_ATTRIBUTES], 0, np.int64(0))
    given = _given(frame, like, 1)
    flows, uniforms, slots, stages = given[0], given[1], given[5], layout[10]
    species, steps, field = layout[6], len(slots) - 1, _size(results, 0)
    cells = field // species
    states = _array(arguments, 0, like, (steps + 1, species, cells))
    by_kept = _array(arguments, 6, like, (_size(arguments, 6) // field, species, cells))
    by_sums = _array(arguments, 7, like, (steps, layout[9]))
    to_c0 = _array(results, 0, like, (species, cells))
    to_flows = _array(results, 1, like, flows.shape)
    to_ghosts = _array(results, 4, like, (2, species, 6))
    to_uniforms, to_D = np.zeros(len(uniforms)), np.zeros(species)
    to_c0[:], to_flows[:], to_ghosts[:] = 0, 0, 0
    forward, backward = layout[12 : 12 + stages], layout[12 + stages : 12 + 2 * stages]
    kernel.adjoint(
        forward,
        backward,
        layout[11] != 0,
        states,
        *given,
        by_kept,
        by_sums,
        to_c0,
        to_flows,
        to_uniforms,
        to_D,
        to_ghosts,
    )
    _array(results, 2, like, len(uniforms))[:] = to_uniforms
    _array(results, 3, like, species)[:] = to_D


def _handlers(like, stamp):
    """What XLA calls, for numbers of one type. Numba keeps the machine code on disk under what a closure holds, so
    `stamp` tells that of these sources from that of others."""

    def forward(frame):
        words = carray(frame, 22)
        if not _registers(words):
            _forward(words, like)
        return 0 * stamp

    def backward(frame):
        words = carray(frame, 22)
        if not _registers(words):
            _backward(words, like)
        return 0 * stamp

    return {"forward": forward, "backward": backward}


_kept: list[object] = []  # the handlers in use: XLA knows their addresses only


@functools.cache
def target(run: str, dtype: np.dtype) -> str:
    """The name under which XLA knows the kernel that runs "forward" or "backward" in numbers of this type; compiled at
    the first call ever, for some ten seconds."""
    name = f"guldberg.fused.{run}.{dtype}"
    stamp = zlib.crc32(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
    compile_ = numba.cfunc(types.int64(types.CPointer(types.int64)), cache=True, error_model="numpy")
    handler = compile_(_handlers(dtype.type(0), stamp)[run])
    _kept.append(handler)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(handler.ctypes), platform="cpu")
    return name
