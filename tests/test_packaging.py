"""What is installed is what is on disk, and it is light to begin with."""

import ast
import configparser
import fnmatch
import importlib.metadata
import io
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest

import reiqa_tf
from reiqa_tf.extras import EXTRAS
from reiqa_tf.presets import DEFAULT
from reiqa_tf.presets.folders import shipped_presets

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_the_packages_that_are_installed_are_the_folders_on_disk(setup):
    listed = setup["options"]["packages"].split()
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "reiqa_tf").rglob("__init__.py")
    }
    outer = dict(line.split(" = ") for line in setup["options"]["package_dir"].strip().splitlines())
    assert outer.pop("reiqa_tf") == "reiqa_tf"
    for package, folder in outer.items():
        assert package == f"reiqa_tf.{folder}"  # no global name is ever installed
        assert (ROOT / folder / "__init__.py").is_file()
        folders.add(package)
    assert sorted(folders) == sorted(listed)


@pytest.mark.parametrize(
    ("package", "folder"),
    [
        ("reiqa_tf.albums", "reiqa_tf/albums"),
        ("reiqa_tf.presets.shipped", "reiqa_tf/presets/shipped"),
        ("reiqa_tf.export", "export"),
    ],
)
def test_every_file_beside_the_code_is_installed(setup, package, folder):
    patterns = setup["options.package_data"][package].split()
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".py"]
    files = [path for path in files if "__pycache__" not in path.parts]
    assert files
    for path in files:
        name = path.relative_to(ROOT / folder)
        assert any(_matches(name, pattern) for pattern in patterns), path


def _matches(name, pattern):
    """Whether a pattern covers a file; unlike in fnmatch, no star spans a slash."""
    parts = pattern.split("/")
    return len(parts) == len(name.parts) and all(map(fnmatch.fnmatch, name.parts, parts))


def test_every_template_is_installed(setup):
    templates = list((ROOT / "reiqa_tf").rglob("*.jinja"))
    assert templates
    for path in templates:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        patterns = setup["options.package_data"][package].split()
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns), path


@pytest.mark.parametrize("preset", shipped_presets())
def test_a_shipped_preset_takes_at_most_25_megabytes(preset):
    assert 0 < sum(path.stat().st_size for path in _files(preset)) <= 25e6


def test_the_default_and_the_protocol_of_the_paper_take_at_most_40_megabytes_of_the_wheel():
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for preset in (DEFAULT, "reiqa_lite0_protocol_biq2021"):
            for path in _files(preset):
                archive.write(path)
    assert len(wheel.getvalue()) <= 40e6


def _files(preset):
    """Weights, what was exported of them, and what is said of them."""
    files = (ROOT / "reiqa_tf/presets/shipped" / preset).rglob("*")
    return [path for path in files if path.is_file()]


def _distributions(setup, section, option):
    lines = setup[section][option].strip().splitlines()
    names = {re.split(r"[<>=\[ ]", line)[0] for line in lines if not line.startswith("#")}
    for line in lines:
        for extras in re.findall(r"^reiqa_tf\[(.*)\]", line):
            for extra in extras.split(","):
                names |= _distributions(setup, "options.extras_require", extra)
    return names - {"reiqa_tf"}


# Distributions whose modules are called otherwise.
KNOWN_AS = {
    "absl": "absl-py",
    "apache_beam": "apache-beam",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "ai_edge_litert": "ai-edge-litert",
    "ai_edge_quantizer": "ai-edge-quantizer",
    "tensorflow_serving": "tensorflow-serving-api",
}


