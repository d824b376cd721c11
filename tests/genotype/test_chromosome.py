import pytest

from nextlmm.genotype.chromosome import chromosome_key


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (("1", "01", "chr1", "CHR1", "Chr01"), "1"),
        (("10", "chr10"), "10"),
        (("X", "x", "chrX", "chrx"), "X"),
        (("MT", "chrMT", "mt"), "MT"),
        (("0", "00"), "0"),
        (("23",), "23"),
        (("chr",), "chr"),
        (("scaffold_01",), "scaffold_01"),
        (("Scaffold_01",), "Scaffold_01"),
        (("",), ""),
    ],
)
def test_chromosome_key__is_one_for_all_spellings(names, key):
    assert {chromosome_key(name) for name in names} == {key}
