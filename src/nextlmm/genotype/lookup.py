"""Products with packed genotypes by table look-up, compiled for the processor at hand.

Thirty-two genotypes of two bits each make a word.  A matrix of genotypes is kept as words (chunks,
rows): word [j, r] holds the columns 32 j to 32 j + 31 of row r, the first in the lowest bits.  A
product of that matrix with an array x takes two columns at a time: the sixteen combinations that
two genotypes can have are added up beforehand, for a panel of columns of x at once, and every row
then costs one look-up and one addition for two genotypes, where decoding and multiplying would cost
two multiplications and the decoding.  The tables of a chunk, 32 KiB, stay in the processor's
nearest cache.  This is the method of the four Russians (Arlazarov et al. 1970) on vectors.

The code is written in the intermediate language of LLVM, which makes vector instructions of it
that fit the processor: it takes some 30 ms the first time, and nothing has to be compiled when the
package is installed.  All functions run without the interpreter's lock.
"""

import ctypes
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import DTypeLike

GENOTYPES_IN_WORD = 32
WIDTHS = {"float32": (8, 16, 32), "float64": (4, 8, 16)}
"""Columns of a panel, of which the widest fill the nearest cache with their tables."""

_PAIRS = GENOTYPES_IN_WORD // 2
_I64, _I32, _BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
_POINTER = _BYTE.as_pointer()
_EVEN_BITS = 0x5555555555555555
# What two threads compile at the same time would be compiled twice, and one of it freed in use.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, eq=False)
class Kernels:
    """Compiled functions; every argument is an address or an integer.

    The engine owns their code, and lives as long as they do.
    """

    engine: Any
    call: Mapping[str, Callable[..., None]]


def width_for(columns: int, dtype: DTypeLike) -> int:
    """The narrowest panel that holds so many columns, or the widest there is."""
    widths = WIDTHS[np.dtype(dtype).name]
    return next((width for width in widths if width >= columns), widths[-1])


def product_kernels(dtype: str, width: int) -> Kernels:
    """``product``, ``gather`` and ``squares`` for panels of ``width`` columns of a type.

    product(words, stride, rows, chunks, x, x_stride, values, values_stride, table, out, out_stride)
        adds to out (rows, width) the genotypes (rows, 32 chunks) times x (32 chunks, width).
        ``values`` holds the number that stands for each of the four codes, of the 32 chunks columns
        ``values_stride`` bytes apart (0 if they are the same for all); ``table`` is room for
        256 width numbers.  ``stride`` is in words, those of x and out are in bytes.
    gather(starts, places, rows, weights, x, x_stride, out, out_stride)
        adds to each row r of out weights[r] times the sum of the rows of x at
        places[starts[r]:starts[r + 1]].
    squares(products, rows, means, sums, weights, totals)
        adds to totals[r], in double precision, the sum over the columns of
        weights (products[r] - means[r] sums)^2, and sets products (rows, width) to 0.
    """
    with _ONE_AT_A_TIME:
        return _product_kernels(dtype, width)


def word_kernels() -> Kernels:
    """Functions of the words alone.

    transpose(words, stride, chunks, out, out_stride, out_chunks)
        of a matrix of 32 out_chunks rows and 32 chunks columns.
    count_missing(words, stride, rows, chunks, counts)
        adds the missing genotypes of each row to ``counts``.
    list_missing(words, stride, rows, chunks, ends, places)
        writes their columns to ``places``, row r from ends[r] on, which is moved to its end.
    """
    with _ONE_AT_A_TIME:
        return _word_kernels()


@cache
def _product_kernels(dtype: str, width: int) -> Kernels:
    number = ir.FloatType() if dtype == "float32" else ir.DoubleType()
    module = ir.Module(name=f"product_{dtype}_{width}")
    _product(module, number, width)
    _gather(module, number, width)
    _squares(module, number, width)
    return _compiled(module, {"product": 11, "gather": 8, "squares": 6})


