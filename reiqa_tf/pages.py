"""HTML pages that need no other file, from templates next to the code that fills them."""

from collections.abc import Callable, Mapping

import jinja2


def page_template(
    package: str, filters: Mapping[str, Callable[..., str]] | None = None
) -> jinja2.Template:
    """Reads the template `report.html.jinja` of a package.

    What is filled in is escaped. A name that the template uses and nobody fills in is an error.

    Args:
        package: name of the package that the template lies in.
        filters: dictionary from names to functions that the template may call on what it shows.

    Returns:
        `jinja2.Template`.

    Example:
    ```python
    from reiqa_tf.pages import page_template

    template = page_template("reiqa_tf.evaluation", {"figure": str, "thousands": "{:,}".format})
    ```
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    return environment.get_template("report.html.jinja")
