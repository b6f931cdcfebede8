"""The figures of the report, drawn from tables and arrays; reads and writes nothing, and never needs torch."""
