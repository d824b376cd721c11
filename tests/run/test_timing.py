import time

from nextlmm.run.timing import Stopwatch, peak_memory_bytes, seconds_by_stage, work_facts
from nextlmm.work import Work


def test_the_start_of_the_program_is_a_stage_of_its_own():
    watch = Stopwatch(time.perf_counter() - 5.0)
    assert list(watch.stages()) == ["start-up"]
    assert 5.0 <= watch.stages()["start-up"].seconds <= watch.elapsed() + 1e-6


def test_without_a_beginning_there_is_no_start():
    watch = Stopwatch()
    assert watch.stages() == {}
    assert watch.elapsed() >= 0.0


def test_seconds_by_stage__parts_are_in_their_stages():
    stages = {"a": Work(1.5), "a / x": Work(1.0), "b": Work(0.25)}
    assert seconds_by_stage(stages) == {"a": 1.5, "b": 0.25}


def test_work_facts__speeds_are_per_second_of_the_clock():
    facts = work_facts({"a": Work(2.0, 3.0, 4e9, 1e9), "b": Work(2.0, 3.0), "c": Work()})
    assert facts["a"] == {
        "seconds": 2.0,
        "processor_seconds": 3.0,
        "operations": 4e9,
        "genotypes": 1e9,
        "gflop_per_second": 2.0,
        "ggenotypes_per_second": 0.5,
    }
    for name in ("b", "c"):
        assert facts[name]["gflop_per_second"] is None
        assert facts[name]["ggenotypes_per_second"] is None


def test_peak_memory__holds_what_was_held():
    held = bytearray(50_000_000)
    held[:: 1 << 10] = b"1" * len(held[:: 1 << 10])  # touched, so that it is there
    peak = peak_memory_bytes()
    assert peak is None or peak > len(held)
