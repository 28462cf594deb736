"""What is installed is what is on disk, and it is light to begin with."""

import configparser
import fnmatch
import importlib.metadata
import pathlib
import re
import subprocess
import sys

import pytest

import reiqa_tf

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


def test_every_file_of_a_shipped_preset_is_installed(setup):
    pattern = setup["options.package_data"]["reiqa_tf.presets"]
    presets = ROOT / "reiqa_tf" / "presets"
    files = [path for path in presets.rglob("*") if path.is_file() and path.suffix != ".py"]
    files = [path for path in files if "__pycache__" not in path.parts]
    assert files
    for path in files:
        assert fnmatch.fnmatch(path.relative_to(presets).as_posix(), pattern), path


def test_shipped_presets_take_at_most_25_megabytes():
    sizes = [p.stat().st_size for p in (ROOT / "reiqa_tf/presets").rglob("*.h5")]
    assert 0 < sum(sizes) <= 25e6


def test_every_module_that_is_imported_is_required(setup):
    required = {
        re.split(r"[<>=\[ ]", line)[0]
        for line in setup["options"]["install_requires"].strip().splitlines()
    }
    known_as = {
        "absl": "absl-py",
        "apache_beam": "apache-beam",
        "PIL": "pillow",
        "sklearn": "scikit-learn",
    }
    imported = set()
    for path in (ROOT / "reiqa_tf").rglob("*.py"):
        if "testing" in path.parts:
            continue
        for name in re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE):
            if name not in sys.stdlib_module_names and name != "reiqa_tf":
                imported.add(known_as.get(name, name))
    extras = {
        re.split(r"[<>=\[ ]", line)[0]
        for name in ("beam", "benchmark", "brisque")
        for line in setup["options.extras_require"][name].strip().splitlines()
    }
    assert imported == required | extras
    assert not required & extras


def test_the_version_is_one():
    assert importlib.metadata.version("reiqa_tf") == reiqa_tf.__version__


def test_every_public_name_is_there_and_documented():
    for name in reiqa_tf.__all__:
        value = getattr(reiqa_tf, name)
        assert name == "__version__" or value.__doc__, name
    assert set(reiqa_tf.__all__) <= set(dir(reiqa_tf))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        reiqa_tf.nonsense  # noqa: B018


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
