"""What every error code and every status of a variant means, at more length than a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Explanation:
    """A code at length: what it is called, what it means, and what to do."""

    title: str
    meaning: str
    remedy: str

    def paragraphs(self) -> tuple[str, ...]:
        """The text, one paragraph after the other."""
        return self.meaning, self.remedy


EXPLANATIONS: Mapping[str, Explanation] = MappingProxyType(
    {
        "E000": Explanation(
            "a failure of the program",
            "Something happened that no other code describes.",
            "Repeat the command with --debug and report what it prints.",
        ),
        "E200": Explanation(
            "an option that cannot be",
            "An option is unknown, has a value out of its range, or contradicts another one. "
            "Nothing was read and nothing was written. Exit status 2.",
            "nextlmm COMMAND --help lists the options of a command with what they may be. Options "
            "that PLINK, REGENIE, GCTA or GEMMA have under another name are named in the message.",
        ),
        "E300": Explanation(
            "something in the data",
            "The data as a whole cannot be analysed as asked. Exit status 3, as for all codes from "
            "E300 to E399.",
            "The message names the file, and the line, sample or variant, and what was expected.",
        ),
        "E310": Explanation(
            "a file that is not there or cannot be read",
            "A file that an option names does not exist, is a folder, or may not be read; or one "
            "that belongs to it is missing, as the .bim and .fam files of a .bed file.",
            "Check the name and the folder it is relative to. A prefix is given without its "
            "ending: --bfile cohort for cohort.bed, cohort.bim and cohort.fam.",
        ),
        "E320": Explanation(
            "a file that is not what its name says",
            "A file is damaged, cut short, of another format, or two files that belong together "
            "contradict each other, such as a .bed file whose size does not fit the number of "
            "samples in the .fam file. No part of it was used.",
            "Copy or make the file again. docs/formats.md says what is read of each format, and "
            "docs/odd-files.md what happens to odd ones.",
        ),
        "E330": Explanation(
            "samples that do not match",
            "Samples are matched by their identifiers, never by their order. Either none is in "
            "both files, or an identifier is there twice so that no row can be told from another.",
            "Compare the first columns of the files: FID and IID, or IID alone. Identifiers are "
            "the same if every letter is, capitals included.",
        ),
        "E340": Explanation(
            "a trait that cannot be analysed",
            "The trait is not in the file, holds words, has one value in all samples, or is known "
            "for too few samples with genotypes and covariates.",
            "The message lists the traits there are. Missing values are NA, NaN, . or empty; -9 "
            "counts as missing where PLINK would take it so, with a warning.",
        ),
        "E350": Explanation(
            "covariates that cannot be used",
            "A covariate is not in the file, is constant, or is a combination of the others, so "
            "that its effect is not defined; or a formula asks for what is not allowed.",
            "Leave out one covariate of those that the message names. An intercept is always "
            "there and must not be given.",
        ),
        "E360": Explanation(
            "variants that cannot be used as a whole",
            "No variant is left by the filters, none varies among the samples, or there are too "
            "few to do what was asked for, as with a single chromosome and LOCO.",
            "Relax the filters (--maf, --max-missing, --hwe, --chr, --extract). Variants that "
            "cannot be tested one by one never stop a run; they have a status.",
        ),
        "E400": Explanation(
            "a problem without an answer",
            "The computation has no answer for these data. Exit status 4, as for all codes from "
            "E400 to E499. Nothing was written.",
            "The message says what was seen and what to try.",
        ),
        "E410": Explanation(
            "a matrix that is not positive definite",
            "A covariance matrix has an eigenvalue that is zero or negative, so that there is no "
            "likelihood. Nothing is clipped and nothing is added to a diagonal without being said. "
            "A given relationship matrix (--grm) that was estimated pair by pair often is so.",
            "Use a matrix made from genotypes, or one that is positive semidefinite.",
        ),
        "E420": Explanation(
            "an iteration that did not converge",
            "A linear system, an eigenvalue or an estimate was not found to the accuracy that the "
            "certificate promises. The model is nearly singular: a heritability near 1, or a "
            "relationship matrix whose variance lies in few directions.",
            "Choose dense algebra (--route dense), which does not iterate, if the memory allows; "
            "or allow larger errors of scores (--z-tolerance).",
        ),
        "E500": Explanation(
            "a result that cannot be written",
            "A file cannot be created, filled or put in its place: no permission, no space, a name "
            "too long, or a result that would overwrite an input. Exit status 5. Files of a run "
            "appear together, so that no part of a result is left.",
            "Choose another --out, or free some space.",
        ),
        "E600": Explanation(
            "a cluster that cannot do its part",
            "The scheduler or the workers that --cluster names cannot be reached, are lost more "
            "often than a run can make up for, have too little memory, or another version of "
            "nextlmm. A worker that is lost once costs time and no result. Exit status 6. Nothing "
            "was written.",
            "docs/cluster.md says how to start workers, what they need, and what they are asked "
            "for. --cluster local:2 tries the same with two processes of this machine.",
        ),
        "ok": Explanation(
            "a variant with a result",
            "The variant was tested; every number in its row is valid.",
            "Nothing needs to be done.",
        ),
        "monomorphic": Explanation(
            "a variant that does not vary",
            "All analysed samples with a call have the same genotype, so that there is no effect "
            "to estimate. Its numbers are missing (#NA).",
            "Filters such as --maf 0.01 leave such variants out of the table.",
        ),
        "all_missing": Explanation(
            "a variant without a call",
            "No analysed sample has a call of this variant. Its numbers are missing (#NA).",
            "Filters such as --max-missing 0.05 leave such variants out of the table.",
        ),
        "collinear": Explanation(
            "a variant that the covariates explain",
            "The genotypes are a combination of the covariates to all digits, so that the effect "
            "is not defined: for instance a variant that was given as a covariate. Its numbers are "
            "missing (#NA).",
            "Leave the covariate out if the variant is to be tested.",
        ),
    }
)
"""By error code, and by status of a variant."""
