"""A figure taken apart, so that its panels stand side by side or, on a phone, below each other."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.transforms import BboxBase
from PIL import Image

from fmnist_utils.plots.style import note_of

#: Dots an inch, of which a page shows 96 as so many pixels; and dots of paper around a panel.
_DPI, _PAD = 144, 6


@dataclass(frozen=True)
class Panels:
    """Pictures of one row, each with its alternative text; a notebook shows them as HTML."""

    pictures: tuple[bytes, ...] = field(repr=False)
    alt: tuple[str, ...]
    kind: str = field(default="chart", repr=False)
    caption: str = field(default="", repr=False)

    def _repr_html_(self) -> str:
        rows = ""
        # A legend has a row of its own, above the panels that it explains.
        for _, row in groupby(zip(self.alt, self.pictures, strict=True), lambda part: not part[0]):
            shown = "".join(
                f'<img class="{self.kind}" alt="{html.escape(text)}" style="max-width:100%" '
                f'width="{width}" src="data:image/png;base64,{base64.b64encode(picture).decode()}">'
                for text, picture in row
                for width in [int.from_bytes(picture[16:20], "big") * 96 // _DPI]
            )
            rows += f'<div class="panels" style="display:flex;flex-wrap:wrap">{shown}</div>'
        caption = f"<figcaption>{html.escape(self.caption)}</figcaption>"
        return f"<figure>{rows}{caption}</figure>" if self.caption else rows


def panels(
    figures: Figure | Sequence[Figure],
    alt: Sequence[str],
    kind: Literal["chart", "photo"] = "chart",
    caption: str = "",
) -> Panels:
    """Show the axes of figures as pictures of their own, which wrap where a page is narrow.

    A legend of a whole figure comes first, as a picture without alternative text: the texts of the
    panels say what it says.

    Parameters
    ----------
    figures : Figure or sequence of Figure
        What the other functions of this package return.
    alt : sequence of str
        The alternative text of each panel, in the order of figures and axes. A figure that holds a
        sentence instead is its own text, and those of its panels are not used.
    kind : {"chart", "photo"}
        A photo keeps its colours in the dark form of a page.
    caption : str
        What stands below all panels.

    Raises
    ------
    ValueError
        When there is not one text for each panel, or one is empty.

    Examples
    --------
    >>> fu.plots.panels(fu.plots.learning_curves(runs), alt=["falling loss", "rising accuracy"])
    Panels(alt=('', 'falling loss', 'rising accuracy'))
    """
    pictures, texts, left = [], [], list(alt)
    drawn = [figures] if isinstance(figures, Figure) else list(figures)
    said = list(map(note_of, drawn))
    wanted = sum(ax.get_visible() for fig in drawn if not note_of(fig) for ax in fig.axes)
    notes, unused = sum(map(bool, said)), len(alt) - wanted
    if unused < 0 or (unused and not notes):
        raise ValueError(f"There are {wanted} panels, and {len(alt)} alternative texts.")
    if not all(map(str.strip, alt)):
        raise ValueError("An alternative text is empty: say what the panel shows.")
    for fig, sentence in zip(drawn, said, strict=True):
        del left[: unused // notes if sentence else 0]
        fig.set_dpi(_DPI)
        fig.draw_without_rendering()
        fig.set_layout_engine("none")  # all stays in its place when the others are hidden
        parts = (*fig.legends, *(ax for ax in fig.axes if ax.get_visible()))
        for part in parts:
            pictures.append(_alone(fig, part, parts))
            texts.append("" if part in fig.legends else sentence or left.pop(0))
    return Panels(tuple(pictures), tuple(texts), kind, caption)


def _alone(fig: Figure, part: Artist, parts: Sequence[Artist]) -> bytes:
    """Draw one part without the others, of which a piece may stand within its edges."""
    for other in parts:
        other.set_visible(other is part)
    box, whole = part.get_tightbbox(), io.BytesIO()
    assert box is not None  # it is visible
    fig.savefig(whole, dpi=_DPI)
    for other in parts:
        other.set_visible(True)
    return _cut(Image.open(whole), box.padded(_PAD))


def _cut(whole: Image.Image, box: BboxBase) -> bytes:
    """Cut a part out, counted from the lower left, with few colours: a third of the size."""
    # Outside the picture a crop would be black.
    left, upper = max(box.x0, 0), max(whole.height - box.y1, 0)
    right, lower = min(box.x1, whole.width), min(whole.height - box.y0, whole.height)
    edges = (int(left), int(upper), int(right), int(lower))
    part = whole.crop(edges).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    content = io.BytesIO()
    part.save(content, "PNG", optimize=True)
    return content.getvalue()
