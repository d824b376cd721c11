"""Products with packed genotypes by table look-up, compiled for the processor at hand.

Four genotypes make a byte, as the digits of a number in base three, and eight bytes a word.  A
matrix of genotypes is kept as words (chunks, rows): word [j, r] holds the columns 32 j to 32 j + 31
of row r, the first in the lowest byte, of which it is the lowest digit.  A product of that matrix
with an array x takes four columns at a time: the 81 combinations that four genotypes can have are
added up beforehand, for a panel of columns of x at once, and every row then costs one look-up and
one addition for four genotypes, where decoding and multiplying would cost four multiplications and
the decoding.  The tables of a chunk, 41 KiB, stay in the processor's nearest cache, each entry on a
cache line of its own.  This is the method of the four Russians (Arlazarov et al. 1970) on vectors.
Missing genotypes have no digit: they are 0 here, and listed beside the words.

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
from numpy.typing import DTypeLike, NDArray

GENOTYPES_IN_WORD = 32
WIDTH = {"float32": 16, "float64": 8}
"""Columns of a panel: one cache line of them."""
COMBINATIONS = 81
CELLS = 8
"""Bytes of a word, each four genotypes."""

_I64, _I32, _BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
_POINTER = _BYTE.as_pointer()
_EVEN_BITS = 0x5555555555555555
_LINE = 64  # bytes of a cache line
# What two threads compile at the same time would be compiled twice, and one of it freed in use.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, eq=False)
class Kernels:
    """Compiled functions; every argument is an address or an integer.

    The engine owns their code, and lives as long as they do.
    """

    engine: Any
    call: Mapping[str, Callable[..., None]]


def product_kernels(dtype: str) -> Kernels:
    """The functions of products, for panels of a type.

    product(words, stride, rows, chunks, x, x_stride, values, values_stride, table, out, out_stride)
        adds to out (rows, width) the genotypes (rows, 32 chunks) times x (32 chunks, width).
        ``values`` holds the number that stands for each of the three digits, of the 32 chunks
        columns ``values_stride`` bytes apart (0 if they are the same for all); ``table`` is room
        that `table_room` made.  ``stride`` is in words, those of x and out are in bytes.
    finish(starts, ends, places, rows, means, x, scales, shifts, sums, out)
        turns rows of a product with x (., width) into those of standardised genotypes: adds to row
        r means[r] times the sum of the rows of x at places[starts[r]:ends[r]], multiplies by
        scales[r] and takes off shifts[r] sums.  x may begin before its memory does if no place is
        there.
    scatter(starts, ends, places, rows, weights, x, out)
        adds weights[r] times row r of x to the rows of out at places[starts[r]:ends[r]].
    squares(words, stride, rows, listed, places, panels, n_panels, values, table, products, means,
            scales, totals)
        adds to totals (rows,), in double precision, the weighted sums of squares of the products of
        centred genotypes with the vectors of some panels.  A panel is five integers: its first word
        and number of words, and the addresses of its x, sums and weights.  The missing genotypes of
        row r from word j on are listed from listed[j, r] on; ``products`` (rows, width) are zeros,
        before and after.
    """
    with _ONE_AT_A_TIME:
        return _product_kernels(dtype)


def table_room(dtype: DTypeLike) -> NDArray[Any]:
    """Room for the tables of a chunk; where an entry on two cache lines would cost two loads."""
    kind = np.dtype(dtype)
    count = CELLS * COMBINATIONS * WIDTH[kind.name]
    room = np.empty(count * kind.itemsize + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return room[start : start + count * kind.itemsize].view(kind)


def word_kernels() -> Kernels:
    """Functions of words alone, in which two bits are a genotype as PLINK 1 has it.

    digits(words, count)
        turns words of bits into words of digits, the copies of the effect allele.

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
def _product_kernels(dtype: str) -> Kernels:
    number = ir.FloatType() if dtype == "float32" else ir.DoubleType()
    width = WIDTH[dtype]
    module = ir.Module(name=f"product_{dtype}")
    product = _product(module, number, width)
    finish = _finish(module, number, width)
    _scatter(module, number, width)
    _squares(module, number, width, product, finish)
    return _compiled(module, {"product": 11, "finish": 10, "scatter": 7, "squares": 13})


@cache
def _word_kernels() -> Kernels:
    module = ir.Module(name="words")
    _digits(module)
    _transpose(module)
    _count_missing(module)
    _list_missing(module)
    count = {"digits": 2, "transpose": 6, "count_missing": 5, "list_missing": 6}
    return _compiled(module, count)


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