@cache
def _word_kernels() -> Kernels:
    module = ir.Module(name="words")
    _transpose(module)
    _count_missing(module)
    _list_missing(module)
    return _compiled(module, {"transpose": 6, "count_missing": 5, "list_missing": 6})


def _compiled(module: ir.Module, arguments: dict[str, int]) -> Kernels:
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


def _function(module: ir.Module, name: str, kinds: str) -> tuple[ir.IRBuilder, list[Any]]:
    """A function of arguments that are pointers (p), which do not overlap, or integers (i)."""
    types = [_POINTER if kind == "p" else _I64 for kind in kinds]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), types), name=name)
    for argument, kind in zip(function.args, kinds, strict=True):
        if kind == "p":
            argument.add_attribute("noalias")
    return ir.IRBuilder(function.append_basic_block("entry")), list(function.args)


@contextmanager
def _loop(b: ir.IRBuilder, stop: Any, start: Any = 0) -> Iterator[Any]:
    """Code for every integer from ``start`` up to ``stop``."""
    begin = _I64(start) if isinstance(start, int) else start
    end = _I64(stop) if isinstance(stop, int) else stop
    before, body = b.block, b.append_basic_block("body")
    after = b.append_basic_block("after")
    b.cbranch(b.icmp_signed("<", begin, end), body, after)
    b.position_at_end(body)
    index = b.phi(_I64)
    index.add_incoming(begin, before)
    yield index
    following = b.add(index, _I64(1))
    index.add_incoming(following, b.block)
    b.cbranch(b.icmp_signed("<", following, end), body, after)
    b.position_at_end(after)


def _at(b: ir.IRBuilder, base: Any, offset: Any, kind: ir.Type) -> Any:
    """Pointer to an item ``offset`` bytes after ``base``."""
    return b.bitcast(b.gep(base, [offset]), kind.as_pointer())


def _load(b: ir.IRBuilder, base: Any, offset: Any, kind: ir.Type, align: int) -> Any:
    return b.load(_at(b, base, offset, kind), align=align)


def _product(module: ir.Module, number: ir.Type, width: int) -> None:
    b, arguments = _function(module, "product", "piiipipippi")
    words, stride, rows, chunks, x, x_stride, values, values_stride, table, out, out_stride = (
        arguments
    )
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    entry_bytes = width * size
    with _loop(b, chunks) as chunk:
        first = b.mul(chunk, _I64(GENOTYPES_IN_WORD))
        with _loop(b, _PAIRS) as pair:
            column = b.add(first, b.mul(pair, _I64(2)))
            _fill_table(b, column, pair, x, x_stride, values, values_stride, table, vector, size)
        of_chunk = b.gep(words, [b.mul(b.mul(chunk, stride), _I64(8))])
        with _loop(b, rows) as row:
            word = _load(b, of_chunk, b.mul(row, _I64(8)), _I64, 8)
            target = _at(b, out, b.mul(row, out_stride), vector)
            # Two sums, so that one addition need not wait for the one before.
            sums = [b.load(target, align=size), ir.Constant(vector, [0.0] * width)]
            for pair in range(_PAIRS):
                place = _scaled_nibble(b, word, pair, entry_bytes)
                start = b.gep(table, [_I64(16 * pair * entry_bytes)])
                entry = _load(b, start, place, vector, size)
                sums[pair % 2] = b.fadd(sums[pair % 2], entry)
            b.store(b.fadd(*sums), target, align=size)
    b.ret_void()


def _scaled_nibble(b: ir.IRBuilder, word: Any, pair: int, scale: int) -> Any:
    """The four bits of a pair of genotypes, times a power of two."""
    shift = 4 * pair - (scale.bit_length() - 1)
    moved = b.lshr(word, _I64(shift)) if shift >= 0 else b.shl(word, _I64(-shift))
    return b.and_(moved, _I64(15 * scale))


