"""What can be wrong with an artifact."""

from reiqa_tf.errors import ReiqaError


class ArtifactError(ReiqaError):
    """An exported file that cannot be used. The message says which, why, and the way out."""


class MissingArtifactError(ArtifactError):
    """A preset that was not exported for the runtime that was asked for."""


class StaleArtifactError(ArtifactError):
    """An artifact that was made of other weights than its preset has by now."""


class MissingRuntimeError(ArtifactError):
    """A runtime whose package is not installed."""


class MissingFeaturesError(ArtifactError):
    """An artifact of an older version, which gives scores alone, where features are needed."""


class ManifestError(ArtifactError):
    """A `manifest.json` that cannot be used. The message says which and why."""