def _product(module: ir.Module, number: ir.Type, width: int) -> ir.Function:
    b, arguments = _function(module, "product", "piiipipippi")
    words, stride, rows, chunks, x, x_stride, values, values_stride, table, out, out_stride = (
        arguments
    )
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    with _loop(b, chunks) as chunk:
        first = b.mul(chunk, _I64(GENOTYPES_IN_WORD))
        with _loop(b, CELLS) as cell:
            column = b.add(first, b.mul(cell, _I64(4)))
            _fill_table(b, column, cell, x, x_stride, values, values_stride, table, vector, size)
        of_chunk = b.gep(words, [b.mul(b.mul(chunk, stride), _I64(8))])
        with _loop(b, rows) as row:
            word = _load(b, of_chunk, b.mul(row, _I64(8)), _I64, 8)
            target = _at(b, out, b.mul(row, out_stride), vector)
            # Two sums, so that one addition need not wait for the one before.
            sums = [b.load(target, align=size), ir.Constant(vector, [0.0] * width)]
            for cell in range(CELLS):
                digits = b.and_(b.lshr(word, _I64(8 * cell)), _I64(0xFF))
                start = b.gep(table, [_I64(COMBINATIONS * cell * _LINE)])
                entry = _load(b, start, b.mul(digits, _I64(_LINE)), vector, _LINE)
                sums[cell % 2] = b.fadd(sums[cell % 2], entry)
            b.store(b.fadd(*sums), target, align=size)
    b.ret_void()
    return b.function


def _fill_table(
    b: ir.IRBuilder,
    column: Any,
    cell: Any,
    x: Any,
    x_stride: Any,
    values: Any,
    values_stride: Any,
    table: Any,
    vector: ir.VectorType,
    size: int,
) -> None:
    """The sums of all combinations of four genotypes, the first the lowest digit."""
    products = []
    for which in range(4):
        at = b.add(column, _I64(which))
        row = _load(b, x, b.mul(at, x_stride), vector, size)
        own = b.gep(values, [b.mul(at, values_stride)])
        numbers = [_load(b, own, _I64(digit * size), vector.element, size) for digit in range(3)]
        products.append([b.fmul(row, _splat(b, number, vector)) for number in numbers])
    low, high = (
        [b.fadd(first, second) for second in upper for first in lower]
        for lower, upper in (products[:2], products[2:])
    )
    start = b.gep(table, [b.mul(cell, _I64(COMBINATIONS * _LINE))])
    for upper_digits, second in enumerate(high):
        for lower_digits, first in enumerate(low):
            place = _at(b, start, _I64((9 * upper_digits + lower_digits) * _LINE), vector)
            b.store(b.fadd(first, second), place, align=_LINE)


def _splat(b: ir.IRBuilder, value: Any, vector: ir.VectorType) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    single = b.insert_element(undefined, value, _I32(0))
    return b.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(_I32, vector.count), None))


def _finish(module: ir.Module, number: ir.Type, width: int) -> ir.Function:
    b, arguments = _function(module, "finish", "pppipppppp")
    starts, ends, places, rows, means, x, scales, shifts, sums, out = arguments
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    of_columns = _load(b, sums, _I64(0), vector, size)
    total = b.alloca(vector)
    with _loop(b, rows) as row:
        b.store(ir.Constant(vector, [0.0] * width), total)
        with _listed(b, starts, ends, places, row) as place:
            line = _load(b, x, b.mul(place, _I64(width * size)), vector, size)
            b.store(b.fadd(b.load(total), line), total)
        mean, scale, shift = (
            _splat(b, _load(b, of_rows, b.mul(row, _I64(size)), number, size), vector)
            for of_rows in (means, scales, shifts)
        )
        target = _at(b, out, b.mul(row, _I64(width * size)), vector)
        product = b.fadd(b.load(target, align=size), b.fmul(b.load(total), mean))
        b.store(b.fsub(b.fmul(product, scale), b.fmul(of_columns, shift)), target, align=size)
    b.ret_void()
    return b.function


def _scatter(module: ir.Module, number: ir.Type, width: int) -> None:
    b, arguments = _function(module, "scatter", "pppippp")
    starts, ends, places, rows, weights, x, out = arguments
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    with _loop(b, rows) as row:
        weight = _load(b, weights, b.mul(row, _I64(size)), number, size)
        line = _load(b, x, b.mul(row, _I64(width * size)), vector, size)
        weighted = b.fmul(line, _splat(b, weight, vector))
        with _listed(b, starts, ends, places, row) as place:
            target = _at(b, out, b.mul(place, _I64(width * size)), vector)
            b.store(b.fadd(b.load(target, align=size), weighted), target, align=size)
    b.ret_void()


