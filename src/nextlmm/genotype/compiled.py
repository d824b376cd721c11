"""Functions written in the intermediate language of LLVM, compiled for the processor at hand.

LLVM makes vector instructions of them that fit the processor: it takes some 30 ms the first time,
and nothing has to be compiled when the package is installed.  All functions run without the
interpreter's lock.
"""

import ctypes
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

I64, I32, BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
POINTER = BYTE.as_pointer()
# What two threads compile at the same time would be compiled twice, and one of it freed in use.
ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, eq=False)
class Kernels:
    """Compiled functions; every argument is an address or an integer.

    The engine owns their code, and lives as long as they do.
    """

    engine: Any
    call: Mapping[str, Callable[..., None]]


def compiled(module: ir.Module, arguments: dict[str, int]) -> Kernels:
    """The functions of a module, by name and number of their arguments."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # Some processors slow down a little for vectors of 512 bits, for which LLVM avoids them; here
    # they are worth it, because look-ups are bound by the number of loads.
    features = llvm.get_host_cpu_features().flatten()
    if "avx512f" in features:
        features += ",-prefer-256-bit"
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3
    )
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    call = {
        name: ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * count)(engine.get_function_address(name))
        for name, count in arguments.items()
    }
    return Kernels(engine, call)


def function(module: ir.Module, name: str, kinds: str) -> tuple[ir.IRBuilder, list[Any]]:
    """A function of arguments that are pointers (p), which do not overlap, or integers (i)."""
    types = [POINTER if kind == "p" else I64 for kind in kinds]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), types), name=name)
    for argument, kind in zip(function.args, kinds, strict=True):
        if kind == "p":
            argument.add_attribute("noalias")
    return ir.IRBuilder(function.append_basic_block("entry")), list(function.args)


@contextmanager
def loop(b: ir.IRBuilder, stop: Any, start: Any = 0) -> Iterator[Any]:
    """Code for every integer from ``start`` up to ``stop``."""
    begin = I64(start) if isinstance(start, int) else start
    end = I64(stop) if isinstance(stop, int) else stop
    before, body = b.block, b.append_basic_block("body")
    after = b.append_basic_block("after")
    b.cbranch(b.icmp_signed("<", begin, end), body, after)
    b.position_at_end(body)
    index = b.phi(I64)
    index.add_incoming(begin, before)
    yield index
    following = b.add(index, I64(1))
    index.add_incoming(following, b.block)
    b.cbranch(b.icmp_signed("<", following, end), body, after)
    b.position_at_end(after)


def at_offset(b: ir.IRBuilder, base: Any, offset: Any, kind: ir.Type) -> Any:
    """Pointer to an item ``offset`` bytes after ``base``."""
    return b.bitcast(b.gep(base, [offset]), kind.as_pointer())


def load(b: ir.IRBuilder, base: Any, offset: Any, kind: ir.Type, align: int) -> Any:
    """The item ``offset`` bytes after ``base``."""
    return b.load(at_offset(b, base, offset, kind), align=align)


def splat(b: ir.IRBuilder, value: Any, vector: ir.VectorType) -> Any:
    """A vector of which every item is the value."""
    undefined = ir.Constant(vector, ir.Undefined)
    single = b.insert_element(undefined, value, I32(0))
    return b.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(I32, vector.count), None))
