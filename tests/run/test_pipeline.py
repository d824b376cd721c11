"""The main job against the textbook, in every mode, and what must not change its results."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from nextlmm.errors import InputError, OutputError, UsageError, VariantError
from nextlmm.run.option_checks import chosen_chromosomes
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from nextlmm.testing import reference

from .conftest import make_cohort, write_cohort

CLOSE = {"rtol": 2e-5, "atol": 1e-6}
"""Two searches for h2 agree to about 1e-6 of its standard error."""


def run(files, **choices):
    result = gwas(GwasOptions(**(files | choices)))
    return result.tables["y"], result.document["traits"]["y"]


def textbook(cohort, columns, *, test="wald", loco=False, own_h2=False, h2_per_chromosome=False):
    """-log10 p, beta and se of some variants by the plain formulas."""
    c = np.column_stack([np.ones(len(cohort.y)), cohort.covariate])
    whole = reference.relationship_matrix(cohort.dosage[:, polymorphic(cohort)])
    result = []
    for j in columns:
        x = cohort.dosage[:, j]
        x = np.where(np.isnan(x), np.nanmean(x), x)
        k = whole
        if loco:
            others = (cohort.chromosome != cohort.chromosome[j]) & polymorphic(cohort)
            k = reference.relationship_matrix(cohort.dosage[:, others])
        null = k if h2_per_chromosome else whole
        h2 = h2_ml = None
        if not own_h2:
            h2 = reference.estimate_h2(cohort.y, c, null, reml=True)
            h2_ml = reference.estimate_h2(cohort.y, c, null, reml=False)
        r = reference.associate(x, cohort.y, c, k, test=test, h2=h2, h2_ml=h2_ml)
        result.append((-np.log10(r.p_value), r.beta, r.standard_error))
    return np.array(result)


def polymorphic(cohort):
    columns = np.arange(cohort.dosage.shape[1])
    return (columns != 11) & (columns != 12)


def numbers(table, columns):
    names = ["neg_log_10_p_value", "beta", "standard_error"]
    return table.select(names).to_numpy()[columns]


COLUMNS = [0, 5, 90, 170, 239]


@pytest.mark.parametrize("mode", ["dense", "hodlr"])
@pytest.mark.parametrize("test", ["wald", "score", "lrt"])
@pytest.mark.parametrize("loco", [False, True])
def test_gwas__is_the_textbook(cohort, files, mode, test, loco):
    table, facts = run(files, mode=mode, test=test, loco=loco)
    expected = textbook(cohort, COLUMNS, test=test, loco=loco)
    error = facts["certificate"].get("neg_log_10_p_error_max") or 0.0
    np.testing.assert_allclose(
        numbers(table, COLUMNS)[:, 0], expected[:, 0], rtol=2e-5, atol=1e-6 + error
    )
    if mode == "dense":
        np.testing.assert_allclose(numbers(table, COLUMNS), expected, **CLOSE)


@pytest.mark.parametrize("test", ["wald", "score", "lrt"])
def test_gwas__own_h2_is_the_textbook(cohort, files, test):
    table, _ = run(files, mode="dense", test=test, loco=False, per_variant_h2="always")
    expected = textbook(cohort, COLUMNS, test=test, own_h2=True)
    np.testing.assert_allclose(numbers(table, COLUMNS), expected, **CLOSE)


def test_gwas__h2_per_chromosome_is_the_textbook(cohort, files):
    table, facts = run(files, mode="dense", loco_h2="per-chromosome")
    expected = textbook(cohort, COLUMNS, loco=True, h2_per_chromosome=True)
    np.testing.assert_allclose(numbers(table, COLUMNS), expected, **CLOSE)
    assert list(facts["h2_by_chromosome"]) == ["1", "2", "X"]


@pytest.mark.parametrize("mode", ["dense", "hodlr"])
def test_gwas__hits_get_their_own_h2_and_others_do_not(cohort, files, mode):
    table, facts = run(files, mode=mode, loco=False, per_variant_h2="hits", hit_threshold=0.01)
    shared, _ = run(files, mode=mode, loco=False)
    hits = np.flatnonzero(shared["neg_log_10_p_value"].fill_null(0.0).to_numpy() > 2.0)
    assert len(hits)
    np.testing.assert_allclose(numbers(table, hits), textbook(cohort, hits, own_h2=True), **CLOSE)
    rest = np.setdiff1d(np.arange(table.height), hits)
    assert (table["beta"].to_numpy()[rest] == shared["beta"].to_numpy()[rest])[
        ~np.isin(rest, [11, 12])
    ].all()
    assert facts["h2"] == pytest.approx(np.median(shared["h2"].drop_nulls()), abs=1e-6)


@pytest.mark.parametrize("method", ["reml", "ml", "he"])
def test_gwas__h2_of_every_method(cohort, files, method):
    _, facts = run(files, mode="dense", method=method, loco=False)
    c = np.column_stack([np.ones(len(cohort.y)), cohort.covariate])
    k = reference.relationship_matrix(cohort.dosage[:, polymorphic(cohort)])
    assert facts["method"] == method
    if method == "he":
        assert 0.0 <= facts["h2"] < 1.0
        assert facts["h2_se"] > 0.0
    else:
        expected = reference.estimate_h2(cohort.y, c, k, reml=method == "reml")
        assert facts["h2"] == pytest.approx(expected, abs=1e-5)
    assert facts["sigma_g2"] / (facts["sigma_g2"] + facts["sigma_e2"]) == pytest.approx(facts["h2"])


@pytest.mark.parametrize(
    "choices",
    [{"rank": 4}, {"kl_tolerance": 4.0}, {"rank": 2, "method": "he"}, {"rank": 0, "test": "lrt"}],
    ids=str,
)
def test_gwas__compressed_answers_are_inside_the_certificate(files, choices):
    kind = {name: value for name, value in choices.items() if name in ("method", "test")}
    exact, exact_facts = run(files, mode="dense", **kind)
    table, facts = run(files, mode="hodlr", leaf_size=16, **choices)
    certificate = facts["certificate"]
    truth = exact["neg_log_10_p_value"].drop_nulls().to_numpy()
    low = table["neg_log_10_p_value_low"].drop_nulls().to_numpy()
    high = table["neg_log_10_p_value_high"].drop_nulls().to_numpy()
    assert (low <= truth).all()
    assert (truth <= high).all()
    assert certificate["h2_exact"] == pytest.approx(exact_facts["h2"], abs=1e-6)
    if "rank" in choices:
        assert certificate["kl"] > 1e-6
    else:
        assert certificate["kl"] < choices["kl_tolerance"]
        assert certificate["kl_scan_max"] < choices["kl_tolerance"]


@pytest.mark.parametrize("mode", ["dense", "hodlr"])
def test_gwas__order_of_samples_changes_nothing(cohort, files, tmp_path_factory, mode):
    first, _ = run(files, mode=mode)
    order = np.random.default_rng(3).permutation(len(cohort.y))
    other = write_cohort(tmp_path_factory.mktemp("permuted"), cohort, order)
    second, _ = run(other, mode=mode)
    np.testing.assert_allclose(
        numbers(second, COLUMNS), numbers(first, COLUMNS), rtol=1e-6, atol=1e-8
    )


def test_gwas__flipped_allele_flips_beta_alone(cohort, files, tmp_path_factory):
    first, _ = run(files, mode="dense")
    flipped = replace(cohort, dosage=2.0 - cohort.dosage)
    second, _ = run(write_cohort(tmp_path_factory.mktemp("flipped"), flipped), mode="dense")
    np.testing.assert_allclose(
        numbers(second, COLUMNS), numbers(first, COLUMNS) * [1, -1, 1], rtol=1e-6, atol=1e-9
    )


def test_gwas__rescaled_trait_scales_beta_alone(cohort, files, tmp_path_factory):
    first, facts = run(files, mode="dense")
    scaled = replace(cohort, y=cohort.y * 1e6 + 5e5)
    second, scaled_facts = run(
        write_cohort(tmp_path_factory.mktemp("scaled"), scaled), mode="dense"
    )
    np.testing.assert_allclose(
        numbers(second, COLUMNS), numbers(first, COLUMNS) * [1, 1e6, 1e6], rtol=1e-5, atol=1e-9
    )
    assert scaled_facts["h2"] == pytest.approx(facts["h2"], abs=1e-6)
    assert scaled_facts["sigma_g2"] == pytest.approx(facts["sigma_g2"] * 1e12, rel=1e-5)


def test_gwas__block_size_and_threads_change_nothing(files, monkeypatch):
    first, _ = run(files, mode="dense")
    monkeypatch.setattr("nextlmm.run.problem._BLOCK_ELEMENTS", 1)
    monkeypatch.setattr("nextlmm.run.problem._SMALLEST_BLOCK", 7)
    second, _ = run(files, mode="dense", threads=1)
    np.testing.assert_allclose(
        numbers(second, COLUMNS), numbers(first, COLUMNS), rtol=1e-9, atol=1e-12
    )


def test_gwas__same_command_same_bytes(files, tmp_path):
    run(files)
    first = (tmp_path / "result.y.tsv.gz").read_bytes()
    run(files)
    assert (tmp_path / "result.y.tsv.gz").read_bytes() == first


def test_gwas__a_trait_does_not_depend_on_the_other_traits(cohort, files, tmp_path):
    alone, _ = run(files, mode="dense")
    lines = (tmp_path / "traits.txt").read_text().splitlines()
    rng = np.random.default_rng(0)
    both = [f"{lines[0]} z"] + [
        f"{line} {'NA' if i % 3 == 0 else rng.normal()}" for i, line in enumerate(lines[1:])
    ]
    (tmp_path / "traits.txt").write_text("\n".join(both) + "\n")
    result = gwas(GwasOptions(**files, trait=("z", "y"), mode="dense"))
    assert (result.tables["y"]["beta"].drop_nulls() == alone["beta"].drop_nulls()).all()
    assert result.document["traits"]["z"]["n"] < result.document["traits"]["y"]["n"]


@pytest.mark.parametrize(
    "options",
    [{"route": "dense"}, {"route": "hodlr"}, {"route": "components"}, {"mode": "hodlr"}],
    ids=lambda options: "-".join(options.values()),
)
def test_gwas__traits_of_the_same_samples_share_work_and_no_number(files, tmp_path, options):
    alone, facts = run(files, **options)
    lines = (tmp_path / "traits.txt").read_text().splitlines()
    rng = np.random.default_rng(0)
    both = [f"{lines[0]} z"] + [f"{line} {rng.normal()}" for line in lines[1:]]
    (tmp_path / "traits.txt").write_text("\n".join(both) + "\n")
    result = gwas(GwasOptions(**files, trait=("z", "y"), **options))
    assert result.tables["y"].equals(alone)
    assert list(result.tables) == ["z", "y"]
    shared = result.document["traits"]["y"]
    for name in ("h2", "h2_se", "lambda_gc"):
        assert shared[name] == facts[name]


def test_gwas__missing_traits_drop_the_sample_and_not_its_weight_in_k(cohort, tmp_path):
    gone = (3, 50)
    files = write_cohort(tmp_path, cohort, missing_traits=gone)
    table, facts = run(files, mode="dense", loco=False)
    assert facts["n"] == len(cohort.y) - 2
    assert facts["samples"]["excluded"] == {"trait missing": 2}
    stay = np.setdiff1d(np.arange(len(cohort.y)), gone)
    z = cohort.dosage[:, polymorphic(cohort)]
    z = np.where(np.isnan(z), np.nanmean(z, axis=0), z)
    z = ((z - z.mean(axis=0)) / z.std(axis=0))[stay]
    z = z - z.mean(axis=0)
    k = z @ z.T
    k *= len(stay) / np.trace(k)
    c = np.column_stack([np.ones(len(stay)), cohort.covariate[stay]])
    expected = reference.estimate_h2(cohort.y[stay], c, k, reml=True)
    assert facts["h2"] == pytest.approx(expected, abs=1e-5)
    assert (table["n"].to_numpy() <= len(stay)).all()


def test_gwas__writes_what_it_returns(files, tmp_path):
    table, facts = run(files)
    with gzip.open(tmp_path / "result.y.tsv.gz", "rt") as handle:
        rows = [line.rstrip("\n").split("\t") for line in handle]
    assert rows[0][:8] == [
        "chromosome",
        "base_pair_location",
        "effect_allele",
        "other_allele",
        "beta",
        "standard_error",
        "effect_allele_frequency",
        "neg_log_10_p_value",
    ]
    assert len(rows) == table.height + 1
    status = {row[rows[0].index("variant_id")]: row[rows[0].index("status")] for row in rows[1:]}
    assert status["v11"] == "monomorphic"
    assert status["v12"] == "all_missing"
    assert rows[12][rows[0].index("beta")] == "#NA"
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["traits"]["y"]["h2"] == facts["h2"]
    assert document["traits"]["y"]["variants"]["status"]["ok"] == table.height - 2
    assert set(document["inputs"]) == {"bed", "bim", "fam", "pheno", "covar"}
    assert "certificate" in (tmp_path / "result.log").read_text()


@pytest.mark.parametrize(
    ("choices", "kind", "message"),
    [
        ({"bfile": "nowhere"}, InputError, "nowhere"),
        ({"trait": ("hight",)}, InputError, "hight"),
        ({"extract": "{folder}/ids.txt"}, VariantError, "none of the 240 variants"),
        ({"out": "/nonexistent/folder/x"}, OutputError, "does not exist"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_gwas__a_failed_run_leaves_nothing(files, tmp_path, choices, kind, message):
    (tmp_path / "ids.txt").write_text("no_such_variant\n")
    choices = {name: _in(tmp_path, value) for name, value in choices.items()}
    before = sorted(tmp_path.iterdir())
    with pytest.raises(kind, match=message):
        gwas(GwasOptions(**(files | choices)))
    assert sorted(tmp_path.iterdir()) == before


def _in(folder, value):
    return value.replace("{folder}", str(folder)) if isinstance(value, str) else value


def test_gwas__loco_on_one_chromosome_names_the_way_out(cohort, tmp_path):
    single = replace(cohort, chromosome=np.full(len(cohort.chromosome), "4"))
    files = write_cohort(tmp_path, single)
    with pytest.raises(VariantError, match="--no-loco"):
        gwas(GwasOptions(**files))
    table, _ = run(files, loco=False)
    assert table.height == cohort.dosage.shape[1]


def test_gwas__results_are_in_genome_order_whatever_that_of_the_genotypes(tmp_path):
    """Rows, index, leads and the LD of the report; every variant keeps its own numbers."""
    cohort = make_cohort(m=60)
    sorted_names = np.array(["2", "10", "X"])[np.arange(60) * 3 // 60]
    order = np.random.default_rng(8).permutation(60)
    made = []
    for name, at in (("plain", np.arange(60)), ("mixed", order)):
        folder = tmp_path / name
        folder.mkdir()
        own = replace(cohort, dosage=cohort.dosage[:, at], chromosome=sorted_names[at])
        files = write_cohort(folder, own) | {"report": True}
        bim = (folder / "geno.bim").read_text().splitlines()
        rows = [line.split("\t") for line in bim]
        for row, j in zip(rows, at, strict=True):
            row[1], row[3] = f"v{j}", str(1000 * (j + 1))
        (folder / "geno.bim").write_text("".join("\t".join(row) + "\n" for row in rows))
        made.append(gwas(GwasOptions(**files)))
    plain, mixed = made
    one, two = plain.tables["y"], mixed.tables["y"]
    assert two["variant_id"].to_list() == [f"v{j}" for j in range(60)]
    assert two.select("chromosome", "status", "n").equals(one.select("chromosome", "status", "n"))
    np.testing.assert_allclose(
        numbers(two, slice(None)), numbers(one, slice(None)), rtol=1e-6, atol=1e-9
    )
    regions = [run.document["traits"]["y"]["portrait"]["regions"] for run in made]
    assert regions[0] == regions[1]
    assert regions[0]
    assert (tmp_path / "mixed" / "result.y.tsv.gz.tbi").exists()


def test_gwas__a_variant_is_a_hit_by_its_exact_p_value(files):
    kind = {"loco": False, "per_variant_h2": "hits", "hit_threshold": 0.1}
    exact, _ = run(files, mode="dense", **kind)
    table, _ = run(files, mode="hodlr", rank=2, leaf_size=16, **kind)
    truth = exact["neg_log_10_p_value"].drop_nulls().to_numpy()
    assert (table["neg_log_10_p_value_low"].drop_nulls().to_numpy() <= truth).all()
    assert (truth <= table["neg_log_10_p_value_high"].drop_nulls().to_numpy()).all()
    shared, _ = run(files, mode="dense", loco=False)
    hits = shared["neg_log_10_p_value"].fill_null(0.0).to_numpy() > 1.0
    np.testing.assert_allclose(
        numbers(table, hits)[:, 0], numbers(exact, hits)[:, 0], rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("test", ["wald", "score", "lrt"])
@pytest.mark.parametrize("loco", [False, True])
def test_gwas__moments_of_a_trait_without_heritability(cohort, tmp_path, test, loco):
    noise = replace(cohort, y=np.random.default_rng(5).normal(size=len(cohort.y)))
    files = write_cohort(tmp_path, noise)
    table, facts = run(files, mode="hodlr", rank=4, leaf_size=16, method="he", test=test, loco=loco)
    assert 0.0 <= facts["h2"] < 1.0
    assert facts["certificate"]["kl"] >= 0.0
    tested = table.filter(table["status"] == "ok")
    assert tested["neg_log_10_p_value"].is_finite().all()


@pytest.mark.parametrize("rank", [0, 1, 3, 1000])
def test_gwas__no_block_exceeds_the_rank_asked_for(files, rank):
    _, facts = run(files, mode="hodlr", rank=rank, leaf_size=16, loco=False)
    ranks = [level["rank_max"] for level in facts["certificate"]["ranks"]]
    assert max(found for found in ranks if found is not None) <= rank
    assert facts["certificate"]["kl"] >= 0.0


def test_gwas__a_rank_caps_a_tolerance(files):
    _, facts = run(files, mode="hodlr", rank=2, kl_tolerance=1e-3, leaf_size=16, loco=False)
    assert facts["certificate"]["kl"] > 1e-3


def test_gwas__a_sample_without_genotypes_is_named(cohort, files, tmp_path):
    _, facts = run(files, mode="dense")
    assert facts["warnings"] == []
    dosage = cohort.dosage.copy()
    dosage[[7, 30]] = np.nan
    _, facts = run(write_cohort(tmp_path, replace(cohort, dosage=dosage)), mode="dense")
    (warning,) = facts["warnings"]
    assert warning.startswith("2 of the 96 analysed samples without a genotype at any variant")
    assert "('s7', 's30')" in warning


def test_gwas__a_trait_that_is_a_variant_has_the_same_p_value_in_every_mode(cohort, tmp_path):
    x = cohort.dosage[:, 3]
    files = write_cohort(tmp_path, replace(cohort, y=np.where(np.isnan(x), np.nanmean(x), x)))
    found = []
    for choices in ({}, {"mode": "dense"}, {"mode": "dense", "per_variant_h2": "always"}):
        table, _ = run(files, **choices)
        row = table.row(3, named=True)
        assert row["status"] == "ok"
        assert row["beta"] == pytest.approx(1.0)
        found.append(row["neg_log_10_p_value"])
        tested = table.filter(table["status"] == "ok")
        assert np.isfinite(tested["neg_log_10_p_value"].to_numpy()).all()
    assert found == pytest.approx([found[0]] * 3, rel=1e-9)


@pytest.mark.parametrize("kind", ["order", "pedigree", "pairs"])
def test_gwas__what_the_user_says_of_the_relatives_changes_no_result(files, cohort, tmp_path, kind):
    path = tmp_path / f"{kind}.txt"
    if kind == "order":
        path.write_text("\n".join(reversed(cohort.ids)) + "\n")
    elif kind == "pedigree":
        path.write_text("IID father mother\n" + "".join(f"{i} f{i} 0\n" for i in cohort.ids))
    else:
        pairs = zip(cohort.ids[::2], cohort.ids[1::2], strict=True)
        path.write_text("ID1 ID2 Kinship\n" + "".join(f"{a} {b} 0.25\n" for a, b in pairs))
    option = "order" if kind == "order" else "relatives"
    plain, _ = run(files, mode="exact", route="hodlr", leaf_size=16)
    table, _ = run(files, mode="exact", route="hodlr", leaf_size=16, **{option: str(path)})
    tested = plain["status"].to_numpy() == "ok"
    low, high = (
        np.array([part[f"neg_log_10_p_value_{end}"].to_numpy()[tested] for part in (plain, table)])
        for end in ("low", "high")
    )
    assert np.all(low.max(axis=0) <= high.min(axis=0))  # both hold the exact answer


def test_gwas__two_ways_to_order_are_one_too_many(files):
    with pytest.raises(UsageError, match="give one"):
        run(files, order="a.txt", relatives="b.txt")


def variants_on(cohort, names):
    return {f"v{j}" for j in np.flatnonzero(np.isin(cohort.chromosome, list(names)))}


def test_gwas__chosen_chromosomes_and_rare_alleles(cohort, files):
    names = sorted(set(cohort.chromosome.tolist()))[:2]
    table, facts = run(files, chr=",".join(names), loco=False)
    assert set(table["variant_id"]) == variants_on(cohort, names)
    assert facts["variants"]["excluded"]["on another chromosome"] == 240 - table.height
    common, facts = run(files, mac=50)
    assert 0 < common.height < 240
    assert facts["variants"]["excluded"]["minor allele count below 50"] == 240 - common.height


@pytest.mark.parametrize("options", [{"route": "dense"}, {"route": "hodlr"}, {"mode": "hodlr"}])
@pytest.mark.parametrize("loco", [True, False])
def test_gwas__variants_of_the_relationship_matrix_of_their_own(
    cohort, files, tmp_path, options, loco
):
    """Tests of all variants on the matrix of every other one, as the textbook has it."""
    chosen = np.arange(1, 240, 2)
    (tmp_path / "grm.txt").write_text("".join(f"v{j}\n" for j in chosen))
    table, facts = run(
        files, grm_extract=str(tmp_path / "grm.txt"), loco=loco, kl_tolerance=1e-9, **options
    )
    used = np.intersect1d(chosen, np.flatnonzero(polymorphic(cohort)))
    assert facts["variants"]["in_relationship_matrix"] == len(used)
    assert table.height == 240
    c = np.column_stack([np.ones(len(cohort.y)), cohort.covariate])
    whole = reference.relationship_matrix(cohort.dosage[:, used])
    h2 = reference.estimate_h2(cohort.y, c, whole, reml=True)
    for j in COLUMNS:
        x = cohort.dosage[:, j]
        x = np.where(np.isnan(x), np.nanmean(x), x)
        others = used[cohort.chromosome[used] != cohort.chromosome[j]] if loco else used
        k = reference.relationship_matrix(cohort.dosage[:, others])
        expected = reference.associate(x, cohort.y, c, k, test="wald", h2=h2, h2_ml=h2)
        exact = -np.log10(expected.p_value)
        assert table["neg_log_10_p_value_low"][j] <= exact * (1.0 + 2e-3) + 1e-4
        assert table["neg_log_10_p_value_high"][j] >= exact * (1.0 - 2e-3) - 1e-4
        if options != {"route": "hodlr"}:  # which predicts where there is no hit
            assert table["neg_log_10_p_value"][j] == pytest.approx(exact, rel=2e-3, abs=1e-4)


def test_gwas__no_variant_of_the_list_is_there(files, tmp_path):
    (tmp_path / "grm.txt").write_text("nothing\n")
    with pytest.raises(VariantError, match=r"relationship matrix \(--grm-extract\)"):
        run(files, grm_extract=str(tmp_path / "grm.txt"))


def test_gwas__categories_and_ranks_are_in_the_record(files, tmp_path):
    lines = (tmp_path / "covariates.txt").read_text().splitlines()
    words = [f"{line} {'ABB'[i % 3]}" for i, line in enumerate(lines[1:])]
    (tmp_path / "covariates.txt").write_text("\n".join([f"{lines[0]} site", *words]) + "\n")
    _, facts = run(files, rint=True)
    assert facts["covariates"] == ["intercept", "age", "site=A"]
    assert facts["categories"] == {"site": {"reference": "B", "others": ["A"]}}
    log = (tmp_path / "result.log").read_text()
    assert "rank_normal(y) ~ 1 + age + C(site) + variant + g + e" in log
    assert "C(site): 2 categories, compared with B" in log


@pytest.mark.parametrize(
    ("text", "names"),
    [("1-3,X", ("1", "2", "3", "X")), ("chr2 5", ("chr2", "5")), ("scaffold-1", ("scaffold-1",))],
)
def test_chosen_chromosomes(text, names):
    assert chosen_chromosomes(text) == names


@pytest.mark.parametrize(("text", "message"), [("5-2", "range 5-2"), (" , ", "must name a chrom")])
def test_chosen_chromosomes__that_cannot_be(text, message):
    with pytest.raises(UsageError, match=message):
        chosen_chromosomes(text)


@pytest.mark.parametrize("mode", ["exact", "dense", "hodlr"])
def test_gwas__a_given_matrix_in_an_order_of_its_own(cohort, files, tmp_path, rng, mode):
    """The matrix that a run would make, given, and some samples of it missing."""
    n = len(cohort.y)
    z = cohort.dosage[:, polymorphic(cohort)]
    z = np.where(np.isnan(z), np.nanmean(z, axis=0), z)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    k = z @ z.T
    order = rng.permutation(n)
    np.save(tmp_path / "k.npy", k[np.ix_(order, order)] * 3.0)
    (tmp_path / "k.id").write_text("".join(f"{cohort.ids[i]}\n" for i in order))
    expected, _ = run(files, mode=mode, loco=False)
    found, facts = run(files, mode=mode, loco=False, grm=str(tmp_path / "k.npy"))
    tolerance = 1e-6 if mode != "hodlr" else 2e-2
    np.testing.assert_allclose(
        numbers(found, COLUMNS), numbers(expected, COLUMNS), rtol=tolerance, atol=tolerance
    )
    assert "given by" in (tmp_path / "result.log").read_text()
    kept = order[5:]
    np.save(tmp_path / "k.npy", k[np.ix_(kept, kept)])
    (tmp_path / "k.id").write_text("".join(f"{cohort.ids[i]}\n" for i in kept))
    result = gwas(GwasOptions(**files, mode=mode, loco=False, grm=str(tmp_path / "k.npy")))
    assert result.document["samples"]["excluded"] == {"not in the relationship matrix": 5}
    assert result.document["traits"]["y"]["n"] == facts["n"] - 5
    assert {"grm", "grm_id"} <= set(result.document["inputs"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grm": "k"}, "--no-loco"),
        ({"grm": "k", "loco": False, "grm_extract": "x"}, "Options grm and grm-extract"),
        ({"grm_id": "k"}, "Option grm-id"),
    ],
)
def test_options__of_a_given_matrix(files, options, message):
    with pytest.raises(UsageError, match=message):
        GwasOptions(**files, **options)


def test_gwas__hardy_weinberg_equilibrium(cohort, files):
    table, facts = run(files, hwe=0.05, loco=False)
    (reason,) = facts["variants"]["excluded"]
    assert reason == "Hardy-Weinberg p below 0.05"
    assert 0 < facts["variants"]["excluded"][reason] == 240 - table.height < 120
