import io

import numpy as np
from PIL import Image

from nextlmm.output.png import write_png_image


def written(pixels: np.ndarray, dpi: float = 200.0) -> bytes:
    handle = io.BytesIO()
    write_png_image(pixels, handle, dpi=dpi)
    return handle.getvalue()


def test_another_reader_sees_the_same_pixels(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (7, 13, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(written(pixels))) as image:
        image.load()
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_another_reader_is_told_the_resolution() -> None:
    with Image.open(io.BytesIO(written(np.zeros((2, 2, 3), np.uint8)))) as image:
        # whole pixels per metre
        np.testing.assert_allclose(image.info["dpi"], 200.0, atol=0.0254)


def test_rows_of_a_view(rng: np.random.Generator) -> None:
    four = rng.integers(0, 256, (5, 4, 4), dtype=np.uint8)
    assert written(four[:, :, :3]) == written(four[:, :, :3].copy())
