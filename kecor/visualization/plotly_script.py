"""The plotting library of the 3D views as part of a page, so that it needs no network."""

from __future__ import annotations

import base64
import gzip

from plotly.offline import get_plotlyjs


def plotly_script() -> str:
    """plotly.js, compressed, in an element that runs nothing until page.js unpacks it."""
    data = base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode("ascii")
    return f'<script type="text/plain" id="plotly">{data}</script>'
