"""Which worker holds which pieces."""

from collections.abc import Collection, Mapping


def placed(
    count: int, threads: Mapping[str, int], held: Mapping[str, Collection[int]]
) -> dict[str, list[int]]:
    """The numbers of the pieces of every worker, in proportion to its threads.

    Nothing moves but what has to: a worker keeps what it holds up to its share.  Where nothing is
    held yet the pieces of a worker are neighbours, so that least is added up between workers.

    Parameters
    ----------
    count : of all pieces.
    threads : of every worker that is there, at least one.
    held : what workers hold, some of which may be gone.
    """
    share = _shares(count, threads)
    result = {name: sorted(held.get(name, ()))[: share[name]] for name in share}
    taken = {number for numbers in result.values() for number in numbers}
    free = iter([number for number in range(count) if number not in taken])
    for name, numbers in result.items():
        wanted = share[name] - len(numbers)
        result[name] = sorted([*numbers, *(next(free) for _ in range(wanted))])
    return result


def _shares(count: int, threads: Mapping[str, int]) -> dict[str, int]:
    """How many pieces each worker gets; all together ``count``."""
    total, before, given, share = sum(threads.values()), 0, 0, {}
    for name in sorted(threads):
        before += threads[name]
        border = count * before // total
        share[name] = border - given
        given = border
    return share
