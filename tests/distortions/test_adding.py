"""A 27th distortion: written once, and known to the table, the gallery, the views and the docs."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from docs import distortions_page
from reiqa_tf.cli.main import main, parse
from reiqa_tf.distortions import DISTORTIONS, NAMES, Distortion, add_distortion, around, distort
from reiqa_tf.image.reading import read_image
from reiqa_tf.pretraining.quality_views import CLEAN, QualityViews


class Posterize(Distortion):
    """Fewer levels of each colour."""

    name = "posterize"
    levels = (32, 16, 8, 4, 2)
    unit = "levels of a colour"

    def apply(self, pixels, value, prepared):
        return tf.round(around(pixels) * (value - 1)) / (value - 1)


@pytest.fixture
def posterize():
    distortion = Posterize()
    add_distortion(distortion)
    yield distortion
    DISTORTIONS.remove(distortion)
    NAMES.remove(distortion.name)


def test_the_docs_page_is_that_of_the_table():
    assert distortions_page.PAGE.read_text() == distortions_page.page()


def test_every_distortion_says_what_it_does_in_words_of_its_own():
    says = [type(distortion).__doc__ for distortion in DISTORTIONS]
    assert len(set(says)) == len(DISTORTIONS)
    assert all(text != Distortion.__doc__ and text[0].isupper() for text in says)


def test_a_new_one_is_in_the_table_and_on_the_docs_page(photo, posterize):
    assert DISTORTIONS[26] is posterize
    assert NAMES[26] == "posterize"
    image = photo[:64, :80]
    ours = distort(image, "posterize", 4).numpy()
    np.testing.assert_array_equal(ours, np.rint(image / np.float32(255)))
    assert (
        "| 27 | `posterize` | Fewer levels of each colour. | 32, 16, 8, 4, 2 | levels of a colour "
        "| yes | no | 0 px |\n"
    ) in distortions_page.page()


def test_a_new_one_is_in_the_gallery(photo, posterize, tmp_path):
    Image.fromarray(photo[:48, :48]).save(tmp_path / "photo.png")
    out = tmp_path / "sheet.png"
    arguments = "distort", tmp_path / "photo.png", "--out", out, "--name", "posterize", "--side", 48
    assert main(parse(["reiqa", *map(str, arguments)])) == 0
    tile = read_image(out)[54:102, 8 + 4 * 56 : 8 + 4 * 56 + 48]
    np.testing.assert_array_equal(tile, 255 * distort(photo[:48, :48], "posterize", 4).numpy())


def test_a_new_one_is_drawn_for_the_views(photo, posterize):
    views = QualityViews(patch=32, distorted=27)
    plan = views.draw((1, 2), tf.constant(96), tf.constant(96))
    assert sorted(plan.distortions.numpy()) == [CLEAN, *range(27)]
    image = photo[100:196, 100:196]
    versions = [0, plan.distortions.numpy().tolist().index(26)]
    plan = plan._replace(
        distortions=tf.gather(plan.distortions, versions),
        levels=tf.constant([0, 4]),
        seeds=tf.gather(plan.seeds, versions),
        swapped=tf.zeros((2, 2), tf.bool),
    )
    queries, _ = QualityViews(patch=32, distorted=1).apply(tf.constant(image), plan)
    top, left = plan.tops[0, 0], plan.lefts[0, 0]
    whole = distort(image, "posterize", 4).numpy()
    np.testing.assert_allclose(queries[2], 255 * whole[top : top + 32, left : left + 32], atol=0.51)


def test_a_name_that_is_taken_or_levels_that_are_not_five_are_refused(posterize):
    with pytest.raises(ValueError, match="not taken"):
        add_distortion(Posterize())
    distortion = Posterize()
    distortion.name, distortion.levels = "coarse", (4, 2)
    with pytest.raises(ValueError, match="levels of 5 levels"):
        add_distortion(distortion)