def test_every_module_that_is_imported_is_required_or_comes_with_an_extra(setup):
    required = _distributions(setup, "options", "install_requires")
    required_with_tensorflow = _distributions(setup, "options.extras_require", "tensorflow")
    rooms = {  # nothing else may lean on what only an extra brings
        "export": {"export", "runtimes"},
        "beam": {"bulk"},
        "remote": {"reiqa_tf"},
        "benchmark": {"data", "databases"},
        "brisque": {"evaluation"},
    }
    optional = {
        extra: _distributions(setup, "options.extras_require", extra) - required_with_tensorflow
        for extra in rooms
    }
    optional["brisque"] -= optional["benchmark"]
    imported = {}
    for path in [*(ROOT / "reiqa_tf").rglob("*.py"), *(ROOT / "export").glob("*.py")]:
        for name in re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE):
            if name not in sys.stdlib_module_names and name not in ("reiqa_tf", "google"):
                imported.setdefault(KNOWN_AS.get(name, name), set()).add(path.parent.name)
    assert set(imported) == required.union(required_with_tensorflow, *optional.values())
    for extra, names in optional.items():
        assert not required & names
        for name in names:
            assert imported[name] <= rooms[extra], name


def test_every_extra_says_what_it_brings_and_what_it_is_missing(setup):
    """The table that missing extras are looked up in names what setup.cfg installs."""
    tensorflow = _distributions(setup, "options.extras_require", "tensorflow")
    for extra, modules in EXTRAS.items():
        installed = _distributions(setup, "options.extras_require", extra)
        named = {KNOWN_AS.get(module, module) for module in modules}
        # Formats need other packages each: tests/export.
        assert named == (tensorflow if extra == "export" else installed)
    required = _distributions(setup, "options", "install_requires")
    assert not required & tensorflow


def test_the_long_description_stands_alone_and_shows_what_the_readme_does(setup):
    text = (ROOT / setup["metadata"]["long_description"].removeprefix("file: ")).read_text()
    assert all(link.startswith("https://") for link in re.findall(r"\]\(([^)]*)\)", text))
    assert "![" not in text
    assert "<img" not in text
    readme = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert example in readme  # where it is run


def test_workflows_do_all_that_runs_from_nothing():
    (parts,) = re.findall(r'^parts="(.*)"$', (ROOT / ".ci/run").read_text(), re.MULTILINE)
    workflows = (ROOT / ".github" / "workflows").glob("*.yml")
    called = {
        part for path in workflows for part in re.findall(r"\.ci/run (\w+)", path.read_text())
    }
    assert called == set(parts.split())


def test_the_version_is_one():
    assert importlib.metadata.version("reiqa_tf") == reiqa_tf.__version__


def test_every_public_name_is_there_and_documented():
    for name in reiqa_tf.__all__:
        value = getattr(reiqa_tf, name)
        assert name == "__version__" or value.__doc__, name
    assert set(reiqa_tf.__all__) <= set(dir(reiqa_tf))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        reiqa_tf.nonsense  # noqa: B018


def test_checkers_and_the_interpreter_find_each_public_name_in_the_same_place():
    """The imports under TYPE_CHECKING, the table that code runs by, and `__all__`."""
    tree = ast.parse(pathlib.Path(reiqa_tf.__file__).read_text())
    (checked,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    imported = {
        alias.asname or alias.name: statement.module
        for statement in checked.body
        for alias in statement.names
    }
    # A package that can be called is its function's home: `reiqa_tf.export` is either.
    callable_packages = {"export": "reiqa_tf.export.exporting"}
    assert imported == reiqa_tf._HOMES | callable_packages
    assert all(callable(getattr(reiqa_tf, name)) for name in callable_packages)
    assert sorted({*imported, "__version__"}) == sorted(reiqa_tf.__all__)
    assert len(set(reiqa_tf.__all__)) == len(reiqa_tf.__all__)


def test_importing_the_package_or_asking_for_help_imports_no_tensorflow():
    code = (
        "import sys, reiqa_tf, reiqa_tf.image.reading, reiqa_tf.cli.main as main\n"
        "try:\n main.parse(['reiqa', '--help'])\nexcept SystemExit:\n pass\n"
        "print(*sorted({'tensorflow', 'keras', 'numpy.random', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == ""
