"""One self-contained HTML page: text and pictures in one file, without scripts, that prints well."""
from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESOLUTION = 130        # dots per inch

PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-top: 1px solid #ddd; padding-top: 1rem; }
pre { font: 12px/1.45 ui-monospace, monospace; overflow-x: auto; background: #f7f7f7; padding: .8rem; border-radius: 4px; }
img { max-width: 44rem; width: 100%; } .verdict { font-weight: 600; } footer { color: #666; font-size: .85rem; margin-top: 3rem; }
@media print { pre { white-space: pre-wrap; } h2 { page-break-after: avoid; } img { page-break-inside: avoid; } }
</style></head><body>
<h1>$title</h1>
<p class="verdict">$verdict</p>
$sections
<footer>$footer</footer>
</body></html>
""")


def page(title: str, verdict: str, sections: Sequence[tuple[str, str, bytes | None]], footer: str) -> str:
    """Return a page.

    Parameters
    ----------
    title, verdict, footer
        Plain text.
    sections
        For each a heading, a text that is set as it is, and a PNG picture or None.
    """
    return PAGE.substitute(title=html.escape(title), verdict=html.escape(verdict), footer=html.escape(footer),
                           sections="\n".join(_section(*section) for section in sections))


def _section(heading: str, text: str, picture: bytes | None) -> str:
    parts = [f"<h2>{html.escape(heading)}</h2>"]
    if picture is not None:
        data = base64.b64encode(picture).decode()
        parts.append(f'<img alt="{html.escape(heading)}" src="data:image/png;base64,{data}">')
    if text:
        parts.append(f"<pre>{html.escape(text)}</pre>")
    return "\n".join(parts)


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=RESOLUTION)
    return out.getvalue()
