"""How a job talks to people and to its machine: options, logs, bars, signals, forks.

Nothing here touches an array or decides a result.
"""
