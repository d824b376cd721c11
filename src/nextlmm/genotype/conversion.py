"""What to do with genotypes in a format that is not read: the command that converts them."""

from pathlib import Path

_COMMANDS = {
    ".ped": "plink2 --pedmap {stem} --make-pgen --out {stem}",
    ".tped": "plink2 --tfile {stem} --make-pgen --out {stem}",
    ".gen": "plink2 --data {stem} ref-first --make-pgen --out {stem}",
    ".gen.gz": "plink2 --gen {file} ref-first --sample {stem}.sample --make-pgen --out {stem}",
    ".haps": "plink2 --haps {file} --sample {stem}.sample --make-pgen --out {stem}",
    ".gds": "SNPRelate's snpgdsGDS2BED in R",
}
_COMPANIONS = {".map": ".ped", ".tfam": ".tped"}
"""Which file the genotypes are in, for one that belongs to them."""


def conversion_of(path: Path) -> tuple[Path, str] | None:
    """The file of a path or of a prefix and how to convert it, None if it is of no such format."""
    for end, genotypes in _COMPANIONS.items():
        if path.name.endswith(end):
            path = path.with_name(path.name.removesuffix(end) + genotypes)
    for end, command in _COMMANDS.items():
        for file in (path, path.with_name(path.name + end)):
            if file.name.endswith(end) and file.is_file():
                stem = str(file).removesuffix(end)
                words = command.format(stem=stem, file=file)
                named = f"--bfile {stem}" if end == ".gds" else f"--pfile {stem}"
                return file, f"convert it by {words}, and name the result by {named}"
    return None


def what_exists_instead(path: Path) -> str | None:
    """What there is in place of a file that does not exist, for the end of that sentence."""
    found = conversion_of(path)
    return None if found is None else f"{found[0]} does, in a format that is not read: {found[1]}"


def advice(path: Path, otherwise: str) -> str:
    """What to do with a file that is of another format than was said."""
    found = conversion_of(path)
    return otherwise if found is None else found[1]
