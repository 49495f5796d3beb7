"""Hypothesis profiles: `dev` by default, `ci` (more examples, reproducible) where CI is set."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadlines: the machines that run the tests are shared.
settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