def _fill_table(
    b: ir.IRBuilder,
    column: Any,
    pair: Any,
    x: Any,
    x_stride: Any,
    values: Any,
    values_stride: Any,
    table: Any,
    vector: ir.VectorType,
    size: int,
) -> None:
    """The sums of all combinations of two genotypes, the first in the lower bits."""
    products = []
    for which in range(2):
        at = b.add(column, _I64(which))
        row = _load(b, x, b.mul(at, x_stride), vector, size)
        own = b.gep(values, [b.mul(at, values_stride)])
        for code in range(4):
            value = _load(b, own, _I64(code * size), vector.element, size)
            products.append(b.fmul(row, _splat(b, value, vector)))
    start = b.gep(table, [b.mul(pair, _I64(16 * vector.count * size))])
    for both in range(16):
        entry = b.fadd(products[both & 3], products[4 + (both >> 2)])
        b.store(entry, _at(b, start, _I64(both * vector.count * size), vector), align=size)


def _splat(b: ir.IRBuilder, value: Any, vector: ir.VectorType) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    single = b.insert_element(undefined, value, _I32(0))
    return b.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(_I32, vector.count), None))


def _gather(module: ir.Module, number: ir.Type, width: int) -> None:
    b, arguments = _function(module, "gather", "ppippipi")
    starts, places, rows, weights, x, x_stride, out, out_stride = arguments
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    total = b.alloca(vector)
    with _loop(b, rows) as row:
        b.store(ir.Constant(vector, [0.0] * width), total)
        begin = _load(b, starts, b.mul(row, _I64(8)), _I64, 8)
        end = _load(b, starts, b.mul(b.add(row, _I64(1)), _I64(8)), _I64, 8)
        with _loop(b, end, begin) as at:
            place = b.zext(_load(b, places, b.mul(at, _I64(4)), _I32, 4), _I64)
            line = _load(b, x, b.mul(place, x_stride), vector, size)
            b.store(b.fadd(b.load(total), line), total)
        weight = _load(b, weights, b.mul(row, _I64(size)), number, size)
        target = _at(b, out, b.mul(row, out_stride), vector)
        weighted = b.fmul(b.load(total), _splat(b, weight, vector))
        b.store(b.fadd(b.load(target, align=size), weighted), target, align=size)
    b.ret_void()


def _squares(module: ir.Module, number: ir.Type, width: int) -> None:
    b, (products, rows, means, sums, weights, totals) = _function(module, "squares", "pipppp")
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    kind = "f32" if size == 4 else "f64"
    add_up = ir.Function(
        module, ir.FunctionType(number, [number, vector]), f"llvm.vector.reduce.fadd.v{width}{kind}"
    )
    of_columns, weight = (
        _load(b, sums, _I64(0), vector, size),
        _load(b, weights, _I64(0), vector, size),
    )
    with _loop(b, rows) as row:
        place = _at(b, products, b.mul(row, _I64(width * size)), vector)
        mean = _splat(b, _load(b, means, b.mul(row, _I64(size)), number, size), vector)
        centred = b.fsub(b.load(place, align=size), b.fmul(mean, of_columns))
        weighted = b.fmul(b.fmul(centred, centred), weight)
        total = b.call(add_up, [number(0.0), weighted], fastmath=("reassoc",))
        if size == 4:
            total = b.fpext(total, ir.DoubleType())
        target = _at(b, totals, b.mul(row, _I64(8)), ir.DoubleType())
        b.store(b.fadd(b.load(target, align=8), total), target, align=8)
        b.store(ir.Constant(vector, [0.0] * width), place, align=size)
    b.ret_void()


