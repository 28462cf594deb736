"""The arrows of the house: who may import whom, read off the source."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]

_LEAVES = {
    *("backend", "errors", "extras", "version", "files", "pages", "path_list", "progress"),
    *("remote", "typing"),
}

# Each room and the rooms that it may import from, beside the leaves.
ARROWS = {
    "backend": set(),
    "errors": set(),
    "extras": set(),
    "version": set(),
    "files": set(),
    "pages": set(),
    "path_list": set(),
    "progress": set(),
    "remote": set(),
    "typing": set(),
    "metrics": set(),
    "packs": set(),
    "image": {"packs"},
    "presets": set(),
    "data": {"image", "packs"},
    "distortions": {"image"},
    "scoring": {"image"},
    "models": {"image", "presets", "scoring"},
    "runtimes": {"data", "image", "models", "presets", "scoring"},
    "explanation": {"image", "models", "presets", "runtimes", "scoring"},
    "albums": {"data", "explanation", "image", "packs", "presets", "runtimes", "scoring"},
    "bulk": {"data", "image", "models", "packs", "presets", "runtimes", "scoring"},
    "fitting": {
        "data",
        "distortions",
        "explanation",
        "image",
        "metrics",
        "models",
        "presets",
        "runtimes",
        "scoring",
    },
    "evaluation": {
        "bulk",
        "data",
        "distortions",
        "fitting",
        "image",
        "metrics",
        "models",
        "presets",
        "scoring",
    },
    "training": set(),
    "pretraining": {
        "data",
        "distortions",
        "fitting",
        "image",
        "metrics",
        "models",
        "packs",
        "presets",
        "scoring",
        "training",
    },
    "tuning": {
        "data",
        "distortions",
        "fitting",
        "image",
        "metrics",
        "models",
        "presets",
        "scoring",
        "training",
    },
    "distillation": {
        "data",
        "distortions",
        "fitting",
        "image",
        "metrics",
        "models",
        "presets",
        "scoring",
        "training",
        "tuning",
    },
    "configs": {"distillation", "pretraining", "tuning"},
    "convert": {"models", "presets"},
    "export": {
        "data",
        "explanation",
        "image",
        "metrics",
        "models",
        "presets",
        "runtimes",
        "scoring",
    },
    "web": {"presets", "runtimes"},
    "cli": {
        "albums",
        "bulk",
        "convert",
        "data",
        "distillation",
        "distortions",
        "evaluation",
        "explanation",
        "export",
        "fitting",
        "image",
        "metrics",
        "models",
        "packs",
        "presets",
        "pretraining",
        "runtimes",
        "scoring",
        "training",
        "tuning",
        "web",
    },
}

# Rooms that lie beside the package and are installed inside it.
OUTER = ("configs", "export", "web")

# What a room never imports from outside, not even inside a function.
_HEAVY = {"tensorflow", "keras", "absl"}
# What scoring does without as well: only extras bring it.
_EXTRA = {"h5py", "matplotlib", "ml_dtypes", "rich", "safetensors", "scipy", "sklearn"}

FOREIGN = {
    "configs": _HEAVY,
    "packs": {*_HEAVY, *_EXTRA},
    "path_list": {*_HEAVY, *_EXTRA},
    "remote": {*_HEAVY, *_EXTRA},
    "image": {"keras", "absl", *_EXTRA},
    "data": {"keras", "absl"},
    "distortions": {"keras", "absl"},
    "models": {"absl"},
    "presets": {"tensorflow", "absl"},
    "progress": _HEAVY,
    "scoring": {*_HEAVY, *_EXTRA},
    "runtimes": {*_HEAVY, *_EXTRA},
    "metrics": _HEAVY,
    "albums": _HEAVY,
    "bulk": {"absl"},
    "explanation": {"absl", *_EXTRA},
    "fitting": {"absl"},
    "evaluation": {"absl"},
    "training": {"absl"},
    "pretraining": {"absl"},
    "tuning": {"absl"},
    "export": {"absl"},
    "convert": {"torch", "pickle5", "absl"},
    "web": {*_HEAVY, *_EXTRA},
}

# Files that do without TensorFlow and Keras in rooms that do not.
LIGHT_FILES = (
    "image/__init__.py",
    "image/reading.py",
    "presets/__init__.py",
    "presets/folders.py",
    "pretraining/__init__.py",
    "pretraining/config.py",
    "pretraining/shipped_configs.py",
    "models/__init__.py",
    "models/designs.py",
    "training/__init__.py",
    "training/config_files.py",
    "training/recipes.py",
    "training/settings.py",
    "tuning/__init__.py",
    "tuning/config.py",
    "tuning/pairs.py",
    "tuning/shipped_configs.py",
    "fitting/__init__.py",
    "evaluation/__init__.py",
    "evaluation/baseline_catalog.py",
    "evaluation/splitting.py",
    "explanation/__init__.py",
    "explanation/diagnosis.py",
    "explanation/drawing.py",
    "explanation/explainer.py",
    "explanation/explanation.py",
    "explanation/faults.py",
    "explanation/saving.py",
    "fitting/defaults.py",
    "fitting/regression.py",
)


def _sources():
    for path in sorted((ROOT / "reiqa_tf").rglob("*.py")):
        parts = path.relative_to(ROOT / "reiqa_tf").with_suffix("").parts
        if parts != ("__init__",):  # the front door names all rooms
            yield parts[0], path
    for room in OUTER:
        paths = sorted((ROOT / room).rglob("*.py"))
        yield from ((room, path) for path in paths if "node_modules" not in path.parts)


def _imports(path, only_at_import=False):
    """Names of the modules that a file imports: `from a import b` counts as `a.b`."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if only_at_import else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _rooms(path, but=(), **options):
    for name in _imports(path, **options):
        parts = name.split(".")
        if (
            name not in but
            and parts[0] == "reiqa_tf"
            and len(parts) > 1
            and not parts[1].startswith("__")
        ):
            yield parts[1]


