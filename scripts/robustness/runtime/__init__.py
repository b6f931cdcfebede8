"""How a job talks to people and to its machine: options, logs, bars, signals, forks.

Belongs here: what no result can depend on, since its code is left out when results are compared with the code that
made them (`storage.code_digest`). Not here: anything that sees an array, or decides a value in a file.
"""
