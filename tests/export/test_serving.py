"""The graph functions that the converters take, and the contract that goes with them."""

import importlib
import json

import numpy as np
import pytest

from reiqa_tf.export.serving import folded_function
from reiqa_tf.runtimes.contract import Contract, output_names
from tests.small_models import small_scorer


def test_the_folded_graph_computes_what_the_scorer_does(photo):
    scorer = small_scorer()
    images = np.stack([photo[:70, :90], photo[100:170, 200:290]])
    received = folded_function(scorer)(images)
    features = scorer.features(images)
    assert set(received) == set(output_names(scorer)) == {"score", "spread", "distance"}
    np.testing.assert_allclose(received["score"], scorer(images), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(received["spread"], scorer.head.spread(features), rtol=1e-5)
    np.testing.assert_allclose(received["distance"], scorer.head.distance(features), rtol=1e-5)


def test_encoders_alone_return_features_of_a_fixed_size_too(photo):
    scorer = small_scorer(head=None)
    function = folded_function(scorer, size=(64, 80), batch_size=1)
    assert function.get_concrete_function().inputs[0].shape == (1, 64, 80, 3)
    images = photo[None, :64, :80]
    received = function(images)
    assert list(received) == ["features"]
    np.testing.assert_allclose(received["features"], scorer.features(images), rtol=1e-4, atol=1e-6)


def test_the_contract_is_flat_json_that_scores_a_photo_without_the_preset(photo):
    scorer = small_scorer()
    contract = Contract.of(scorer, "small", "0" * 64, {"description": "for tests", "license": None})
    known = contract.entries()
    assert Contract.read(known, "m.onnx") == contract
    assert json.loads(json.dumps(known)) == known
    assert {type(value) for value in known.values()} <= {str, int, float, bool}
    assert known["description"] == "for tests"
    assert "license" not in known
    assert known["working_size"] == 96
    head = scorer.head
    assert (known["score_low"], known["score_high"]) == head.score_range
    calibration = head.calibration
    assert known["interval"] == calibration.interval
    assert (known["expected_slope"], known["expected_offset"]) == calibration.expected
    assert known["distance_limit"] == calibration.distance_limit
    assert tuple(map(float, known["percentiles"].split())) == calibration.percentiles
    assert known["higher_is_better"] is True


def test_the_contract_of_encoders_alone_promises_no_score():
    known = Contract.of(small_scorer(head=None, working_size=None), "small", "0" * 64).entries()
    assert known["outputs"] == "features"
    assert known["feature_count"] > 0
    assert not {"score_low", "interval", "working_size"} & set(known)


def test_the_package_has_no_global_name():
    with pytest.raises(ImportError, match=r"reiqa_tf\.export"):
        importlib.import_module("export")
