"""Words of packed genotypes: turned about, their missing genotypes listed, made into digits."""

from functools import cache
from typing import Any

from llvmlite import ir

from nextlmm.genotype.compiled import (
    I32,
    I64,
    ONE_AT_A_TIME,
    Kernels,
    at_offset,
    compiled,
    function,
    load,
    loop,
)

GENOTYPES_IN_WORD = 32
_EVEN_BITS = 0x5555555555555555


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
    with ONE_AT_A_TIME:
        return _word_kernels()


@cache
def _word_kernels() -> Kernels:
    module = ir.Module(name="words")
    _digits(module)
    _transpose(module)
    _count_missing(module)
    _list_missing(module)
    count = {"digits": 2, "transpose": 6, "count_missing": 5, "list_missing": 6}
    return compiled(module, count)


def _digits(module: ir.Module) -> None:
    b, (words, count) = function(module, "digits", "pi")
    with loop(b, count) as index:
        place = at_offset(b, words, b.mul(index, I64(8)), I64)
        word = b.load(place, align=8)
        upper = b.and_(b.lshr(word, I64(1)), I64(_EVEN_BITS))
        not_lower = b.xor(b.and_(word, I64(_EVEN_BITS)), I64(_EVEN_BITS))
        one = b.and_(upper, not_lower)  # 10 is one copy, 00 are two, 11 and 01 none
        two = b.and_(b.xor(upper, I64(_EVEN_BITS)), not_lower)
        fields = b.or_(one, b.shl(two, I64(1)))
        for bits, mask, factor in ((2, 0x3333333333333333, 3), (4, 0x0F0F0F0F0F0F0F0F, 9)):
            higher = b.and_(b.lshr(fields, I64(bits)), I64(mask))
            fields = b.add(b.and_(fields, I64(mask)), b.mul(higher, I64(factor)))
        b.store(fields, place, align=8)
    b.ret_void()


def _transpose(module: ir.Module) -> None:
    """Blocks of 32 x 32 genotypes, each by five exchanges of ever smaller sub-blocks."""
    b, (words, stride, chunks, out, out_stride, out_chunks) = function(
        module, "transpose", "piipii"
    )
    vector = ir.VectorType(I64, GENOTYPES_IN_WORD)
    with loop(b, out_chunks) as out_chunk, loop(b, chunks) as chunk:
        block = b.add(b.mul(chunk, stride), b.mul(out_chunk, I64(GENOTYPES_IN_WORD)))
        rows = load(b, words, b.mul(block, I64(8)), vector, 8)
        for distance in (16, 8, 4, 2, 1):
            rows = _exchanged(b, rows, distance)
        block = b.add(b.mul(out_chunk, out_stride), b.mul(chunk, I64(GENOTYPES_IN_WORD)))
        b.store(rows, at_offset(b, out, b.mul(block, I64(8)), vector), align=8)
    b.ret_void()


def _exchanged(b: ir.IRBuilder, rows: Any, distance: int) -> Any:
    """Swap the upper right and the lower left part of each block of 2 ``distance`` rows."""
    count = GENOTYPES_IN_WORD
    half = ir.VectorType(I64, count // 2)
    upper = [row for row in range(count) if not row & distance]
    lower = [row + distance for row in upper]

    def chosen(of: Any, which: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(I32, len(which)), which)
        return b.shuffle_vector(of, ir.Constant(vector, ir.Undefined), mask)

    vector = ir.VectorType(I64, count)
    first, second = chosen(rows, upper), chosen(rows, lower)
    bits = sum(3 << 2 * place for place in range(count) if not place & distance)
    mask = ir.Constant(half, [bits] * (count // 2))
    shift = ir.Constant(half, [2 * distance] * (count // 2))
    change = b.and_(b.xor(b.lshr(first, shift), second), mask)
    first, second = b.xor(first, b.shl(change, shift)), b.xor(second, change)
    back = [0] * count
    for position, (high, low) in enumerate(zip(upper, lower, strict=True)):
        back[high], back[low] = position, count // 2 + position
    order = ir.Constant(ir.VectorType(I32, count), back)
    return b.shuffle_vector(first, second, order)


def _missing_bits(b: ir.IRBuilder, word: Any) -> Any:
    """The lower bit of every genotype that is 01, missing."""
    upper = b.lshr(word, I64(1))
    return b.and_(b.and_(word, b.not_(upper)), I64(_EVEN_BITS))


def _count_missing(module: ir.Module) -> None:
    b, (words, stride, rows, chunks, counts) = function(module, "count_missing", "piiip")
    with loop(b, chunks) as chunk:
        of_chunk = b.gep(words, [b.mul(b.mul(chunk, stride), I64(8))])
        with loop(b, rows) as row:
            place = b.mul(row, I64(8))
            missing = _missing_bits(b, load(b, of_chunk, place, I64, 8))
            target = at_offset(b, counts, place, I64)
            b.store(b.add(b.load(target, align=8), b.ctpop(missing)), target, align=8)
    b.ret_void()


def _list_missing(module: ir.Module) -> None:
    b, (words, stride, rows, chunks, ends, places) = function(module, "list_missing", "piiipp")
    left = b.alloca(I64)
    with loop(b, chunks) as chunk:
        of_chunk = b.gep(words, [b.mul(b.mul(chunk, stride), I64(8))])
        first = b.mul(chunk, I64(GENOTYPES_IN_WORD))
        with loop(b, rows) as row:
            place = b.mul(row, I64(8))
            missing = _missing_bits(b, load(b, of_chunk, place, I64, 8))
            b.store(missing, left)
            target = at_offset(b, ends, place, I64)
            end = b.load(target, align=8)
            count = b.ctpop(missing)
            with loop(b, count) as at:
                bits = b.load(left)
                position = b.cttz(bits, ir.IntType(1)(1))
                column = b.add(first, b.lshr(position, I64(1)))
                where = b.mul(b.add(end, at), I64(4))
                b.store(b.trunc(column, I32), at_offset(b, places, where, I32), align=4)
                b.store(b.and_(bits, b.sub(bits, I64(1))), left)
            b.store(b.add(end, count), target, align=8)
    b.ret_void()
