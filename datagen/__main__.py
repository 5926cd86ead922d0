"""`python -m datagen` is the same as `datagen`."""

import sys

from datagen.cli import main

sys.exit(main())
