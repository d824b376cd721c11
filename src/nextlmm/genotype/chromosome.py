"""Which names stand for the same chromosome."""


def chromosome_key(name: str) -> str:
    """What spellings of one chromosome have in common: "1" for 1, 01, chr1 and Chr01.

    A prefix "chr" in any case and the leading zeros of a number are dropped, and X, Y, XY, M and MT
    are taken in any case.  The numeric codes of PLINK (23 for X) are left as they are, since other
    species have that many autosomes; so are names of scaffolds.
    """
    bare = name[3:] if len(name) > 3 and name[:3].casefold() == "chr" else name
    if bare.isdecimal():
        return bare.lstrip("0") or "0"
    return bare.upper() if bare.upper() in _NAMED else bare


_NAMED = frozenset({"X", "Y", "XY", "M", "MT"})
