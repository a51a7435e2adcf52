"""Numbers as addresses: arrays that lie there, functions that are called there."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _pointer(context, address, like):

    def cast(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], ir.PointerType(context.get_value_type(signature.args[1])))

    return types.CPointer(like)(types.int64, like), cast


def _call_loop(context, address, inputs, results, uniforms, totals, cells):

    def call(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 5)
        builder.call(builder.inttoptr(arguments[0], ir.PointerType(kind)), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), call


pointer: Any = intrinsic(_pointer)  # (address, like): a pointer to numbers of the type of `like`, for `carray`
call_loop: Any = intrinsic(_call_loop)  # calls what `machine.compiled_loop` made at an address, on such addresses
