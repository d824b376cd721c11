"""What happens to each file of the collection of odd files: writes docs/odd-files.md.

    python -m validation.odd_files [shared/data/formats] [docs/odd-files.md]

Each file goes through a whole run.  What PLINK does is in the collection's PLINK_BEHAVIOUR.tsv.
"""

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nextlmm import GwasOptions, NextlmmError, gwas

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "odd-files.md"

GENOTYPES = {
    "badmagic": "another byte in the place of 6c 1b",
    "bed_headerless_indmajor": "no header, sample by sample",
    "bed_v099_1byte": "the one-byte header of PLINK 0.99",
    "bim5col": ".bim without genetic positions",
    "bim_odd": "alleles 0, words and symbols, chromosomes 0, chr1, scaffold_12 and interrupted, "
    "positions 0 and -5",
    "blanklines": "blank lines in .bim and .fam",
    "crlf": "Windows line ends",
    "dup_fid_iid": "two samples with one family and sample ID",
    "dup_iid_diff_fid": "one sample ID in two families",
    "dup_snp_ids": "variants with one ID",
    "emptybed": ".bed of 0 bytes",
    "fam5col": ".fam without a trait",
    "fam_casecontrol": "cases and controls in .fam",
    "fam_gemma11col": "six traits in .fam",
    "fam_pheno": "trait with missing codes in .fam",
    "famtoofew": "five samples missing in .fam",
    "htmlbed": ".bed is a web page",
    "mixsep": "tabs, blanks and leading blanks mixed",
    "mono_allmiss": "variants of one genotype, of all heterozygotes, without calls",
    "nofinalnewline": "last lines without an end",
    "numeric_ids": "IDs with leading zeros",
    "onesample": "one sample",
    "onesnp": "one variant",
    "padbits": "bits beyond the last sample are set",
    "perfect_ld": "the same variant three times, once reversed",
    "sample_allmiss": "two samples without any call",
    "toolong": ".bed 11 bytes too long",
    "truncated": ".bed 37 bytes too short",
    "twins": "two pairs of identical samples",
    "unsorted": "variants in no order",
    "utf8": "IDs in other scripts and with signs",
    "../base/indmajor": "sample by sample (6c 1b 00)",
    "../chrX/hethap": "heterozygous men on X",
}
"""Prefixes of PLINK 1 files, and what is odd about them."""


@dataclass(frozen=True)
class Table:
    """A trait or covariate table or a list: what is odd, the option that it is for, others."""

    odd: str
    option: str = "pheno"
    options: Mapping[str, str] = field(default_factory=dict)


def _trait(odd: str, name: str = "y1") -> Table:
    return Table(odd, options={"trait": name})


TABLES = {
    "pheno_allna.txt": _trait("every value is NA"),
    "pheno_bin12.txt": _trait("0, 1, 2 and -9", "y3"),
    "pheno_constant.txt": _trait("one value"),
    "pheno_csv.csv": _trait("commas"),
    "pheno_dup_rows.txt": _trait("every sample twice"),
    "pheno_hash_header.txt": _trait("#FID in the header"),
    "pheno_huge.txt": _trait("about 1e9, differing by 1"),
    "pheno_iid_only.txt": _trait("sample IDs alone"),
    "pheno_minus9_value.txt": _trait("-9 between -8.5 and -9.5"),
    "pheno_missing_codes.txt": _trait("-9, NA, nan, ., inf, 1e400, abc, N/A, -"),
    "pheno_na_tab_empty.txt": _trait("an empty cell"),
    "pheno_names_odd.txt": _trait("a column name twice"),
    "pheno_noheader.txt": _trait("no header", "column3"),
    "pheno_shuffled_subset_extra.txt": _trait("another order, other samples"),
    "pheno_spaces_in_name.txt": _trait("names with signs", "(y_3)"),
    "covar_categorical.txt": Table("words, of two columns that say the same", "covar"),
    "covar_collinear.txt": Table("sums of others, and a constant", "covar"),
    "covar_na.txt": Table("missing values", "covar"),
    "covar_saturated.txt": Table("a column for each sample but one", "covar"),
    "keep.txt": Table("family and sample IDs", "keep"),
    "keep_iid.txt": Table("sample IDs alone", "keep"),
    "extract.txt": Table("variant IDs", "extract"),
}
"""Tables of the collection, used with the plain genotypes and tables."""

OWN_TRAITS = {
    "numeric_ids": {"pheno": "odd/numeric_ids.pheno.txt", "trait": "y"},
    "../chrX/hethap": {},
}


