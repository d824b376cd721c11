"""A preview is a part of what the whole is."""

import numpy as np
import pytest

from nextlmm.errors import FormatError
from nextlmm.genotype import preview
from nextlmm.genotype.preview import drawn, preview_genotypes
from nextlmm.genotype.source import open_genotypes

from .examples import random_calls, write_bed
from .formats import write_bgen, write_pgen
from .test_formats import write_calls

M = 300


@pytest.fixture
def few(monkeypatch):
    """Previews of 64 variants, of however small a file."""
    monkeypatch.setattr(preview, "DRAWN", 64)
    monkeypatch.setattr(preview, "_SMALL_BYTES", 0)


@pytest.fixture
def calls(rng):
    return random_calls(rng, 23, M)


def written(folder, calls, kind):
    return write_bed(folder, calls) if kind == "bed" else write_calls(folder, calls, kind)


def test_drawn__distinct_positions_in_their_order():
    index = np.arange(5, 5_005)
    some = drawn(index, 100)
    assert len(some) == 100
    assert (np.diff(some) > 0).all()
    assert np.isin(some, index).all()
    np.testing.assert_array_equal(some, drawn(index, 100))
    np.testing.assert_array_equal(drawn(index, 5_000), index)


@pytest.mark.parametrize("kind", ["bed", "pgen", "bgen", "zarr", "vcf", "vcf.gz"])
def test_preview__of_a_small_file_is_all_of_it(tmp_path, calls, kind):
    path = written(tmp_path, calls, kind)
    found, whole = preview_genotypes(path), open_genotypes(path)
    assert (found.n_variants, found.is_counted, found.is_whole) == (M, True, True)
    assert found.is_packed
    assert found.is_read_whole == (kind != "bed")
    every = np.arange(M)
    np.testing.assert_array_equal(found.source.dosages(every), whole.dosages(every))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("kind", ["bgen", "zarr"])
def test_preview__the_header_tells_how_many_variants_there_are(tmp_path, calls, kind):
    path = written(tmp_path, calls, kind)
    found = preview_genotypes(path)
    assert found.n_variants == M
    assert not found.is_whole
    m = len(found.source.variants)
    assert 64 <= m < M
    whole = open_genotypes(path)
    np.testing.assert_array_equal(found.source.dosages(np.arange(m)), whole.dosages(np.arange(m)))
    assert found.source.variants.variant_id.tolist() == whole.variants.variant_id[:m].tolist()


@pytest.mark.usefixtures("few")
def test_preview__of_text_the_size_tells(tmp_path, rng):
    """To some per cent, because a reader is ahead of what it hands over."""
    path = write_calls(tmp_path, random_calls(rng, 400, 3_000), "vcf")
    found = preview_genotypes(path)
    assert (found.is_counted, found.is_whole, len(found.source.variants)) == (False, False, 64)
    assert 0.4 * 3_000 < found.n_variants < 1.2 * 3_000


def test_preview__dosages_are_told_from_calls(tmp_path, rng):
    dosages = rng.uniform(0.0, 2.0, size=(23, 40))
    assert not preview_genotypes(write_bgen(tmp_path, dosages)).is_packed
    assert not preview_genotypes(write_pgen(tmp_path, dosages)).is_packed


def test_preview__a_damaged_file_is_refused_as_ever(tmp_path, calls):
    prefix = write_bed(tmp_path, calls)
    bed = prefix.with_suffix(".bed")
    bed.write_bytes(bed.read_bytes()[:-5])
    with pytest.raises(FormatError, match="truncated"):
        preview_genotypes(prefix)
