"""The figures: `add_inputs` adds what a figure is drawn from to a command line, `draw` reads that and draws it."""
