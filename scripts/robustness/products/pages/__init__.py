"""The pages: `add_inputs` adds what a page shows to a command line, `write` reads that and returns HTML."""
