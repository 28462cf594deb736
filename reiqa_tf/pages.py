"""HTML pages that stand alone, from templates that lie beside the code that fills them."""

import jinja2


def page_template(package, filters=None):
    """Reads the template `report.html.jinja` of a package.

    What is filled in is escaped, and a name that the template uses and nobody fills is an error.

    Args:
        package: name of the package that the template lies in.
        filters: dictionary from names to functions that the template may call on what it shows.

    Returns:
        `jinja2.Template`.

    Example:
    ```python
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
