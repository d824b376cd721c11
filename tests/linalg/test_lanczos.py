"""Against eigenvalues; tolerances are rounding, relative to the size of what is integrated."""

import numpy as np
import pytest

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg.lanczos import Lanczos, Replay

from .conftest import structured


def integral(measure, f):
    return f(measure.nodes) @ measure.weights


def process(k, rng, columns=3, steps=1):
    start = rng.normal(size=(len(k), columns))
    run = Lanczos(lambda x: k @ x, start)
    run.extend(np.arange(columns), steps)
    return start, run


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_measures__are_exact_for_polynomials(k, steps, rng):
    start, run = process(k, rng, steps=steps)
    values, vectors = np.linalg.eigh(k)
    weights = (vectors.T @ start) ** 2
    scale = values.max()
    for j in range(3):
        jacobi = run.jacobi(j)
        for measure, degree in (
            (jacobi.gauss(), 2 * steps - 1),
            (jacobi.gauss_radau(-0.01), 2 * steps),
            (jacobi.moments(), 2 * steps),
        ):
            for power in range(degree + 1):
                expected = (values / scale) ** power @ weights[:, j]
                found = integral(measure, lambda x, power=power: (x / scale) ** power)
                assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("h", [0.01, 0.5, 0.99])
def test_measures__bracket_logarithm_and_inverse_and_converge(k, h, rng):
    start, run = process(k, rng, columns=2)
    values, vectors = np.linalg.eigh(k)
    weights = (vectors.T @ start) ** 2
    cases = [(np.log, -1.0), (np.reciprocal, 1.0)]
    for _ in range(12):
        for j in range(2):
            jacobi = run.jacobi(j)
            for f, sign in cases:
                at = lambda x, f=f: f(1.0 - h + h * x)  # noqa: E731
                truth = at(values) @ weights[:, j]
                rounding = 1e-10 * (1e-2 + np.abs(at(values))) @ weights[:, j]
                assert sign * (truth - integral(jacobi.gauss(), at)) >= -rounding
                radau = integral(jacobi.gauss_radau(-1e-6), at)
                assert sign * (radau - truth) >= -rounding
        run.extend(np.arange(2), 20)
    assert integral(run.jacobi(0).gauss(), lambda x: np.log(1.0 - h + h * x)) == pytest.approx(
        np.log(1.0 - h + h * values) @ weights[:, 0], rel=1e-9
    )


def test_lanczos__records_what_solves_every_shift(rng):
    k = structured()
    start = rng.normal(size=(len(k), 3))
    process = Lanczos(lambda x: k @ x, np.empty((len(k), 0)))
    run = Replay(process, process.append(start, keep=True), n_known=3)
    run.extend(np.arange(3), 60)
    for h in (0.2, 0.9):
        expected = start.T @ np.linalg.solve(h * k + (1 - h) * np.eye(len(k)), start)
        for j in range(3):
            jacobi = run.jacobi(j)
            t = np.diag(jacobi.main) + np.diag(jacobi.off, 1) + np.diag(jacobi.off, -1)
            first = np.eye(len(t))[0] * jacobi.norm
            found = run.recorded(j) @ np.linalg.solve(h * t + (1 - h) * np.eye(len(t)), first)
            assert found == pytest.approx(expected[:, j], abs=1e-8)


def test_lanczos__stops_where_a_space_is_invariant(rng):
    start = np.column_stack((rng.normal(size=(50, 2)), np.zeros(50)))
    run = Lanczos(lambda x: 2.0 * x, start)
    run.extend(np.arange(3), 5)
    assert run.steps.tolist() == [1, 1, 0]
    assert run.exhausted.all()
    assert run.n_products == 2
    measure = run.jacobi(0).gauss_radau(0.0)
    assert measure.nodes == pytest.approx([2.0])
    assert measure.weights == pytest.approx([start[:, 0] @ start[:, 0]])
    assert run.jacobi(2).gauss().weights.tolist() == [0.0]


