"""What suites of runs have in common: pieces, the runner that resumes them, raw tables with one bootstrap, verdicts, parts of pages."""
