"""Configuration of Sphinx; `sphinx-build -W -n docs docs/_build/html` must be silent."""

import inspect
import os
from importlib.metadata import version as installed_version

import rnla

# The function `rnla.trace`, before autosummary imports the module of that name.
for name in rnla.__all__:
    getattr(rnla, name)

project = "rnla"
author = "The rnla developers"
copyright = "2026, the rnla developers"
release = installed_version("rnla")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]

exclude_patterns = ["_build", "gallery", "Thumbs.db"]
templates_path = ["_templates"]
nitpicky = True
# Between single backticks: a link where the name is a documented object, else emphasis.
default_role = "autolink"

# Reference pages: numpydoc writes the types, so signatures stay free of them.
autosummary_generate = True
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Without a network the second, empty inventory is read, and the references below stay plain text.
intersphinx_mapping = {
    name: (address, (None, "offline.inv"))
    for name, address in {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "sklearn": "https://scikit-learn.org/stable/",
        "numba": "https://numba.readthedocs.io/en/stable/",
    }.items()
}
intersphinx_timeout = 5
nitpick_ignore_regex = [
    # A single word between backticks is the name of a parameter or a field.
    ("py:obj", r"\w+"),
    ("py:.*", r"(numpy|scipy|sklearn|numba|matplotlib|threadpoolctl)\..*"),
    ("py:.*", r"(enum|dataclasses|collections|concurrent|typing|warnings|logging)\..*"),
    ("py:.*", r"(StopIteration|ValueError|TypeError|UserWarning|NotImplementedError)"),
]

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "doc_module": ("rnla",),
    "reference_url": {"rnla": None},
    "backreferences_dir": None,
    "matplotlib_animations": False,
    "min_reported_time": 1,
    "show_memory": False,
    "nested_sections": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"rnla {version}"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "changes": []}

# Build without showing windows, on machines without a display too.
os.environ.setdefault("MPLBACKEND", "agg")


def show_init(app, what, name, obj, options, signature, return_annotation):
    """Show the arguments of `__init__` where a base class hides them behind `__new__`."""
    if what == "class" and signature == "(*args, **kwargs)":
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
        shown = (p.replace(annotation=p.empty) for p in parameters)
        return str(inspect.Signature(shown)), return_annotation
    return None


def setup(app):
    app.connect("autodoc-process-signature", show_init)
