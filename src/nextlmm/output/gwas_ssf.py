"""What GWAS-SSF wants to be known of a table, in YAML beside it.

Source: Hayhurst et al. 2022, and the metadata schema of the GWAS Catalog's validator.
"""

import json
from collections.abc import Mapping
from typing import Any


def ssf_metadata(
    facts: Mapping[str, Any],
    *,
    trait: str,
    file_name: str,
    md5: str,
    made: str,
    version: str,
    smallest_frequency: float,
    left_out: int,
) -> str:
    """The text of the metadata file of a table.

    Parameters
    ----------
    facts : the entry of the trait in the result document.
    trait : its name.
    file_name, md5 : of the table.
    made : the day, as 2026-01-31.
    version : of this program.
    smallest_frequency : minor allele frequency below which variants were left out, 0 for none.
    left_out : tested variants that have no row.

    What only the user knows (assembly, ancestry, genotyping) is marked as not reported.
    """
    covariates = [name for name in facts["covariates"] if name != "intercept"]
    entries: dict[str, Any] = {
        "date_metadata_last_modified": made,
        "trait_description": [trait],
        "genome_assembly": "NR",
        "coordinate_system": "1-based",
        "samples": [{"sample_size": facts["n"], "case_control_study": False}],
        "sex": "NR",
        "data_file_name": file_name,
        "file_type": "GWAS-SSF v1.0",
        "data_file_md5sum": md5,
        "analysis_software": f"nextlmm {version}",
        "adjusted_covariates": covariates,
        "is_harmonised": False,
        "is_sorted": True,
    }
    if smallest_frequency > 0.0:
        entries["minor_allele_freq_lower_limit"] = smallest_frequency
    if left_out:
        entries["author_notes"] = (
            f"{left_out} tested variants are not in this file, because their chromosome is none of "
            "1 to 22, X, Y and MT, or an allele is no sequence of nucleotides"
        )
    return "".join(_yaml(name, value) for name, value in entries.items())


def _yaml(name: str, value: Any) -> str:
    """An entry; texts as JSON writes them, which is YAML too, but for dates and numbers."""
    if isinstance(value, list):
        if not value:
            return ""
        return f"{name}:\n" + "".join(_item(item) for item in value)
    return f"{name}: {_scalar(name, value)}\n"


def _item(item: Any) -> str:
    if not isinstance(item, Mapping):
        return f"  - {json.dumps(item)}\n"
    lines = [f"{key}: {json.dumps(own)}" for key, own in item.items()]
    return "  - " + "\n    ".join(lines) + "\n"


def _scalar(name: str, value: Any) -> str:
    return str(value) if name == "date_metadata_last_modified" else json.dumps(value)
