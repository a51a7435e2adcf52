"""Functions of one cell as expressions: what JAX traces, taken apart into single numbers.

Equal expressions are one node, so that what several outputs share is computed once; what no output needs never is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Literal


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Node:
    """A number: "field" i or "uniform" i, the "constant" i, or an operation on other numbers."""

    operation: str
    of: tuple[Any, ...]


class Expressions:
    """The nodes made so far, each only once."""

    def __init__(self) -> None:
        self._known: dict[tuple, Node] = {}

    def node(self, operation: str, *of: Any) -> Node:
        return self._known.setdefault((operation, *of), Node(operation, of))

    def inputs(self, kind: str, count: int, first: int = 0) -> np.ndarray:
        return _array([self.node(kind, first + i) for i in range(count)], (count,))

    def constant(self, value: float) -> Node:
        return self.node("constant", float(value))

    def evaluate(self, closed: ClosedJaxpr, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs of a traced function as arrays of nodes. NotImplementedError where it holds an operation that
        is none of those below."""
        jaxpr = closed.jaxpr
        values = dict(zip(jaxpr.invars, arguments, strict=True))
        values |= dict(zip(jaxpr.constvars, map(self._constants, closed.consts), strict=True))

        def read(atom: Any) -> np.ndarray:
            return self._constants(atom.val) if isinstance(atom, Literal) else values[atom]

        for equation in jaxpr.eqns:
            results = self._apply(equation.primitive.name, [read(x) for x in equation.invars], equation.params)
            values |= dict(zip(equation.outvars, results, strict=True))
        return [read(x) for x in jaxpr.outvars]

    def _constants(self, value: Any) -> np.ndarray:
        value = np.asarray(value)
        return _array([self.constant(x) for x in value.ravel().tolist()], value.shape)

    def _apply(self, name: str, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
        if name in _INNER:
            inner = params[_INNER[name]]
            return self.evaluate(inner if hasattr(inner, "consts") else ClosedJaxpr(inner, ()), x)
        if name in _SHAPES:
            return _SHAPES[name](self, x, params)
        if name == "integer_pow":
            return [_each(lambda a: self.power(a, params["y"]))(x[0])]
        if name not in _SINGLE:
            raise NotImplementedError(f"no machine code for {name}")
        return [_each(_SINGLE[name](self))(*x)]

    def add(self, a: Node, b: Node) -> Node:
        zero = self.constant(0.0)
        return b if a is zero else a if b is zero else self.node("add", a, b)

    def subtract(self, a: Node, b: Node) -> Node:
        return a if b is self.constant(0.0) else self.node("sub", a, b)

    def multiply(self, a: Node, b: Node) -> Node:
        for one, other in ((a, b), (b, a)):
            if one.operation == "constant" and one.of[0] in _FACTORS:
                return {0.0: self.constant(0.0), 1.0: other, -1.0: self.node("neg", other)}[one.of[0]]
        return self.node("mul", a, b)

    def power(self, a: Node, n: int) -> Node:
        power = reduce(self.multiply, [a] * abs(n), self.constant(1.0))
        return power if n >= 0 else self.node("div", self.constant(1.0), power)

    def sum(self, nodes: Sequence[Node]) -> Node:
        return reduce(self.add, nodes, self.constant(0.0))


_FACTORS = (0.0, 1.0, -1.0)
_INNER = {"pjit": "jaxpr", "jit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}


def _array(nodes: Sequence[Node], shape: tuple[int, ...]) -> np.ndarray:
    out = np.empty(len(nodes), object)
    out[:] = nodes
    return out.reshape(shape)


def _each(function: Callable[..., Node]) -> Callable[..., np.ndarray]:
    """An operation on numbers, number by number."""

    def apply(*arrays: np.ndarray) -> np.ndarray:
        cells = np.broadcast(*arrays)
        return _array([function(*numbers) for numbers in cells], cells.shape)

    return apply


def _plainly(name: str) -> Callable[[Expressions], Callable[..., Node]]:
    return lambda e: lambda *x: e.node(name, *x)


_SINGLE: dict[str, Callable[[Expressions], Callable[..., Node]]] = {
    name: _plainly(name)
    for name in (
        "div",
        "neg",
        "abs",
        "sign",
        "log",
        "max",
        "min",
        "gt",
        "ge",
        "lt",
        "le",
        "eq",
        "ne",
        "and",
        "or",
        "not",
    )
} | {
    "add": lambda e: e.add,
    "add_any": lambda e: e.add,
    "sub": lambda e: e.subtract,
    "mul": lambda e: e.multiply,
    "square": lambda e: lambda x: e.multiply(x, x),
    "copy": lambda e: lambda x: x,
    "select_n": lambda e: lambda which, no, yes: e.node("select", which, yes, no),
}


def _broadcast(e: Expressions, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    places = params["broadcast_dimensions"]
    shape = [x[0].shape[places.index(i)] if i in places else 1 for i in range(len(params["shape"]))]
    return [np.broadcast_to(x[0].reshape(shape), params["shape"])]


def _pad(e: Expressions, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    if any(low < 0 or high < 0 or inner for low, high, inner in params["padding_config"]):
        raise NotImplementedError("no machine code for a pad with gaps")
    widths = [(low, high) for low, high, _ in params["padding_config"]]
    return [np.pad(x[0], widths, constant_values=x[1].item())]


def _slice(e: Expressions, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    strides = params["strides"] or [None] * x[0].ndim
    where = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return [x[0][tuple(slice(*range_) for range_ in where)]]


def _split(e: Expressions, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    return np.split(x[0], np.cumsum(params["sizes"])[:-1], axis=params["axis"])


def _sum(e: Expressions, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    axes = tuple(params["axes"])
    kept = [n for axis, n in enumerate(x[0].shape) if axis not in axes]
    last = np.moveaxis(x[0], axes, range(-len(axes), 0)).reshape(*kept, -1)
    return [_array([e.sum(last[i].tolist()) for i in np.ndindex(*kept)], tuple(kept))]


def _convert(e: Expressions, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    """Of numbers there is one type, that of the fields; beside it there are truth values."""
    truths = ("gt", "ge", "lt", "le", "eq", "ne", "and", "or", "not")
    return [_each(lambda a: e.node("number", a) if a.operation in truths else a)(x[0])]


def _unstack(e: Expressions, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    return (
        list(np.moveaxis(x[0], params["axis"], 0)[:, ...])
        if x[0].ndim > 1
        else [x[0][i, ...] for i in range(len(x[0]))]
    )


def _solve(e: Expressions, x: list[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    """By the solution that came with the system; its product and their transposes served their purpose before."""
    counts = params["const_lengths"]
    first = counts.matvec + counts.vecmat
    known = x[first : first + counts.solve]
    return e.evaluate(params["jaxprs"].solve, [*known, *x[sum(counts) :]])


_SHAPES: dict[str, Callable[[Expressions, list[np.ndarray], dict[str, Any]], list[np.ndarray]]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda e, x, params: [np.concatenate(x, params["dimension"])],
    "convert_element_type": _convert,
    "pad": _pad,
    "reduce_sum": _sum,
    "reshape": lambda e, x, params: [x[0].reshape(params["new_sizes"])],
    "slice": _slice,
    "split": _split,
    "squeeze": lambda e, x, params: [x[0].squeeze(tuple(params["dimensions"]))],
    "stack": lambda e, x, params: [np.stack(x, params["axis"])],
    "unstack": _unstack,
    "custom_linear_solve": _solve,
    "optimization_barrier": lambda e, x, params: x,
}