@dataclass(frozen=True)
class Outcome:
    """What happened to a file."""

    name: str
    odd: str
    plink1: str
    plink2: str
    ours: str

    @property
    def is_read(self) -> bool:
        """Whether it was read."""
        return self.ours.startswith("read: ")


def outcomes(formats: Path) -> Iterator[Outcome]:
    """The outcome of every file, in the order of the tables above."""
    plink = _behaviour(formats)
    plain = {
        "bfile": str(formats / "base" / "geno"),
        "pheno": str(formats / "base" / "pheno.txt"),
        "trait": "y1",
    }
    for name, odd in GENOTYPES.items():
        own = dict(OWN_TRAITS.get(name, {}))
        if "pheno" in own:
            own["pheno"] = str(formats / own["pheno"])
        ours = _run(formats, {**plain, "bfile": str(formats / "odd" / name), **own})
        yield Outcome(name.removeprefix("../"), odd, *plink[name], ours)
    for name, table in TABLES.items():
        options = {**plain, **table.options, table.option: str(formats / "odd" / name)}
        yield Outcome(name, table.odd, "", "", _run(formats, options))


def _behaviour(formats: Path) -> dict[str, tuple[str, str]]:
    """What PLINK 1.9 and PLINK 2 do with each prefix."""
    lines = (formats / "odd" / "PLINK_BEHAVIOUR.tsv").read_text().splitlines()[1:]
    found = {}
    for line in lines:
        name, *cells = (line + "\t" * 5).split("\t")[:5]
        found[name] = (_said(*cells[:2]), _said(*cells[2:]))
    return found


def _said(status: str, message: str) -> str:
    if status == "0":
        return "read" + (f" ({message.split(':', 1)[1].strip()})" if "Warning:" in message else "")
    words = message.removeprefix("Error: ").replace("odd/", "").rstrip(".")
    return f"refused: {words}"


def _run(formats: Path, options: Mapping[str, str]) -> str:
    """What a run with these options came to, without the folders of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = gwas(
                GwasOptions(**options, out=f"{folder}/run", plots=False, loco=False, route="dense")
            )
        except NextlmmError as error:
            return "refused: " + re.sub(rf"{re.escape(str(formats))}/(\w+/)?", "", str(error))
    trait = result.document["traits"][options["trait"]]
    samples, variants = result.document["samples"], trait["variants"]
    left_out = {**samples["excluded"], **trait["samples"]["excluded"]}
    analysed = _counted("sample", samples["in_genotypes"], "analysed", trait["n"], left_out)
    unusual = {k: n for k, n in variants["status"].items() if k != "ok"}
    total = result.document["variants"]["in_genotypes"]
    reasons = {**variants["excluded"], **unusual}
    tested = _counted("variant", total, "tested", variants["tested"], reasons)
    noted = [w.split(":", 1)[1].split(";")[0] for w in trait["warnings"] if "-9 was" in w]
    return f"read: {analysed}, {tested}" + "".join(f";{each}" for each in noted)


def _counted(what: str, total: int, done: str, n: int, reasons: Mapping[str, int]) -> str:
    text = f"{total} {what}" if total == 1 else f"{total} {what}s"
    if n == total:
        return text
    listed = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in reasons.items())
    return f"{text} ({n} {done}; {listed})"


HEADER = """# Odd files

What happens to files that are unusual or damaged, by `python -m validation.odd_files`; the files
are those of `shared/data/formats`, each with one defect. "Read" means that genotypes, traits and
lists are what the plain files of the same people say; samples whose IDs were changed are not in the
trait file. What PLINK refuses for the order of variants or for names of chromosomes is read here,
since nothing depends on either; variants at negative positions are left out, as PLINK does.
"""


def document(found: list[Outcome]) -> str:
    """The page."""
    lines = [HEADER, "| genotypes | odd | PLINK 1.9 | PLINK 2 | nextlmm |", "|---|---|---|---|---|"]
    lines += [
        f"| `{o.name}` | {o.odd} | {_cell(o.plink1)} | {_cell(o.plink2)} | {_cell(o.ours)} |"
        for o in found
        if o.plink1
    ]
    lines += ["", "| table | odd | nextlmm |", "|---|---|---|"]
    lines += [f"| `{o.name}` | {o.odd} | {_cell(o.ours)} |" for o in found if not o.plink1]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Write the page."""
    shared = Path(__file__).resolve().parents[2] / "shared" / "data" / "formats"
    formats = Path(sys.argv[1]) if len(sys.argv) > 1 else shared
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else DOCUMENT
    target.write_text(document(list(outcomes(formats))))
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
