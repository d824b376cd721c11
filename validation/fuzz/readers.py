"""Every fuzzed reader by its name."""

from validation.fuzz.documents import DOCUMENTS
from validation.fuzz.genotypes import GENOTYPES
from validation.fuzz.matrices import MATRICES
from validation.fuzz.reader import Reader
from validation.fuzz.tables import TABLES

READERS: dict[str, Reader] = {
    each.name: each for each in (*GENOTYPES, *TABLES, *MATRICES, *DOCUMENTS)
}
