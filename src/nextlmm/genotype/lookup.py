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

The code is compiled for the processor at hand (:mod:`compiled`), for each precision.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.compiled import (
    I32,
    I64,
    ONE_AT_A_TIME,
    POINTER,
    Kernels,
    at_offset,
    compiled,
    function,
    load,
    loop,
    splat,
)
from nextlmm.genotype.words import GENOTYPES_IN_WORD

WIDTH = {"float32": 16, "float64": 8}
"""Columns of a panel: one cache line of them."""
COMBINATIONS = 81
CELLS = 8
"""Bytes of a word, each four genotypes."""

_LINE = 64  # bytes of a cache line


def product_kernels(dtype: str) -> Kernels:
    """The functions of products, for panels of a type.

    product(words, stride, rows, chunks, x, values, values_stride, table, out)
        adds to out (rows, width) the genotypes (rows, 32 chunks) times x (32 chunks, width).
        ``values`` holds the number that stands for each of the three digits, of the 32 chunks
        columns ``values_stride`` bytes apart (0 if they are the same for all); ``table`` is room
        that `table_room` made.  ``stride`` is in words.
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
    with ONE_AT_A_TIME:
        return _product_kernels(dtype)


def table_room(dtype: DTypeLike) -> NDArray[Any]:
    """Room for the tables of a chunk; where an entry on two cache lines would cost two loads."""
    kind = np.dtype(dtype)
    count = CELLS * COMBINATIONS * WIDTH[kind.name]
    room = np.empty(count * kind.itemsize + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return room[start : start + count * kind.itemsize].view(kind)


@cache
def _product_kernels(dtype: str) -> Kernels:
    number = ir.FloatType() if dtype == "float32" else ir.DoubleType()
    width = WIDTH[dtype]
    module = ir.Module(name=f"product_{dtype}")
    product = _product(module, number, width)
    finish = _finish(module, number, width)
    _scatter(module, number, width)
    _squares(module, number, width, product, finish)
    return compiled(module, {"product": 9, "finish": 10, "scatter": 7, "squares": 13})


def _product(module: ir.Module, number: ir.Type, width: int) -> ir.Function:
    b, arguments = function(module, "product", "piiippipp")
    words, stride, rows, chunks, x, values, values_stride, table, out = arguments
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    with loop(b, chunks) as chunk:
        first = b.mul(chunk, I64(GENOTYPES_IN_WORD))
        with loop(b, CELLS) as cell:
            column = b.add(first, b.mul(cell, I64(4)))
            of_cell = b.gep(table, [b.mul(cell, I64(COMBINATIONS * _LINE))])
            _fill_table(b, column, x, values, values_stride, of_cell, vector)
        of_chunk = b.gep(words, [b.mul(b.mul(chunk, stride), I64(8))])
        with loop(b, rows) as row:
            word = load(b, of_chunk, b.mul(row, I64(8)), I64, 8)
            target = at_offset(b, out, b.mul(row, I64(_LINE)), vector)
            # Two sums, so that one addition need not wait for the one before.
            sums = [b.load(target, align=size), ir.Constant(vector, [0.0] * width)]
            for cell in range(CELLS):
                digits = b.and_(b.lshr(word, I64(8 * cell)), I64(0xFF))
                start = b.gep(table, [I64(COMBINATIONS * cell * _LINE)])
                entry = load(b, start, b.mul(digits, I64(_LINE)), vector, _LINE)
                sums[cell % 2] = b.fadd(sums[cell % 2], entry)
            b.store(b.fadd(*sums), target, align=size)
    b.ret_void()
    return b.function


def _fill_table(
    b: ir.IRBuilder,
    column: Any,
    x: Any,
    values: Any,
    values_stride: Any,
    table: Any,
    vector: ir.VectorType,
) -> None:
    """The sums of all combinations of four genotypes, the first the lowest digit."""
    size, products = _LINE // vector.count, []
    for which in range(4):
        at = b.add(column, I64(which))
        row = load(b, x, b.mul(at, I64(_LINE)), vector, size)
        own = b.gep(values, [b.mul(at, values_stride)])
        numbers = [load(b, own, I64(digit * size), vector.element, size) for digit in range(3)]
        products.append([b.fmul(row, splat(b, number, vector)) for number in numbers])
    low, high = (
        [b.fadd(first, second) for second in upper for first in lower]
        for lower, upper in (products[:2], products[2:])
    )
    for upper_digits, second in enumerate(high):
        for lower_digits, first in enumerate(low):
            place = at_offset(b, table, I64((9 * upper_digits + lower_digits) * _LINE), vector)
            b.store(b.fadd(first, second), place, align=_LINE)


def _finish(module: ir.Module, number: ir.Type, width: int) -> ir.Function:
    b, arguments = function(module, "finish", "pppipppppp")
    starts, ends, places, rows, means, x, scales, shifts, sums, out = arguments
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    of_columns = load(b, sums, I64(0), vector, size)
    total = b.alloca(vector)
    with loop(b, rows) as row:
        b.store(ir.Constant(vector, [0.0] * width), total)
        with _listed(b, starts, ends, places, row) as place:
            line = load(b, x, b.mul(place, I64(width * size)), vector, size)
            b.store(b.fadd(b.load(total), line), total)
        mean, scale, shift = (
            splat(b, load(b, of_rows, b.mul(row, I64(size)), number, size), vector)
            for of_rows in (means, scales, shifts)
        )
        target = at_offset(b, out, b.mul(row, I64(width * size)), vector)
        product = b.fadd(b.load(target, align=size), b.fmul(b.load(total), mean))
        b.store(b.fsub(b.fmul(product, scale), b.fmul(of_columns, shift)), target, align=size)
    b.ret_void()
    return b.function


def _scatter(module: ir.Module, number: ir.Type, width: int) -> None:
    b, arguments = function(module, "scatter", "pppippp")
    starts, ends, places, rows, weights, x, out = arguments
    size = 4 if isinstance(number, ir.FloatType) else 8
    vector = ir.VectorType(number, width)
    with loop(b, rows) as row:
        weight = load(b, weights, b.mul(row, I64(size)), number, size)
        line = load(b, x, b.mul(row, I64(width * size)), vector, size)
        weighted = b.fmul(line, splat(b, weight, vector))
        with _listed(b, starts, ends, places, row) as place:
            target = at_offset(b, out, b.mul(place, I64(width * size)), vector)
            b.store(b.fadd(b.load(target, align=size), weighted), target, align=size)
    b.ret_void()


@contextmanager
def _listed(b: ir.IRBuilder, starts: Any, ends: Any, places: Any, row: Any) -> Iterator[Any]:
    """Code for every place that is listed for a row."""
    begin, end = (load(b, listed, b.mul(row, I64(8)), I64, 8) for listed in (starts, ends))
    with loop(b, end, begin) as at:
        yield b.zext(load(b, places, b.mul(at, I64(4)), I32, 4), I64)


def _squares(
    module: ir.Module, number: ir.Type, width: int, product: ir.Function, finish: ir.Function
) -> None:
    b, arguments = function(module, "squares", "piipppipppppp")
    words, stride, rows, listed, places, panels, n_panels, values, table, products = arguments[:10]
    means, scales, totals = arguments[10:]
    size = 4 if isinstance(number, ir.FloatType) else 8
    line = I64(width * size)
    with loop(b, n_panels) as panel:
        own = b.gep(panels, [b.mul(panel, I64(40))])
        first, chunks, x, sums, weights = (
            load(b, own, I64(8 * at), I64 if at < 2 else POINTER, 8) for at in range(5)
        )
        of_panel = b.gep(words, [b.mul(b.mul(first, stride), I64(8))])
        none = I64(0)
        b.call(
            product,
            [of_panel, stride, rows, chunks, x, values, none, table, products],
        )
        begin, end = (
            b.gep(listed, [b.mul(b.mul(word, rows), I64(8))])
            for word in (first, b.add(first, chunks))
        )
        before = b.mul(b.mul(first, I64(GENOTYPES_IN_WORD)), line)
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
    weight = load(b, weights, I64(0), vector, size)
    with loop(b, rows) as row:
        place = at_offset(b, products, b.mul(row, I64(width * size)), vector)
        values = b.load(place, align=size)
        weighted = b.fmul(b.fmul(values, values), weight)
        total = b.call(add_up, [number(0.0), weighted], fastmath=("reassoc",))
        if size == 4:
            total = b.fpext(total, ir.DoubleType())
        target = at_offset(b, totals, b.mul(row, I64(8)), ir.DoubleType())
        b.store(b.fadd(b.load(target, align=8), total), target, align=8)
        b.store(ir.Constant(vector, [0.0] * width), place, align=size)
