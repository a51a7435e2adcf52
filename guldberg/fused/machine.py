"""Machine code for loops over the cells of a field, made from expressions.

A loop reads some fields, writes others and adds up the rest, with all that lies between in registers. It is a tenth of
a second's work for LLVM, which comes with numba; a compiler is not needed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from guldberg.fused.expressions import Node
from guldberg.fused.operations import FAST, OPERATIONS

Value = Any  # of LLVM: llvmlite types them too loosely

LINE = 64  # bytes: the width in which numbers are taken together
_ADDRESS = ir.IntType(64)
_engines: list[llvm.ExecutionEngine] = []  # what they compiled lives as long as they do


class Loop(NamedTuple):
    """loop(inputs, results, uniforms, totals, n):  for each of n cells: results[i] = output i; totals[i] += sum i

    where `inputs` and `results` are arrays of pointers to fields, `uniforms` an array of numbers and `totals` one row
    of `LINE` bytes for each sum, to be added up. All of `outputs` that a cell needs is read before it is written.
    """

    outputs: Sequence[Node]
    sums: Sequence[Node]
    loaded: dict[Node, Node]  # nodes that are read from the field that they are paired with


def fields(loop: Loop) -> set[Node]:
    """What it reads."""
    order = _order([*loop.outputs, *loop.sums], loop.loaded)
    return {field for node in order if (field := loop.loaded.get(node, node)).operation == "field"}


def compiled_loop(loop: Loop, dtype: np.dtype) -> int:
    """Its address."""
    module = ir.Module()
    _Function(module, loop, dtype)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), _target())
    engine.finalize_object()
    _engines.append(engine)
    return engine.get_function_address("loop")


@functools.cache
def _target() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)


class _Function:
    """A loop as a function of a module, twice in it: for as many cells as make a line, and for those that are left."""

    def __init__(self, module: ir.Module, loop: Loop, dtype: np.dtype) -> None:
        self.number = ir.FloatType() if dtype == np.float32 else ir.DoubleType()
        self.bytes = dtype.itemsize
        self.outputs, self.sums, self.loaded = loop
        self.order = _order([*loop.outputs, *loop.sums], loop.loaded)
        self.varies = _varying(self.order, loop.loaded)
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_ADDRESS] * 5), "loop")
        self.fields, self.results, self.uniforms, self.totals, self.cells = function.args
        self.builder: Any = ir.IRBuilder(function.append_basic_block("entry"))
        self.once = self._evaluate({}, [node for node in self.order if node not in self.varies], 1, None)
        self.pointers = {node: self._row(self.fields, node.of[0]) for node in fields(loop)}
        self.targets = [self._row(self.results, i) for i in range(len(loop.outputs))]
        lanes = LINE // self.bytes
        first = self._loop(function, lanes, _ADDRESS(0))
        self._loop(function, 1, first)
        self.builder.ret_void()

    def _row(self, table: Value, i: int) -> Value:
        address = self.builder.add(table, _ADDRESS(8 * i))
        return self.builder.load(self.builder.inttoptr(address, _ADDRESS.as_pointer()))

    def _loop(self, function: ir.Function, lanes: int, first: Value) -> Value:
        """Cells from `first` on, `lanes` at a time, while there are as many; returns the first that is left."""
        build = self.builder
        before, test = build.block, function.append_basic_block("test")
        body, after = function.append_basic_block("body"), function.append_basic_block("after")
        build.branch(test)
        build.position_at_end(test)
        x = build.phi(_ADDRESS)
        following = build.add(x, _ADDRESS(lanes))
        build.cbranch(build.icmp_signed("<=", following, self.cells), body, after)
        build.position_at_end(body)
        self._body(x, lanes)
        build.branch(test)
        x.add_incoming(first, before)
        x.add_incoming(following, build.block)
        build.position_at_end(after)
        return x

    def _body(self, x: Value, lanes: int) -> None:
        build, at = self.builder, self.builder.mul(x, _ADDRESS(self.bytes))
        values = self._evaluate(dict(self.once), [node for node in self.order if node in self.varies], lanes, at)
        for node, target in zip(self.outputs, self.targets, strict=True):
            build.store(self._wide(values[node], lanes), self._pointer(build.add(target, at), lanes), self.bytes)
        for i, node in enumerate(self.sums):
            total = self._pointer(build.add(self.totals, _ADDRESS(LINE * i)), lanes)
            added = build.fadd(build.load(total, align=self.bytes), self._wide(values[node], lanes), flags=FAST)
            build.store(added, total, self.bytes)

    def _evaluate(
        self, values: dict[Node, Value], nodes: Sequence[Node], lanes: int, at: Value | None
    ) -> dict[Node, Value]:
        """`values` with those of `nodes`: of all cells alike (at = None), or of `lanes` cells from byte `at` on."""
        build = self.builder
        for node in nodes:
            field = self.loaded.get(node, node)
            if field.operation == "field":
                assert at is not None
                pointer = self._pointer(build.add(self.pointers[field], at), lanes)
                values[node] = build.load(pointer, align=self.bytes)
            elif node.operation == "uniform":
                address = build.add(self.uniforms, _ADDRESS(self.bytes * node.of[0]))
                values[node] = build.load(self._pointer(address, 1))
            elif node.operation == "constant":
                values[node] = ir.Constant(self.number, node.of[0])
            else:
                arguments = [self._wide(values[x], lanes) for x in node.of]
                values[node] = OPERATIONS[node.operation](build, _vector(self.number, lanes), *arguments)
        return values

    def _pointer(self, address: Value, lanes: int) -> Value:
        return self.builder.inttoptr(address, _vector(self.number, lanes).as_pointer())

    def _wide(self, value: Value, lanes: int) -> Value:
        """A number of all cells, as many times as there are lanes."""
        if lanes == 1 or isinstance(value.type, ir.VectorType):
            return value
        if isinstance(value, ir.Constant):
            return ir.Constant(_vector(value.type, lanes), [value.constant] * lanes)
        wide = _vector(value.type, lanes)
        first = self.builder.insert_element(ir.Constant(wide, ir.Undefined), value, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        return self.builder.shuffle_vector(first, ir.Constant(wide, ir.Undefined), zeros)


def _order(outputs: Sequence[Node], loaded: dict[Node, Node]) -> list[Node]:
    """What the outputs need, each after what it is made of."""
    order: dict[Node, None] = {}
    waiting = [(node, False) for node in reversed(outputs)]
    while waiting:
        node, ready = waiting.pop()
        if node in order:
            continue
        leaf = node in loaded or node.operation in ("field", "uniform", "constant")
        if ready or leaf:
            order[node] = None
        else:
            waiting.append((node, True))
            waiting += [(x, False) for x in reversed(node.of)]
    return list(order)


def _varying(order: Sequence[Node], loaded: dict[Node, Node]) -> set[Node]:
    """Which of them differ from cell to cell."""
    varies = set(loaded)
    for node in order:
        if node.operation == "field" or any(x in varies for x in node.of):
            varies.add(node)
    return varies


def _vector(kind: ir.Type, lanes: int) -> ir.Type:
    return kind if lanes == 1 else ir.VectorType(kind, lanes)
