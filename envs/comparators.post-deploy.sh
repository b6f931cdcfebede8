#!/bin/sh
# Run by Snakemake in the environment of comparators.yaml once that is made. Without its dependencies, as torch and the
# like are there already, and visdom, which draws an attack's progress in a browser, is not used.
set -e
python -m pip install --no-deps adv-lib==0.2.8
