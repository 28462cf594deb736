"""Parts of features count by what they know; a ridge with weights is one of scaled features."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.fitting.fit_head import fit_head
from reiqa_tf.fitting.part_weights import choose_part_weights, column_weights
from reiqa_tf.fitting.regression import ElasticNetRegressor, RidgeRegressor
from reiqa_tf.models.contributions import feature_blocks
from tests.small_models import small_scorer

PARTS = {"few": [slice(0, 10)], "many": [slice(10, 200), slice(200, 410)]}


@pytest.fixture(scope="module")
def rows():
    """Scores that ten columns know and 400 others do not."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 410)).astype(np.float32)
    scores = features[:, :10] @ generator.normal(size=10) + 0.5 * generator.normal(size=300)
    return features, scores


def test_weights_are_what_scaling_standardised_columns_does(rows):
    features, scores = rows
    weights = np.random.default_rng(1).uniform(0.2, 5, size=410)
    found = RidgeRegressor(strengths=[3.0], cv=3).fit(features, scores, column_weights=weights)
    scaled = StandardScaler().fit_transform(features.astype(np.float64)) * np.sqrt(weights)
    oracle = Ridge(alpha=found.strength_).fit(scaled, scores)
    np.testing.assert_allclose(found.predict(features), oracle.predict(scaled), atol=1e-6)


def test_the_part_that_knows_the_scores_counts_more(rows):
    features, scores = rows
    folds = [(np.flatnonzero(np.arange(300) % 3 != k), np.arange(k, 300, 3)) for k in range(3)]
    weights = choose_part_weights(features, PARTS, scores, folds, 0.0)
    assert weights["few"] > 4 * weights["many"]
    assert (10 * weights["few"] + 400 * weights["many"]) / 410 == pytest.approx(1)
    columns = column_weights(weights, PARTS, 410)
    assert columns[9] == weights["few"]
    assert (columns[10:] == weights["many"]).all()
    plain = RidgeRegressor(cv=folds).fit(features, scores)
    weighed = RidgeRegressor(cv=folds).fit(features, scores, column_weights=columns)
    assert weighed.validation_errors_.min() < 0.8 * plain.validation_errors_.min()


def test_a_head_says_what_its_parts_counted(scored_rows):
    scorer, features, scored = scored_rows
    fitted = fit_head(scorer, features, scored, weighs_parts=True)
    names = {"/".join(name) for name in feature_blocks(scorer)}
    assert {"content/full/deviations", "quality/half/means"} < names
    assert set(fitted.part_weights) == names
    assert min(fitted.part_weights.values()) > 0


@pytest.fixture
def scored_rows():
    scorer = small_scorer()
    generator = np.random.default_rng(2)
    features = generator.normal(size=(60, scorer.feature_count)).astype(np.float32)
    scores = features[:, 0] + generator.normal(size=60)
    paths = [f"{i}.png" for i in range(60)]
    return scorer, features, ScoredPhotos(paths, scores, (scores.min(), scores.max()))


@pytest.mark.parametrize("weights", [np.zeros(410), np.ones(3), np.full(410, np.nan)])
def test_weights_that_are_none_are_refused(rows, weights):
    with pytest.raises(ValueError, match="410 positive numbers"):
        RidgeRegressor().fit(*rows, column_weights=weights)
    with pytest.raises(ValueError, match="an elastic net takes none"):
        ElasticNetRegressor().fit(*rows, column_weights=np.ones(410))
