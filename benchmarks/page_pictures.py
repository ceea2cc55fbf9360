"""The pictures of a run's page that docs/ holds: on a laptop, on a phone and on paper, by Chromium and pdftoppm.

Usage: python -m benchmarks.page_pictures RUN [--out docs]     (writes report.png, report-phone.png and report-paper.png)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from chordsim.report.page import write

if TYPE_CHECKING:
    from PIL.Image import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LAPTOP, PHONE, SHEETS = (1440, 900), (390, 1688), 4


def main() -> None:
    """Make the page in a temporary folder and take its pictures."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    given = parser.parse_args()
    from PIL import Image as pictures

    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"no browser: needs one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = write(given.run, folder / "page.html")
        shot(browser, page.as_uri() + "#light", folder / "laptop.png", LAPTOP)
        # A window may not be as narrow as a phone, a frame in it may.
        frame = folder / "phone.html"
        size = f"border:0;width:{PHONE[0]}px;height:{PHONE[1]}px"
        frame.write_text(f'<body style="margin:0"><iframe src="page.html#light" style="{size}"></iframe></body>')
        shot(browser, frame.as_uri(), folder / "phone.png", (600, PHONE[1]))
        call([browser, *flags(folder), "--no-pdf-header-footer", f"--print-to-pdf={folder / 'page.pdf'}", page.as_uri()])
        call(["pdftoppm", "-r", "60", "-l", str(SHEETS), "-png", str(folder / "page.pdf"), str(folder / "sheet")])
        saved(pictures.open(folder / "laptop.png"), given.out / "report.png")
        saved(pictures.open(folder / "phone.png").crop((0, 0, *PHONE)), given.out / "report-phone.png")
        saved(side_by_side([pictures.open(path) for path in sorted(folder.glob("sheet-*.png"))]), given.out / "report-paper.png")


def flags(folder: Path) -> list[str]:
    """Return what the browser is started with."""
    return ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}"]


def shot(browser: str, address: str, target: Path, size: tuple[int, int]) -> None:
    """Take a picture of a page in a window of a size."""
    more = ["--allow-file-access-from-files", f"--window-size={size[0]},{size[1]}", f"--screenshot={target}"]
    call([browser, *flags(target.parent), *more, address])


def call(command: list[str]) -> None:
    """Run a program; its words are told only where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr[-400:]}")


def side_by_side(sheets: list[Image]) -> Image:
    """Return sheets of paper as one picture, two in a row."""
    from PIL import Image as pictures

    wide, high = sheets[0].size
    made = pictures.new("RGB", (2 * wide + 30, ((len(sheets) + 1) // 2) * (high + 10) + 10), "#888888")
    for n, sheet in enumerate(sheets):
        made.paste(sheet, (10 + n % 2 * (wide + 10), 10 + n // 2 * (high + 10)))
    return made


def saved(picture: Image, target: Path) -> None:
    """Write a picture and say how large it is."""
    picture.convert("RGB").save(target, optimize=True)
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(ended(main))
