"""The page in a real browser: no console error, no network request, every chart drawn, light and dark, wide and narrow."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chordsim.report import page

pytestmark = pytest.mark.slow
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--virtual-time-budget=30000",
)
#: Drawn after the page's own script: counts what plotly made of each chart, and how far the page is wider than the screen.
PROBE = """<script>
const found = {};
for (const plot of document.querySelectorAll(".plot")) {
  const marks = plot.querySelectorAll(".scatterlayer .trace path, .scatterlayer .point, .barlayer .point, .heatmaplayer image").length;
  found[plot.dataset.figure] = marks;
}
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const theme = document.documentElement.dataset.theme;
document.body.innerHTML = "<pre id=probe>" + JSON.stringify({ found, wide, theme }) + "</pre>";
</script></body>"""


def browse(address: str, tmp_path: Path, *more: str) -> tuple[dict[str, Any], list[str]]:
    """Return what the probe found, and what the page wrote to the console."""
    command = [
        str(CHROMIUM),
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--allow-file-access-from-files",
        "--window-size=1280,900",
        *more,
        "--dump-dom",
        address,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    found = re.search(r'<pre id="?probe"?>(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-2000:]
    return json.loads(found[1].replace("&quot;", '"')), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture
def probed(played_run, tmp_path):
    """Return a copy of the page that says what became of it."""
    target = tmp_path / "report.html"
    target.write_text((played_run / "report.html").read_text().replace("</body>", PROBE))
    return target


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_chart_is_drawn_without_error_or_request(probed, tmp_path, theme):
    log = tmp_path / "net.json"
    told, console = browse(f"{probed.as_uri()}#{theme}", tmp_path, f"--log-net-log={log}")
    assert told["theme"] == theme and told["wide"] <= 0
    assert len(told["found"]) > 20 and all(told["found"].values()), told["found"]
    assert not console
    urls = set(re.findall(r'"url":"((?:https?|wss?)://[^"]+)"', log.read_text()))
    # Chromium itself may look for updates; the page's own requests would come with its origin.
    assert not [url for url in urls if not re.search(r"google|gstatic|chrome|gvt1", url)]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_fits_a_phone_of_400_pixels(probed, tmp_path):
    frame = tmp_path / "frame.html"
    # An inner frame has the width that is asked for; a headless window may not go that low.
    frame.write_text(
        '<body style="margin:0"><iframe src="report.html#dark" style="border:0;width:400px;height:900px" onload="'
        "document.body.innerHTML = this.contentDocument.getElementById('probe').outerHTML\"></iframe></body>"
    )
    told, _ = browse(frame.as_uri(), tmp_path)
    assert told["wide"] <= 0 and told["theme"] == "dark"
    assert len(told["found"]) > 20 and all(told["found"].values()), told["found"]


def test_a_million_rows_take_less_than_ten_seconds(made_run, tmp_path):
    rng = np.random.default_rng(0)
    rounds = {m: [np.where(rng.random(50_000) < 0.9, rng.random(50_000), np.nan) for _ in range(5)] for m in "abcd"}
    run = made_run(tmp_path / "run", rounds)
    began = time.process_time()
    page.write(run)
    # Seconds of this process, so that what else the machine does has no say.
    assert time.process_time() - began < 10
