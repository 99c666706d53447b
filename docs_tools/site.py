"""What mkdocs is told beyond `mkdocs.yml`: pages made from the code, and files from beside `docs/`.

A hook of mkdocs, which calls the functions named `on_...`. Links in any page lead to files as they
lie in the repository, so that they work there too; here they are turned to where the site has them.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs_tools import calibrations, drawing, glossary, reference
from tests.architecture.rooms import TABLE

ROOT = Path(__file__).resolve().parent.parent

# Pages that lie elsewhere in the repository, with their places in the site.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "THIRD-PARTY.md": "third-party.md",
    "README.md": "index.md",
    "benchmarks/README.md": "benchmarks.md",
    "models/README.md": "model-recipe.md",
    "models/tokenscope-py/README.md": "shipped-model.md",
}
# Other files that pages link to; the site carries a copy.
FILES = (
    ".ci/audit.py", "CITATION.cff", "LICENSE", "hosting/Containerfile", "hosting/nginx.conf",
    "hosting/tokenscope.service", "models/tokenscope-py/training.json",
    "notebooks/first-look.ipynb",
)  # fmt: skip

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and those that lie elsewhere."""
    made = {f"reference/{name}.md": text for name, text in reference.pages().items()}
    for source, place in PAGES.items():
        if place != "index.md":
            text = (ROOT / source).read_text(encoding="utf-8")
            made[place] = _FRONT_MATTER.sub("", text)
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    for source in FILES:
        if (ROOT / source).is_file():
            place = _place(source)
            files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is made from the code, and turn links to where the site has their files."""
    for name, text in _MADE.items():
        mark = f"<!-- made: {name} -->"
        if mark in markdown:
            markdown = markdown.replace(mark, text())
    place = page.file.src_uri
    elsewhere = {there: source for source, there in PAGES.items() if there != "index.md"}
    source = elsewhere.get(place, f"docs/{place}")
    return _LINK.sub(lambda link: f"{link[1]}{_turned(link[2], source, place)}{link[3]}", markdown)


def _turned(target: str, source: str, place: str) -> str:
    """Where the site has what a link in the file `source` of the repository leads to."""
    path, hash_, anchor = target.partition("#")
    if not path or ":" in path:
        return target
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if wanted in PAGES:
        there = PAGES[wanted]
    elif wanted.startswith("docs/"):
        there = wanted.removeprefix("docs/")
    elif wanted in FILES:
        there = _place(wanted)
    else:
        raise PluginError(
            f"{source} links to {wanted}, which is not part of the documentation. "
            "Name it in PAGES or FILES of docs_tools/site.py."
        )
    return posixpath.relpath(there, posixpath.dirname(place) or ".") + hash_ + anchor


def _place(source: str) -> str:
    """Where a copied file lies in the site: mkdocs leaves out names that begin with a dot."""
    return f"files/{source.lstrip('.')}"


_MADE = {
    "metrics": glossary.metrics,
    "head statistics": glossary.head_statistics,
    "further measures": glossary.further_measures,
    "calibrations": calibrations.calibrations,
    "rooms": lambda: TABLE.read_text(encoding="utf-8"),
    "drawing of the rooms": drawing.rooms,
}