def _transpose(module: ir.Module) -> None:
    """Blocks of 32 x 32 genotypes, each by five exchanges of ever smaller sub-blocks."""
    b, (words, stride, chunks, out, out_stride, out_chunks) = _function(
        module, "transpose", "piipii"
    )
    vector = ir.VectorType(_I64, GENOTYPES_IN_WORD)
    with _loop(b, out_chunks) as out_chunk, _loop(b, chunks) as chunk:
        block = b.add(b.mul(chunk, stride), b.mul(out_chunk, _I64(GENOTYPES_IN_WORD)))
        rows = _load(b, words, b.mul(block, _I64(8)), vector, 8)
        for distance in (16, 8, 4, 2, 1):
            rows = _exchanged(b, rows, distance)
        block = b.add(b.mul(out_chunk, out_stride), b.mul(chunk, _I64(GENOTYPES_IN_WORD)))
        b.store(rows, _at(b, out, b.mul(block, _I64(8)), vector), align=8)
    b.ret_void()


def _exchanged(b: ir.IRBuilder, rows: Any, distance: int) -> Any:
    """Swap the upper right and the lower left part of each block of 2 ``distance`` rows."""
    count = GENOTYPES_IN_WORD
    half = ir.VectorType(_I64, count // 2)
    upper = [row for row in range(count) if not row & distance]
    lower = [row + distance for row in upper]

    def chosen(of: Any, which: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(_I32, len(which)), which)
        return b.shuffle_vector(of, ir.Constant(vector, ir.Undefined), mask)

    vector = ir.VectorType(_I64, count)
    first, second = chosen(rows, upper), chosen(rows, lower)
    bits = sum(3 << 2 * place for place in range(count) if not place & distance)
    mask = ir.Constant(half, [bits] * (count // 2))
    shift = ir.Constant(half, [2 * distance] * (count // 2))
    change = b.and_(b.xor(b.lshr(first, shift), second), mask)
    first, second = b.xor(first, b.shl(change, shift)), b.xor(second, change)
    back = [0] * count
    for position, (high, low) in enumerate(zip(upper, lower, strict=True)):
        back[high], back[low] = position, count // 2 + position
    order = ir.Constant(ir.VectorType(_I32, count), back)
    return b.shuffle_vector(first, second, order)


def _missing_bits(b: ir.IRBuilder, word: Any) -> Any:
    """The lower bit of every genotype that is 01, missing."""
    upper = b.lshr(word, _I64(1))
    return b.and_(b.and_(word, b.not_(upper)), _I64(_EVEN_BITS))


def _count_missing(module: ir.Module) -> None:
    b, (words, stride, rows, chunks, counts) = _function(module, "count_missing", "piiip")
    with _loop(b, chunks) as chunk:
        of_chunk = b.gep(words, [b.mul(b.mul(chunk, stride), _I64(8))])
        with _loop(b, rows) as row:
            place = b.mul(row, _I64(8))
            missing = _missing_bits(b, _load(b, of_chunk, place, _I64, 8))
            target = _at(b, counts, place, _I64)
            b.store(b.add(b.load(target, align=8), b.ctpop(missing)), target, align=8)
    b.ret_void()


def _list_missing(module: ir.Module) -> None:
    b, (words, stride, rows, chunks, ends, places) = _function(module, "list_missing", "piiipp")
    left = b.alloca(_I64)
    with _loop(b, chunks) as chunk:
        of_chunk = b.gep(words, [b.mul(b.mul(chunk, stride), _I64(8))])
        first = b.mul(chunk, _I64(GENOTYPES_IN_WORD))
        with _loop(b, rows) as row:
            place = b.mul(row, _I64(8))
            missing = _missing_bits(b, _load(b, of_chunk, place, _I64, 8))
            b.store(missing, left)
            target = _at(b, ends, place, _I64)
            end = b.load(target, align=8)
            count = b.ctpop(missing)
            with _loop(b, count) as at:
                bits = b.load(left)
                position = b.cttz(bits, ir.IntType(1)(1))
                column = b.add(first, b.lshr(position, _I64(1)))
                where = b.mul(b.add(end, at), _I64(4))
                b.store(b.trunc(column, _I32), _at(b, places, where, _I32), align=4)
                b.store(b.and_(bits, b.sub(bits, _I64(1))), left)
            b.store(b.add(end, count), target, align=8)
    b.ret_void()
