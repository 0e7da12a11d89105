#!/usr/bin/env python3
"""compare_campaigns.py FILE EXPECTED: 0 if all datasets of two campaign files are the same bit for bit."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "pipeline"))
import pipeline  # noqa: E402

pipeline.PipelineTest().assert_same_datasets(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
