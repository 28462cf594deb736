"""Both official checkpoints, converted once for all tests."""

import pytest

from tests.oracles.seeded_weights import official_checkpoint, resnet50_state_dict
from tests.oracles.torch_files import write_legacy, write_zip


@pytest.fixture(scope="session")
def quality_expert(tmp_path_factory):
    """Encoder and report of a file as the authors wrote theirs, in the zip format."""
    from reiqa_tf.convert.reiqa import convert_reiqa

    path = tmp_path_factory.mktemp("checkpoints") / "quality_aware_r50.pth"
    state = resnet50_state_dict(1, "module.encoder.")
    path.write_bytes(write_zip(official_checkpoint(state, 1)))
    return convert_reiqa(path, "quality")


@pytest.fixture(scope="session")
def content_expert(tmp_path_factory):
    """Encoder and report of a file in the legacy format, saved without DataParallel."""
    from reiqa_tf.convert.reiqa import convert_reiqa

    path = tmp_path_factory.mktemp("checkpoints") / "content_aware_r50.pth"
    state = resnet50_state_dict(2, "encoder.")
    path.write_bytes(write_legacy(official_checkpoint(state, 2, prefix="")))
    return convert_reiqa(path, "content")
