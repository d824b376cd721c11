"""Result tables in the columns of other programs, for the tools that read those.

A format is a table of columns made from ours.  P-values are texts made from their logarithms, so
that one below the range of a double is 3.2e-512 and never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextlmm.output.formats import OutFormat
from nextlmm.output.table import SIGNIFICANT_DIGITS

MISSING = "NA"
_DIGITS = 6
_PLAIN = -5  # powers of ten above this are written out


@dataclass(frozen=True)
class Export:
    """A format.

    Attributes
    ----------
    suffix : end of the file name.
    columns : what makes the columns, by their names in order; all of them if empty.
    is_compressed : whether the file is gzip-compressed.
    has_untested : whether variants without a result have a row.
    rows : which other variants have one, all if None.
    missing : text of a missing value.
    separator : between the columns.
    of_test : names of columns that are others for other tests than Wald's.
    """

    suffix: str
    columns: Mapping[str, pl.Expr]
    is_compressed: bool = True
    has_untested: bool = False
    rows: pl.Expr | None = None
    missing: str = MISSING
    separator: str = "\t"
    of_test: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def table(self, results: pl.DataFrame, *, samples: int, test: str = "wald") -> pl.DataFrame:
        """The result table in the columns of this format.

        Parameters
        ----------
        results : the table.
        samples : how many were analysed.
        test : which test it has.
        """
        if not self.has_untested:
            results = results.filter(pl.col("status") == "ok")
        if self.rows is not None:
            results = results.filter(self.rows)
        if not self.columns:
            return results
        log_p = results["neg_log_10_p_value"].to_numpy()
        results = results.with_columns(
            pl.Series("p", p_values(log_p), dtype=pl.String), samples=pl.lit(samples)
        )
        return results.select(**self.columns).rename(dict(self.of_test.get(test, {})))


def p_values(neg_log_10: NDArray[np.floating[Any]]) -> list[str | None]:
    """P-values as text with six digits, from minus their decimal logarithms; None for NaN."""
    exponent = np.floor(-np.nan_to_num(neg_log_10)).astype(np.int64)
    mantissa = np.round(10.0 ** (-np.nan_to_num(neg_log_10) - exponent), _DIGITS - 1)
    too_large = mantissa >= 10.0  # by the rounding
    mantissa[too_large] /= 10.0
    exponent[too_large] += 1
    return [
        None if missing else f"{m * 10.0**e:.{_DIGITS}g}" if e > _PLAIN else f"{m:g}e{e:+03d}"
        for m, e, missing in zip(
            mantissa.tolist(), exponent.tolist(), np.isnan(neg_log_10).tolist(), strict=True
        )
    ]


_CHROMOSOME, _POSITION = pl.col("chromosome"), pl.col("base_pair_location")
_ID = pl.col("variant_id")
_EFFECT, _OTHER = pl.col("effect_allele"), pl.col("other_allele")
_FREQUENCY, _N = pl.col("effect_allele_frequency"), pl.col("n")
_BETA, _ERROR, _P = pl.col("beta"), pl.col("standard_error"), pl.col("p")
_STATISTIC, _LOG_P = pl.col("statistic"), pl.col("neg_log_10_p_value")
_STATUS, _H2 = pl.col("status"), pl.col("h2")
_SAMPLES = pl.col("samples")
_T = _BETA / _ERROR
_OK = _STATUS == "ok"

_NUCLEOTIDES = "^[ACGTNacgtn]+$"
_SPELT = _EFFECT.str.contains(_NUCLEOTIDES) & _OTHER.str.contains(_NUCLEOTIDES)
_NAMED = {"X": "23", "Y": "24", "XY": "23", "PAR1": "23", "PAR2": "23", "M": "25", "MT": "25"}
_BARE = _CHROMOSOME.str.to_uppercase().str.strip_prefix("CHR")
_NUMBER = _BARE.replace(_NAMED).cast(pl.Int64, strict=False)
"""Chromosomes of humans as GWAS-SSF numbers them, missing for any other."""

EXPORTS: Mapping[OutFormat, Export] = MappingProxyType(
    {
        "regenie": Export(
            "regenie.gz",
            {
                "CHROM": _CHROMOSOME,
                "GENPOS": _POSITION,
                "ID": _ID,
                "ALLELE0": _OTHER,
                "ALLELE1": _EFFECT,
                "A1FREQ": _FREQUENCY,
                "N": _N,
                "TEST": pl.lit("ADD"),
                "BETA": _BETA,
                "SE": _ERROR,
                "CHISQ": _STATISTIC,
                "LOG10P": _LOG_P,
                "EXTRA": pl.when(_OK).then(None).otherwise(pl.lit("TEST_FAIL")),
            },
            has_untested=True,
            separator=" ",
        ),
        "plink2": Export(
            "glm.linear.gz",
            {
                "#CHROM": _CHROMOSOME,
                "POS": _POSITION,
                "ID": _ID,
                "REF": _OTHER,
                "ALT": _EFFECT,
                "A1": _EFFECT,
                "OMITTED": _OTHER,
                "A1_FREQ": _FREQUENCY,
                "TEST": pl.lit("ADD"),
                "OBS_CT": _N,
                "BETA": _BETA,
                "SE": _ERROR,
                "T_STAT": _T,
                "P": _P,
                "ERRCODE": pl.when(_OK)
                .then(pl.lit("."))
                .when(_STATUS == "collinear")
                .then(pl.lit("VIF_TOO_HIGH"))
                .when(_STATUS == "all_missing")
                .then(pl.lit("SAMPLE_CT<=PREDICTOR_CT"))
                .otherwise(pl.lit("CONST_ALLELE")),
            },
            has_untested=True,
        ),
        "gemma": Export(
            "assoc.txt.gz",
            {
                "chr": _CHROMOSOME,
                "rs": _ID,
                "ps": _POSITION,
                "n_miss": _SAMPLES - _N,
                "allele1": _EFFECT,
                "allele0": _OTHER,
                "af": _FREQUENCY,
                "beta": _BETA,
                "se": _ERROR,
                "logl_H1": pl.lit(None, pl.Float64),
                "l_remle": _H2 / (1.0 - _H2),
                "p_wald": _P,
            },
            of_test={
                "score": {"l_remle": "l_mle", "p_wald": "p_score"},
                "lrt": {"l_remle": "l_mle", "p_wald": "p_lrt"},
            },
        ),
        "fastgwa": Export(
            "fastGWA.gz",
            {
                "CHR": _CHROMOSOME,
                "SNP": _ID,
                "POS": _POSITION,
                "A1": _EFFECT,
                "A2": _OTHER,
                "N": _N,
                "AF1": _FREQUENCY,
                "BETA": _BETA,
                "SE": _ERROR,
                "P": _P,
            },
        ),
        "saige": Export(
            "saige.txt.gz",
            {
                "CHR": _CHROMOSOME,
                "POS": _POSITION,
                "MarkerID": _ID,
                "Allele1": _OTHER,
                "Allele2": _EFFECT,
                "AC_Allele2": 2.0 * _N * _FREQUENCY,
                "AF_Allele2": _FREQUENCY,
                "MissingRate": 1.0 - _N / _SAMPLES,
                "BETA": _BETA,
                "SE": _ERROR,
                "Tstat": _BETA / _ERROR.pow(2),
                "var": 1.0 / _ERROR.pow(2),
                "p.value": _P,
                "N": _N,
            },
        ),
        "cojo": Export(
            "ma",
            {
                "SNP": _ID,
                "A1": _EFFECT,
                "A2": _OTHER,
                "freq": _FREQUENCY,
                "b": _BETA,
                "se": _ERROR,
                "p": _P,
                "N": _N,
            },
            is_compressed=False,
        ),
        "ldsc": Export(
            "sumstats.gz",
            {"SNP": _ID, "A1": _EFFECT, "A2": _OTHER, "Z": _T, "N": _N},
        ),
        "pheweb": Export(
            "pheweb.tsv.gz",
            {
                "chrom": _CHROMOSOME,
                "pos": _POSITION,
                "ref": _OTHER,
                "alt": _EFFECT,
                "pval": _P,
                "beta": _BETA,
                "sebeta": _ERROR,
                "af": _FREQUENCY,
            },
        ),
        "gwas-ssf": Export(
            "ssf.tsv.gz",
            {
                "chromosome": _NUMBER,
                "base_pair_location": _POSITION,
                "effect_allele": _EFFECT.str.to_uppercase(),
                "other_allele": _OTHER.str.to_uppercase(),
                "beta": _BETA,
                "standard_error": _ERROR,
                "effect_allele_frequency": _FREQUENCY,
                "neg_log_10_p_value": _LOG_P,
                "variant_id": pl.concat_str(
                    [_NUMBER, _POSITION, _OTHER, _EFFECT], separator="_"
                ).str.to_uppercase(),
                "rsid": pl.when(_ID.str.contains("^rs[0-9]+$")).then(_ID).otherwise(None),
                "n": _N,
            },
            rows=_SPELT & _NUMBER.is_between(1, 25),
            missing="#NA",
        ),
        "gwas-vcf": Export(
            "vcf.gz",
            {
                "#CHROM": _CHROMOSOME,
                "POS": _POSITION,
                "ID": _ID,
                "REF": _OTHER,
                "ALT": _EFFECT,
                "QUAL": pl.lit("."),
                "FILTER": pl.lit("PASS"),
                "INFO": pl.lit("."),
                "FORMAT": pl.lit("ES:SE:LP:AF:SS:NS"),
                "trait": pl.concat_str(
                    [
                        *(
                            column.round_sig_figs(SIGNIFICANT_DIGITS).cast(pl.String)
                            for column in (_BETA, _ERROR, _LOG_P, _FREQUENCY)
                        ),
                        _N.cast(pl.String),
                        _N.cast(pl.String),
                    ],
                    separator=":",
                ),
            },
            rows=_SPELT,
        ),
        "parquet": Export("parquet", {}, has_untested=True),
    }
)
