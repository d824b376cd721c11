"""The options that every benchmark of a kernel or a plan has."""

import argparse
import os
from pathlib import Path


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser described by the first line of a script, with what all such scripts take."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--quick", action="store_true", help="tiny cohorts: does it run?")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser
