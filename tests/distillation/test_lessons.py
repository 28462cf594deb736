"""What a student learns from: dealt evenly, judged by the teacher, kept, and refused when mixed."""

import collections
import json

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.distillation import lessons as lessons_module
from reiqa_tf.distillation.batches import LessonBatches
from reiqa_tf.distillation.lessons import FAULTS, Lesson, choose_lessons, make_lessons
from reiqa_tf.fitting.encoders import choose_encoders
from reiqa_tf.models.contributions import contributions, part_names
from reiqa_tf.training.objective import TrainingError
from tests.small_models import small_scorer

COUNT = 12


@pytest.fixture(scope="module")
def teacher():
    return choose_encoders(small_scorer())


@pytest.fixture(scope="module")
def paths(scored_crops):
    return read_scored_photos(scored_crops).paths[:COUNT]


@pytest.fixture(scope="module")
def plan():
    """Each photo, and three of them distorted: by the bank and by what it lacks."""
    distorted = [Lesson(0, "jpeg", 4, (1, 2)), Lesson(1, "overexposed", 3, (1, 3))]
    return [*map(Lesson, range(COUNT)), *distorted, Lesson(2, "gaussian_blur", 2, (1, 4))]


@pytest.fixture(scope="module")
def made(teacher, paths, plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lessons")
    return make_lessons(teacher, paths, plan, 40, folder), folder


def test_faults_are_dealt_evenly_and_no_photo_has_the_same_one_twice():
    dealt = choose_lessons(400, 2, seed=3)
    assert [lesson.row for lesson in dealt[:400]] == list(range(400))
    assert all(lesson.fault is None for lesson in dealt[:400])
    counts = collections.Counter(lesson.fault for lesson in dealt[400:])
    assert set(counts) == set(FAULTS)
    assert max(counts.values()) - min(counts.values()) <= 2
    assert {lesson.level for lesson in dealt[400:]} == {0, 1, 2, 3, 4}
    by_photo = collections.defaultdict(set)
    for lesson in dealt[400:]:
        by_photo[lesson.row].add(lesson.fault)
    assert {len(faults) for faults in by_photo.values()} == {2}
    assert len({lesson.seed for lesson in dealt[400:]}) == 800
    assert choose_lessons(400, 1, seed=3) == dealt[:800]


def test_the_teacher_sees_the_picture_and_the_student_the_same_one_smaller(made, teacher, paths):
    lessons, _ = made
    assert len(lessons) == COUNT + 3
    for row in (0, 5):
        photo = reiqa_tf.read_image(paths[row], fit=96)
        assert lessons.scores[row] == pytest.approx(teacher_score(teacher, photo), abs=1e-5)
        np.testing.assert_array_equal(
            lessons.pictures[row], reiqa_tf.read_image(paths[row], fit=40)
        )
    assert lessons.sizes.tolist() == [list(picture.shape[:2]) for picture in lessons.pictures]
    distorted = lessons_module._distorted(paths[1], Lesson(1, "overexposed", 3, (1, 3)), 96)
    assert lessons.scores[COUNT + 1] == pytest.approx(teacher_score(teacher, distorted), abs=1e-5)
    np.testing.assert_array_equal(
        lessons.pictures[COUNT + 1], reiqa_tf.read_image(distorted, fit=40)
    )
    assert distorted.mean() > 1.2 * reiqa_tf.read_image(paths[1], fit=96).mean()
    assert lessons.rows.tolist() == [*range(COUNT), 0, 1, 2]
    assert lessons.is_photo.tolist() == [True] * COUNT + [False] * 3


def teacher_score(teacher, picture):
    features = teacher.scorer.features(picture[None])
    return float(np.asarray(teacher.head(features))[0])


def test_parts_are_those_that_explain_the_teachers_scores(made, teacher, paths):
    lessons, _ = made
    scorer = small_scorer()
    picture = reiqa_tf.read_image(paths[3], fit=96)
    explained = contributions(scorer, picture[None]).parts.numpy()[0]
    # The same parts; an explanation has them in the order of the features, lessons map by map.
    assert len(part_names(scorer)) == lessons.parts.shape[1]
    np.testing.assert_allclose(np.sort(lessons.parts[3]), np.sort(explained), atol=1e-4)
    bias = float(np.asarray(scorer.head.bias))
    np.testing.assert_allclose(lessons.parts.sum(axis=1) + bias, lessons.scores, atol=1e-4)


def test_what_is_there_is_not_judged_again(made, teacher, paths, plan, monkeypatch):
    lessons, folder = made
    monkeypatch.setattr(lessons_module, "_write_part", None)
    again = make_lessons(teacher, paths, plan, 40, folder, worker=1, workers=2)
    np.testing.assert_array_equal(again.scores, lessons.scores)
    np.testing.assert_array_equal(again.pictures[7], lessons.pictures[7])


def test_lessons_of_another_run_are_refused(made, teacher, paths, plan):
    _, folder = made
    with pytest.raises(TrainingError, match="working_size differ"):
        make_lessons(teacher, paths, plan, 36, folder)
    with pytest.raises(TrainingError, match=r"\(lessons differ\)"):
        make_lessons(teacher, paths, plan[:-1], 40, folder)


def test_a_photo_that_cannot_be_read_is_left_out_and_named(teacher, paths, tmp_path, monkeypatch):
    monkeypatch.setattr(lessons_module, "PART", 2)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (200, 20)).save(tmp_path / "narrow.png")
    some = [paths[0], str(tmp_path / "broken.png"), paths[1], str(tmp_path / "narrow.png")]
    plan = [*map(Lesson, range(4)), Lesson(1, "jpeg", 1, (0, 0))]
    lessons = make_lessons(teacher, some, plan, 40, tmp_path / "lessons")
    assert lessons.rows.tolist() == [0, 2]
    assert sorted(lessons.problems) == [1, 3]
    assert "narrow.png" in lessons.problems[3]
    about = json.loads((tmp_path / "lessons" / "about.json").read_text())
    assert about["working_size"] == 40
    with pytest.raises(TrainingError, match="no photo could be read"):
        make_lessons(teacher, some[1:2], plan[:1], 40, tmp_path / "none")


