"""Advice on what is slow to read."""

from nextlmm.run.advice import reading_advice


def test_text_that_took_long_is_to_be_converted():
    (vcf,) = reading_advice("a b.vcf.gz", "vcf", 41.4)
    assert "took 41 s" in vcf
    assert "plink2 --vcf 'a b.vcf.gz' --make-pgen" in vcf
    (dosages,) = reading_advice("a.vcf", "vcf", 41.4, has_dosages=True)
    assert "--vcf a.vcf dosage=DS (or GP) --make-pgen" in dosages
    (chosen,) = reading_advice("a.bcf", "vcf", 41.4, field="GP", has_dosages=True)
    assert "plink2 --bcf a.bcf dosage=GP --make-pgen" in chosen
    (bimbam,) = reading_advice("a.txt", "bimbam", 41.4)
    assert "--pfile" in bimbam


def test_what_is_quick_or_no_text_gets_none():
    assert reading_advice("a.vcf", "vcf", 1.0) == ()
    assert reading_advice("a.pgen", "pgen", 100.0) == ()
    assert reading_advice("a.bgen", "bgen", 100.0) == ()