def test_lanczos__columns_go_on_by_themselves(rng):
    k = structured()
    start = rng.normal(size=(len(k), 3))
    run = Lanczos(lambda x: k @ x, start)
    run.extend(np.arange(3), 2)
    run.extend(np.array([1]), 3)
    run.extend(np.array([2, 0]), 1)
    assert run.steps.tolist() == [3, 5, 3]
    alone = Lanczos(lambda x: k @ x, start[:, 1:2])
    alone.extend(np.array([0]), 5)
    assert run.jacobi(1).main == pytest.approx(alone.jacobi(0).main, rel=1e-10)


def test_gauss_radau__refuses_a_negative_eigenvalue(rng):
    k = structured() - 0.5 * np.eye(150)
    _, run = process(k, rng, steps=30)
    with pytest.raises(NotPositiveDefiniteError, match="without negative eigenvalues"):
        run.jacobi(0).gauss_radau(-1e-6)


def test_vectors__of_the_columns_whose_vectors_are_kept(rng):
    k = structured()
    start = rng.normal(size=(len(k), 3))
    run = Lanczos(lambda x: k @ x, start[:, :2])
    kept = run.append(start[:, 2:], keep=True)
    run.extend(np.arange(3), 4)
    run.extend(np.array([0, 1]), 2)
    vectors, jacobi = run.vectors(kept[0]), run.jacobi(kept[0])
    assert vectors.shape == (len(k), 4)
    # A few steps lose no orthogonality; rounding of a product, relative to the largest eigenvalue.
    assert vectors.T @ vectors == pytest.approx(np.eye(4), abs=1e-10)
    assert vectors[:, 0] * jacobi.norm == pytest.approx(start[:, 2])
    t = np.diag(jacobi.main) + np.diag(jacobi.off, 1) + np.diag(jacobi.off, -1)
    assert vectors.T @ k @ vectors == pytest.approx(t, abs=1e-10 * np.abs(t).max())
    run.forget(kept[0])
    assert run.vectors(kept[0]).shape == (len(k), 0)


def test_jacobi__of_fewer_steps_is_that_of_a_shorter_run(k, rng):
    start, long = process(k, rng, steps=7)
    short = Lanczos(lambda x: k @ x, start)
    short.extend(np.arange(3), 4)
    for j in range(3):
        for cut, whole in zip(
            vars(long.jacobi(j, 4)).values(), vars(short.jacobi(j)).values(), strict=True
        ):
            assert np.array_equal(cut, whole)


def test_replay__does_not_depend_on_what_others_asked_for(rng):
    k = structured()
    start = rng.normal(size=(len(k), 5))
    shared = Lanczos(lambda x: k @ x, start)
    others = Replay(shared, np.array([4, 1, 0]), ahead=lambda columns: np.union1d(columns, [2]))
    found = []
    for order in ((), (others,)):  # before anybody else asked for anything, and after
        for other in order:
            other.extend(np.arange(3), 9)
        here = Replay(shared, np.array([1, 2]))
        here.extend(np.arange(2), 2)
        here.extend(np.array([1]), 3)
        found.append((here.steps.tolist(), here.n_products, here.jacobi(0), here.jacobi(1)))
    for (steps, products, *jacobis), again in [(found[0], found[1])]:
        assert steps == again[0] == [2, 5]
        assert products == again[1] == 7
        for one, two in zip(jacobis, again[2:], strict=True):
            assert one.main.tobytes() == two.main.tobytes()
            assert one.off.tobytes() == two.off.tobytes()
            assert one.coupling == two.coupling


def test_replay__ends_where_the_space_does(rng):
    # Two eigenvalues: two steps, of which a replay may have asked for one.
    shared = Lanczos(lambda x: np.repeat([1.0, 3.0], 5)[:, None] * x, rng.normal(size=(10, 1)))
    shared.extend(np.array([0]), 9)
    here = Replay(shared, np.array([0]))
    here.extend(np.array([0]), 1)
    assert here.jacobi(0).coupling > 0.0
    here.extend(np.array([0]), 5)
    assert here.steps.tolist() == [2]
    assert here.jacobi(0).coupling == 0.0