def test_every_room_has_its_arrows_and_every_arrow_its_room():
    assert {room for room, _ in _sources()} == set(ARROWS)


@pytest.mark.parametrize("room", sorted(ARROWS))
def test_a_room_imports_only_along_the_arrows(room):
    allowed = ARROWS[room] | _LEAVES | {room}
    for each, path in _sources():
        if each == room:
            assert set(_rooms(path)) <= allowed, path


@pytest.mark.parametrize("room", sorted(FOREIGN))
def test_a_room_leaves_foreign_libraries_to_others(room):
    for each, path in _sources():
        if each == room:
            roots = {name.split(".")[0] for name in _imports(path)}
            assert not roots & FOREIGN[room], path


def test_the_arrows_have_no_circle():
    def reachable(room, seen=()):
        assert room not in seen, " -> ".join((*seen, room))
        for other in ARROWS[room]:
            reachable(other, (*seen, room))

    for room in ARROWS:
        reachable(room)


def test_commands_import_nothing_heavy_until_they_run():
    light = {"backend", "errors", "extras", "version", "presets", "cli"}
    # Numbers for the help, from files that import nothing heavy.
    plain = {
        "reiqa_tf.data.databases.catalog.DATABASES",
        "reiqa_tf.evaluation.baseline_catalog.BASELINES",
        "reiqa_tf.evaluation.splitting.Splitting",
        "reiqa_tf.fitting.defaults",
    }
    later = {"training_progress"}  # what a command imports once it runs
    for room, path in _sources():
        if room == "cli" and path.stem not in later:
            imported = {name.rpartition(".")[2] for name in _imports(path, only_at_import=True)}
            assert not imported & later, path
            rooms = _rooms(path, only_at_import=True, but=plain)
            assert set(rooms) <= light, path
            roots = {name.split(".")[0] for name in _imports(path, only_at_import=True)}
            assert not roots & {"tensorflow", "keras", "numpy", "sklearn", "matplotlib", "rich"}, (
                path
            )


@pytest.mark.parametrize("name", LIGHT_FILES)
def test_a_light_file_does_without_tensorflow_and_keras(name):
    roots = {each.split(".")[0] for each in _imports(ROOT / "reiqa_tf" / name)}
    assert not roots & _HEAVY


def test_no_room_is_called_after_nothing():
    names = {path.stem for _, path in _sources()} | set(ARROWS)
    assert not names & {"utils", "common", "misc", "core", "helpers"}
