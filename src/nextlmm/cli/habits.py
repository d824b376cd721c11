"""Options of other programs that are none here, and what to type instead."""

_TRAIT_NUMBER = (
    "name the column instead: --trait NAME, or --trait column3 for the third column of a file "
    "without names"
)
_COVARIATE_NUMBER = (
    "name the columns instead: --covar-name NAME NAME, or --covar-name column3 for the third "
    "column of a file without names"
)
_QUANTITATIVE = (
    "numbers and categories stand in one file here: name it by --covar, whose columns of numbers "
    "are quantitative unless --cat-covar names them"
)
_CATEGORICAL = "name the columns whose values are categories by --cat-covar"
_NEEDLESS = "leave it out, nothing here depends on it"
_MODEL = "leave it out: a linear mixed model is fitted in any case"
_BINARY = "traits are analysed as numbers by a linear mixed model, 0 and 1 too"
_RANKS = "use --rint for normal quantiles of the ranks of the trait"
_SCALE = "use --covar-formula 'scale(age)'; test results do not depend on the unit of a covariate"
_MATRIX = "name the matrix by --grm, whatever its format, together with --no-loco"
_WHOLE = "leave it out: the whole analysis is one command here"
_GENOTYPES = "name PLINK 1 genotypes by --bfile, and BIMBAM ones by --bimbam with --sample"
_MANY = "join the files to one, and name that by --bfile, --pfile, --bgen or --vcf"
_EXCLUDED = "name the columns to use: --trait and --covar-name"

_INSTEAD: dict[str, tuple[str, ...]] = {
    _TRAIT_NUMBER: ("--mpheno", "--pheno-col-nums", "--phenoColNum"),
    _COVARIATE_NUMBER: ("--covar-col-nums", "--covar-number"),
    _QUANTITATIVE: ("--qcovar", "--qCovarCol"),
    _CATEGORICAL: ("--qCovarColList", "--discrete-covar", "--split-cat-pheno"),
    _NEEDLESS: (
        *("--allow-no-sex", "--allow-extra-chr", "--double-id", "--const-fid", "--id-delim"),
        *("--lowmem", "--bsize", "--force-step1", "--autosome-num", "--nonfounders"),
    ),
    _MODEL: (
        *("--linear", "--glm", "--assoc", "--lmm", "-lmm", "--mlma", "--mlma-loco", "--qt"),
        *("--fastGWA-mlm", "--reml", "--lmmForceNonInf"),
    ),
    _BINARY: ("--logistic", "--bt", "--fastGWA-mlm-binary", "--firth", "--spa", "--traitType"),
    _RANKS: ("--pheno-quantile-normalize", "--quantile-normalize", "--invNormalize"),
    _SCALE: ("--covar-variance-standardize", "--variance-standardize"),
    _MATRIX: ("--grm-gz", "--grm-bin", "--grm-sparse", "--sp-grm", "--sparseGRMFile", "-k"),
    _WHOLE: ("--step", "--pred", "--loocv", "--make-grm", "-gk", "--gk", "--GMMATmodelFile"),
    _GENOTYPES: ("-g", "--plinkFile"),
    _MANY: ("--mbfile", "--mpfile", "--mbgen", "--pmerge-list", "--merge-list"),
    _EXCLUDED: ("--phenoExcludeList", "--covarExcludeList", "--not-pheno", "--not-covar"),
    "name the trait file by --pheno": ("-p",),
    "name the covariate file by --covar": ("-c",),
    "name the variants' positions by --annotation": ("-a",),
    "write NA in the trait file where a value is missing": (
        "--missing-phenotype",
        "--input-missing-phenotype",
    ),
    "use --max-missing, which is about variants; leave samples out by --remove": ("--mind",),
    "list the variants in a file, and name that by --extract or --exclude": (
        *("--snps", "--snp", "--from-bp", "--to-bp", "--range"),
    ),
    "name the chromosomes to use by --chr": ("--not-chr", "--autosome"),
}

INSTEAD = {option: what for what, options in _INSTEAD.items() for option in options}
"""What to do in place of an option of PLINK, REGENIE, GCTA, GEMMA, BOLT-LMM or SAIGE."""
