"""The operations of expressions as LLVM has them, on single numbers or on as many as fit a line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from llvmlite import ir

FAST = ("contract", "reassoc", "nsz")  # NaN and infinity keep their meaning

Operation = Callable[..., Any]  # (builder, type of numbers, *arguments)


def _fast(name: str) -> Operation:
    return lambda build, kind, *x: getattr(build, name)(*x, flags=FAST)


def _compared(sign: str) -> Operation:
    compare = "fcmp_unordered" if sign == "!=" else "fcmp_ordered"  # what is not a number differs from all
    return lambda build, kind, a, b: getattr(build, compare)(sign, a, b)


def _bits(name: str) -> Operation:
    return lambda build, kind, *x: getattr(build, name)(*x)


def _larger(sign: str) -> Operation:
    """The larger (or smaller) of two, and NaN if one is."""

    def choose(build: Any, kind: Any, a: Any, b: Any) -> Any:
        first = build.or_(build.fcmp_ordered(sign, a, b), build.fcmp_unordered("uno", a, a))
        return build.select(first, a, b)

    return choose


def _abs(build: Any, kind: Any, x: Any) -> Any:
    return build.select(build.fcmp_ordered("<", x, same(kind, 0.0)), build.fneg(x), x)


def _sign(build: Any, kind: Any, x: Any) -> Any:
    zero, one, less = same(kind, 0.0), same(kind, 1.0), same(kind, -1.0)
    below = build.select(build.fcmp_ordered("<", x, zero), less, x)  # 0 and what is not a number stay themselves
    return build.select(build.fcmp_ordered(">", x, zero), one, below)


def _log(build: Any, kind: Any, x: Any) -> Any:
    """ln(m 2^e) = e ln 2 + 2 artanh(s), s = (m - 1) / (m + 1), for x positive and normal; sqrt(1/2) <= m < sqrt(2), so
    s^2 < .0295 and a few terms of the series are exact to rounding. LLVM would call the C library's number by number.
    """
    single = (kind.element if isinstance(kind, ir.VectorType) else kind) == ir.FloatType()
    width, mantissa, terms = (32, 23, 5) if single else (64, 52, 10)
    half = struct.unpack(*(("<i", struct.pack("<f", 0.5**0.5)) if single else ("<q", struct.pack("<d", 0.5**0.5))))[0]
    whole = ir.VectorType(ir.IntType(width), kind.count) if isinstance(kind, ir.VectorType) else ir.IntType(width)
    bits, shift = build.bitcast(x, whole), same(whole, mantissa)
    exponent = build.ashr(build.sub(bits, same(whole, half)), shift)
    m = build.bitcast(build.sub(bits, build.shl(exponent, shift)), kind)
    one = same(kind, 1.0)
    s = build.fdiv(build.fsub(m, one), build.fadd(m, one))
    z, series = build.fmul(s, s), same(kind, 2.0 / (2 * terms - 1))
    for i in reversed(range(terms - 1)):
        series = build.fadd(build.fmul(series, z, flags=FAST), same(kind, 2.0 / (2 * i + 1)), flags=FAST)
    powers = build.fmul(build.sitofp(exponent, kind), same(kind, 0.6931471805599453), flags=FAST)
    return build.fadd(powers, build.fmul(s, series, flags=FAST), flags=FAST)


def same(kind: Any, value: float) -> ir.Constant:
    """A constant, as often as `kind` has lanes."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


OPERATIONS: dict[str, Operation] = {
    "add": _fast("fadd"),
    "sub": _fast("fsub"),
    "mul": _fast("fmul"),
    "div": _fast("fdiv"),
    "neg": _fast("fneg"),
    "abs": _abs,
    "sign": _sign,
    "log": _log,
    "max": _larger(">"),
    "min": _larger("<"),
    "gt": _compared(">"),
    "ge": _compared(">="),
    "lt": _compared("<"),
    "le": _compared("<="),
    "eq": _compared("=="),
    "ne": _compared("!="),
    "and": _bits("and_"),
    "or": _bits("or_"),
    "not": _bits("not_"),
    "select": _bits("select"),
    "number": lambda build, kind, truth: build.uitofp(truth, kind),
}