def test_batches_show_every_lesson_once_mirrored_or_turned(made):
    lessons, _ = made
    numbers = np.arange(len(lessons), dtype=np.float32)
    parts = np.stack([numbers, -numbers], axis=1)
    batches = LessonBatches(lessons, numbers, parts, batch_size=5, seed=1)
    assert batches.steps_per_epoch == 3
    shown = [
        (batch["image"].numpy(), batch["score"].numpy(), batch["parts"].numpy())
        for batch in batches.dataset(0).take(3)
    ]
    seen = np.concatenate([scores for _, scores, _ in shown])
    assert sorted(seen) == numbers.tolist()
    for images, scores, told in shown:
        np.testing.assert_array_equal(told, np.stack([scores, -scores], axis=1))
        for image, number in zip(images, scores.astype(int), strict=True):
            picture = np.asarray(lessons.pictures[number])
            top = (picture.shape[0] - image.shape[0]) // 2
            left = (picture.shape[1] - image.shape[1]) // 2
            cut = picture[top : top + image.shape[0], left : left + image.shape[1]]
            quarters = range(4) if image.shape[0] == image.shape[1] else (0, 2)
            turns = [np.rot90(cut, n)[:, ::step] for n in quarters for step in (1, -1)]
            assert any(np.array_equal(image, turned) for turned in turns)
    later = next(iter(batches.dataset(2).take(1)))
    np.testing.assert_array_equal(later["image"], shown[2][0])


def test_workers_share_what_one_would_show(made):
    lessons, _ = made
    scores, parts = np.zeros(len(lessons), np.float32), np.zeros((len(lessons), 1), np.float32)
    whole = LessonBatches(lessons, scores, parts, 4, seed=2)
    shares = [LessonBatches(lessons, scores, parts, 4, seed=2, worker=i, workers=2) for i in (0, 1)]
    expected = next(iter(whole.dataset(1).take(1)))["image"]
    found = [next(iter(share.dataset(1).take(1)))["image"] for share in shares]
    np.testing.assert_array_equal(np.concatenate(found), expected)
