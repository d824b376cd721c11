"""Images as PNG files: the same pixels give the same bytes, without a date or a program's name."""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LEVEL = 1  # of compression; drawings are mostly one colour, where more takes longer for little


def write_png_image(pixels: NDArray[np.uint8], handle: BinaryIO, *, dpi: float) -> None:
    """Write ``pixels``, (rows, columns, 3) red, green and blue from 0 to 255.

    ``dpi`` is the resolution that a reader is told.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(handle, format="png", dpi=(dpi, dpi), compress_level=_LEVEL)
