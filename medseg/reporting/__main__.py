"""Write the JSON Schema of a Record to standard output."""

import sys

from medseg.reporting.record.schema import schema_text

sys.stdout.write(schema_text())
