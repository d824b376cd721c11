"""The roofline of the kernels: how near each is to what this machine can do.

    python benchmarks/roofline.py --out benchmarks/results

Measures the two limits of the machine with the same threads, single-precision GEMM by the BLAS in
use and the rate at which memory is copied, and beside them the kernels that an exact run by
products is made of, on packed genotypes of a simulated cohort: decoding, products K x with a
growing number of columns, and predicted denominators.  Operations are those that decoding and
multiplying would take, 4 for each genotype and column of a product: look-ups may need fewer, so
that a share of GEMM can be above one.  Bytes are those of the packed genotypes, read once.  Writes
roofline.jsonl and roofline.md.  Every time is the best of some.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from cohort import simulate
from hodlr import PLAN, make_problem_of
from nextlmm.lmm.design import make_design
from nextlmm.output.provenance import describe_machine
from nextlmm.progress import Silent
from nextlmm.run.exact.arrange import arrange
from nextlmm.run.exact.forms import forms_to_predict, predicted_forms
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.work import Ledger
from options import parser_of

SIZES, QUICK_SIZES = (2_000, 10_000), (120,)
VARIANTS, QUICK_VARIANTS = 20_000, 300
COLUMNS, QUICK_COLUMNS = (1, 16, 32, 64, 128), (1, 16)
H2, REPEATS, GEMM, COPIED = 0.5, 5, 4_096, 2**28
BLOCK = 512  # variants that are decoded together

Row = dict[str, Any]


def main() -> int:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with threadpool_limits(arguments.threads):
        limits = _limits(QUICK_VARIANTS if arguments.quick else GEMM, arguments.threads)
        for n in arguments.sizes:
            with TemporaryDirectory() as scratch:
                problem = make_problem_of(
                    simulate("mixture", Path(scratch), n=n, m=arguments.variants)
                )
                columns = QUICK_COLUMNS if arguments.quick else COLUMNS
                rows += list(_kernels(problem, columns, arguments.threads))
    lines = [json.dumps(row) + "\n" for row in [limits, *rows]]
    (arguments.out / "roofline.jsonl").write_text("".join(lines), encoding="utf-8")
    text = "\n".join(_report(limits, rows, arguments.threads)) + "\n"
    (arguments.out / "roofline.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="samples")
    parser.add_argument("--variants", type=int, default=VARIANTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes, arguments.variants = QUICK_SIZES, QUICK_VARIANTS
    return arguments


def _limits(size: int, threads: int) -> Row:
    """What the machine can do: operations of GEMM and bytes of a copy, a second."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    seconds = _best(lambda: a @ b)
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    parts = np.array_split(np.arange(COPIED), threads)
    slices = [slice(int(part[0]), int(part[-1]) + 1) for part in parts]

    def copy() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda own: np.copyto(target[own], source[own]), slices))

    return {"kernel": "limits", "gemm": 2.0 * size**3 / seconds, "copy": 2 * COPIED / _best(copy)}


def _kernels(problem: Problem, columns: Sequence[int], threads: int) -> Iterator[Row]:
    n, m = problem.n, problem.related.n_varying
    operator = problem.operator()
    packed = n * m / 4.0

    def decode() -> None:
        blocks = [slice(at, min(at + BLOCK, m)) for at in range(0, m, BLOCK)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda at: operator.columns.block(at, np.float32), blocks))

    yield _row(n, m, "decoding to single precision", 0, 0.0, packed, _best(decode))
    rng = np.random.default_rng(1)
    for dtype in (np.float32, np.float64):
        for count in columns:
            x = rng.standard_normal((n, count))
            left_out = np.arange(count) % len(operator.chromosomes)
            seconds = _best(lambda x=x, c=left_out, t=dtype: operator.matmul(x, c, dtype=t))
            name = f"K x, LOCO, {np.dtype(dtype).name}"
            yield _row(n, m, name, count, 4.0 * n * m * count, packed, seconds)
    ordered = arrange(problem, operator, Model(), PLAN)
    design = make_design(ordered.problem.covariates)
    (factor,) = ordered.predictors(H2, design, [-1])
    py, variants = np.ones(n), ordered.problem.variants

    def predict() -> None:
        work = forms_to_predict(ordered.problem, py, variants, Silent(), threads=operator.threads)
        predicted_forms(ordered.problem, design, lambda: factor, py, work)

    ledger = Ledger()
    with ledger.stage("once"):
        predict()
    operations = ledger.stages()["once"].operations
    yield _row(n, m, "predicted denominators", 0, operations, packed, _best(predict))


def _row(n: int, m: int, kernel: str, columns: int, flops: float, size: float, s: float) -> Row:
    return {
        "kernel": kernel,
        "n": n,
        "m": m,
        "columns": columns,
        "seconds": s,
        "genotypes": n * m / s,
        "flops": flops / s,
        "bytes": size / s,
    }


def _best(call: Callable[[], Any]) -> float:
    found = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return min(found)


def _report(limits: Row, rows: Sequence[Row], threads: int) -> Iterator[str]:
    machine = describe_machine(threads)
    yield "# The roofline of the kernels"
    yield ""
    yield (
        f"{machine['processor']}, {threads} threads: GEMM in single precision "
        f"{limits['gemm'] / 1e9:.0f} GFLOP/s, a copy in memory {limits['copy'] / 1e9:.1f} GB/s."
    )
    yield ""
    yield (
        "| n | variants | kernel | columns | seconds | Ggenotypes/s | GFLOP/s | share of GEMM "
        "| packed GB/s | share of a copy |"
    )
    yield "|" + "---|" * 10
    for row in rows:
        flops = row["flops"]
        cells = (
            f"{row['n']:,}",
            f"{row['m']:,}",
            row["kernel"],
            str(row["columns"] or ""),
            f"{row['seconds']:.3g}",
            f"{row['genotypes'] / 1e9:.3g}",
            f"{flops / 1e9:.0f}" if flops else "",
            f"{flops / limits['gemm']:.2f}" if flops else "",
            f"{row['bytes'] / 1e9:.2g}",
            f"{row['bytes'] / limits['copy']:.1%}",
        )
        yield "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
