"""How many bytes a run moved between processes."""

import pickle
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Moved:
    """Bytes that were moved, and what for.

    Attributes
    ----------
    products : totals over all pieces that were asked for.
    tasks : other calls that were handed out.
    repeated : products and tasks that were begun again because a worker was gone.
    pieces : bytes of pieces that were sent to workers, or of what they need to read them.
    requests : bytes of what is multiplied, once for each worker.
    between : bytes of sums from worker to worker.
    results : bytes of what came back.
    """

    products: int = 0
    tasks: int = 0
    repeated: int = 0
    pieces: int = 0
    requests: int = 0
    between: int = 0
    results: int = 0


class Account:
    """Adds up what is moved."""

    def __init__(self) -> None:
        self._amounts = dict.fromkeys(Moved.__dataclass_fields__, 0)
        self._lock = threading.Lock()

    def add(self, **amounts: int) -> None:
        """Add to the amounts of `Moved` by their names."""
        with self._lock:
            for name, amount in amounts.items():
                self._amounts[name] += amount

    def moved(self) -> Moved:
        """What was moved so far."""
        with self._lock:
            return Moved(**self._amounts)


def bytes_of(value: Any) -> int:
    """Bytes of a value as it travels; arrays are measured and not copied."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return len(head) + sum(buffer.raw().nbytes for buffer in buffers)