@contextmanager
def _listed(b: ir.IRBuilder, starts: Any, ends: Any, places: Any, row: Any) -> Iterator[Any]:
    """Code for every place that is listed for a row."""
    begin, end = (_load(b, listed, b.mul(row, _I64(8)), _I64, 8) for listed in (starts, ends))
    with _loop(b, end, begin) as at:
        yield b.zext(_load(b, places, b.mul(at, _I64(4)), _I32, 4), _I64)


def _squares(
    module: ir.Module, number: ir.Type, width: int, product: ir.Function, finish: ir.Function
) -> None:
    b, arguments = _function(module, "squares", "piipppipppppp")
    words, stride, rows, listed, places, panels, n_panels, values, table, products = arguments[:10]
    means, scales, totals = arguments[10:]
    size = 4 if isinstance(number, ir.FloatType) else 8
    line = _I64(width * size)
    with _loop(b, n_panels) as panel:
        own = b.gep(panels, [b.mul(panel, _I64(40))])
        first, chunks, x, sums, weights = (
            _load(b, own, _I64(8 * at), _I64 if at < 2 else _POINTER, 8) for at in range(5)
        )
        of_panel = b.gep(words, [b.mul(b.mul(first, stride), _I64(8))])
        none = _I64(0)
        b.call(
            product,
            [of_panel, stride, rows, chunks, x, line, values, none, table, products, line],
        )
        begin, end = (
            b.gep(listed, [b.mul(b.mul(word, rows), _I64(8))])
            for word in (first, b.add(first, chunks))
        )
        before = b.mul(b.mul(first, _I64(GENOTYPES_IN_WORD)), line)
        of_first_sample = b.gep(x, [b.neg(before)])
        b.call(
            finish,
            [begin, end, places, rows, means, of_first_sample, scales, means, sums, products],
        )
        _add_squares(b, number, width, rows, products, weights, totals)
    b.ret_void()


def _add_squares(
    b: ir.IRBuilder,
    number: ir.Type,
    width: int,
    rows: Any,
    products: Any,
    weights: Any,
    totals: Any,
) -> None:
    """Add the weighted squares of each row of the products to its total, and clear it."""
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    name = f"llvm.vector.reduce.fadd.v{width}{'f32' if size == 4 else 'f64'}"
    add_up = ir.Function(b.module, ir.FunctionType(number, [number, vector]), name)
    weight = _load(b, weights, _I64(0), vector, size)
    with _loop(b, rows) as row:
        place = _at(b, products, b.mul(row, _I64(width * size)), vector)
        values = b.load(place, align=size)
        weighted = b.fmul(b.fmul(values, values), weight)
        total = b.call(add_up, [number(0.0), weighted], fastmath=("reassoc",))
        if size == 4:
            total = b.fpext(total, ir.DoubleType())
        target = _at(b, totals, b.mul(row, _I64(8)), ir.DoubleType())
        b.store(b.fadd(b.load(target, align=8), total), target, align=8)
        b.store(ir.Constant(vector, [0.0] * width), place, align=size)


def _digits(module: ir.Module) -> None:
    b, (words, count) = _function(module, "digits", "pi")
    with _loop(b, count) as index:
        place = _at(b, words, b.mul(index, _I64(8)), _I64)
        word = b.load(place, align=8)
        upper = b.and_(b.lshr(word, _I64(1)), _I64(_EVEN_BITS))
        not_lower = b.xor(b.and_(word, _I64(_EVEN_BITS)), _I64(_EVEN_BITS))
        one = b.and_(upper, not_lower)  # 10 is one copy, 00 are two, 11 and 01 none
        two = b.and_(b.xor(upper, _I64(_EVEN_BITS)), not_lower)
        fields = b.or_(one, b.shl(two, _I64(1)))
        for bits, mask, factor in ((2, 0x3333333333333333, 3), (4, 0x0F0F0F0F0F0F0F0F, 9)):
            higher = b.and_(b.lshr(fields, _I64(bits)), _I64(mask))
            fields = b.add(b.and_(fields, _I64(mask)), b.mul(higher, _I64(factor)))
        b.store(fields, place, align=8)
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
