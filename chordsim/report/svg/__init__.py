"""Charts as SVG for the page: drawn for a width, in the page's own colours, with nothing to load."""
