"""The documentation site: ``python -m sphinx -W --keep-going docs build/docs``."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from docstrings import SECTIONS

project = "nextlmm"
author = "The nextlmm developers"
version = release = metadata.version("nextlmm")
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "docstrings",
    "generated",
    "mathematics",
]
exclude_patterns = ["_ext"]
highlight_language = "none"
smartquotes = False  # an option has two hyphens
nitpicky = True

# Python's own types have no page here, and private aliases have no page at all.
nitpick_ignore_regex = [("py:.*", ".*")]
autodoc_typehints = "none"  # those of arrays would fill a line
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [(name, "notes_style") for name in (*SECTIONS, "Returns")]

myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 600  # a busy machine fails no page
nb_merge_streams = True

html_theme = "furo"
html_title = f"nextlmm {release}"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_last_updated_fmt = None
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_style = "friendly"
pygments_dark_style = "github-dark"

linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_anchors = False
