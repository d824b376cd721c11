import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from nextlmm.work import Ledger, count, part


def test_counts_go_to_the_open_stage() -> None:
    ledger = Ledger()
    with ledger.stage("one"):
        count(operations=3.0)
    with ledger.stage("two"):
        count(genotypes=5.0)
        count(operations=1.0, genotypes=2.0)
    with ledger.stage("one"):
        count(operations=4.0)
    amounts = {name: (work.operations, work.genotypes) for name, work in ledger.stages().items()}
    assert amounts == {"one": (7.0, 0.0), "two": (1.0, 7.0)}


def test_without_a_stage_nothing_is_counted() -> None:
    count(operations=1.0)
    with part("scores"):
        count(operations=1.0)
    ledger = Ledger()
    with ledger.stage("one"):
        pass
    assert ledger.stages()["one"].operations == 0.0


def test_a_part_belongs_to_its_stage_too() -> None:
    ledger = Ledger()
    with ledger.stage("association"):
        count(operations=1.0)
        with part("audit"):
            count(operations=10.0)
            with part("solves"):
                count(operations=100.0)
        with part("scores"):
            count(operations=1000.0)
    assert {name: work.operations for name, work in ledger.stages().items()} == {
        "association": 1111.0,
        "association / audit": 110.0,
        "association / audit / solves": 100.0,
        "association / scores": 1000.0,
    }


def test_a_stage_in_a_stage_is_a_part_of_it_unless_the_ledgers_differ() -> None:
    run, trait = Ledger(), Ledger()
    with run.stage("traits"), trait.stage("null model"), trait.stage("search"):
        count(operations=1.0)
    assert list(run.stages()) == ["traits"]
    assert list(trait.stages()) == ["null model", "null model / search"]
    assert run.stages()["traits"].operations == 0.0


def test_an_error_closes_its_stage() -> None:
    ledger = Ledger()
    with pytest.raises(ValueError, match="bad"), ledger.stage("one"):
        raise ValueError("bad")
    count(operations=1.0)
    assert ledger.stages()["one"].operations == 0.0


def test_a_pool_is_counted_where_it_is_given_work() -> None:
    ledger = Ledger()
    with ledger.stage("one"), ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: count(operations=1.0), range(8)))  # the threads know of no stage
        count(operations=8.0)
    assert ledger.stages()["one"].operations == 8.0


def test_threads_that_are_given_the_stage_lose_no_count() -> None:
    ledger = Ledger()

    def many() -> None:
        for _ in range(2000):
            count(operations=1.0)

    with ledger.stage("one"), ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(copy_context().run, many) for _ in range(4)]:
            done.result()
    assert ledger.stages()["one"].operations == 8000.0


def test_seconds_are_those_of_the_blocks() -> None:
    ledger = Ledger()
    begin, processor = time.perf_counter(), time.process_time()
    for _ in range(2):
        with ledger.stage("waiting"):
            time.sleep(0.02)
        with ledger.stage("computing"):
            sum(range(200_000))
    seconds, spent = time.perf_counter() - begin, time.process_time() - processor
    waiting, computing = ledger.stages().values()
    assert waiting.seconds >= 0.04
    assert waiting.seconds + computing.seconds <= seconds
    assert waiting.processor_seconds + computing.processor_seconds <= spent
