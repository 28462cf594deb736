"""What mkdocs.yml leaves to code: pages made of files that lie elsewhere.

- Markdown at the top of the repository, and the model cards of the shipped presets.
- The reference: a page for `reiqa_tf` and one for each package. Names are found by reading the
  code, so that nobody keeps a list of them and nothing needs to be installed.
- Notebooks.
- The page that scores photos in the browser, where it has been built.
"""

from __future__ import annotations

import ast
import configparser
import json
import os
import pathlib
import re
import shutil
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"

TOP = {f"{name.lower()}.md": f"{name}.md" for name in ("CONTRIBUTING", "CHANGELOG", "RELEASE")}
"""Pages of the site, and the files at the top of the repository that they are."""

# Packages and modules that no program of a user's imports.
PRIVATE = {"backend", "cli", "version"}

BROWSER_PAGE = ROOT / os.environ.get("BROWSER_PAGE", "web/dist")
"""Folder with the built page for browsers, if there is one."""


def on_startup(**_: Any) -> None:
    """Makes the folder that mkdocstrings looks for before hooks see the configuration."""
    (ROOT / "build" / "reference").mkdir(parents=True, exist_ok=True)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lays the packages beside each other as they are installed, and lists the reference."""
    stage_packages(ROOT / "build" / "reference" / "reiqa_tf")
    pages: list[str] = ["reference/index.md"]
    pages += [f"reference/{name}.md" for name in packages()]
    (reference,) = (entry for entry in config.nav or [] if "Reference" in entry)
    reference["Reference"] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made here."""
    made = {name: from_top(ROOT / source) for name, source in TOP.items()}
    made["reference/index.md"] = public_names()
    for name, modules in packages().items():
        made[f"reference/{name}.md"] = reference_of(name, modules)
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    for path in sorted((DOCS / "tutorials").glob("*.ipynb")):
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=notebook(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turns links to notebooks to their pages, and puts the model cards where their page is."""
    markdown = re.sub(r"\]\(((?!http)[^)\s]*)\.ipynb\)", r"](\1.md)", markdown)
    markdown = re.sub(r"^\|.*", _unbroken, markdown, flags=re.MULTILINE)
    if page.file.src_uri != "model_cards.md":
        return markdown
    cards = [
        from_top(path).replace("\n## ", "\n### ").replace("# Model card: ", "## ", 1)
        for path in sorted((ROOT / "reiqa_tf" / "presets" / "shipped").glob("*/MODEL_CARD.md"))
    ]
    return markdown.replace("<!-- cards -->", "\n\n".join(cards))


def _unbroken(row: re.Match[str]) -> str:
    """Keeps the two ends of an interval in one line of their cell."""
    return re.sub(r"(\[[-+]?[\d.]+,) (?=[-+]?[\d.]+\])", "\\1\N{NO-BREAK SPACE}", row[0])


def on_post_page(output: str, **_: Any) -> str:
    """Gives the theme's search a name, for those who hear it."""
    dialog = 'data-md-component="search" role="dialog"'
    return output.replace(dialog, f'{dialog} aria-label="Search"')


def on_post_build(config: MkDocsConfig) -> None:
    """Adds the page for browsers; where it has not been built, a word in its place."""
    target = pathlib.Path(config.site_dir) / "try" / "app"
    if BROWSER_PAGE.is_dir():
        shutil.copytree(BROWSER_PAGE, target, dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        text = "<!doctype html><title>Not built</title><p>This page was not built with the site."
        (target / "index.html").write_text(text + "\n")


def from_top(path: pathlib.Path) -> str:
    """Returns the text of a file with links as they are seen from the top of the site."""
    text = path.read_text()
    text = text.replace("](docs/", "](")
    for name, source in TOP.items():
        text = text.replace(f"]({source})", f"]({name})")
    return text


def stage_packages(target: pathlib.Path) -> None:
    """Copies the code of the package and of its outer folders to where it is installed."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    shutil.rmtree(target, ignore_errors=True)
    for line in setup["options"]["package_dir"].split("\n"):
        package, _, folder = line.partition(" = ")
        for path in sorted((ROOT / folder).rglob("*.py")) if folder else ():
            if "node_modules" in path.parts:
                continue
            inside = package.removeprefix("reiqa_tf").removeprefix(".")
            copy = target / inside / path.relative_to(ROOT / folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def packages() -> dict[str, list[str]]:
    """Names of the public packages, each with its modules; modules of the top level alone."""
    top = ROOT / "build" / "reference" / "reiqa_tf"
    found: dict[str, list[str]] = {}
    for path in sorted(top.iterdir()):
        name = path.stem
        if name.startswith("_") or name in PRIVATE:
            continue
        if path.suffix == ".py":
            found[name] = [f"reiqa_tf.{name}"]
        elif (path / "__init__.py").is_file():
            files = [file for file in sorted(path.rglob("*.py")) if has_names(file)]
            parts = [(f.parent.relative_to(top), f.stem) for f in files if "shipped" not in f.parts]
            modules = [".".join(("reiqa_tf", *folder.parts, stem)) for folder, stem in parts]
            found[name] = [module.removesuffix(".__init__") for module in modules]
    return found


def has_names(file: pathlib.Path) -> bool:
    """Whether a module defines anything public."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            return True
        if any(not name.startswith("_") for name in _assigned(node)):
            return True
    return False


def reference_of(name: str, modules: list[str]) -> str:
    """Returns the page of a package: what it is for, and a section for each of its modules."""
    package = ROOT / "build" / "reference" / "reiqa_tf" / name / "__init__.py"
    if not package.is_file():
        return f"# reiqa_tf.{name}\n\n" + section(modules[0], "show_root_heading: false")
    about = ast.get_docstring(ast.parse(package.read_text())) or ""
    sections = [section(module) for module in modules if module != f"reiqa_tf.{name}"]
    return "\n\n".join([f"# reiqa_tf.{name}", about, *sections])


def section(module: str, *options: str) -> str:
    """Returns what mkdocstrings makes the section of a module of."""
    lines = "".join(f"\n        {option}" for option in options)
    return f"::: {module}" + (f"\n    options:{lines}" if lines else "")


def public_names() -> str:
    """Returns the page of the names of `reiqa_tf` itself, each with its home."""
    tree = ast.parse((ROOT / "reiqa_tf" / "__init__.py").read_text())
    homes: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                if isinstance(statement, ast.ImportFrom):
                    for name in statement.names:
                        homes[name.asname or name.name] = f"{statement.module}.{name.name}"
    lines = ["# reiqa_tf", "", ast.get_docstring(tree) or "", ""]
    lines += ["| name | what it is |", "| --- | --- |"]
    for name, home in sorted(homes.items(), key=lambda item: item[0].lower()):
        page = home.split(".")[1]
        lines.append(f"| [`{name}`]({page}.md#{home}) | {summary(home)} |")
    return "\n".join(lines) + "\n"


def summary(home: str) -> str:
    """Returns the first sentence of the docstring of a public name."""
    module, name = home.rsplit(".", 1)
    path = ROOT.joinpath("build", "reference", *module.split(".")).with_suffix(".py")
    body = ast.parse(path.read_text()).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        text: str | None = None
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            text = ast.get_docstring(node)
        elif name in _assigned(node) and isinstance(following, ast.Expr):
            text = ast.literal_eval(following.value)
        if text:
            return " ".join(text.split("\n\n")[0].split())
    raise ValueError(f"{home}: expected a public name with a docstring in {path}; found none.")


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def notebook(path: pathlib.Path) -> str:
    """Returns the page of a notebook: its text, code and outputs."""
    lines = []
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines.append(text)
        else:
            lines.append(f"```python\n{text}\n```")
            lines += [_output(output) for output in cell["outputs"]]
    link = f'<a href="../{path.name}" download>Download the notebook</a>'
    title, _, rest = "\n\n".join(line for line in lines if line).partition("\n")
    return f"{title}\n\n{link}\n{rest}\n"


def _output(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _printed("".join(output["text"]))
    data = output.get("data", {})
    for kind in ("image/jpeg", "image/png"):
        if kind in data:
            content = re.sub(r"\s", "", "".join(data[kind]))
            source = f"data:{kind};base64,{content}"
            return f'<img class="output" alt="Output of the cell above" src="{source}">'
    return _printed("".join(data["text/plain"])) if "text/plain" in data else ""


def _printed(text: str) -> str:
    return f"``` {{ .text .output }}\n{text.rstrip()}\n```"
