#!/bin/sh
# Run by Snakemake in the environment of autoattack.yaml once that is made.
set -e
python -m pip install --no-deps pyautoattack==0.2.0
